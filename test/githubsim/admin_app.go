package githubsim

import "slices"

// adminApps are installations and what else only GitHub's owner could change.
func (s *Server) adminApps(handle adminHandle) {
	handle("GET /installations", func(*call) (any, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		out := []object{}
		for _, in := range s.installs {
			out = append(out, s.installationJSON(in))
		}
		return out, nil
	})
	handle("POST /installations", func(c *call) (any, error) {
		var body struct {
			App, Account string
			Repositories []string
		}
		if err := c.body(&body); err != nil {
			return nil, err
		}
		a := s.appBySlug(body.App)
		if a == nil {
			return nil, errNotFound
		}
		in, err := s.installOnce(a, body.Account, body.Repositories)
		if err != nil {
			return nil, err
		}
		return object{"id": in.id}, nil
	})
	change := func(pattern string, do func(*Installation)) {
		handle(pattern, func(c *call) (any, error) {
			in, err := s.installation(c.r.PathValue("id"))
			if err == nil {
				do(in)
			}
			return nil, err
		})
	}
	change("DELETE /installations/{id}", func(in *Installation) { in.Uninstall() })
	change("PUT /installations/{id}/suspended", func(in *Installation) { in.Suspend(true) })
	change("DELETE /installations/{id}/suspended", func(in *Installation) { in.Suspend(false) })
	handle("PUT /repos/{owner}/{repo}/topics", func(c *call) (any, error) {
		var body struct{ Names []string }
		if err := c.body(&body); err != nil {
			return nil, err
		}
		return nil, s.SetTopics(c.r.PathValue("owner")+"/"+c.r.PathValue("repo"), body.Names)
	})
	handle("PUT /listing-faults", func(c *call) (any, error) {
		var body struct {
			Hide              []string
			Half              bool
			Reads, Empty      bool
			MaxPage, TooHeavy int
		}
		if err := c.body(&body); err != nil {
			return nil, err
		}
		f := ListingFaults{Reads: body.Reads, Empty: body.Empty, MaxPage: body.MaxPage, TooHeavy: body.TooHeavy}
		if body.Half || len(body.Hide) > 0 {
			f.Hide = func(name string) bool { return body.Half && otherHalf(name) || slices.Contains(body.Hide, name) }
		}
		s.SetListingFaults(f)
		return nil, nil
	})
	handle("PUT /secondary-limits", func(c *call) (any, error) {
		var l SecondaryLimits
		err := c.body(&l)
		if err == nil {
			s.SetSecondaryLimits(l)
		}
		return nil, err
	})
}
