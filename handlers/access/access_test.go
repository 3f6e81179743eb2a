package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/handlers/respond"
)

const (
	ciToken = "ci-token-1234"
	legacy  = `{"alg":"HS256"}`
)

var (
	key       = []byte("the shared secret")
	entitiesR = Permission{Name: "catalog.entity.read", Action: "read", Reads: true}
	refreshU  = Permission{Name: "catalog.entity.refresh", Action: "update"}
	analyze   = Permission{Name: "catalog.location.analyze"}
)

// sign makes a token of a header and claims.
func sign(header, claims string, key []byte) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func claims(sub string, expires time.Duration, more string) string {
	return fmt.Sprintf(`{"sub":%q,"exp":%d%s}`, sub, time.Now().Add(expires).Unix(), more)
}

func request(authorization string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

// name is the error's name in the envelope, "" without one.
func name(err error) string {
	known, ok := errors.AsType[*respond.Error](err)
	if !ok {
		return ""
	}
	return known.Name + ": " + known.Message
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	good := sign(legacy, claims(legacySubject, time.Hour, ""), key)
	const missing, illegal = "AuthenticationError: Missing credentials", "AuthenticationError: Illegal token"
	tests := []struct {
		name, authorization, want, actor string
	}{
		{"none", "", missing, ""},
		{"another scheme", "Basic Y2k6Y2k=", missing, ""},
		{"no token", "Bearer", missing, ""},
		{"two tokens", "Bearer a b", missing, ""},
		{"static", "Bearer " + ciToken, "", "ci-bot"},
		{"scheme in any case, spaces", "bEARER   " + ciToken, "", "ci-bot"},
		{"wrong", "Bearer ci-token-12345", illegal, ""},
		{"prefix", "Bearer ci-token-123", illegal, ""},
		{"legacy", "Bearer " + good, "", "old"},
		{"legacy, second key", "Bearer " + sign(legacy, claims(legacySubject, time.Hour, ""), []byte("second")), "", "older"},
		{"legacy, other key", "Bearer " + sign(legacy, claims(legacySubject, time.Hour, ""), []byte("third")), illegal, ""},
		{"legacy, no key", "Bearer " + sign(legacy, claims(legacySubject, time.Hour, ""), nil), illegal, ""},
		{"legacy, expired", "Bearer " + sign(legacy, claims(legacySubject, -time.Minute, ""), key), illegal, ""},
		{"legacy, never expires", "Bearer " + sign(legacy, `{"sub":"backstage-server"}`, key), illegal, ""},
		{"legacy, not yet", "Bearer " + sign(legacy, claims(legacySubject, time.Hour, `,"nbf":99999999999`), key), illegal, ""},
		{"legacy, for an audience", "Bearer " + sign(legacy, claims(legacySubject, time.Hour, `,"aud":"catalog"`), key), illegal, ""},
		{"legacy, of a user", "Bearer " + sign(legacy, claims("user:default/ann", time.Hour, ""), key), illegal, ""},
		{"legacy, unsigned", "Bearer " + sign(`{"alg":"none"}`, claims(legacySubject, time.Hour, ""), key), illegal, ""},
		{"legacy, critical extension", "Bearer " + sign(`{"alg":"HS256","crit":["x"]}`, claims(legacySubject, time.Hour, ""), key), illegal, ""},
		{"legacy, cut", "Bearer " + good[:strings.LastIndex(good, ".")+1], illegal, ""},
		{"legacy, too long", "Bearer " + sign(legacy, claims(legacySubject, time.Hour, `,"x":"`+strings.Repeat("x", maxSigned)+`"`), key), illegal, ""},
	}
	g := New(Config{External: []External{
		{Subject: "ci-bot", Token: ciToken}, {Subject: "old", Key: key}, {Subject: "older", Key: []byte("second")},
		{Subject: "shadowed", Token: ciToken, Restrictions: map[string]Restriction{}}, {Subject: "nobody"},
	}})
	for _, tt := range tests {
		r, err := g.Check(request(tt.authorization), "catalog", entitiesR)
		if name(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err == nil && Actor(r.Context()) != tt.actor {
			t.Errorf("%s: the actor is %q, want %q", tt.name, Actor(r.Context()), tt.actor)
		}
	}
}

func TestRestrictions(t *testing.T) {
	t.Parallel()
	with := func(l Restriction) map[string]Restriction { return map[string]Restriction{"catalog": l} }
	tests := []struct {
		name         string
		restrictions map[string]Restriction
		plugin       string
		need         Permission
		want         string // a part of the refusal
	}{
		{"none", nil, "catalog", refreshU, ""},
		{"whole plugin", with(Restriction{}), "catalog", refreshU, ""},
		{"another plugin", with(Restriction{}), "callboard", entitiesR, "restricted to plugin(s) 'catalog'"},
		{"permission", with(Restriction{Permissions: []string{"catalog.entity.refresh"}}), "catalog", refreshU, ""},
		{"other permission", with(Restriction{Permissions: []string{"catalog.entity.refresh"}}), "catalog", entitiesR, "does not include catalog.entity.read (action read)"},
		{"action", with(Restriction{Actions: []string{"read"}}), "catalog", entitiesR, ""},
		{"other action", with(Restriction{Actions: []string{"read", "create"}}), "catalog", refreshU, "does not include catalog.entity.refresh"},
		{"no action", with(Restriction{Actions: []string{"read"}}), "catalog", analyze, "does not include catalog.location.analyze"},
		{"both must fit", with(Restriction{Permissions: []string{"catalog.entity.refresh"}, Actions: []string{"read"}}), "catalog", refreshU, "does not include"},
		{"a path that nobody takes", with(Restriction{Permissions: []string{"x"}}), "catalog", Permission{Reads: true}, ""},
	}
	for _, tt := range tests {
		g := New(Config{Open: true, External: []External{{Subject: "s", Token: ciToken, Restrictions: tt.restrictions}}})
		_, err := g.Check(request("Bearer "+ciToken), tt.plugin, tt.need)
		if (tt.want == "") != (err == nil) || tt.want != "" && (!strings.HasPrefix(name(err), "NotAllowedError: ") || !strings.Contains(name(err), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestOpenings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                 string
		cfg                  Config
		reads, writes, wrong bool
	}{
		{"closed", Config{}, false, false, false},
		{"anonymous read", Config{AnonymousRead: true}, true, false, false},
		{"open", Config{Open: true}, true, true, false},
	}
	for _, tt := range tests {
		g := New(tt.cfg)
		r, err := g.Check(request(""), "catalog", entitiesR)
		if (err == nil) != tt.reads || err == nil && Actor(r.Context()) != Anonymous {
			t.Errorf("%s: reading: %v", tt.name, err)
		}
		if _, err := g.Check(request(""), "catalog", refreshU); (err == nil) != tt.writes {
			t.Errorf("%s: changing: %v", tt.name, err)
		}
		if _, err := g.Check(request("Bearer wrong"), "catalog", entitiesR); (err == nil) != tt.wrong {
			t.Errorf("%s: a wrong token: %v", tt.name, err)
		}
	}
}

// Whatever comes as a token, only what the key signed is let in.
func FuzzSigned(f *testing.F) {
	good := sign(legacy, claims(legacySubject, 24*time.Hour, ""), key)
	for _, seed := range []string{"", ".", "..", "a.b.c", good, good + "=", good[:len(good)-1], sign(`{}`, `[]`, key), sign(`null`, `{"exp":1e999}`, key)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if signed(token, key, time.Now()) && token != good {
			// The last character of a base64 text has bits that mean nothing.
			if !strings.HasPrefix(token, good[:len(good)-1]) && !strings.ContainsAny(token, "\r\n") {
				t.Errorf("%q was let in", token)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	g := New(Config{External: []External{{Subject: "old", Key: key}, {Subject: "ci-bot", Token: ciToken}}})
	for what, token := range map[string]string{"static": ciToken, "legacy": sign(legacy, claims(legacySubject, time.Hour, ""), key)} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			r := request("Bearer " + token)
			for b.Loop() {
				if _, err := g.Check(r, "catalog", entitiesR); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
