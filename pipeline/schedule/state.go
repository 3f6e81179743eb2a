package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
)

// prefix is that of the checkpoints and leases of jobs.
const prefix = "schedule/"

// state is what is kept of a job.
type state struct {
	// Began is when it was last begun, Ended when it last ended well.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`
	// Attempts counts how often it was begun since it ended well: what failed,
	// and what died without a word.
	Attempts int    `json:"attempts,omitempty"`
	Error    string `json:"error,omitempty"`
}

var errLost = errors.New("another process took the work over")

// states reads those of all jobs, by name.
func (r *Runner) states(ctx context.Context) (map[string]state, error) {
	all, err := r.store.Checkpoints(ctx, prefix)
	if err != nil {
		return nil, err
	}
	states := make(map[string]state, len(all))
	for _, c := range all {
		states[c.Name[len(prefix):]] = decode(c)
	}
	return states, nil
}

// decode takes what it cannot read for a job that never ran.
func decode(c storage.Checkpoint) (s state) {
	if json.Unmarshal(c.Value, &s) != nil {
		return state{}
	}
	return s
}

// take makes a job ours if nobody has it and nobody did it meanwhile.
func (r *Runner) take(ctx context.Context, job Job) (s state, ours bool, err error) {
	err = r.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		s, ours = state{}, false
		now := r.now()
		free, err := tx.AcquireLease(ctx, prefix+job.Name, r.holder, now, now.Add(leaseFor))
		if err != nil || !free {
			return err
		}
		c, err := tx.Checkpoint(ctx, prefix+job.Name)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		s = decode(c)
		if at, ok := r.due(job, s, now); !ok || at.After(now) {
			_, err := tx.AcquireLease(ctx, prefix+job.Name, r.holder, now, now) // given back
			return err
		}
		s.Began, s.Attempts, ours = now, s.Attempts+1, true
		return put(ctx, tx, job, s, now)
	})
	return s, ours && err == nil, err
}

// record writes how a run ended and gives the job back, also when ctx is over.
func (r *Runner) record(ctx context.Context, job Job, s state) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return r.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		now := r.now()
		ours, err := tx.AcquireLease(ctx, prefix+job.Name, r.holder, now, now)
		if err != nil {
			return err
		}
		if !ours {
			return errLost
		}
		return put(ctx, tx, job, s, now)
	})
}

func put(ctx context.Context, tx storage.Tx, job Job, s state, now time.Time) error {
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the state of %s: %w", job.Name, err)
	}
	return tx.PutCheckpoint(ctx, storage.Checkpoint{Name: prefix + job.Name, Value: value, UpdatedAt: now})
}

// renew keeps a job ours until ctx ends. When that cannot be had for as long as
// the lease lasts, somebody else may have begun, and the run is stopped.
func (r *Runner) renew(ctx context.Context, job Job, stop context.CancelCauseFunc) {
	tick := time.NewTicker(leaseFor / 3)
	defer tick.Stop()
	until := r.now().Add(leaseFor)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := r.now()
		ours, err := r.extend(ctx, job, now)
		switch {
		case err == nil && ours:
			until = now.Add(leaseFor)
		case err == nil, !r.now().Before(until.Add(-leaseFor / 3)):
			stop(errLost)
			return
		}
	}
}

func (r *Runner) extend(ctx context.Context, job Job, now time.Time) (ours bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseFor/3)
	defer cancel()
	err = r.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		ours, err = tx.AcquireLease(ctx, prefix+job.Name, r.holder, now, now.Add(leaseFor))
		return err
	})
	return ours, err
}
