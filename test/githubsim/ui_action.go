package githubsim

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// uiActions are the buttons of the admin page. The part before the dot is the
// section that is shown afterwards.
var uiActions = map[string]func(*Server, url.Values) error{
	"repo.create": func(s *Server, f url.Values) error {
		_, err := s.CreateRepo(f.Get("owner"), f.Get("name"), RepoOptions{}, map[string]string{"catalog-info.yaml": f.Get("text")})
		return err
	},
	"repo.rename":    func(s *Server, f url.Values) error { return s.RenameRepo(f.Get("repo"), f.Get("name")) },
	"repo.archive":   func(s *Server, f url.Values) error { return s.ArchiveRepo(f.Get("repo"), true) },
	"repo.unarchive": func(s *Server, f url.Values) error { return s.ArchiveRepo(f.Get("repo"), false) },
	"repo.delete":    func(s *Server, f url.Values) error { return s.DeleteRepo(f.Get("repo")) },
	"repo.transfer":  func(s *Server, f url.Values) error { return s.TransferRepo(f.Get("repo"), f.Get("owner")) },
	"repo.private":   func(s *Server, f url.Values) error { return s.SetPrivate(f.Get("repo"), true) },
	"repo.public":    func(s *Server, f url.Values) error { return s.SetPrivate(f.Get("repo"), false) },
	"repo.branch":    func(s *Server, f url.Values) error { return s.useBranch(f.Get("repo"), f.Get("branch")) },
	"repo.topics": func(s *Server, f url.Values) error {
		return s.SetTopics(f.Get("repo"), strings.Fields(f.Get("topics")))
	},

	"people.add":    func(s *Server, f url.Values) error { return s.AddMember(f.Get("org"), f.Get("login"), "member") },
	"people.remove": func(s *Server, f url.Values) error { return s.RemoveMember(f.Get("org"), f.Get("login")) },
	"team.add": func(s *Server, f url.Values) error {
		return s.AddTeam(f.Get("org"), TeamOptions{Name: f.Get("name"), Parent: f.Get("parent")})
	},
	"team.edit": func(s *Server, f url.Values) error {
		return s.EditTeam(f.Get("org"), f.Get("team"), TeamOptions{
			Name: f.Get("name"), Description: f.Get("description"), Parent: f.Get("parent"),
		})
	},
	"team.delete": func(s *Server, f url.Values) error { return s.DeleteTeam(f.Get("org"), f.Get("team")) },
	"team.join": func(s *Server, f url.Values) error {
		return s.AddTeamMember(f.Get("org"), f.Get("team"), f.Get("login"))
	},
	"team.leave": func(s *Server, f url.Values) error {
		return s.RemoveTeamMember(f.Get("org"), f.Get("team"), f.Get("login"))
	},

	"app.install": func(s *Server, f url.Values) error {
		a := s.appBySlug(f.Get("app"))
		if a == nil {
			return errNotFound
		}
		_, err := s.installOnce(a, f.Get("account"), nil)
		return err
	},
	"app.uninstall": onInstallation(func(in *Installation) { in.Uninstall() }),
	"app.suspend":   onInstallation(func(in *Installation) { in.Suspend(true) }),
	"app.unsuspend": onInstallation(func(in *Installation) { in.Suspend(false) }),

	"delivery.redeliver": func(s *Server, f url.Values) error {
		id, err := strconv.ParseInt(f.Get("id"), 10, 64)
		if err != nil {
			return errNotFound
		}
		return s.Redeliver(id)
	},
	"delivery.pause":  func(s *Server, _ url.Values) error { s.PauseDeliveries(); return nil },
	"delivery.resume": func(s *Server, _ url.Values) error { s.ResumeDeliveries(); return nil },
	"delivery.lose":   func(s *Server, _ url.Values) error { s.SetDeliveryFaults(DeliveryFaults{Lose: 1}); return nil },
	"delivery.keep":   func(s *Server, _ url.Values) error { s.SetDeliveryFaults(DeliveryFaults{}); return nil },

	"fault.half":  func(s *Server, _ url.Values) error { s.SetListingFaults(ListingFaults{Hide: otherHalf}); return nil },
	"fault.empty": func(s *Server, _ url.Values) error { s.SetListingFaults(ListingFaults{Empty: true}); return nil },
	"fault.error": func(s *Server, _ url.Values) error {
		s.Inject(Fault{Status: http.StatusInternalServerError})
		return nil
	},
	"fault.limit": func(s *Server, _ url.Values) error { s.SetRateLimit(100); return nil },
	"fault.clear": func(s *Server, _ url.Values) error {
		s.ClearFaults()
		s.SetRateLimit(s.opt.rateLimit)
		return nil
	},
}

// otherHalf is about half of all repositories, the same ones each time.
func otherHalf(name string) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key(name)))
	return h.Sum32()%2 == 0
}

// useBranch makes a branch where there is none, and the default one.
func (s *Server) useBranch(repo, branch string) error {
	if s.Head(repo, branch) == "" {
		if err := s.CreateBranch(repo, branch, "HEAD"); err != nil {
			return err
		}
	}
	return s.SetDefaultBranch(repo, branch)
}

func onInstallation(do func(*Installation)) func(*Server, url.Values) error {
	return func(s *Server, f url.Values) error {
		in, err := s.installation(f.Get("installation"))
		if err == nil {
			do(in)
		}
		return err
	}
}

// installation finds one by its id.
func (s *Server) installation(id string) (*Installation, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, in := range s.installs {
		if strconv.FormatInt(in.id, 10) == id {
			return in, nil
		}
	}
	return nil, fmt.Errorf("installation %s: %w", id, errNotFound)
}

// uiPost does what a button says and leads back to the page.
func (s *Server) uiPost(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	do := r.FormValue("do")
	action := uiActions[do]
	if action == nil {
		page(w, http.StatusBadRequest, "There is no such button", "<p>"+esc(do)+"</p>")
		return
	}
	q := url.Values{}
	if err := action(s, r.Form); err != nil {
		q.Set("error", err.Error())
	} else {
		q.Set("done", do)
	}
	section, _, _ := strings.Cut(do, ".")
	http.Redirect(w, r, "/_sim/ui?"+q.Encode()+"#"+section, http.StatusSeeOther)
}
