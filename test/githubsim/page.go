package githubsim

import (
	"html"
	"net/http"
	"strings"
)

// esc makes text safe anywhere in a page. Pages are written by hand: a template
// engine would be in every program that links the simulator.
func esc(text string) string { return html.EscapeString(text) }

// page writes a whole page around a body. The form-action of a policy would
// also bind redirects of a form, and the manifest flow leads elsewhere.
func page(w http.ResponseWriter, status int, title, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
		"<title>" + esc(title) + "</title><style>" + pageStyle + "</style><h1>" + esc(title) + "</h1>" + body + "</html>"))
}

const pageStyle = `body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem auto;max-width:75rem;padding:0 1rem;color:#1f2328}` +
	`table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #d0d7de;padding:.3rem .5rem;text-align:left;vertical-align:top}` +
	`form{display:inline-block;margin:0 .5rem .3rem 0}input,select,textarea,button{font:inherit}input[type=text]{width:9rem}` +
	`textarea{display:block;width:40rem;max-width:100%;height:9rem;font-family:monospace}` +
	`.note{background:#ddf4ff;padding:.5rem}.error{background:#ffebe9;padding:.5rem}.failed{color:#cf222e}.soft{color:#59636e}`

// form is a form of fields and one button. A button needs no script.
func form(action, button string, fields ...string) string {
	return `<form method="post" action="` + esc(action) + `">` + strings.Join(fields, " ") + ` <button>` + esc(button) + `</button></form>`
}

func field(name, label, value string) string {
	return `<label>` + esc(label) + ` <input type="text" name="` + esc(name) + `" value="` + esc(value) + `"></label>`
}

func hiddenField(name, value string) string {
	return `<input type="hidden" name="` + esc(name) + `" value="` + esc(value) + `">`
}

// choice is a list to choose from.
func choice(name, label, selected string, options ...string) string {
	var b strings.Builder
	b.WriteString(`<label>` + esc(label) + ` <select name="` + esc(name) + `">`)
	for _, o := range options {
		mark := ""
		if o == selected {
			mark = " selected"
		}
		b.WriteString(`<option` + mark + `>` + esc(o) + `</option>`)
	}
	b.WriteString(`</select></label>`)
	return b.String()
}
