package manifest

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"

	"github.com/callboard/callboard/pipeline/githubapp"
)

func escape(s string) string { return html.EscapeString(s) }

// formPage shows what is asked for, and the button that asks GitHub.
func (f *Flow) formPage(w http.ResponseWriter) {
	raw, err := json.Marshal(f.Manifest)
	if err != nil {
		page(w, http.StatusInternalServerError, f.Host, "The manifest cannot be written", "<p>"+escape(err.Error())+"</p>")
		return
	}
	who := "your own account"
	if f.Org != "" {
		who = "the organization " + f.Org
	}
	var b strings.Builder
	b.WriteString("<p>" + escape(f.Host.Host) + " will make an App for " + escape(who) + ". You confirm it there.</p><dl>")
	row := func(term, text string) { b.WriteString("<dt>" + term + "</dt><dd>" + escape(text) + "</dd>") }
	row("Name", f.Manifest.Name)
	row("Webhook", f.Manifest.HookAttributes.URL)
	var permissions []string
	for _, p := range Needed(true).Permissions {
		if level, ok := f.Manifest.DefaultPermissions[p.Name]; ok {
			permissions = append(permissions, p.Name+": "+level+" ("+p.For+")")
		}
	}
	row("Permissions", strings.Join(permissions, ", "))
	row("Events", strings.Join(f.Manifest.DefaultEvents, ", "))
	b.WriteString(`</dl><form method="post" action="` + escape(f.newAppURL()) + `">` +
		`<input type="hidden" name="manifest" value="` + escape(string(raw)) + `">` +
		`<button type="submit">Create the App on ` + escape(f.Host.Host) + `</button></form>`)
	page(w, http.StatusOK, f.Host, "Create a GitHub App for Callboard", b.String())
}

// page answers with a page whose body is HTML. It runs no script, loads
// nothing, and its form goes nowhere but to GitHub and back.
func page(w http.ResponseWriter, status int, h githubapp.Host, title, body string) {
	formTarget := "'self'" // GitHub leads back here, and browsers count that as the form's way
	if u, err := url.Parse(h.WebURL()); err == nil && u.Host != "" {
		formTarget += " " + u.Scheme + "://" + u.Host
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action "+formTarget)
	header.Set("Referrer-Policy", "origin") // the rest of the address holds secrets
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// What cannot be written was not wanted any more.
	_, _ = w.Write([]byte("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">" +
		"<meta name=\"viewport\" content=\"width=device-width\"><title>" + escape(title) + "</title>" +
		"<h1>" + escape(title) + "</h1>" + body + "</html>"))
}
