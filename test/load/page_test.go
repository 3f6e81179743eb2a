package load

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var out = flag.String("out", "", "write the figures to this Markdown file")

// figures are what was measured, by row and setup, rows in order of measuring.
var figures struct {
	mu   sync.Mutex
	rows []string
	cell map[string]map[string]string
}

// growth are the figures that were measured at several sizes.
var growth struct {
	mu   sync.Mutex
	rows []string
	cell map[string]map[int]string
}

func grown(b *testing.B, size int, row, figure string) {
	b.Helper()
	b.Logf("%7d entities: %-60s %s", size, row, figure)
	growth.mu.Lock()
	defer growth.mu.Unlock()
	if growth.cell == nil {
		growth.cell = map[string]map[int]string{}
	}
	if !slices.Contains(growth.rows, row) {
		growth.rows = append(growth.rows, row)
		growth.cell[row] = map[int]string{}
	}
	growth.cell[row][size] = figure
}

func record(b *testing.B, row, figure string) {
	b.Helper()
	setup := b.Name()[strings.LastIndexByte(b.Name(), '/')+1:]
	b.Logf("%-60s %s", row, figure)
	figures.mu.Lock()
	defer figures.mu.Unlock()
	if figures.cell == nil {
		figures.cell = map[string]map[string]string{}
	}
	if !slices.Contains(figures.rows, row) {
		figures.rows = append(figures.rows, row)
		figures.cell[row] = map[string]string{}
	}
	figures.cell[row][setup] = figure
}

// backstage is what Backstage's own backend does on such a machine
// (release 1.55, PostgreSQL 15; measured apart, see the page).
var backstage = map[string]string{
	"push to visible, one at a time":                                    "p50 994 ms, p95 1,718 ms",
	"500 pushes at once, all visible after":                             "25 s",
	"ingress, accepted and durable":                                     "55/s, not durable",
	"cold ingestion of 2,000 repositories, 4,000 entities":              "1,000 repositories, 2,161 entities: 80–124 s, 64–85 CPU s, 1,012 requests or more",
	"scan of 1000 new repositories, 2000 entities, at 50 ms a request":  "80–124 s, 1,012 requests or more, without latency",
	"scan of 5000 new repositories, 10000 entities, at 50 ms a request": "326–775 s, up to 14,041 requests, without latency",
	"by-name":                                       "718/s, p99 83 ms",
	"by-query: a kind, ordered, 20":                 "18/s, p99 1,244 ms",
	"list of 100, filtered":                         "53/s",
	"facets: kind, type, owner":                     "174/s",
	"by-refs of 50":                                 "315/s",
	"start to serving, with 4,000 entities":         "5.3 s with 10,000 entities",
	"resident memory after a start, 4,000 entities": "520 MB with 10,000 entities",
	"idle, 2,000 repositories":                      "5,000 repositories: 21.1 CPU s and 2,335 GitHub requests a minute",
}

// bounds says what the figures are bound by, from profiles of handlers'
// BenchmarkListener, of storage/view's benchmarks and of the start.
const bounds = `
What bounds them. Half of the CPU time of a request for an entity or a page of 20 is net/http's, a fifth goes into system calls;
finding what was asked for takes microseconds at any size, and a page costs what its bytes cost. With the catalog grow: facets
over many values; text searches, which look through every value of a field and are bound by memory bandwidth; the first
use of an order, which sorts (30 to 130 ms at 100,000; 16 orders are kept); and the start, which reads the database and puts some
35 search values for each entity in order, on both cores. A change costs the readers the same at any size: what takes time
is the commit.
`

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *out != "" && code == 0 {
		if err := os.WriteFile(*out, []byte(page()), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func page() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Benchmarks

Written by `+"`make bench`"+` on %s. The program runs as a process of its own beside the local GitHub (`+"`test/githubsim`"+`,
without latency) and the load on the same machine, so its share of the two cores is less than the whole. Every accepted
delivery is on disk before its answer (SQLite `+"`synchronous=FULL`"+`, PostgreSQL with fsync).

%s

| what | SQLite, in process | PostgreSQL, Redis Streams | Backstage |
|---|---|---|---|
`, time.Now().UTC().Format(time.DateOnly), machine())
	for _, row := range figures.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row, figures.cell[row][setups[0].Name], figures.cell[row][setups[1].Name], backstage[row])
	}
	b.WriteString(`
The last column is Backstage's own backend, release 1.55 (catalog-backend 4.0.0, Node 24, PostgreSQL 15 with fsync, one
process), fed by a fake GitHub without latency on two shared cores and 24 GB, measured apart from this table; where it
was given other numbers of entities, the cell says so.

## How reads grow

The same, with databases that were filled before the start: six of ten entities are components, with three relations,
three tags, eight annotations and a link each. 16 connections ask for three seconds; the client is a bare socket, so that most of
the two cores is the server's.

| what | 1,000 entities | 10,000 entities | 100,000 entities | Backstage, 10,000 entities |
|---|---|---|---|---|
`)
	for _, row := range growth.rows {
		fmt.Fprintf(&b, "| %s |", row)
		for _, n := range sizes {
			fmt.Fprintf(&b, " %s |", growth.cell[row][n])
		}
		fmt.Fprintf(&b, " %s |\n", backstage[row])
	}
	b.WriteString(bounds + `
How each row is measured is in ` + "`test/load`" + `; ` + "`go test -bench . ./...`" + ` runs the small benchmarks of the packages.
`)
	return b.String()
}

func machine() string {
	version := func(name string, args ...string) string {
		raw, err := exec.Command(name, args...).Output()
		if err != nil {
			return name + ": not found"
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(raw)), "\n")
		return first
	}
	cpuModel := "unknown CPU"
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if v, ok := strings.CutPrefix(line, "model name"); ok {
				cpuModel = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(v), ":"))
				break
			}
		}
	}
	return fmt.Sprintf("Machine: %d cores (%s), %s/%s, %s; %s; %s; %s.", runtime.NumCPU(), cpuModel, runtime.GOOS, runtime.GOARCH,
		runtime.Version(), version("psql", "--version"), version("redis-server", "--version"), version("git", "--version"))
}
