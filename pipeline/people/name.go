package people

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/callboard/callboard/storage/entity"
)

// maxName is how long a name or namespace may be (contract catalog 1.3), hashed
// how long the rest of one may be that carries a hash.
const (
	maxName = 63
	hashLen = 8
	hashed  = maxName - 1 - hashLen
)

// The formats of contract catalog 1.3.
var (
	nameFormat  = regexp.MustCompile(`^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`)
	labelFormat = regexp.MustCompile(`^[a-z0-9]+(?:-+[a-z0-9]+)*$`)
)

// entityName makes a login or slug a name. Almost all are one already. Another
// gets a hash of what it was, so that no two become the same.
func entityName(s string) string { return fit(s, nameFormat, "-_.") }

// namespace makes the login of an organization a namespace.
func namespace(org string) string { return fit(strings.ToLower(org), labelFormat, "-") }

func fit(s string, format *regexp.Regexp, inside string) string {
	if len(s) <= maxName && format.MatchString(s) {
		return s
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(inside, r):
			return r
		}
		return '-'
	}, s)
	clean = strings.Trim(clean, "-_.")
	if len(clean) > hashed {
		clean = strings.TrimRight(clean[:hashed], "-_.")
	}
	sum := sha256.Sum256([]byte(strings.ToLower(s)))
	return strings.TrimLeft(clean+"-"+hex.EncodeToString(sum[:])[:hashLen], "-")
}

// memberPath and teamPath are the paths of entries.
func memberPath(login string) string   { return "members/" + strings.ToLower(text(login)) }
func teamPath(org, slug string) string { return "teams/" + strings.ToLower(text(org)+"/"+text(slug)) }

// ref is the entity that is declared at a path.
func (o Options) ref(path string) string {
	kind, name := entity.KindUser, strings.TrimPrefix(path, "members/")
	ns := entity.DefaultNamespace
	if rest, team := strings.CutPrefix(path, "teams/"); team {
		org, slug, _ := strings.Cut(rest, "/")
		if kind, name = entity.KindGroup, slug; o.OrgNamespace {
			ns = namespace(org)
		}
	}
	return strings.ToLower(kind + ":" + ns + "/" + entityName(name))
}

// text is what GitHub says as the catalog can hold it.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
