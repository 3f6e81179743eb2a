package githubsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// What the admin page shows at most: it is for a demo, not for thousands.
const (
	uiRepos      = 200
	uiDeliveries = 40
)

const uiDescriptor = `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: new-service
spec:
  type: service
  lifecycle: experimental
  owner: platform
`

// uiPage is the admin page: forms only, no script.
func (s *Server) uiPage(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	if done := r.URL.Query().Get("done"); done != "" {
		b.WriteString(`<p class="note">Done: ` + esc(done) + "</p>")
	}
	if failed := r.URL.Query().Get("error"); failed != "" {
		b.WriteString(`<p class="error">` + esc(failed) + "</p>")
	}
	b.WriteString(`<p><a href="#repo">Repositories</a> · <a href="#people">Members</a> · <a href="#team">Teams</a> · ` +
		`<a href="#app">App</a> · <a href="#delivery">Deliveries</a> · <a href="#fault">Faults</a> · <a href="/_sim">the same as JSON</a></p>`)
	s.mu.RLock()
	s.uiRepos(&b, r.URL.Query().Get("q"))
	s.uiPeople(&b)
	s.uiApps(&b)
	s.mu.RUnlock()
	s.uiDeliveries(&b)
	s.uiFaults(&b)
	page(w, http.StatusOK, "The simulated GitHub", b.String())
}

// button is a form that does one thing.
func button(do, label string, fields ...string) string {
	return form("/_sim/ui", label, append([]string{hiddenField("do", do)}, fields...)...)
}

// uiRepos lists repositories whose name has q in it; mu is held.
func (s *Server) uiRepos(b *strings.Builder, q string) {
	b.WriteString(`<h2 id="repo">Repositories</h2><form action="/_sim/ui">` + field("q", "Name has", q) + ` <button>Find</button></form>` +
		`<table><tr><th>Name<th>Branch<th>Head<th>State<th>`)
	shown := 0
	for _, r := range s.order {
		if !strings.Contains(key(r.fullName()), key(q)) {
			continue
		}
		if shown++; shown > uiRepos {
			b.WriteString(`<tr><td class="soft">and more: narrow it down`)
			break
		}
		repo := hiddenField("repo", r.fullName())
		state, archive, see := r.visibility(), button("repo.archive", "Archive", repo), button("repo.private", "Make private", repo)
		if r.archived {
			state, archive = state+", archived", button("repo.unarchive", "Unarchive", repo)
		}
		if r.private {
			see = button("repo.public", "Make public", repo)
		}
		head := r.git.Head()
		_, _ = fmt.Fprintf(b, `<tr><td><a href="/%[1]s">%[1]s</a><td>%s<td><code>%s</code><td>%s<td><details><summary>Change</summary>`,
			esc(r.fullName()), esc(r.git.DefaultBranch()), head[:min(8, len(head))], state)
		b.WriteString(button("repo.rename", "Rename", repo, field("name", "to", r.name)) + archive + see +
			button("repo.branch", "Use as default branch", repo, field("branch", "", r.git.DefaultBranch())) +
			button("repo.topics", "Set topics", repo, field("topics", "", strings.Join(r.topics, " "))) +
			button("repo.transfer", "Transfer", repo, field("owner", "to", "")) +
			button("repo.delete", "Delete", repo) + `</details>`)
	}
	b.WriteString(`</table><details><summary>Create a repository</summary>` +
		button("repo.create", "Create", choice("owner", "Owner", "", s.orgLogins()...), field("name", "Name", "new-service"),
			`<label>catalog-info.yaml <textarea name="text">`+esc(uiDescriptor)+`</textarea></label>`) + `</details>`)
}

// orgLogins lists the organisations sorted; mu is held.
func (s *Server) orgLogins() []string {
	var out []string
	for _, a := range s.accounts {
		if a.Type == typeOrg {
			out = append(out, a.Login)
		}
	}
	slices.Sort(out)
	return out
}

// uiPeople lists members and teams of each organisation; mu is held.
func (s *Server) uiPeople(b *strings.Builder) {
	b.WriteString(`<h2 id="people">Members</h2>`)
	for _, login := range s.orgLogins() {
		o, org := s.accounts[key(login)], hiddenField("org", login)
		b.WriteString("<h3>" + esc(login) + "</h3><p>")
		for _, m := range o.memberLogins() {
			b.WriteString(button("people.remove", "Remove "+m, org, hiddenField("login", m)))
		}
		b.WriteString("</p>" + button("people.add", "Add member", org, field("login", "", "")))
	}
	b.WriteString(`<h2 id="team">Teams</h2>`)
	for _, login := range s.orgLogins() {
		s.uiTeams(b, s.accounts[key(login)])
	}
}

func (s *Server) uiTeams(b *strings.Builder, o *account) {
	org, slugs := hiddenField("org", o.Login), []string{""}
	for _, t := range o.teams {
		slugs = append(slugs, t.Slug)
	}
	b.WriteString("<h3>" + esc(o.Login) + "</h3><table>")
	for _, t := range o.teams {
		team, parent := hiddenField("team", t.Slug), ""
		if t.parent != nil {
			parent = t.parent.Slug
		}
		b.WriteString("<tr><td>" + esc(t.Slug) + `<td class="soft">` + esc(parent) + "<td>")
		for _, m := range o.teamMembers(t, false) {
			b.WriteString(button("team.leave", "Remove "+m, org, team, hiddenField("login", m)))
		}
		b.WriteString("<td><details><summary>Change</summary>" +
			button("team.join", "Add to the team", org, team, choice("login", "", "", o.memberLogins()...)) +
			button("team.edit", "Save", org, team, field("name", "Name", t.Name), field("description", "Description", t.Description),
				choice("parent", "Below", parent, slugs...)) +
			button("team.delete", "Delete", org, team) + "</details>")
	}
	b.WriteString("</table>" + button("team.add", "Add team", org, field("name", "Name", ""), choice("parent", "Below", "", slugs...)))
}

// uiApps lists the Apps and where they are installed; mu is held.
func (s *Server) uiApps(b *strings.Builder) {
	b.WriteString(`<h2 id="app">App</h2><table>`)
	for _, a := range s.apps {
		url, _ := a.hook.config()
		b.WriteString("<tr><td>" + esc(a.name) + `<td class="soft">webhooks to ` + esc(url) + "<td>")
		for _, in := range s.installs {
			if in.app != a {
				continue
			}
			id := hiddenField("installation", strconv.FormatInt(in.id, 10))
			suspend := button("app.suspend", "Suspend", id)
			if in.suspended {
				suspend = button("app.unsuspend", "Unsuspend", id)
			}
			b.WriteString(esc(in.account.Login) + " (" + in.selection() + ") " + suspend + button("app.uninstall", "Uninstall", id) + "<br>")
		}
		b.WriteString("<td>" + button("app.install", "Install", hiddenField("app", a.slug), choice("account", "on", "", s.orgLogins()...)))
	}
	b.WriteString("</table>")
}

func (s *Server) uiDeliveries(b *strings.Builder) {
	s.hooks.mu.Lock()
	paused, lost, pending := s.hooks.paused, s.hooks.fault.Lose > 0, s.hooks.pending
	s.hooks.mu.Unlock()
	b.WriteString(`<h2 id="delivery">Deliveries</h2><p>`)
	if paused {
		b.WriteString(button("delivery.resume", "Send what is held back") + fmt.Sprintf(" %d wait.", pending))
	} else {
		b.WriteString(button("delivery.pause", "Hold deliveries back"))
	}
	if lost {
		b.WriteString(button("delivery.keep", "Lose no more events"))
	} else {
		b.WriteString(button("delivery.lose", "Lose all events from now on"))
	}
	b.WriteString(`</p><table><tr><th>Event<th>Repository<th>At<th>Answer<th>`)
	log := s.Deliveries()
	for i, d := range slices.Backward(log) {
		if i < len(log)-uiDeliveries {
			break
		}
		class, again := "", ""
		if !d.OK() {
			class = ` class="failed"`
		}
		if d.Redelivery {
			again = ", once more"
		}
		name := d.Event
		if d.Action != "" {
			name += "." + d.Action
		}
		_, _ = fmt.Fprintf(b, "<tr><td>%s%s<td>%s<td>%s<td%s>%d %s<td>%s", esc(name), again, esc(s.repoName(d.RepositoryID)),
			d.DeliveredAt.Format("15:04:05"), class, d.StatusCode, esc(d.Status),
			button("delivery.redeliver", "Redeliver", hiddenField("id", strconv.FormatInt(d.ID, 10))))
	}
	b.WriteString("</table>")
}

func (s *Server) repoName(id int64) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.reposByID[id]; r != nil {
		return r.fullName()
	}
	return ""
}

func (s *Server) uiFaults(b *strings.Builder) {
	total := 0
	for _, n := range s.Requests() {
		total += n.Total
	}
	s.mu.RLock()
	spoiled := s.listing.Hide != nil || s.listing.Empty
	s.mu.RUnlock()
	s.faults.mu.Lock()
	active := len(s.faults.active)
	s.faults.mu.Unlock()
	s.limits.mu.Lock()
	perHour := s.limits.perHour
	s.limits.mu.Unlock()
	lists := "honest"
	if spoiled {
		lists = "spoiled"
	}
	_, _ = fmt.Fprintf(b, `<h2 id="fault">Faults</h2><p>%d requests so far, %d an hour allowed, %d faults, lists are %s.</p><p>`, total, perHour, active, lists)
	b.WriteString(button("fault.half", "Lists show half of the repositories") + button("fault.empty", "Lists show empty pages") +
		button("fault.error", "Every request answers 500") + button("fault.limit", "100 requests an hour") +
		button("fault.clear", "Clear all faults") + "</p>")
}
