package middleware_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/handlers/middleware"
)

func TestLimitBody(t *testing.T) {
	t.Parallel()
	var got error
	h := middleware.LimitBody(3, time.Hour)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, got = io.ReadAll(r.Body) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("1234")))
	if _, ok := errors.AsType[*http.MaxBytesError](got); !ok {
		t.Errorf("got %v", got)
	}
}

// shortly is how long bodies may take in these tests, and patience much longer.
const shortly, patience = 20 * time.Millisecond, 20 * time.Second

// serve runs h behind what stands around it in handlers, and connects to it.
func serve(t *testing.T, h http.HandlerFunc) net.Conn {
	t.Helper()
	server := httptest.NewServer(middleware.Compress(middleware.LimitBody(1000, shortly)(h)))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A body that never comes ends the request and the connection, whether the
// handler wants it or not.
func TestLateBody(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{true, false} {
		conn := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if wanted {
				if _, err := io.ReadAll(r.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the handler reads %v", err)
				}
			}
			w.WriteHeader(http.StatusTeapot)
		})
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 418 ") {
			t.Errorf("body wanted %v: %q, %v", wanted, answer, err)
		}
	}
}

// A handler may take longer than the body was allowed to, and the connection
// serves further requests.
func TestDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	conn := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		select {
		case <-r.Context().Done():
			t.Error("the deadline passed for the client having left")
		case <-time.After(5 * shortly):
		}
		w.WriteHeader(http.StatusNoContent)
	})
	answers := bufio.NewReader(conn)
	for range 2 {
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
}
