package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// connections is how many clients ask at once.
const connections = 16

// caller is one connection. It is as lean as a load generator is, because it
// shares the two cores with the server that it measures: it sends bytes that
// are ready and skips what comes back.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(address string) (*caller, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 256<<10)}, nil
}

func request(method, path, body string) []byte {
	head := method + " " + path + " HTTP/1.1\r\nHost: callboard\r\n"
	if body != "" {
		head += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return []byte(head + "\r\n" + body)
}

var errStatus = errors.New("not answered with 200")

// call sends a request and reads the answer to its end.
func (c *caller) call(req []byte) (bodyBytes int, err error) {
	if _, err := c.conn.Write(req); err != nil {
		return 0, err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 200 "))
	problem := ""
	if !ok {
		problem = string(bytes.TrimSpace(status))
	}
	length, err := c.header()
	if err != nil {
		return 0, err
	}
	if length < 0 {
		bodyBytes, err = c.chunks()
	} else {
		bodyBytes, err = c.in.Discard(length)
	}
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", errStatus, problem)
	}
	return bodyBytes, err
}

// header reads up to the empty line; the length is -1 for chunks.
func (c *caller) header() (length int, err error) {
	length = -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) == 2 {
			return length, nil
		}
		if v, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return 0, err
			}
		}
	}
}

func (c *caller) chunks() (n int, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return n, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return n, err
		}
		if _, err := c.in.Discard(int(size) + 2); err != nil {
			return n, err
		}
		if n += int(size); size == 0 {
			return n, nil
		}
	}
}

// storm asks with all connections for a while; requests are taken in turn.
func storm(b *testing.B, url string, requests [][]byte, length time.Duration) string {
	b.Helper()
	var took [connections][]time.Duration
	var wg sync.WaitGroup
	began := time.Now()
	for n := range connections {
		wg.Go(func() {
			c, err := dial(strings.TrimPrefix(url, "http://"))
			if err != nil {
				b.Error(err)
				return
			}
			defer c.conn.Close()
			for i := n; time.Since(began) < length; i += connections {
				at := time.Now()
				if size, err := c.call(requests[i%len(requests)]); err != nil || size == 0 {
					if err == nil {
						err = io.ErrUnexpectedEOF
					}
					b.Errorf("%.200s: %v", requests[i%len(requests)], err)
					return
				}
				took[n] = append(took[n], time.Since(at))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(took[:]...)
	return fmt.Sprintf("%.0f/s, p99 %s", float64(len(all))/time.Since(began).Seconds(), ms(percentile(all, 99)))
}
