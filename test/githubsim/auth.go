package githubsim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// token is an installation token or a personal one.
type token struct {
	value   string
	inst    *Installation // nil for a personal token
	user    *account
	scopes  []string
	repos   map[int64]bool // nil: all that the installation has
	expires time.Time      // zero: never
}

// principal is who asks.
type principal struct {
	app   *App   // an App by its JWT
	token *token // an installation or a user
}

// AddToken makes a personal token of the default user. With the scope "repo" it
// sees private repositories and may write.
func (s *Server) AddToken(value string, scopes ...string) {
	s.AddUserToken(defaultUser, value, scopes...)
}

// AddUserToken makes a personal token of a user.
func (s *Server) AddUserToken(login, value string, scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[value] = &token{value: value, user: s.ensureAccount(login, typeUser), scopes: scopes}
}

// Token makes an installation token without asking over HTTP.
func (in *Installation) Token() string {
	in.s.mu.Lock()
	defer in.s.mu.Unlock()
	return in.s.installationToken(in, nil).value
}

// installationToken makes a token; mu is held.
func (s *Server) installationToken(in *Installation, repos map[int64]bool) *token {
	t := &token{value: "ghs_" + rand.Text() + rand.Text()[:10], inst: in, repos: repos, expires: s.now().Add(s.opt.tokenTTL)}
	s.tokens[t.value] = t
	return t
}

// ExpireTokens makes all installation tokens invalid, as after a revocation.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for value, t := range s.tokens {
		if t.inst != nil {
			delete(s.tokens, value)
		}
	}
}

// authenticate reads the Authorization header. No header is nobody; a wrong one
// is 401.
func (s *Server) authenticate(r *http.Request) (principal, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return principal{}, nil
	}
	scheme, value, _ := strings.Cut(header, " ")
	value = strings.TrimSpace(value)
	switch strings.ToLower(scheme) {
	case "basic":
		user, password, _ := r.BasicAuth()
		if value = password; value == "" || value == "x-oauth-basic" {
			value = user
		}
	case "bearer", "token":
	default:
		return principal{}, errBadCredentials
	}
	if strings.Count(value, ".") == 2 {
		app, err := s.verifyJWT(value)
		return principal{app: app}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tokens[value]
	if t == nil || !t.expires.IsZero() && !s.now().Before(t.expires) {
		return principal{}, errBadCredentials
	}
	if t.inst != nil && t.inst.suspended {
		return principal{}, &apiError{http.StatusForbidden, "This installation has been suspended"}
	}
	return principal{token: t}, nil
}

// The clock rules of an App's JWT: GitHub takes at most ten minutes of life,
// and allows for clocks a minute apart.
const (
	maxJWTLife = 10 * time.Minute
	jwtLeeway  = time.Minute
)

// verifyJWT checks an App's JWT: RS256 with the App's key, issuer, times.
func (s *Server) verifyJWT(text string) (*App, error) {
	unreadable := &apiError{http.StatusUnauthorized, "A JSON web token could not be decoded"}
	parts := strings.Split(text, ".")
	var decoded [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return nil, unreadable
		}
		decoded[i] = b
	}
	var header struct{ Alg string }
	var claims struct {
		Iss any
		Iat *float64
		Exp *float64
	}
	if json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], &claims) != nil || header.Alg != "RS256" {
		return nil, unreadable
	}
	issuer := fmt.Sprint(claims.Iss)
	if f, ok := claims.Iss.(float64); ok {
		issuer = strconv.FormatInt(int64(f), 10)
	}
	s.mu.RLock()
	i := slices.IndexFunc(s.apps, func(a *App) bool {
		return strconv.FormatInt(a.id, 10) == issuer || a.clientID == issuer
	})
	var app *App
	if i >= 0 {
		app = s.apps[i]
	}
	s.mu.RUnlock()
	if app == nil {
		return nil, &apiError{http.StatusNotFound, "Integration not found"}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&app.key.PublicKey, crypto.SHA256, sum[:], decoded[2]) != nil {
		return nil, unreadable
	}
	now := s.now()
	at := func(f *float64) time.Time { return time.Unix(int64(*f), 0) }
	switch {
	case claims.Iat == nil || at(claims.Iat).After(now.Add(jwtLeeway)):
		return nil, &apiError{http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"}
	case claims.Exp == nil || !at(claims.Exp).After(now):
		return nil, &apiError{http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"}
	case at(claims.Exp).After(now.Add(maxJWTLife + jwtLeeway)):
		return nil, &apiError{http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future"}
	}
	return app, nil
}

// mayRead says whether a repository exists for the principal; mu is held.
func (p principal) mayRead(r *Repo) bool {
	if !r.private {
		return true
	}
	return p.member(r)
}

// mayWrite says whether the principal may push and change; mu is held.
func (p principal) mayWrite(r *Repo) bool { return p.member(r) }

func (p principal) member(r *Repo) bool {
	switch t := p.token; {
	case t == nil:
		return false
	case t.inst != nil:
		return t.inst.sees(r) && (t.repos == nil || t.repos[r.id])
	default:
		return slices.Contains(t.scopes, "repo")
	}
}

// name is the login that acts.
func (p principal) name() string {
	switch {
	case p.token == nil:
		return ""
	case p.token.inst != nil:
		return p.token.inst.app.slug + "[bot]"
	default:
		return p.token.user.Login
	}
}

// budget is the key that rate limits are counted under.
func (p principal) budget() string {
	switch {
	case p.app != nil:
		return fmt.Sprintf("app ID %d", p.app.id)
	case p.token == nil:
		return "anonymous"
	case p.token.inst != nil:
		return fmt.Sprintf("installation ID %d", p.token.inst.id)
	default:
		return fmt.Sprintf("user ID %d", p.token.user.ID)
	}
}

func (p principal) tokenValue() string {
	switch {
	case p.app != nil:
		return "app"
	case p.token != nil:
		return p.token.value
	}
	return ""
}
