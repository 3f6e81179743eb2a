package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunDescribesItself starts the program, reads what it prints and stops it.
func TestRunDescribesItself(t *testing.T) {
	t.Parallel()
	keyFile := filepath.Join(t.TempDir(), "app.pem")
	if err := os.WriteFile(keyFile, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--addr", "127.0.0.1:0", "--sample", "--key-file", keyFile}, writer, io.Discard)
		writer.Close()
	}()
	var out bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(out.String(), "/_sim/orgs/{org}/teams/{team}/members/{login}") {
		n, err := reader.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, out.String())
		}
		out.Write(buf[:n])
	}
	for _, want := range []string{"/acme/shop-web.git", "App id", keyFile} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	info, err := os.Stat(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %v", info.Mode())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWebhookNeedsSecret(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"--webhook-url", "http://127.0.0.1:1/"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--secret") {
		t.Errorf("got %v", err)
	}
}
