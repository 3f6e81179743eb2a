package githubsim

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// adminHelp is what GET /_sim answers, and what the program prints.
const adminHelp = `The simulator's admin API. No authentication; JSON in and out.
GET /_sim/ui is a page for it with buttons.

  GET    /_sim/requests                       requests by route, 304s and failures apart
  DELETE /_sim/requests                       count from zero
  GET    /_sim/faults                         active faults
  POST   /_sim/faults                         {"match":"GET /repos/*/git/trees/*","status":500,"times":3}
                                              also: probability, skip, latency (ns), hang, header, body, cutAfter
  DELETE /_sim/faults[/{id}]                  remove all or one
  PUT    /_sim/latency                        {"milliseconds":50}
  PUT    /_sim/rate-limit                     {"perHour":100}
  PUT    /_sim/secondary-limits               {"concurrent":100,"restPoints":900,"graphQLPoints":2000}; 0 is off
  PUT    /_sim/listing-faults                 {"half":true} or {"hide":["acme/a"]}; also: reads, empty, maxPage, tooHeavy
  GET    /_sim/deliveries                     the delivery log, oldest first
  POST   /_sim/deliveries/{id}/redeliver      once more, same GUID
  POST   /_sim/deliveries/pause, …/resume     hold back and let go
  POST   /_sim/deliveries/wait                answer when all are sent
  PUT    /_sim/delivery-faults                {"Drop":0.1,"Double":0.1,"Lose":0,"Delay":0,"Reorder":3}
  GET    /_sim/repos                          all repositories
  POST   /_sim/repos                          {"owner":"acme","name":"new","files":{"catalog-info.yaml":"…"}}
  PATCH  /_sim/repos/{owner}/{repo}           {"name":…,"archived":…,"private":…,"default_branch":…}
  DELETE /_sim/repos/{owner}/{repo}
  PUT    /_sim/repos/{owner}/{repo}/topics    {"names":["go"]}
  POST   /_sim/repos/{owner}/{repo}/transfer  {"new_owner":"other"}
  POST   /_sim/repos/{owner}/{repo}/commit    {"branch":"main","message":"…","files":{"path":"text","gone":null}}
  POST   /_sim/repos/{owner}/{repo}/force     {"branch":"main","sha":"…"}
  GET    /_sim/installations
  POST   /_sim/installations                  {"app":"callboard","account":"acme","repositories":["a"]}; none means all
  DELETE /_sim/installations/{id}             uninstall
  PUT    /_sim/installations/{id}/suspended   DELETE lets it go on
  PUT    /_sim/orgs/{org}/members/{login}     DELETE removes
  POST   /_sim/orgs/{org}/teams               {"name":"…","description":"…","parent":"slug"}
  PATCH  /_sim/orgs/{org}/teams/{team}        the same; DELETE removes
  PUT    /_sim/orgs/{org}/teams/{team}/members/{login}   DELETE removes
`

// AdminHelp describes the admin API in a few lines of text.
func AdminHelp() string { return adminHelp }

func (s *Server) adminRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*call) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			c := &call{s: s, w: w, r: r}
			v, err := f(c)
			if err != nil {
				c.fail(unprocessable(err))
				return
			}
			if v == nil {
				v = object{"ok": true}
			}
			c.fail(c.json(http.StatusOK, v))
		})
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(adminHelp)) })
	s.adminTraffic(handle)
	s.adminRepos(handle)
	s.adminPeople(handle)
	s.adminApps(handle)
	mux.HandleFunc("GET /ui", s.uiPage)
	mux.HandleFunc("POST /ui", s.uiPost)
	return mux
}

type adminHandle func(pattern string, f func(*call) (any, error))

// adminTraffic are counters, faults, limits and deliveries.
func (s *Server) adminTraffic(handle adminHandle) {
	handle("GET /requests", func(*call) (any, error) { return s.Requests(), nil })
	handle("DELETE /requests", func(*call) (any, error) { s.ResetRequests(); return nil, nil })
	handle("GET /faults", func(*call) (any, error) {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		out := []activeFault{}
		for _, f := range s.faults.active {
			out = append(out, *f)
		}
		return out, nil
	})
	handle("POST /faults", func(c *call) (any, error) {
		var f Fault
		if err := c.body(&f); err != nil {
			return nil, err
		}
		return object{"id": s.faults.add(f)}, nil
	})
	handle("DELETE /faults", func(*call) (any, error) { s.ClearFaults(); return nil, nil })
	handle("DELETE /faults/{id}", func(c *call) (any, error) {
		id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
		s.faults.remove(id)
		return nil, err
	})
	handle("PUT /latency", func(c *call) (any, error) {
		var body struct{ Milliseconds float64 }
		err := c.body(&body)
		s.SetLatency(time.Duration(body.Milliseconds * float64(time.Millisecond)))
		return nil, err
	})
	handle("PUT /rate-limit", func(c *call) (any, error) {
		var body struct{ PerHour int }
		err := c.body(&body)
		if err == nil {
			s.SetRateLimit(body.PerHour)
		}
		return nil, err
	})
	handle("GET /deliveries", func(*call) (any, error) {
		out := []object{}
		for _, d := range s.Deliveries() {
			out = append(out, deliveryJSON(&d, false))
		}
		return out, nil
	})
	handle("POST /deliveries/{id}/redeliver", func(c *call) (any, error) {
		id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
		if err != nil {
			return nil, errNotFound
		}
		return nil, s.Redeliver(id)
	})
	handle("POST /deliveries/pause", func(*call) (any, error) { s.PauseDeliveries(); return nil, nil })
	handle("POST /deliveries/resume", func(*call) (any, error) { s.ResumeDeliveries(); return nil, nil })
	handle("POST /deliveries/wait", func(c *call) (any, error) {
		ctx, cancel := context.WithTimeout(c.r.Context(), time.Minute)
		defer cancel()
		return nil, s.WaitDeliveries(ctx)
	})
	handle("PUT /delivery-faults", func(c *call) (any, error) {
		var f DeliveryFaults
		if err := c.body(&f); err != nil {
			return nil, err
		}
		s.SetDeliveryFaults(f)
		return nil, nil
	})
}

// adminRepos are changes of repositories without a token.
func (s *Server) adminRepos(handle adminHandle) {
	name := func(c *call) string { return c.r.PathValue("owner") + "/" + c.r.PathValue("repo") }
	handle("GET /repos", func(*call) (any, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		out := []object{}
		for _, r := range s.order {
			o := s.shortRepo(r)
			o["head"], o["default_branch"], o["clone_url"] = r.git.Head(), r.git.DefaultBranch(), s.base+"/"+r.fullName()+".git"
			out = append(out, o)
		}
		return out, nil
	})
	handle("POST /repos", func(c *call) (any, error) {
		var body struct {
			Owner, Name, Description string
			Private                  bool
			Topics                   []string
			Files                    map[string]string
		}
		if err := c.body(&body); err != nil {
			return nil, err
		}
		r, err := s.CreateRepo(body.Owner, body.Name, RepoOptions{
			Description: body.Description, Private: body.Private, Topics: body.Topics,
		}, body.Files)
		if err != nil {
			return nil, err
		}
		return object{"id": r.ID(), "clone_url": r.CloneURL(), "head": r.git.Head()}, nil
	})
	handle("PATCH /repos/{owner}/{repo}", func(c *call) (any, error) {
		var p repoPatch
		if err := c.body(&p); err != nil {
			return nil, err
		}
		r, err := s.Repo(name(c))
		if err != nil {
			return nil, err
		}
		return nil, p.apply(s, r, As(defaultUser))
	})
	handle("DELETE /repos/{owner}/{repo}", func(c *call) (any, error) { return nil, s.DeleteRepo(name(c)) })
	handle("POST /repos/{owner}/{repo}/transfer", func(c *call) (any, error) {
		var body struct {
			NewOwner string `json:"new_owner"`
		}
		if err := c.body(&body); err != nil {
			return nil, err
		}
		return nil, s.TransferRepo(name(c), body.NewOwner)
	})
	handle("POST /repos/{owner}/{repo}/commit", func(c *call) (any, error) {
		var body struct {
			Branch, Message string
			Files           map[string]*string
		}
		if err := c.body(&body); err != nil {
			return nil, err
		}
		r, err := s.Repo(name(c))
		if err != nil {
			return nil, err
		}
		if body.Branch == "" {
			body.Branch = r.git.DefaultBranch()
		}
		if body.Message == "" {
			body.Message = fmt.Sprintf("Change %d files", len(body.Files))
		}
		sha, err := s.Commit(name(c), body.Branch, body.Message, body.Files)
		return object{"sha": sha}, err
	})
	handle("POST /repos/{owner}/{repo}/force", func(c *call) (any, error) {
		var body struct{ Branch, SHA string }
		if err := c.body(&body); err != nil {
			return nil, err
		}
		return nil, s.ForcePush(name(c), body.Branch, body.SHA)
	})
}

// adminPeople are changes of members and teams.
func (s *Server) adminPeople(handle adminHandle) {
	handle("PUT /orgs/{org}/members/{login}", func(c *call) (any, error) {
		return nil, s.AddMember(c.r.PathValue("org"), c.r.PathValue("login"), "member")
	})
	handle("DELETE /orgs/{org}/members/{login}", func(c *call) (any, error) {
		return nil, s.RemoveMember(c.r.PathValue("org"), c.r.PathValue("login"))
	})
	handle("POST /orgs/{org}/teams", func(c *call) (any, error) {
		var to TeamOptions
		if err := c.body(&to); err != nil {
			return nil, err
		}
		return nil, s.AddTeam(c.r.PathValue("org"), to)
	})
	handle("PATCH /orgs/{org}/teams/{team}", func(c *call) (any, error) {
		var to TeamOptions
		if err := c.body(&to); err != nil {
			return nil, err
		}
		return nil, s.EditTeam(c.r.PathValue("org"), c.r.PathValue("team"), to)
	})
	handle("DELETE /orgs/{org}/teams/{team}", func(c *call) (any, error) {
		return nil, s.DeleteTeam(c.r.PathValue("org"), c.r.PathValue("team"))
	})
	for method, f := range map[string]func(org, team, login string, opts ...EditOption) error{
		"PUT": s.AddTeamMember, "DELETE": s.RemoveTeamMember,
	} {
		handle(method+" /orgs/{org}/teams/{team}/members/{login}", func(c *call) (any, error) {
			return nil, f(c.r.PathValue("org"), c.r.PathValue("team"), c.r.PathValue("login"))
		})
	}
}
