// Package access decides who may call a route: it reads the credential of a
// request, finds whose it is, and compares what the route needs with what that
// caller was given (contract platform 2.7, 2.8 and 2.11).
//
// It knows the two kinds of credential that the configuration can hold, static
// tokens and legacy signed ones. Users who sign in and the permission framework
// come with the portal. The route table says which route needs what:
//
//	guard.Check(r, "catalog", access.Permission{Name: "catalog.entity.read", Action: "read", Reads: true})
package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
)

// Anonymous is the actor of requests without a credential.
const Anonymous = "anonymous"

// Permission is what a route needs. Name and Action are Backstage's (contract
// catalog 4.3); a few of Backstage's permissions have no action.
type Permission struct {
	Name   string
	Action string // create, read, update, delete or ""
	// Reads says that the route only shows what is stored. Only such routes may
	// be opened to anonymous callers one by one.
	Reads bool
}

// Config says who may call. The zero value lets nobody in.
type Config struct {
	// Open is backend.auth.dangerouslyDisableDefaultAuthPolicy: no credential is needed.
	Open bool
	// Site is the host name that the portal is reached by, "" where nobody said.
	Site string
	// AnonymousRead is callboard.auth.anonymousRead: none is needed to read.
	AnonymousRead bool
	// External is backend.auth.externalAccess, in its order.
	External []External
}

// External is a program that may call.
type External struct {
	// Subject names it in history.
	Subject string
	// Token is a static token; without one, Key verifies signed ones.
	Token string
	Key   []byte
	// Restrictions are by plugin; nil lets it do everything.
	Restrictions map[string]Restriction
}

// Restriction limits what a caller may do in a plugin that it may call. A nil
// list does not limit (contract platform 2.11).
type Restriction struct {
	Permissions []string
	Actions     []string
}

func (l Restriction) allows(p Permission) bool {
	return (l.Permissions == nil || slices.Contains(l.Permissions, p.Name)) &&
		(l.Actions == nil || slices.Contains(l.Actions, p.Action))
}

// The two refusals of who is not known (contract catalog 4.1).
var (
	errMissing = &respond.Error{Name: "AuthenticationError", Message: "Missing credentials"}
	errIllegal = &respond.Error{Name: "AuthenticationError", Message: "Illegal token"}
)

type callerKey struct{}

// Actor is the subject of who makes the request, Anonymous without a credential.
func Actor(ctx context.Context) string {
	if subject, ok := ctx.Value(callerKey{}).(string); ok {
		return subject
	}
	return Anonymous
}

// Guard checks requests. Make it with New.
type Guard struct {
	open, anonymousRead bool
	callers             []credential
}

// New makes a guard.
func New(cfg Config) *Guard {
	g := &Guard{open: cfg.Open, anonymousRead: cfg.AnonymousRead}
	for _, e := range cfg.External {
		g.callers = append(g.callers, newCredential(e))
	}
	return g
}

// Check says whether a request to a plugin may go on, and gives it with its
// caller remembered for Actor.
//
// A credential that is wrong is refused also where none is needed, as Backstage
// does: whoever sends one wants to be known by it. A restricted token without
// the permission to read gets a 403; that it sees empty lists instead (contract
// catalog 4.1) is a matter for the permission framework, which knows users.
func (g *Guard) Check(r *http.Request, plugin string, need Permission) (*http.Request, error) {
	token := bearer(r)
	if token == "" {
		if g.open || g.anonymousRead && need.Reads {
			return r, nil
		}
		return nil, errMissing
	}
	who, ok := g.identify(token)
	if !ok {
		return nil, errIllegal
	}
	if err := who.check(plugin, need); err != nil {
		return nil, err
	}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, who.subject)), nil
}

func (c credential) check(plugin string, need Permission) error {
	if c.restrictions == nil {
		return nil
	}
	limit, listed := c.restrictions[plugin]
	if !listed {
		var may []string
		for name := range c.restrictions {
			may = append(may, "'"+name+"'")
		}
		slices.Sort(may)
		return respond.NotAllowed("This token's access is restricted to plugin(s) %s", strings.Join(may, ", "))
	}
	if need.Name != "" && !limit.allows(need) {
		return respond.NotAllowed("This token's access does not include %s", describe(need))
	}
	return nil
}

func describe(p Permission) string {
	if p.Action == "" {
		return p.Name
	}
	return fmt.Sprintf("%s (action %s)", p.Name, p.Action)
}

// Protect puts the guard before a handler; fail answers who is refused.
func (g *Guard) Protect(plugin string, need Permission, fail func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known, err := g.Check(r, plugin, need)
		if errors.Is(err, errMissing) || errors.Is(err, errIllegal) {
			w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, 11.6.1; browsers show no dialog for it
		}
		if err != nil {
			fail(w, r, err)
			return
		}
		next.ServeHTTP(w, known)
	})
}
