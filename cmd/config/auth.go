package config

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Auth says who may call the APIs (contract platform 2.7 and 2.11).
type Auth struct {
	// Open is backend.auth.dangerouslyDisableDefaultAuthPolicy.
	Open bool
	// AnonymousRead is callboard.auth.anonymousRead.
	AnonymousRead bool
	External      []ExternalAccess
	// Site is the host name of backend.baseUrl, "" without one.
	Site string
}

// ExternalAccess is an entry of backend.auth.externalAccess, or of the older
// backend.auth.keys.
type ExternalAccess struct {
	Subject string
	// Token is that of type static, Key the decoded secret of type legacy.
	Token Secret
	Key   Secret
	// Restrictions are by plugin; nil where there are none.
	Restrictions map[string]AccessRestriction
}

// AccessRestriction limits an ExternalAccess within a plugin; nil lists do not.
type AccessRestriction struct {
	Permissions []string
	Actions     []string
}

// legacyKeySubject is who signs with a key of backend.auth.keys (contract platform 1.7).
const legacyKeySubject = "external:backstage-plugin"

const (
	// minToken is the least length of a static token (contract platform 2.11).
	minToken = 8
	// minKey is the least of a legacy key, in bytes. Whoever has seen one token can
	// try keys at home, so a key must be longer than what can be tried.
	minKey = 16
)

func (c *Config) auth(backend, own reader) {
	own.only("anonymousRead")
	r := backend.at("auth")
	c.Auth = Auth{
		Site:          site(backend.at("baseUrl")),
		Open:          r.at("dangerouslyDisableDefaultAuthPolicy").bool(false),
		AnonymousRead: own.at("anonymousRead").bool(false),
	}
	for _, entry := range r.at("externalAccess").list() {
		c.Auth.External = append(c.Auth.External, externalAccess(entry))
	}
	for _, entry := range r.at("keys").list() {
		c.Auth.External = append(c.Auth.External, ExternalAccess{Subject: legacyKeySubject, Key: legacyKey(entry)})
	}
}

// site is the host name of a URL.
func site(r reader) string {
	s := r.str("")
	u, err := url.Parse(s)
	if s != "" && (err != nil || u.Hostname() == "") {
		r.fault(r.node, "%s must be a URL such as https://portal.acme.test", r.path)
		return ""
	}
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// externalAccess is strict where Callboard is tolerant elsewhere: a misspelt
// restriction would be no restriction.
func externalAccess(r reader) ExternalAccess {
	r.only("type", "options", "accessRestrictions")
	out := ExternalAccess{Restrictions: accessRestrictions(r)}
	options := r.at("options")
	switch kind := r.at("type").str(""); kind {
	case "static":
		options.only("token", "subject")
		out.Token = Secret(solid(options, "token"))
		if n := len(out.Token); n > 0 && n < minToken {
			options.fault(options.at("token").node, "%s must have at least %d characters", options.at("token").path, minToken)
		}
		out.Subject = solid(options, "subject")
	case "legacy":
		options.only("secret", "subject")
		out.Key = legacyKey(options)
		out.Subject = solid(options, "subject")
	case "jwks":
		r.fault(r.at("type").node, "%s: jwks is not supported yet; use static or legacy", r.at("type").path)
	default:
		r.fault(r.node, "%s must be static or legacy, not %q", r.at("type").path, kind)
	}
	return out
}

// solid reads a string that must be there and hold no space. The fault does not
// quote it, because it may be a secret.
func solid(parent reader, key string) string {
	r := parent.at(key)
	s := r.str("")
	switch {
	case s == "":
		r.fault(parent.node, "%s is missing%s", r.path, r.because())
	case strings.ContainsFunc(s, unicode.IsSpace):
		r.fault(r.node, "%s must not contain spaces", r.path)
	}
	return s
}

// legacyKey decodes base64 in either alphabet, padded or not.
func legacyKey(parent reader) Secret {
	r, s := parent.at("secret"), solid(parent, "secret")
	plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	key, err := base64.RawStdEncoding.DecodeString(plain)
	switch {
	case s == "":
	case err != nil || len(key) == 0:
		r.fault(r.node, "%s must be base64; openssl rand -base64 24 makes one", r.path)
	case len(key) < minKey:
		r.fault(r.node, "%s must have at least %d bytes; openssl rand -base64 24 makes one", r.path, minKey)
	}
	return Secret(key)
}

var accessActions = []string{"create", "read", "update", "delete"}

// accessRestrictions reads what a token is limited to. What is there but empty
// is a fault: to read it as "no limit" would open what somebody meant to close.
func accessRestrictions(parent reader) map[string]AccessRestriction {
	r := parent.at("accessRestrictions")
	entries := r.list()
	if r.unset != "" || r.present() && len(entries) == 0 {
		r.fault(parent.node, "%s is empty%s: leave it out where a token may do everything", r.path, r.because())
	}
	var out map[string]AccessRestriction
	for _, entry := range entries {
		entry.only("plugin", "permission", "permissionAttribute")
		plugin := solid(entry, "plugin")
		if _, twice := out[plugin]; twice {
			entry.fault(entry.node, "%s: plugin %s is listed twice", entry.path, plugin)
		}
		attribute := entry.at("permissionAttribute")
		attribute.only("action")
		limit := AccessRestriction{Permissions: words(entry, "permission"), Actions: words(attribute, "action")}
		for _, a := range limit.Actions {
			if !slices.Contains(accessActions, a) {
				attribute.fault(attribute.node, "%s must be of %s, not %q", attribute.at("action").path, strings.Join(accessActions, ", "), a)
			}
		}
		if out == nil {
			out = map[string]AccessRestriction{}
		}
		out[plugin] = limit
	}
	return out
}

// words reads a list, or a string of words with commas or spaces between them.
func words(parent reader, key string) []string {
	r := parent.at(key)
	var out []string
	for _, s := range r.strings() {
		out = append(out, strings.FieldsFunc(s, func(c rune) bool { return c == ',' || unicode.IsSpace(c) })...)
	}
	if r.unset != "" || r.present() && len(out) == 0 {
		r.fault(parent.node, "%s is empty%s: leave it out where nothing is limited", r.path, r.because())
	}
	return out
}
