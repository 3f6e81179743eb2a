package doctor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/callboard/callboard/pipeline/githubapp"
)

// delivery has GitHub send a webhook again and looks in GitHub's log how that
// went: the only proof that addresses, firewalls and secrets fit. A delivery
// that is sent twice does nothing the second time.
func (h hostCheck) delivery(ctx context.Context, s section, a githubapp.AppInfo) {
	h.Wait("reading the delivery log of " + a.Slug)
	log, err := h.log(ctx, a)
	if err != nil {
		s.fail("try again", "GitHub's delivery log cannot be read: %s", reason(err))
		return
	}
	sent, err := h.resend(ctx, a, log)
	switch {
	case err != nil:
		s.warn("try again", "GitHub did not send a webhook again: %s", reason(err))
		return
	case sent == nil:
		s.warn("push to a repository that the App is installed on, then run this again; or press Redeliver at "+h.settings(a)+"/advanced",
			"GitHub has sent nothing in the last days that could be sent again, so that its way here is not proven")
		return
	}
	h.Wait("waiting for GitHub to send a webhook again")
	attempt, err := h.attempt(ctx, a, *sent, log)
	if err != nil {
		s.warn("look at "+h.settings(a)+"/advanced", "GitHub did not try within %s", deliveryPatience)
		return
	}
	h.judge(s, a, attempt)
}

func (h hostCheck) log(ctx context.Context, a githubapp.AppInfo) ([]githubapp.HookDelivery, error) {
	return within(ctx, func(ctx context.Context) ([]githubapp.HookDelivery, error) {
		page, _, err := h.GitHub.Deliveries(ctx, h.entry.Host, a.ID, "")
		return page, err
	})
}

// resend asks for the newest ping, which means nothing to anybody, else for the
// newest delivery. It answers nil when there is none.
func (h hostCheck) resend(ctx context.Context, a githubapp.AppInfo, log []githubapp.HookDelivery) (*githubapp.HookDelivery, error) {
	var candidates []githubapp.HookDelivery
	for _, d := range log {
		if d.Event == "ping" {
			candidates = append(candidates, d)
			break
		}
	}
	if len(log) > 0 {
		candidates = append(candidates, log[0])
	}
	for _, d := range candidates {
		_, err := within(ctx, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, h.GitHub.Redeliver(ctx, h.entry.Host, a.ID, d.ID)
		})
		switch {
		case errors.Is(err, githubapp.ErrTooOld):
			continue
		case err != nil:
			return nil, err
		}
		return &d, nil
	}
	return nil, nil
}

var errNoAttempt = errors.New("no attempt")

// attempt waits until GitHub's log has a new attempt with an outcome.
func (h hostCheck) attempt(ctx context.Context, a githubapp.AppInfo, sent githubapp.HookDelivery, before []githubapp.HookDelivery) (githubapp.HookDelivery, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryPatience)
	defer cancel()
	known := map[int64]bool{}
	for _, d := range before {
		known[d.ID] = true
	}
	tick := time.NewTicker(h.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return githubapp.HookDelivery{}, errNoAttempt
		case <-tick.C:
		}
		log, err := h.log(ctx, a)
		if err != nil {
			continue // the next look may succeed; time is bounded
		}
		for _, d := range log {
			if d.GUID == sent.GUID && !known[d.ID] && d.StatusCode != 0 {
				return d, nil
			}
		}
	}
}

// judge reads the outcome: a status of Callboard's, or GitHub's own 502 and 504
// when nobody answered.
func (h hostCheck) judge(s section, a githubapp.AppInfo, d githubapp.HookDelivery) {
	page := h.settings(a)
	switch code := d.StatusCode; {
	case code/100 == 2:
		s.ok("GitHub sent a %s again, and Callboard took it", d.Event)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		s.fail("set the same secret at "+page+" and as webhookSecret of the App",
			"the webhook secrets differ: Callboard refuses GitHub's signature (%d)", code)
	case code == http.StatusBadGateway || code == http.StatusGatewayTimeout:
		s.fail("see that Callboard runs, and that GitHub may connect to it (DNS, proxy, firewall, certificate)",
			"GitHub cannot reach %s: %s", a.Hook.URL, d.Status)
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed || code/100 == 3:
		s.fail("see that the webhook URL at "+page+" leads to Callboard, and not to something in front of it",
			"%s answers %d", a.Hook.URL, code)
	default:
		s.fail("look into Callboard's log", "Callboard answers %d", code)
	}
}
