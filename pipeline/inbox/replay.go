package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// Replay does a stored delivery again: its payload is routed as today's rules
// say, and everything is read again even if no head moved. It returns
// storage.ErrNotFound for a GUID that is not (or no longer) stored, and
// ErrNothingToDo, with the reason, for one that means no work.
func (in *Inbox) Replay(ctx context.Context, guid, actor string) error {
	d, err := in.store.Delivery(ctx, guid)
	if err != nil {
		return err
	}
	host, err := in.hostOf(ctx, d)
	if err != nil {
		return err
	}
	f, err := readFacts(d.Payload)
	if err != nil {
		return err
	}
	o := in.cfg.decide(Received{GUID: d.GUID, Event: d.Event, Host: host}, f)
	if o.ignored != "" {
		return fmt.Errorf("replay delivery %s: %w: %s", guid, ErrNothingToDo, o.ignored)
	}
	if o.refresh != nil {
		o.refresh.Force = true
	}
	o.cause.Reason, o.cause.Actor = storage.ReasonReplay, actor
	now := in.cfg.Now()
	msg, err := o.message(now)
	if err != nil {
		return err
	}
	err = in.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		if waits, err := event.Asked(ctx, tx, now, msg); err != nil || waits {
			return err // or reopen would close it, and each who asks put it off again
		}
		if err := reopen(ctx, tx, guid, msg); err != nil {
			return err
		}
		_, err := event.Ask(ctx, tx, now, msg, false)
		return err
	})
	if err != nil {
		return fmt.Errorf("replay delivery %s: %w", guid, err)
	}
	return nil
}

// hostOf finds the host again, which is no column of a delivery: the stored
// repository knows it.
func (in *Inbox) hostOf(ctx context.Context, d storage.Delivery) (string, error) {
	if d.RepositoryID == 0 {
		return in.cfg.Host, nil
	}
	repo, err := in.store.Repository(ctx, d.RepositoryID)
	switch {
	case err == nil && repo.Host != "":
		return repo.Host, nil
	case err == nil || errors.Is(err, storage.ErrNotFound):
		return in.cfg.Host, nil
	}
	return "", err
}
