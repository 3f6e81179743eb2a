package scan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/storage"
)

// account is what one scan goes over. installation is 0 where a token is used.
type account struct {
	host, owner  string
	installation int64
}

// same says that both name one account, in whatever case.
func (a account) same(b account) bool {
	return strings.EqualFold(a.host, b.host) && strings.EqualFold(a.owner, b.owner) && a.installation == b.installation
}

// covering says whether an account is to be scanned.
type covering func(discovery.Account) bool

// covers takes what the policy covers: one account, or all of them for "".
func (s *Step) covers(only string) covering {
	return func(a discovery.Account) bool {
		return (only == "" || strings.EqualFold(only, a.Owner)) && len(s.cfg.Policy.Covering(a)) > 0
	}
}

// listing is an account with the Apps that GitHub lists there.
func (s *Step) listing(host, owner string) discovery.Account {
	return discovery.Account{Host: host, Owner: owner, Apps: s.github.AppsOn(host, owner)}
}

// asked are the accounts that a message means. A webhook names the installation,
// which spares looking for it, unless it matters which Apps there are.
func (s *Step) asked(ctx context.Context, req event.Scan) ([]account, error) {
	covers := s.covers(req.Owner)
	if req.Owner == "" || req.InstallationID == 0 || len(s.cfg.Policy.Apps(req.Host)) > 0 {
		return s.accounts(ctx, req.Host, covers)
	}
	if !covers(s.listing(req.Host, req.Owner)) {
		return nil, nil
	}
	return []account{{req.Host, req.Owner, req.InstallationID}}, nil
}

// allAccounts are those of a host, or of all hosts for "".
func (s *Step) allAccounts(ctx context.Context, host string, covers covering) (all []account, err error) {
	for _, h := range s.github.Hosts() {
		if host != "" && !strings.EqualFold(host, h) {
			continue
		}
		some, err := s.accounts(ctx, h, covers)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// accounts are those of a host: where an App is installed, where it was
// installed when repositories were read, and those that the configuration names.
// One with several installations has several scans where each shows a part of it.
func (s *Step) accounts(ctx context.Context, host string, covers covering) (all []account, err error) {
	taken := map[string]bool{}
	add := func(owner string, installation int64) {
		if key := strings.ToLower(owner); !taken[key] {
			taken[key] = true
			all = append(all, account{host, owner, installation})
		}
	}
	if s.github.HasApps(host) {
		list, err := s.github.Installations(ctx, host)
		if err != nil {
			return nil, unanswered(err)
		}
		for _, in := range list {
			if !covers(s.listing(host, in.Account)) {
				continue
			}
			// While one is suspended GitHub shows nothing, and nothing has gone.
			taken[strings.ToLower(in.Account)] = true
			if !in.Suspended && !spared(in, list) {
				all = append(all, account{host, in.Account, in.ID})
			}
		}
		stored, err := s.store.Repositories(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range stored {
			lost := !slices.ContainsFunc(list, func(in githubapp.Installation) bool { return in.ID == r.InstallationID })
			if ours(r, host) && r.InstallationID != 0 && lost && covers(discovery.Account{Host: host, Owner: r.Owner}) {
				add(r.Owner, r.InstallationID)
			}
		}
	}
	for _, p := range s.cfg.Policy.Providers {
		if strings.EqualFold(p.Host, host) && p.Organization != "" && covers(s.listing(host, p.Organization)) {
			add(p.Organization, 0)
		}
	}
	return all, nil
}

// spared says that another installation on the account shows all that one does.
func spared(in githubapp.Installation, list []githubapp.Installation) bool {
	first := slices.IndexFunc(list, func(o githubapp.Installation) bool {
		return strings.EqualFold(o.Account, in.Account) && !o.Suspended && !o.Selected
	})
	return first >= 0 && list[first].ID != in.ID
}

// unanswered marks whatever GitHub answered instead of a list as an outage: a
// list of installations is never refused for what is asked.
func unanswered(err error) error {
	err = fmt.Errorf("list installations: %w", err)
	if _, known := fault.Of(err); known {
		return err
	}
	return fault.Unavailable(err)
}

// ours says that scans of a host are to find a repository.
func ours(r storage.Repository, host string) bool {
	return r.ID > 0 && r.Discovered && r.State != storage.RepositoryRemoved && strings.EqualFold(r.Host, host)
}

// Jobs are the scheduled scans: one for each entry of catalog.providers.github,
// or for each host with an App where there is none. An account that several entries
// cover is scanned by each one's schedule; who comes while it is scanned joins.
func (s *Step) Jobs(context.Context) ([]schedule.Job, error) {
	var jobs []schedule.Job
	for _, p := range s.cfg.Policy.Providers {
		own := func(a discovery.Account) bool {
			return slices.ContainsFunc(s.cfg.Policy.Covering(a), func(o discovery.Provider) bool { return o.ID == p.ID })
		}
		jobs = append(jobs, s.job("scan "+p.ID, p.Host, p.Schedule, own))
	}
	if len(jobs) > 0 {
		return jobs, nil
	}
	for _, host := range s.github.Hosts() {
		if s.github.HasApps(host) {
			jobs = append(jobs, s.job("scan "+host, host, s.cfg.Policy.Undirected.Schedule, s.covers("")))
		}
	}
	return jobs, nil
}

func (s *Step) job(name, host string, when schedule.Schedule, covers covering) schedule.Job {
	return schedule.Job{Name: name, Schedule: when, Run: func(ctx context.Context) error {
		all, err := s.allAccounts(githubapp.WithPurpose(ctx, githubapp.PurposeScan), host, covers)
		if err != nil {
			return err
		}
		_, err = s.start(ctx, all, storage.Cause{Reason: storage.ReasonScan, Actor: "schedule"})
		return err
	}}
}
