package event

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/storage"
)

// Whoever calls the API can ask for work as often as they like, and each look at
// a repository costs requests to GitHub. So the first who asks is served at
// once, and all who ask within AskAgain share what comes after it: two looks in
// that time is the most, but for changes.
const (
	AskAgain = 5 * time.Second
	// askedAtOnce is how many more are served at once in that time because they
	// changed what is wanted of a repository.
	askedAtOnce = 4
	// A message that is due within askedLate may be on its way already: who asks
	// now has not been heard by it.
	askedLate = time.Second
)

// Ask adds a message that somebody outside asks for, and returns the id of the
// one that stands for it: its own, or that of one that waits and does as much.
// changed says that something else is wanted than before: somebody is likely to
// wait for it.
func Ask(ctx context.Context, tx storage.Tx, now time.Time, msg storage.Message, changed bool) (id int64, err error) {
	// First, because it makes those who ask at the same moment wait for each other.
	free, err := askFree(ctx, tx, msg, now, changed)
	if err != nil {
		return 0, err
	}
	waiting, err := asked(ctx, tx, msg, now)
	if err != nil {
		return 0, err
	}
	if !free || !changed {
		if i := slices.IndexFunc(waiting, func(m storage.Message) bool { return covers(m, msg) }); i >= 0 {
			return waiting[i].ID, nil
		}
	}
	switch {
	case free:
	case len(waiting) > 0: // both in one look
		msg.RunAfter = waiting[0].RunAfter
	default:
		msg.RunAfter = now.Add(AskAgain)
	}
	ids, err := tx.AddMessages(ctx, []storage.Message{msg})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// Asked says whether a message waits already that does as much.
func Asked(ctx context.Context, r storage.Reader, now time.Time, msg storage.Message) (bool, error) {
	waiting, err := asked(ctx, r, msg, now)
	return slices.ContainsFunc(waiting, func(m storage.Message) bool { return covers(m, msg) }), err
}

// askFree says whether a message may be due at once. Nobody else has its holder,
// so a lease is free only to the first of a while.
func askFree(ctx context.Context, tx storage.Tx, msg storage.Message, now time.Time, changed bool) (free bool, err error) {
	places := 1
	if changed {
		places += askedAtOnce
	}
	holder := uuid.NewString()
	for i := 0; i < places && !free && err == nil; i++ {
		free, err = tx.AcquireLease(ctx, fmt.Sprintf("ask:%d:%s:%s", i, msg.Topic, msg.Key), holder, now, now.Add(AskAgain))
	}
	return free, err
}

// asked are the messages of the same key that wait for their time.
func asked(ctx context.Context, r storage.Reader, msg storage.Message, now time.Time) ([]storage.Message, error) {
	undone, err := r.UndoneMessages(ctx, msg.Topic, msg.Key)
	return slices.DeleteFunc(undone, func(m storage.Message) bool {
		return m.Error != "" || !m.ParkedAt.IsZero() || !m.RunAfter.After(now.Add(askedLate))
	}), err
}

// covers says that what waits does all that msg asks for, and in the same name:
// of a delivery, or else of a caller.
func covers(waiting, msg storage.Message) bool {
	a, b := waiting.Cause, msg.Cause
	if a.Delivery != b.Delivery || a.Reason != b.Reason || a.Delivery == "" && a.Actor != b.Actor {
		return false
	}
	if msg.Topic != TopicRefresh {
		return bytes.Equal(waiting.Payload, msg.Payload)
	}
	var has, wants Refresh
	if json.Unmarshal(waiting.Payload, &has) != nil || json.Unmarshal(msg.Payload, &wants) != nil {
		return false
	}
	has.Look = has.Look || has.Force
	return has.Head == wants.Head && has.Gone == wants.Gone && has.Discovered == wants.Discovered &&
		(has.Force || !wants.Force) && (has.Look || !wants.Look)
}
