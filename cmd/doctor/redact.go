package doctor

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/callboard/callboard/cmd/config"
)

// minSecret is the least length that is looked for: a shorter one would blot out
// ordinary words, and is none.
const minSecret = 4

// redactor takes every secret of the configuration out of a text.
func redactor(c *config.Config) *strings.Replacer {
	var pairs []string
	hide := func(s string) {
		if len(s) >= minSecret {
			pairs = append(pairs, s, "[redacted]")
		}
	}
	for _, dsn := range []string{c.Database.DSN.Reveal(), c.Bus.RedisURL.Reveal()} {
		hide(dsn)
		hide(password(dsn))
	}
	for _, s := range c.WebhookSecrets {
		hide(s.Reveal())
	}
	for _, e := range c.Auth.External {
		hide(e.Token.Reveal())
		hide(e.Key.Reveal())
	}
	for _, g := range c.GitHub {
		hide(g.Token.Reveal())
		for _, a := range g.Apps {
			hide(a.PrivateKey.Reveal())
		}
	}
	return strings.NewReplacer(pairs...)
}

var keyword = regexp.MustCompile(`password='((?:[^'\\]|\\.)*)'`)

// password finds the password of a URL or of a DSN of keywords.
func password(dsn string) string {
	if u, err := url.Parse(dsn); err == nil && u.User != nil {
		p, _ := u.User.Password()
		return p
	}
	if m := keyword.FindStringSubmatch(dsn); m != nil {
		return m[1]
	}
	return ""
}
