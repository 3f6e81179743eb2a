package handlers_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/callboard/callboard/storage"
)

// exchange sends a request that is ready and skips the answer: a client that
// costs little beside the server it shares the processors with.
func exchange(conn net.Conn, in *bufio.Reader, req []byte) error {
	if _, err := conn.Write(req); err != nil {
		return err
	}
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return fmt.Errorf("answered %q", line)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(line) == 2 {
			break
		}
	}
	if length < 0 {
		return fmt.Errorf("no length: the answer came in pieces")
	}
	_, err := in.Discard(length)
	return err
}

// BenchmarkListener measures the whole way over a socket with 16 connections,
// the client included.
func BenchmarkListener(b *testing.B) {
	const n = 10_000
	var rows []storage.Entity
	var refs []string
	for i := range n {
		ref := fmt.Sprintf("component:default/c%05d", i)
		if i%200 == 0 {
			refs = append(refs, ref)
		}
		annotations := `,"description":"` + strings.Repeat("what it does ", 20) + `","annotations":{"github.com/project-slug":"acme/` + strconv.Itoa(i) + `"},"tags":["go","t` + strconv.Itoa(i%50) + `"]`
		rows = append(rows, component(fmt.Sprintf("c%05d", i), fmt.Sprintf("u-%d", i*7919%n), annotations, ref+" ownedBy group:default/g"+strconv.Itoa(i%100)))
	}
	f := setup(b, rows...)
	server := httptest.NewServer(f)
	defer server.Close()
	post := func(path, body string) string {
		return "POST /api/catalog" + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
	requests := []struct{ name, text string }{
		{"by-name", "GET /api/catalog/entities/by-name/component/default/c00042 HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"by-query-20", "GET /api/catalog/entities/by-query?filter=kind=component&orderField=metadata.name&limit=20 HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"by-query-20-fields", "GET /api/catalog/entities/by-query?filter=kind=component&orderField=metadata.name&limit=20&fields=kind,metadata.name HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"facets", "GET /api/catalog/entity-facets?facet=kind&facet=spec.type HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"facets-filtered", "GET /api/catalog/entity-facets?facet=metadata.tags&filter=kind=component HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"by-refs-50", post("/entities/by-refs", `{"entityRefs":["`+strings.Join(refs, `","`)+`"]}`)},
	}
	for _, r := range requests {
		b.Run(r.name, func(b *testing.B) {
			b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				conn, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					b.Error(err)
					return
				}
				defer func() { _ = conn.Close() }()
				in := bufio.NewReaderSize(conn, 64<<10)
				for pb.Next() {
					if err := exchange(conn, in, []byte(r.text)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
