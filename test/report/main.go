// Command report runs `go test -json` and prints what a reader wants: a line
// for each package, the output of what failed, and the count. A skipped test
// is a failure in CI: what was not run was not shown.
//
//	go run ./test/report -- go test -json ./...
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

type testEvent struct {
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
}

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: report -- go test -json ./...")
		os.Exit(2)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	r := newReport(os.Stdout, os.Getenv("CI") != "")
	r.read(out)
	failed := cmd.Wait() != nil
	if !r.end() || failed {
		os.Exit(1)
	}
}

// excuse is what the one skip that is permitted says: the corpus of real files
// lies beside the checkout and may be absent.
const excuse = "corpus is absent"

type key struct{ pkg, test string }

// report keeps the output of tests until it knows whether anybody wants it.
type report struct {
	w       io.Writer
	ci      bool
	started time.Time
	output  map[key][]string
	passed  int
	failed  []key
	skipped []key
	// unexcused is set when a test was skipped for want of anything but the corpus.
	unexcused bool
	broken    []string // packages that failed without a failing test: build errors, panics
}

func newReport(w io.Writer, ci bool) *report {
	return &report{w: w, ci: ci, started: time.Now(), output: map[key][]string{}}
}

func (r *report) read(in io.Reader) {
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, 0, 64<<10), 16<<20)
	for scan.Scan() {
		var e testEvent
		if json.Unmarshal(scan.Bytes(), &e) != nil {
			fmt.Fprintln(r.w, scan.Text())
			continue
		}
		r.event(e)
	}
}

func (r *report) event(e testEvent) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output", "build-output":
		r.output[k] = append(r.output[k], e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		r.packageEnd(e)
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
		r.notes(k)
	case "fail":
		r.failed = append(r.failed, k)
		r.dump(k)
	case "skip":
		r.skipped = append(r.skipped, k)
		r.unexcused = r.unexcused || !strings.Contains(strings.Join(r.output[k], ""), excuse)
		r.dump(k)
	}
	delete(r.output, k)
}

// notes prints the lines of a passing test that it marked for the reader.
func (r *report) notes(k key) {
	for _, line := range r.output[k] {
		if _, note, ok := strings.Cut(line, "NOTE: "); ok {
			fmt.Fprint(r.w, "    ", note)
		}
	}
}

func (r *report) dump(k key) {
	fmt.Fprintf(r.w, "--- %s %s\n%s", k.pkg, k.test, strings.Join(r.output[k], ""))
}

func (r *report) packageEnd(e testEvent) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(r.w, "ok    %-60s %6.1f s\n", e.Package, e.Elapsed)
	case "skip":
		fmt.Fprintf(r.w, "-     %-60s no tests\n", e.Package)
	default:
		fmt.Fprintf(r.w, "FAIL  %-60s %6.1f s\n", e.Package, e.Elapsed)
		if !slices.ContainsFunc(r.failed, func(k key) bool { return k.pkg == e.Package }) {
			r.broken = append(r.broken, e.Package)
			r.dump(key{e.Package, ""})
			for k := range r.output { // of tests that never ended
				if k.pkg == e.Package && k.test != "" {
					r.dump(k)
				}
			}
		}
	}
}

// end prints the count and says whether all is well.
func (r *report) end() bool {
	fmt.Fprintf(r.w, "\n%.0f s\n", time.Since(r.started).Seconds())
	for _, p := range r.broken {
		fmt.Fprintln(r.w, "failed outside a test:", p)
	}
	for _, k := range r.skipped {
		fmt.Fprintln(r.w, "skipped:", k.pkg, k.test)
	}
	if r.ci && r.unexcused {
		fmt.Fprintln(r.w, "a skipped test is a failure in CI")
	}
	fmt.Fprintf(r.w, "%d passed, %d failed, %d skipped\n", r.passed, len(r.failed)+len(r.broken), len(r.skipped))
	return len(r.failed) == 0 && len(r.broken) == 0 && (!r.ci || !r.unexcused)
}
