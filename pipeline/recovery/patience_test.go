package recovery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/recovery"
)

// A run tells that all has arrived which it asked for, and asks GitHub nothing for it.
func TestARunWaitsForWhatItAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *recovery.Config) { c.Patience = time.Hour }) // longer than the test may take
	w.run()
	w.pass(time.Minute)
	w.down()
	w.push(3)
	w.up()
	w.pass(10 * time.Minute)
	before := w.requests()
	w.run()
	w.want(3, 3, 3, 0, 0)
	if n := w.requests() - before; n != 4 { // one page and three that are sent again
		t.Errorf("%d requests, want 4", n)
	}
	if !strings.Contains(w.log.String(), "all webhooks that were missing have arrived") {
		t.Errorf("the log does not tell:\n%s", w.log.String())
	}
}

// A receiver that is still down is not waited for longer than the patience.
func TestARunDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *recovery.Config) { c.Patience = time.Millisecond })
	w.run()
	w.pass(time.Minute)
	w.down()
	w.push(1)
	w.run()
	w.want(1, 1, 0, 0, 1)
}
