package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// credential is an External whose token is kept as a hash: comparing hashes takes
// the same time for every guess, and a dump of memory shows no token of ours.
type credential struct {
	subject      string
	token        [sha256.Size]byte
	key          []byte
	restrictions map[string]Restriction
}

func newCredential(e External) credential {
	c := credential{subject: e.Subject, key: e.Key, restrictions: e.Restrictions}
	if e.Token != "" {
		c.key, c.token = nil, sha256.Sum256([]byte(e.Token))
	}
	return c
}

// bearer takes the token out of a request. Any other scheme counts as no
// credential (contract platform 2.8).
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimLeft(token, " ")
	if !strings.EqualFold(scheme, "bearer") || strings.ContainsAny(token, " \t") {
		return ""
	}
	return token
}

// identify finds whose a token is, in the order of the configuration. It looks
// at all static tokens, whichever fits.
func (g *Guard) identify(token string) (found credential, ok bool) {
	hash := sha256.Sum256([]byte(token))
	for _, c := range g.callers {
		var fits bool
		if c.key == nil {
			fits = subtle.ConstantTimeCompare(hash[:], c.token[:]) == 1
		} else {
			fits = signed(token, c.key, time.Now())
		}
		if fits && !ok {
			found, ok = c, true
		}
	}
	return found, ok
}

// legacySubject is what tokens of Backstage's old backend-to-backend scheme say.
const legacySubject = "backstage-server"

// maxSigned bounds what is decoded: a legacy token is some 150 characters.
const maxSigned = 4 << 10

// signed verifies a legacy token: HS256, for the subject of the old scheme, not
// for an audience, and not expired (contract platform 2.8; RFC 7515 and 7519).
// Only this one algorithm is known, so that a token cannot choose a weaker one.
func signed(token string, key []byte, now time.Time) bool {
	if len(token) > maxSigned {
		return false
	}
	head, rest, ok := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		return false
	}
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(head + "." + payload))
	if !hmac.Equal(given, mac.Sum(nil)) {
		return false
	}
	var header struct {
		Alg  string          `json:"alg"`
		Crit json.RawMessage `json:"crit"`
	}
	var claims struct {
		Sub string          `json:"sub"`
		Aud json.RawMessage `json:"aud"`
		Exp float64         `json:"exp"`
		Nbf float64         `json:"nbf"`
	}
	if !decode(head, &header) || header.Alg != "HS256" || header.Crit != nil || !decode(payload, &claims) {
		return false
	}
	seconds := float64(now.Unix())
	return claims.Sub == legacySubject && claims.Aud == nil && claims.Exp > seconds && claims.Nbf <= seconds
}

func decode(part string, out any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(raw, out) == nil
}
