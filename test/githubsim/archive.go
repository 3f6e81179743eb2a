package githubsim

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

func isNotFound(err error) bool {
	return errors.Is(err, errNotFound) || errors.Is(err, gitrepo.ErrNotFound)
}

// getTarball redirects to the archive itself; the link carries its own right,
// as the one that GitHub hands out for private repositories does.
func getTarball(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	k, err := c.commit(r, c.r.PathValue("ref"))
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/_codeload/%s/legacy.tar.gz/%s", r.FullName(), k.SHA)
	c.spend(1)
	c.w.Header().Set("Location", c.s.base+path+"?token="+url.QueryEscape(sign(sha256.New, string(c.s.signKey), []byte(path))))
	c.w.WriteHeader(http.StatusFound)
	return nil
}

// serveTarball writes the archive: one top folder owner-name-sha, as GitHub does.
func (s *Server) serveTarball(w http.ResponseWriter, req *http.Request) {
	c := &call{s: s, w: w, r: req}
	want := sign(sha256.New, string(s.signKey), []byte(req.URL.Path))
	if !hmac.Equal([]byte(want), []byte(c.query("token"))) {
		c.fail(errNotFound)
		return
	}
	r, err := s.Repo(req.PathValue("owner") + "/" + req.PathValue("repo"))
	if err != nil {
		c.fail(err)
		return
	}
	sha := req.PathValue("sha")
	body, err := r.tarball(sha)
	if err != nil {
		c.fail(err)
		return
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	w.Header().Set("Content-Disposition", "attachment; filename="+r.archiveName(sha)+".tar.gz")
	w.Header().Set("ETag", `"`+sha+`"`)
	_, _ = w.Write(body)
}

func (r *Repo) archiveName(sha string) string {
	return strings.ReplaceAll(r.FullName(), "/", "-") + "-" + sha[:7]
}

func (r *Repo) tarball(sha string) ([]byte, error) {
	entries, _, err := r.walk(sha)
	if err != nil {
		return nil, err
	}
	commit, err := r.git.Commit(sha)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	tw := tar.NewWriter(gz)
	top := r.archiveName(sha) + "/"
	headers := []*tar.Header{
		{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": sha}},
		{Typeflag: tar.TypeDir, Name: top, Mode: 0o775, ModTime: commit.Committer.When},
	}
	for _, h := range headers {
		if err := tw.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("write archive: %w", err)
		}
	}
	for _, e := range entries {
		if err := r.tarEntry(tw, top, e, commit); err != nil {
			return nil, fmt.Errorf("archive %s: %w", e.Path, err)
		}
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	return buf.Bytes(), nil
}

func (r *Repo) tarEntry(tw *tar.Writer, top string, e gitrepo.Entry, commit *gitrepo.Commit) error {
	h := &tar.Header{Name: top + e.Path, ModTime: commit.Committer.When, Typeflag: tar.TypeReg, Mode: 0o664}
	var body []byte
	if e.Type == "blob" {
		var err error
		if body, err = r.git.Blob(e.SHA); err != nil {
			return err
		}
	}
	switch {
	case e.Type != "blob": // directories, and submodules as empty ones
		h.Typeflag, h.Mode, h.Name = tar.TypeDir, 0o775, h.Name+"/"
	case e.Mode == "120000":
		h.Typeflag, h.Linkname, body = tar.TypeSymlink, string(body), nil
	case e.Mode == "100755":
		h.Mode = 0o775
	}
	h.Size = int64(len(body))
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := tw.Write(body)
	return err
}
