package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAuth(t *testing.T) {
	t.Parallel()
	c, err := load(t, map[string]string{"TOKEN": "ci-token-1234"}, `
backend:
  baseUrl: https://Portal.acme.test:8443/base
  auth:
    dangerouslyDisableDefaultAuthPolicy: 'on'
    keys: [{secret: YSBzZWNyZXQgb2Ygb2xkIHRpbWVz}]
    externalAccess:
      - type: static
        options: {token: '${TOKEN}', subject: ci-bot}
        accessRestrictions:
          - plugin: catalog
            permission: [catalog.entity.read, 'catalog.entity.refresh, catalog.location.read']
          - {plugin: callboard, permissionAttribute: {action: read}}
          - plugin: search
      - {type: legacy, options: {secret: _-__7__v_-__7__v_-__7w==, subject: old}}
callboard: {auth: {anonymousRead: yes}}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Auth{
		Open: true, AnonymousRead: true, Site: "Portal.acme.test",
		External: []ExternalAccess{
			{Subject: "ci-bot", Token: "ci-token-1234", Restrictions: map[string]AccessRestriction{
				"catalog":   {Permissions: []string{"catalog.entity.read", "catalog.entity.refresh", "catalog.location.read"}},
				"callboard": {Actions: []string{"read"}},
				"search":    {},
			}},
			{Subject: "old", Key: Secret(strings.Repeat("\xff\xef", 8))},
			{Subject: legacyKeySubject, Key: "a secret of old times"},
		},
	}
	if diff := cmp.Diff(want, c.Auth); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if shown := fmt.Sprintf("%v %+v %#v", c, c, c.Auth); strings.Contains(shown, "ci-token") || strings.Contains(shown, "of old times") {
		t.Errorf("a token shows: %s", shown)
	}
	if closed, err := load(t, nil); err != nil || closed.Auth.Open || closed.Auth.AnonymousRead || closed.Auth.External != nil {
		t.Errorf("without configuration: %+v, %v", closed.Auth, err)
	}
}

// A mistake in access control must not open anything.
func TestAuthFaults(t *testing.T) {
	t.Parallel()
	static := func(more string) string {
		return "backend: {auth: {externalAccess: [{type: static, options: {token: ci-token-1234, subject: ci}, " + more + "}]}}"
	}
	external := func(entry string) string { return "backend: {auth: {externalAccess: [" + entry + "]}}" }
	tests := []struct{ name, text, want string }{
		{"jwks", external("{type: jwks, options: {url: 'https://x'}}"), "0.yaml:1: backend.auth.externalAccess[0].type: jwks is not supported yet; use static or legacy"},
		{"type", external("{type: basic}"), `must be static or legacy, not "basic"`},
		{"no type", external("{options: {token: ci-token-1234}}"), `externalAccess[0].type must be static or legacy, not ""`},
		{"no token", external("{type: static, options: {token: '${NONE}', subject: ci}}"), "0.yaml:1: backend.auth.externalAccess[0].options.token is missing: NONE is not set"},
		{"no options", external("{type: static}"), "options.token is missing"},
		{"no subject", external("{type: static, options: {token: ci-token-1234}}"), "options.subject is missing"},
		{"short token", external("{type: static, options: {token: ci-1234, subject: ci}}"), "options.token must have at least 8 characters"},
		{"spaces", external("{type: static, options: {token: 'ci token 1234', subject: ci}}"), "options.token must not contain spaces"},
		{"unknown option", external("{type: static, options: {token: ci-token-1234, subject: ci, tokn: x}}"), "options.tokn is not a key of Callboard's"},
		{"unknown key", static("accessRestriction: []"), "externalAccess[0].accessRestriction is not a key"},
		{"secret", external("{type: legacy, options: {secret: '%%%', subject: old}}"), "options.secret must be base64"},
		{"short secret", external("{type: legacy, options: {secret: YQ==, subject: old}}"), "options.secret must have at least 16 bytes"},
		{"short key", "backend: {auth: {keys: [{secret: MDEyMzQ1Njc4OWFiY2Rl}]}}", "backend.auth.keys[0].secret must have at least 16 bytes"},
		{"base URL", "backend: {baseUrl: portal}", "backend.baseUrl must be a URL"},
		{"key", "backend: {auth: {keys: [{}]}}", "backend.auth.keys[0].secret is missing"},
		{"no restrictions", static("accessRestrictions: []"), "accessRestrictions is empty"},
		{"unset restrictions", static("accessRestrictions: {$env: NONE}"), "accessRestrictions is empty: NONE is not set"},
		{"no plugin", static("accessRestrictions: [{permission: x}]"), "accessRestrictions[0].plugin is missing"},
		{"plugin twice", static("accessRestrictions: [{plugin: a}, {plugin: a}]"), "plugin a is listed twice"},
		{"unset permission", static("accessRestrictions: [{plugin: a, permission: '${NONE}'}]"), "permission is empty: NONE is not set"},
		{"empty permission", static("accessRestrictions: [{plugin: a, permission: []}]"), "permission is empty"},
		{"unset action", static("accessRestrictions: [{plugin: a, permissionAttribute: {action: '${NONE}'}}]"), "permissionAttribute.action is empty: NONE"},
		{"action", static("accessRestrictions: [{plugin: a, permissionAttribute: {action: write}}]"), `must be of create, read, update, delete, not "write"`},
		{"misspelt", static("accessRestrictions: [{plugin: a, permissions: x}]"), "accessRestrictions[0].permissions is not a key"},
		{"flag", "backend: {auth: {dangerouslyDisableDefaultAuthPolicy: maybe}}", "must be true or false"},
		{"own", "callboard: {auth: {anonymous: true}}", "callboard.auth.anonymous is not a key"},
	}
	for _, tt := range tests {
		_, err := load(t, nil, tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "ci-1234") || strings.Contains(err.Error(), "ci token")) {
			t.Errorf("%s: the token shows: %v", tt.name, err)
		}
	}
}
