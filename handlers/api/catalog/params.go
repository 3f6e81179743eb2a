package catalog

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// kind is the type of a query parameter.
type kind int

const (
	text kind = iota
	integer
	list // may be repeated, also as name[]
)

// param is one parameter as the client gave it.
type param struct{ name, value string }

// params are the query parameters of a request, checked against what the
// endpoint knows (contract catalog 4.1).
type params struct {
	given  []param
	values map[string][]string
}

// readParams refuses parameters that are unknown, empty, repeated or of the wrong type.
func readParams(r *http.Request, known map[string]kind) (params, error) {
	given, err := splitQuery(r.URL.RawQuery)
	if err != nil {
		return params{}, err
	}
	p := params{given: given, values: make(map[string][]string)}
	for _, g := range given {
		name := g.name
		k, ok := known[name]
		if base, isArray := strings.CutSuffix(name, "[]"); !ok && isArray && known[base] == list {
			name = base
			k, ok = known[name]
		}
		switch {
		case !ok:
			return params{}, respond.Input("Unknown query parameter '%s'", g.name)
		case g.value == "":
			return params{}, respond.Input("Empty value found for query parameter '%s'", g.name)
		case k == text && p.has(name):
			return params{}, respond.Input("request/query/%s must be string", name)
		case k == integer:
			if err := checkInteger(name, g.value, p.has(name)); err != nil {
				return params{}, err
			}
		}
		p.values[name] = append(p.values[name], g.value)
	}
	return p, nil
}

func checkInteger(name, value string, repeated bool) error {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || repeated || value[0] == '+': // Go would take +1, and the contract has no such integer
		return respond.Input("request/query/%s must be integer", name)
	case n < 0:
		return respond.Input("request/query/%s must be >= 0", name)
	}
	return nil
}

func (p params) has(name string) bool { return len(p.values[name]) > 0 }

func (p params) int(name string) int {
	if !p.has(name) {
		return 0
	}
	n, _ := strconv.Atoi(p.values[name][0]) // checked by readParams
	return n
}

func (p params) text(name string) string {
	if !p.has(name) {
		return ""
	}
	return p.values[name][0]
}

func (p params) filter() (view.Filter, error) {
	f, err := view.ParseFilter(p.values["filter"])
	if err != nil {
		return nil, respond.Input("%s", err)
	}
	return f, nil
}

func parseFields(values []string) (view.Fields, error) {
	f, err := view.ParseFields(values)
	if err != nil {
		return nil, respond.Input("%s", err)
	}
	return f, nil
}

// splitQuery keeps the order of the parameters, which url.Values does not.
func splitQuery(raw string) ([]param, error) {
	var out []param
	for piece := range strings.SplitSeq(raw, "&") {
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, respond.Input("Malformed query parameter '%s'", piece)
		}
		out = append(out, param{n, v})
	}
	return out, nil
}

// joinQuery writes parameters as a browser's URLSearchParams does.
func joinQuery(given []param) string {
	var b strings.Builder
	for i, g := range given {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(g.name) + "=" + escape(g.value))
	}
	return b.String()
}

var browserEscapes = strings.NewReplacer("~", "%7E", "%2A", "*")

func escape(s string) string { return browserEscapes.Replace(url.QueryEscape(s)) }

// with replaces a parameter where it first stands, or adds it at the end.
func with(given []param, name, value string) []param {
	i := slices.IndexFunc(given, func(g param) bool { return g.name == name })
	if i < 0 {
		return append(given, param{name, value})
	}
	given[i].value = value
	return given
}
