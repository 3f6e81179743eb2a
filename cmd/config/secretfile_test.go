package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What create-app writes is included by an entry of apps, from beside the file
// that names it, and doctor looks at who may read it.
func TestIncludedCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	credentials := write("secrets/app.yaml", "appId: 7\nclientId: Iv1.a\nclientSecret: c\nwebhookSecret: hook\nprivateKey: |\n  KEY\n")
	key := write("key.pem", "OTHER\n")
	main := write("app-config.yaml", `
integrations:
  github:
    - host: github.com
      token: ${TOKEN}
      apps:
        - $include: secrets/app.yaml
        - {appId: 8, privateKey: {$file: key.pem}, webhookSecret: {$env: HOOK}}
`)
	env := map[string]string{"TOKEN": "t", "HOOK": "other"}
	c, err := Load([]string{main}, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	want := []App{{ID: 7, PrivateKey: "KEY\n"}, {ID: 8, PrivateKey: "OTHER"}}
	if diff := cmp.Diff(want, c.GitHub[0].Apps); diff != "" {
		t.Errorf("apps (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]Secret{"hook", "other"}, c.WebhookSecrets); diff != "" {
		t.Errorf("webhook secrets (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{credentials, key}, c.SecretFiles); diff != "" {
		t.Errorf("files with secrets (-want +got)\n%s", diff)
	}
}
