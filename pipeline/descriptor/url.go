package descriptor

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// errInvalidURL has the words of the URL constructor of Node.
var errInvalidURL = errors.New("Invalid URL") //nolint:staticcheck // the wording is Node's

// webURL is a URL as the WHATWG standard parses it, as far as Callboard has to
// print it again: only special schemes keep their parts.
type webURL struct {
	scheme    string
	special   bool
	authority string // user info, host and port, normalised
	path      string // percent-encoded, starting with "/"
	query     string // with its "?"
	fragment  string // with its "#"
}

func (u *webURL) String() string {
	return u.scheme + "://" + u.authority + u.path + u.query + u.fragment
}

var schemePattern = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):`)

var defaultPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}

// validURL tells whether `new URL(s)` succeeds.
func validURL(s string) bool {
	_, err := parseURL(s)
	return err == nil
}

// parseURL reads an absolute URL. It knows no IDNA: letters beyond ASCII in a
// host pass as they are.
func parseURL(s string) (*webURL, error) {
	s = trimURL(s)
	m := schemePattern.FindStringSubmatch(s)
	if m == nil {
		return nil, errInvalidURL
	}
	u := &webURL{scheme: strings.ToLower(m[1])}
	rest := s[len(m[0]):]
	_, u.special = defaultPorts[u.scheme]
	if !u.special {
		// Of other schemes only "//authority" can be wrong.
		if !strings.HasPrefix(rest, "//") {
			return u, nil
		}
		end := strings.IndexAny(rest[2:], "/?#")
		if end < 0 {
			end = len(rest) - 2
		}
		return u, u.setAuthority(rest[2 : 2+end])
	}
	rest = strings.TrimLeft(rest, `/\`)
	end := strings.IndexAny(rest, `/\?#`)
	if end < 0 {
		end = len(rest)
	}
	if err := u.setAuthority(rest[:end]); err != nil {
		return nil, err
	}
	rest, u.fragment = splitAt(rest[end:], '#', fragmentSet)
	rest, u.query = splitAt(rest, '?', querySet)
	u.path = normalPath(rest)
	return u, nil
}

// trimURL drops what the standard ignores: blanks around, tabs and line breaks anywhere.
func trimURL(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	return tabsAndBreaks.Replace(s)
}

// tabsAndBreaks is made once: a replacer is a table, and there are several URLs in an entity.
var tabsAndBreaks = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// setAuthority checks and normalises user info, host and port.
func (u *webURL) setAuthority(s string) error {
	user, hostport := "", s
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		user, hostport = s[:i+1], s[i+1:]
	}
	host, port := hostport, ""
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && !strings.Contains(hostport[i:], "]") {
		host, port = hostport[:i], hostport[i+1:]
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || port[0] == '+' {
			return errInvalidURL
		}
		port = strconv.FormatUint(n, 10)
	}
	host, err := u.host(host)
	if err != nil || host == "" && (u.special && u.scheme != "file" || user != "" || port != "") {
		return errInvalidURL
	}
	u.authority = user + host
	if port != "" && port != defaultPorts[u.scheme] {
		u.authority += ":" + port
	}
	return nil
}

func (u *webURL) host(h string) (string, error) {
	if strings.HasPrefix(h, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(h[1:], "]"))
		if err != nil || !strings.HasSuffix(h, "]") || !addr.Is6() || addr.Zone() != "" {
			return "", errInvalidURL
		}
		return "[" + addr.String() + "]", nil
	}
	if !u.special {
		if strings.ContainsAny(h, "\x00\t\n\r #/:<>?@[\\]^|") {
			return "", errInvalidURL
		}
		return h, nil
	}
	h = percentDecode(h)
	if strings.ContainsFunc(h, forbiddenInDomain) {
		return "", errInvalidURL
	}
	h = strings.ToLower(h)
	labels := strings.Split(strings.TrimSuffix(h, "."), ".")
	if last := labels[len(labels)-1]; last != "" && isNumberLabel(last) {
		return ipv4(labels)
	}
	return h, nil
}

func forbiddenInDomain(r rune) bool {
	return r <= ' ' || r == 0x7F || strings.ContainsRune("#/:<>?@[\\]^|%", r)
}

func isNumberLabel(s string) bool {
	if s == "" {
		return false
	}
	_, ok := ipv4Number(s)
	return ok || strings.Trim(s, "0123456789") == ""
}

func ipv4Number(s string) (uint64, bool) {
	base := 10
	switch {
	case len(s) >= 2 && (s[:2] == "0x" || s[:2] == "0X"):
		s, base = s[2:], 16
		if s == "" {
			return 0, true
		}
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}

// ipv4 reads the standard's liberal IPv4 forms: fewer parts, octal, hexadecimal.
func ipv4(labels []string) (string, error) {
	if len(labels) > 4 {
		return "", errInvalidURL
	}
	var total uint64
	for i, label := range labels {
		n, ok := ipv4Number(label)
		if !ok || label == "" {
			return "", errInvalidURL
		}
		if i == len(labels)-1 {
			if n >= 1<<(8*uint(5-len(labels))) {
				return "", errInvalidURL
			}
			total |= n
			break
		}
		if n > 255 {
			return "", errInvalidURL
		}
		total |= n << (8 * uint(3-i))
	}
	return netip.AddrFrom4([4]byte{byte(total >> 24), byte(total >> 16), byte(total >> 8), byte(total)}).String(), nil
}

func percentDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// The percent-encode sets of the standard, beyond controls and what is not ASCII.
const (
	fragmentSet = " \"<>`"
	querySet    = " \"#<>'"
	pathSet     = " \"#<>?`{}"
)

func percentEncode(s, set string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c > 0x7E || strings.IndexByte(set, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// splitAt takes off the part from sep on, encoded; a lone sep is dropped.
func splitAt(s string, sep byte, set string) (rest, part string) {
	i := strings.IndexByte(s, sep)
	if i < 0 || i == len(s)-1 {
		return strings.TrimSuffix(s, string(sep)), ""
	}
	return s[:i], string(sep) + percentEncode(s[i+1:], set)
}

// normalPath resolves dot segments, encoded ones too, and encodes the rest.
func normalPath(p string) string {
	segments := strings.Split(strings.TrimLeft(strings.ReplaceAll(p, `\`, "/"), "/"), "/")
	// Only one leading slash belongs to the root; others are empty segments.
	if lead := len(p) - len(strings.TrimLeft(p, `/\`)); lead > 1 {
		segments = append(slices.Repeat([]string{""}, lead-1), segments...)
	}
	var out []string
	for i, s := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(s), "%2e", ".") {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, percentEncode(s, pathSet))
		}
	}
	return "/" + strings.Join(out, "/")
}
