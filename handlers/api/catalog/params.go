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
	list // may be repeated, also as name[] or name[0] (contract platform HTTP-07)
)

// known are the parameters of an endpoint.
type known map[string]kind

// param is one parameter as the client gave it, and the name that it is known by.
type param struct{ given, value, name string }

// params are the query parameters of a request, checked against what the
// endpoint knows (contract catalog 4.1), in their order.
type params []param

// readParams refuses parameters that are unknown, empty, repeated or of the wrong type.
func readParams(r *http.Request, known known) (params, error) {
	p, err := splitQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	for i := range p {
		g := &p[i]
		k, ok := known[g.name]
		if base, isArray := arrayName(g.name); !ok && isArray && known[base] == list {
			g.name, k, ok = base, list, true
		}
		switch {
		case !ok:
			return nil, respond.Input("Unknown query parameter '%s'", g.given)
		case g.value == "":
			return nil, respond.Input("Empty value found for query parameter '%s'", g.given)
		case k == text && p[:i].has(g.name):
			return nil, respond.Input("request/query/%s must be string", g.name)
		case k == integer:
			if err := checkInteger(g.name, g.value, p[:i].has(g.name)); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// arrayName takes [] or [0] off a name.
func arrayName(given string) (name string, ok bool) {
	name, index, ok := strings.Cut(given, "[")
	if !ok || !strings.HasSuffix(index, "]") {
		return "", false
	}
	index = index[:len(index)-1]
	return name, strings.Trim(index, "0123456789") == ""
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

func (p params) has(name string) bool {
	return slices.ContainsFunc(p, func(g param) bool { return g.name == name })
}

// all are the values of a list.
func (p params) all(name string) (values []string) {
	for _, g := range p {
		if g.name == name {
			values = append(values, g.value)
		}
	}
	return values
}

// text is the value of a parameter, "" without it.
func (p params) text(name string) string {
	for _, g := range p {
		if g.name == name {
			return g.value
		}
	}
	return ""
}

// int is the value of a number, otherwise the default.
func (p params) int(name string, otherwise int) int {
	if v := p.text(name); v != "" {
		otherwise, _ = strconv.Atoi(v) // checked by readParams
	}
	return otherwise
}

func (p params) filter() (view.Filter, error) {
	f, err := view.ParseFilter(p.all("filter"))
	if err != nil {
		return nil, respond.Input("%s", err)
	}
	return f, nil
}

func (p params) fields() (view.Fields, error) { return parseFields(p.all("fields")) }

func parseFields(values []string) (view.Fields, error) {
	f, err := view.ParseFields(values)
	if err != nil {
		return nil, respond.Input("%s", err)
	}
	return f, nil
}

// splitQuery keeps the order of the parameters, which url.Values does not.
func splitQuery(raw string) (params, error) {
	var out params
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
		out = append(out, param{given: n, value: v, name: n})
	}
	return out, nil
}

// join writes parameters as a browser's URLSearchParams does.
func (p params) join() string {
	var b strings.Builder
	for i, g := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(g.given) + "=" + escape(g.value))
	}
	return b.String()
}

var browserEscapes = strings.NewReplacer("~", "%7E", "%2A", "*")

func escape(s string) string { return browserEscapes.Replace(url.QueryEscape(s)) }

// with replaces a parameter where it first stands, or adds it at the end.
func (p params) with(name, value string) params {
	i := slices.IndexFunc(p, func(g param) bool { return g.name == name })
	if i < 0 {
		return append(p, param{given: name, value: value, name: name})
	}
	p[i].value = value
	return p
}
