package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/storage"
)

// In a pipe there is a line for what is news, and not for every look.
func TestProgressInAPipe(t *testing.T) {
	t.Parallel()
	scan := callboard.Scan{ID: "s", State: storage.ScanRunning, Owner: "acme", Total: 200}
	var out strings.Builder
	bar := &progressBar{w: &out}
	for _, change := range []func(){
		func() {},
		func() { scan.Seen = 5 },
		func() { scan.Seen, scan.Changed, scan.Waiting = 100, 40, 30 },
		func() { scan.Seen = 101 },
		func() { scan.Error = "GitHub answers 500" },
		func() { scan.Error, scan.Seen = "", 200 },
		func() { scan.Waiting, scan.Missing = 1, 1 },
		func() { scan.State, scan.Waiting, scan.Failed, scan.EstimatedEnd = storage.ScanDone, 0, 1, time.Now() },
	} {
		change()
		bar.tell(scan)
	}
	bar.end()
	want := `acme: 0/200 seen
acme: 100/200 seen, 40 changed, 30 to read
acme: 101/200 seen, 40 changed, 30 to read, GitHub answers 500
acme: 200/200 seen, 40 changed, 30 to read
acme: 200/200 seen, 40 changed, 1 missing, 1 to read
acme: 200/200 seen, 40 changed, 1 missing, 1 failed
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
