package closing_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/callboard/callboard/handlers/closing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(parent, own context.CancelFunc, process chan struct{})
	}{
		{"the client goes", func(parent, _ context.CancelFunc, _ chan struct{}) { parent() }},
		{"the handler returns", func(_, own context.CancelFunc, _ chan struct{}) { own() }},
		{"the process stops", func(_, _ context.CancelFunc, process chan struct{}) { close(process) }},
	}
	for _, tt := range tests {
		parent, leave := context.WithCancel(t.Context())
		process := make(chan struct{})
		ctx, cancel := closing.Context(parent, process)
		if err := ctx.Err(); err != nil {
			t.Errorf("%s: over before: %v", tt.name, err)
		}
		tt.end(leave, cancel, process)
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("%s: %v", tt.name, ctx.Err())
		}
		cancel()
		leave()
	}
	ctx, cancel := closing.Context(t.Context(), nil)
	if err := ctx.Err(); err != nil {
		t.Errorf("without a process to stop: %v", err)
	}
	cancel()
	<-ctx.Done()
}
