package githubsim

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

const docsURL = "https://docs.github.com/rest"

// apiError is an answer in GitHub's error shape.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

var (
	errBadCredentials = &apiError{http.StatusUnauthorized, "Bad credentials"}
	errNeedsAuth      = &apiError{http.StatusUnauthorized, "Requires authentication"}
	errForbidden      = &apiError{http.StatusForbidden, "Resource not accessible by integration"}
	errEmptyRepo      = &apiError{http.StatusConflict, "Git Repository is empty."}
	errBadJSON        = &apiError{http.StatusBadRequest, "Problems parsing JSON"}
)

// movedError is a redirect to where a renamed repository is now.
type movedError struct{ url string }

func (e *movedError) Error() string { return "moved to " + e.url }

func errorBody(message string) []byte {
	b, err := json.Marshal(object{"message": message, "documentation_url": docsURL})
	if err != nil {
		return []byte(`{"message":"Server Error"}`)
	}
	return b
}

func rawJSON(b []byte) json.RawMessage {
	if !json.Valid(b) {
		return json.RawMessage("null")
	}
	return b
}

// call is one API request.
type call struct {
	s   *Server
	w   http.ResponseWriter
	r   *http.Request
	who principal
	// resource is the rate limit that it is counted under, "" for none.
	resource string
}

// rest adds a route of the REST interface; f answers or fails.
func (s *Server) rest(mux *http.ServeMux, pattern string, f func(*call) error) {
	mux.HandleFunc(pattern, s.observed(pattern, func(w http.ResponseWriter, r *http.Request) {
		c := &call{s: s, w: w, r: r, resource: "core"}
		if strings.HasSuffix(pattern, " /rate_limit") {
			c.resource = ""
		}
		w.Header().Set("X-GitHub-Media-Type", "github.v3; format=json")
		w.Header().Set("Date", s.now().Format(http.TimeFormat)) // the clock that JWTs are judged by
		w.Header().Set("X-GitHub-Request-Id", rand.Text())
		c.fail(c.run(f))
	}))
}

func (c *call) run(f func(*call) error) error {
	var err error
	if c.who, err = c.s.authenticate(c.r); err != nil {
		return err
	}
	if c.resource != "" {
		if w := c.s.limits.state(c.who.budget(), c.resource, 0, c.s.now()); w.remaining() <= 0 {
			return exhausted(c.who.budget())
		}
		if err := c.s.limits.points(c.who.budget(), c.resource, c.r.Method, c.s.now()); err != nil {
			return err
		}
	}
	if t := c.who.token; t != nil && t.inst == nil {
		c.w.Header().Set("X-OAuth-Scopes", strings.Join(t.scopes, ", "))
	}
	return f(c)
}

// spend counts the request and writes the rate headers. A 304 costs nothing.
func (c *call) spend(cost int) {
	if c.resource != "" {
		c.s.limits.state(c.who.budget(), c.resource, cost, c.s.now()).write(c.w.Header(), c.resource)
	}
}

func (c *call) fail(err error) {
	if err == nil {
		return
	}
	var known *apiError
	var limit *exhaustedError
	var slow *secondaryError
	var moved *movedError
	status, message := http.StatusInternalServerError, "Server Error"
	switch {
	case errors.As(err, &moved):
		status, message = http.StatusMovedPermanently, "Moved Permanently"
		if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
			status = http.StatusTemporaryRedirect
		}
		c.w.Header().Set("Location", moved.url)
	case errors.As(err, &limit):
		status, message = http.StatusForbidden, limit.message
	case errors.As(err, &slow):
		c.spend(1)
		slow.write(c.w)
		return
	case errors.As(err, &known):
		status, message = known.status, known.message
	case errors.Is(err, errNotFound), errors.Is(err, gitrepo.ErrNotFound):
		status, message = http.StatusNotFound, "Not Found"
	default:
		c.s.opt.log.Error("request failed", "path", c.r.URL.Path, "error", err)
	}
	c.spend(1)
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.WriteHeader(status)
	body := errorBody(message)
	if moved != nil {
		body, _ = json.Marshal(object{"message": message, "url": moved.url, "documentation_url": docsURL})
	}
	_, _ = c.w.Write(body)
}

// json answers a value.
func (c *call) json(status int, v any) error {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return c.bytes(status, "application/json; charset=utf-8", buf.Bytes())
}

// bytes answers a body, or 304 where the client has it. The validator differs
// per token, as GitHub's do.
func (c *call) bytes(status int, contentType string, body []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	if c.r.Method == http.MethodGet && status == http.StatusOK {
		sum := sha256.New()
		sum.Write([]byte(c.who.tokenValue()))
		sum.Write([]byte(c.r.Header.Get("Accept")))
		sum.Write(body)
		etag := `"` + hex.EncodeToString(sum.Sum(nil)) + `"`
		switch {
		case strings.HasPrefix(contentType, "application/json"):
			etag = "W/" + etag
		case strings.HasPrefix(contentType, "application/vnd.github.sha"):
			// The commit id is its own validator, whoever asks (REST, "Get a commit").
			etag = `"` + string(body) + `"`
		}
		h.Set("ETag", etag)
		h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
		h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
		if matches(c.r.Header.Get("If-None-Match"), etag) {
			c.spend(0)
			h.Del("Content-Type")
			c.w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	c.spend(1)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
	return nil
}

// matches compares validators weakly (RFC 9110, 13.1.2).
func matches(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || candidate != "" && strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// body decodes the request's JSON.
func (c *call) body(v any) error {
	if err := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, 64<<20)).Decode(v); err != nil {
		return errBadJSON
	}
	return nil
}

// repo is the repository of the path, if the caller may see it.
func (c *call) repo() (*Repo, error) {
	s := c.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	name := c.r.PathValue("owner") + "/" + c.r.PathValue("repo")
	r, moved, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if c.who.app != nil {
		return nil, &apiError{http.StatusUnauthorized, "A JSON web token could not be decoded"}
	}
	if !c.who.mayRead(r) || s.concealed(r) {
		return nil, errNotFound
	}
	if moved {
		prefix := "/repos/" + name
		u := fmt.Sprintf("%s/api/v3/repositories/%d%s", s.base, r.id, strings.TrimPrefix(c.r.URL.Path, prefix))
		if c.r.URL.RawQuery != "" {
			u += "?" + c.r.URL.RawQuery
		}
		return nil, &movedError{u}
	}
	return r, nil
}

// commit is the commit that a revision of the path or query names.
func (c *call) commit(r *Repo, rev string) (*gitrepo.Commit, error) {
	if r.git.Head() == "" && len(r.git.Refs()) == 0 {
		return nil, errEmptyRepo
	}
	sha, err := r.git.Resolve(rev)
	if err != nil {
		return nil, err
	}
	return r.git.Commit(sha)
}

func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

func (c *call) number(name string, fallback, most int) int {
	n, err := strconv.Atoi(c.query(name))
	if err != nil || n < 1 {
		return fallback
	}
	return min(n, most)
}

// paginate cuts the page that page and per_page ask for and writes the Link
// header (RFC 8288) with GitHub's relations.
func paginate[T any](c *call, items []T) []T {
	size, page := c.number("per_page", 30, 100), c.number("page", 1, 1<<30)
	last := max(1, (len(items)+size-1)/size)
	var links []string
	add := func(rel string, n int) {
		links = append(links, fmt.Sprintf(`<%s>; rel=%q`, c.link(url.Values{"page": {strconv.Itoa(n)}}), rel))
	}
	if page > 1 {
		add("prev", min(page-1, last))
	}
	if page < last {
		add("next", page+1)
		add("last", last)
	}
	if page > 1 {
		add("first", 1)
	}
	if len(links) > 0 {
		c.w.Header().Set("Link", strings.Join(links, ", "))
	}
	from := min(len(items), (page-1)*size)
	return items[from:min(len(items), from+size)]
}

// link is the request's own address with some query values replaced.
func (c *call) link(replace url.Values) string {
	q := c.r.URL.Query()
	maps.Copy(q, replace)
	return c.s.base + "/api/v3" + c.r.URL.Path + "?" + q.Encode()
}
