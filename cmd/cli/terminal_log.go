package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// terminalHandler prints log records for people. A finished refresh becomes
// one line: repository, commit, what changed, milliseconds.
type terminalHandler struct {
	mu    *sync.Mutex
	w     io.Writer
	level slog.Leveler
	attrs []slog.Attr
}

// newLogger makes the logger that a long-running command writes with: for
// people on a terminal, structured text in a pipe, JSON where asked for.
func newLogger(w io.Writer, format string, verbose bool) (*slog.Logger, error) {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	opts := &slog.HandlerOptions{Level: level}
	if format == "auto" {
		format = "text"
		if terminal(w) {
			format = "terminal"
		}
	}
	switch format {
	case "terminal":
		return slog.New(&terminalHandler{mu: &sync.Mutex{}, w: w, level: level}), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("--log-format must be auto, terminal, text or json, not %q", format)
}

// Enabled implements slog.Handler.
func (h *terminalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// WithAttrs implements slog.Handler.
func (h *terminalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clone := *h
	clone.attrs = append(append([]slog.Attr{}, h.attrs...), attrs...)
	return &clone
}

// WithGroup implements slog.Handler; groups are not used here.
func (h *terminalHandler) WithGroup(string) slog.Handler { return h }

// Handle implements slog.Handler.
func (h *terminalHandler) Handle(_ context.Context, r slog.Record) error {
	values := map[string]string{}
	var order []string
	add := func(a slog.Attr) bool {
		values[a.Key] = plain(a.Value.Resolve().String())
		order = append(order, a.Key)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	if h.level.Level() > slog.LevelDebug && toldElsewhere(r, values) {
		return nil
	}

	line := paint(h.w, grey, r.Time.Format("15:04:05")) + " "
	if run, ok := h.run(r, values); ok {
		line += run
	} else if r.Message == "delivery" {
		line += h.delivery(values)
	} else {
		line += h.record(r, order, values)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := fmt.Fprintln(h.w, line)
	return err
}

// toldElsewhere says that another line tells of it, or that whoever asked was told.
func toldElsewhere(r slog.Record, v map[string]string) bool {
	switch r.Message {
	case "delivery": // its refresh prints the line
		return v["state"] == string(storage.DeliveryReceived)
	case "run": // a page of a scan, which has lines of its own
		return v[event.LogTopic] == event.TopicScan && r.Level < slog.LevelWarn
	case "request": // the caller's own mistake
		return r.Level < slog.LevelWarn
	}
	return false
}

// delivery prints one that leads to nothing.
func (h *terminalHandler) delivery(v map[string]string) string {
	why := v["state"]
	if v["duplicate"] == "true" {
		why = "received before"
	}
	if v["reason"] != "" {
		why += ": " + v["reason"]
	}
	return fmt.Sprintf("%s %-24s %-7s  %s  %s", paint(h.w, grey, "·"), v[event.LogRepository], "", v["event"]+" "+why,
		paint(h.w, grey, v[event.LogDuration]+" ms"))
}

// run prints a finished refresh.
func (h *terminalHandler) run(r slog.Record, v map[string]string) (string, bool) {
	repo := v[event.LogRepository]
	if r.Message != "run" || repo == "" {
		return "", false
	}
	summary := v["summary"]
	mark := paint(h.w, green, "✓")
	switch {
	case strings.Contains(summary, "broken"), strings.HasPrefix(summary, "held"):
		mark = paint(h.w, yellow, "!")
	case summary == "":
		mark, summary = paint(h.w, grey, "·"), v["result"]
	}
	return fmt.Sprintf("%s %-24s %-7.7s  %s  %s", mark, repo, v[event.LogCommit], summary,
		paint(h.w, grey, v[event.LogDuration]+" ms")), true
}

func (h *terminalHandler) record(r slog.Record, order []string, v map[string]string) string {
	level := ""
	switch {
	case r.Level >= slog.LevelError:
		level = paint(h.w, red, "error ")
	case r.Level >= slog.LevelWarn:
		level = paint(h.w, yellow, "warn ")
	}
	var attrs strings.Builder
	for _, k := range order {
		if v[k] != "" {
			attrs.WriteString("  " + paint(h.w, grey, k+"=") + v[k])
		}
	}
	return level + r.Message + attrs.String()
}
