// Package closing ends what waits when the process begins to stop: a server that
// is shut down waits for its requests, and those that only wait would make it
// wait for nothing.
//
// It ends no request by itself, and does not know why the process stops.
//
//	ctx, cancel := closing.Context(r.Context(), closing)
//	defer cancel()
package closing

import "context"

// Context ends with its parent, with cancel, and when closing is closed; a nil
// closing never is. cancel must be called.
func Context(parent context.Context, closing <-chan struct{}) (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(parent)
	if closing == nil {
		return ctx, cancel
	}
	go func() {
		defer cancel()
		select {
		case <-closing:
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
