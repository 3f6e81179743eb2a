package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/storage"
)

func printScans(w io.Writer, all []callboard.Scan) error {
	var rows [][]string
	for _, s := range all {
		rows = append(rows, []string{
			s.StartedAt.Local().Format(time.DateTime), string(s.State), s.Owner, string(s.Kind), outOf(s.Seen, s.Total),
			fmt.Sprint(s.Changed), fmt.Sprint(s.Missing), fmt.Sprint(s.Failed), fmt.Sprint(s.Requests), s.ID, s.Error,
		})
	}
	return table(w, []string{"STARTED", "STATE", "ACCOUNT", "KIND", "SEEN", "CHANGED", "MISSING", "FAILED", "REQUESTS", "ID", "WHY"}, rows)
}

// outOf says how many of all were seen, as far as GitHub says how many there are.
func outOf(seen, total int) string {
	if total < 0 {
		return fmt.Sprint(seen)
	}
	return fmt.Sprintf("%d/%d", seen, total)
}

// printScan prints a scan, and below it what it would remove.
func printScan(w io.Writer, d callboard.ScanDetail) error {
	if err := printScans(w, []callboard.Scan{d.Scan}); err != nil || len(d.Holds) == 0 {
		return err
	}
	var rows [][]string
	for _, h := range d.Holds {
		refs := strings.Join(h.Refs, " ")
		if more := h.Entities - len(h.Refs); more > 0 {
			refs += fmt.Sprintf(" and %d more", more)
		}
		rows = append(rows, []string{h.Repository, fmt.Sprint(h.Entities), refs})
	}
	fmt.Fprintln(w)
	return table(w, []string{"REPOSITORY", "WOULD REMOVE", "ENTITIES"}, rows)
}

// progressBar tells of scans in one line that moves, on a terminal; elsewhere
// in a line for each that is news.
type progressBar struct {
	w     io.Writer
	told  map[string]string
	drawn bool
}

const barWidth = 24

func (b *progressBar) tell(s callboard.Scan) {
	line, news := progress(s), step(s)
	if !terminal(b.w) {
		if b.told[s.ID] != news {
			fmt.Fprintln(b.w, plain(line))
		}
		if b.told == nil {
			b.told = map[string]string{}
		}
		b.told[s.ID] = news
		return
	}
	filled := filled(s, barWidth)
	bar := paint(b.w, green, strings.Repeat("█", filled)) + paint(b.w, grey, strings.Repeat("░", barWidth-filled))
	fmt.Fprintf(b.w, "\r\x1b[K%s %s", bar, plain(line))
	b.drawn = true
}

// end leaves the line for what comes after it.
func (b *progressBar) end() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// ahead is how much of the phase that a scan is in is done.
func ahead(s callboard.Scan) (done, all int) {
	if s.Seen < s.Total {
		return s.Seen, s.Total
	}
	return s.Changed + s.Missing - s.Waiting, s.Changed + s.Missing
}

// filled is how much of a bar of a width that makes.
func filled(s callboard.Scan, width int) int {
	done, all := ahead(s)
	if all <= 0 {
		return 0
	}
	return min(width, max(0, width*done/all))
}

// step is another one when there is something to tell in a pipe: a tenth more,
// another phase, or trouble.
func step(s callboard.Scan) string {
	return fmt.Sprintln(s.State, s.Seen < s.Total, filled(s, 10), s.Error)
}

// progress says how far a scan is.
func progress(s callboard.Scan) string {
	words := []string{fmt.Sprintf("%s: %s seen", s.Owner, outOf(s.Seen, s.Total))}
	for _, n := range []struct {
		n    int
		what string
	}{{s.Changed, "changed"}, {s.Missing, "missing"}, {s.Waiting, "to read"}, {s.Failed, "failed"}} {
		if n.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	if s.State == storage.ScanRunning && !s.EstimatedEnd.IsZero() {
		words = append(words, "until about "+clock(s.EstimatedEnd))
	}
	if s.State == storage.ScanRunning && s.Error != "" {
		words = append(words, s.Error)
	}
	return strings.Join(words, ", ")
}
