package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/cmd/manifest"
	"github.com/callboard/callboard/pipeline/githubapp"
)

// An App's tokens are refused when clocks are a minute apart.
const (
	skewWarning = 30 * time.Second
	skewFailure = time.Minute
)

// hostCheck is one entry of integrations.github while it is looked at.
type hostCheck struct {
	*Doctor
	*Report
	entry config.GitHub
	web   string
	// needs depend on whether people come from this host.
	needs manifest.Needs
	apps  map[int64]githubapp.AppInfo
}

func (d *Doctor) host(ctx context.Context, r *Report, entry config.GitHub) {
	h := hostCheck{
		Doctor: d, Report: r, entry: entry, apps: map[int64]githubapp.AppInfo{},
		web: githubapp.Host{Host: entry.Host, BaseURL: entry.BaseURL}.WebURL(),
	}
	h.needs = manifest.Needed(h.wantsPeople())
	if !h.reach(ctx) {
		return // nothing else of this host could be seen
	}
	for _, id := range d.GitHub.Apps(entry.Host) {
		h.app(ctx, id)
	}
	if entry.Token != "" {
		h.token(ctx)
	}
	var installed []githubapp.Installation
	complete := true
	if len(entry.Apps) > 0 {
		installed, complete = h.installations(ctx)
	} else if entry.Token == "" {
		h.about(entry.Host).warn("make an App: callboard github create-app --help",
			"there is neither an App nor a token: only public repositories can be read, and 60 requests an hour")
	}
	if complete {
		h.providers(installed)
	}
}

func (h hostCheck) wantsPeople() bool {
	return slices.ContainsFunc(h.Config.Orgs, func(o config.OrgProvider) bool { return sameName(o.Host, h.entry.Host) })
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// reach asks without credentials, because those of an App are refused when the
// clock is wrong.
func (h hostCheck) reach(ctx context.Context) bool {
	h.Wait("asking " + h.entry.Host)
	skew, err := within(ctx, func(ctx context.Context) (time.Duration, error) {
		return h.GitHub.ClockSkew(ctx, h.entry.Host)
	})
	if err != nil {
		h.about(h.entry.Host).fail("see that this machine may connect there (proxy, firewall), and that host and apiBaseUrl are right",
			"the API cannot be asked: %s", reason(err))
		return false
	}
	h.about(h.entry.Host).ok("the API answers")
	s := h.about(h.entry.Host + " clock")
	direction := "ahead of"
	if skew < 0 {
		direction, skew = "behind", -skew
	}
	skew = skew.Round(time.Second)
	const advice = "set this machine's clock (NTP)"
	switch {
	case skew > skewFailure:
		s.fail(advice, "this machine is %s %s GitHub, which refuses Apps whose clock is wrong", skew, direction)
	case skew > skewWarning:
		s.warn(advice, "this machine is %s %s GitHub, which refuses Apps from a minute on", skew, direction)
	default:
		s.ok("right within %s", max(skew, time.Second))
	}
	return true
}

// settings is GitHub's page of an App.
func (h hostCheck) settings(a githubapp.AppInfo) string {
	if a.OwnerType == "User" {
		return h.web + "/settings/apps/" + a.Slug
	}
	return h.web + "/organizations/" + a.Owner + "/settings/apps/" + a.Slug
}

// app looks at an App and its webhook.
func (h hostCheck) app(ctx context.Context, id int64) {
	name := fmt.Sprintf("%s App %d", h.entry.Host, id)
	h.Wait("asking about " + name)
	a, err := within(ctx, func(ctx context.Context) (githubapp.AppInfo, error) { return h.GitHub.App(ctx, h.entry.Host, id) })
	if err != nil {
		h.about(name).fail("see that appId and privateKey belong together; the App's page on GitHub makes a new key",
			"GitHub does not take the App's credentials: %s", reason(err))
		return
	}
	h.apps[id] = a
	h.about(name).ok("%s of %s", a.Slug, a.Owner)
	h.permissions(h.about(name+" permissions"), a)
	if h.webhook(h.about(name+" webhook"), a) {
		h.delivery(ctx, h.about(name+" delivery"), a)
	}
}

func (h hostCheck) permissions(s section, a githubapp.AppInfo) {
	missing := h.needs.Missing(a.Permissions, a.Events)
	page := h.settings(a) + "/permissions"
	if len(missing.Permissions) > 0 {
		s.fail("change it at "+page+", then accept it where the App is installed", "missing: %s", list(missing.Permissions))
	}
	if len(missing.Events) > 0 {
		s.fail("subscribe at "+page, "events that the App does not get: %s", list(missing.Events))
	}
	if len(missing.Permissions)+len(missing.Events) == 0 {
		s.ok("%d permissions and %d events, all that is needed", len(h.needs.Permissions), len(h.needs.Events))
	}
}

func list(needs []manifest.Need) string {
	parts := make([]string, len(needs))
	for i, n := range needs {
		parts[i] = n.Name
		if n.Level != "" {
			parts[i] += ":" + n.Level
		}
		parts[i] += " (" + n.For + ")"
	}
	return strings.Join(parts, ", ")
}

// webhook looks at where GitHub sends to, and says whether anything can come.
func (h hostCheck) webhook(s section, a githubapp.AppInfo) bool {
	page := h.settings(a)
	u, err := url.Parse(a.Hook.URL)
	wrong := func(do, format string, args ...any) bool { s.fail(do+" at "+page, format, args...); return false }
	switch {
	case a.Hook.URL == "":
		return wrong("switch the webhook on, with the URL <Callboard>"+manifest.WebhookPaths[0], "none is configured: no push is heard of")
	case err != nil || !slices.ContainsFunc(manifest.WebhookPaths, func(p string) bool { return strings.HasSuffix(u.Path, p) }):
		return wrong("end the URL in "+strings.Join(manifest.WebhookPaths, " or "), "%s is not a path of Callboard's", a.Hook.URL)
	case a.Hook.ContentType != "json":
		return wrong("choose application/json", "the content type is %s, which Callboard does not read", a.Hook.ContentType)
	case !a.Hook.HasSecret:
		return wrong("set the webhookSecret of the configuration", "deliveries are not signed, and Callboard refuses those")
	case a.Hook.InsecureSSL && u.Scheme == "https":
		s.warn("switch on SSL verification at "+page, "GitHub does not check the certificate of %s", u.Host)
	default:
		s.ok("%s", a.Hook.URL)
	}
	return true
}

// scopes of a classic token that give what an App's permissions give.
var scopes = []struct {
	needed string
	any    []string
	people bool
}{
	{"repo (or public_repo, where all is public)", []string{"repo", "public_repo"}, false},
	{"read:org (users and groups)", []string{"read:org", "write:org", "admin:org"}, true},
}

func (h hostCheck) token(ctx context.Context) {
	s := h.about(h.entry.Host + " token")
	h.Wait("asking about the token of " + h.entry.Host)
	t, err := within(ctx, func(ctx context.Context) (githubapp.TokenInfo, error) { return h.GitHub.Token(ctx, h.entry.Host) })
	if err != nil {
		s.fail("make a new token and set integrations.github[].token", "GitHub does not take it: %s", reason(err))
		return
	}
	var missing []string
	for _, want := range scopes {
		has := func(scope string) bool { return slices.Contains(want.any, scope) }
		if (!want.people || h.wantsPeople()) && !slices.ContainsFunc(t.Scopes, has) {
			missing = append(missing, want.needed)
		}
	}
	switch {
	case len(t.Scopes) == 0: // fine-grained, whose permissions nobody can ask for
		s.ok("GitHub takes it; it has no scopes, so that what it may read shows when it is used")
	case len(missing) > 0:
		s.fail("add the scope at "+h.web+"/settings/tokens", "missing scopes: %s", strings.Join(missing, ", "))
	default:
		s.ok("scopes %s", strings.Join(t.Scopes, ", "))
	}
	quota(s, t.Left, t.Limit, t.Reset)
}

// quota says how much may be asked of GitHub. No limit is an Enterprise Server's default.
func quota(s section, left, limit int, reset time.Time) {
	switch {
	case limit <= 0:
	case left*5 < limit:
		s.warn("wait, or look at GET /api/callboard/budget for what spends it", "%d of %d requests are left until %s", left, limit, reset.Local().Format("15:04"))
	default:
		s.ok("%d of %d requests are left this hour", left, limit)
	}
}

// reason shortens what happens often.
func reason(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", patience)
	}
	return err
}
