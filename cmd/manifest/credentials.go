package manifest

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/callboard/callboard/pipeline/githubapp"
)

// Credentials is the YAML that an entry of integrations.github[].apps includes,
// in the shape of Backstage's own create-github-app.
func Credentials(app githubapp.CreatedApp) ([]byte, error) {
	block, _ := pem.Decode(app.PrivateKey)
	switch {
	case app.ID <= 0:
		return nil, errors.New("GitHub sent no id for the App")
	case block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("GitHub sent no private key for the App")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The GitHub App %s. Keep this file secret.\n", oneLine(app.Name))
	fmt.Fprintf(&b, "appId: %d\n", app.ID)
	for _, field := range [][2]string{
		{"clientId", app.ClientID}, {"clientSecret", app.ClientSecret}, {"webhookSecret", app.WebhookSecret},
	} {
		quoted, err := json.Marshal(field[1]) // JSON is YAML
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s: %s\n", field[0], quoted)
	}
	// Encoded anew, so that nothing but a key can be in it.
	key := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
	b.WriteString("privateKey: |\n  " + strings.ReplaceAll(strings.TrimSpace(string(key)), "\n", "\n  ") + "\n")
	return []byte(b.String()), nil
}

// oneLine keeps what GitHub says inside a comment.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// File is a place for secrets, taken before there are any.
type File struct {
	path  string
	force bool
	temp  *os.File
}

// Reserve makes sure that a file can be written at path, so that nobody finds
// out after GitHub gave its only answer. Without force nothing may be there yet,
// not even a link. Forget or Write ends the reservation.
func Reserve(path string, force bool) (*File, error) {
	f := &File{path: path, force: force}
	if err := f.free(); err != nil {
		return nil, err
	}
	var err error
	// CreateTemp makes it for nobody else to read, and follows no link.
	if f.temp, err = os.CreateTemp(filepath.Dir(path), ".github-app-*"); err != nil {
		return nil, fmt.Errorf("write the credentials: %w", err)
	}
	return f, nil
}

func (f *File) free() error {
	info, err := os.Lstat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("write the credentials: %w", err)
	case info.IsDir():
		return fmt.Errorf("%s is a directory: name a file with --output", f.path)
	case !f.force:
		return fmt.Errorf("%s exists already: name another file with --output, or replace it with --force", f.path)
	}
	return nil
}

// Write puts the secrets in their place, whole or not at all. If that fails they
// stay in the file that the error names.
func (f *File) Write(content []byte) error {
	_, err := f.temp.Write(content)
	err = errors.Join(err, f.temp.Sync(), f.temp.Close())
	if err == nil {
		err = f.place()
	}
	if err != nil {
		return fmt.Errorf("write %s (what GitHub sent is in %s): %w", f.path, f.temp.Name(), err)
	}
	return nil
}

// place gives the file its name. A hard link, other than a rename, replaces nothing.
func (f *File) place() error {
	if !f.force {
		switch err := os.Link(f.temp.Name(), f.path); {
		case err == nil:
			return os.Remove(f.temp.Name())
		case errors.Is(err, fs.ErrExist):
			return err
		}
		// This file system has no links.
		if err := f.free(); err != nil {
			return err
		}
	}
	return os.Rename(f.temp.Name(), f.path)
}

// Forget ends a reservation that was not used.
func (f *File) Forget() {
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name())
}
