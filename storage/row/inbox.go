package row

import (
	"time"

	"github.com/callboard/callboard/storage"
)

// DeliveryColumns are those of a listing; the payload is the column "payload".
const DeliveryColumns = `guid, event, action, installation_id, repository_id, repository, git_ref, commit_sha, pusher,
	received_at, state, reason, attempts, summary, revision, done_at`

// Delivery gives the values of DeliveryColumns and the payload.
func Delivery(d storage.Delivery) []any {
	payload := d.Payload
	if payload == nil {
		payload = []byte{}
	}
	return []any{
		d.GUID, d.Event, d.Action, d.InstallationID, d.RepositoryID, d.Repository, d.GitRef, d.Commit, d.Pusher,
		Micros(d.ReceivedAt), string(d.State), d.Reason, d.Attempts, d.Summary, d.Revision, Micros(d.DoneAt), payload,
	}
}

func deliveryTargets(d *storage.Delivery) []any {
	return []any{
		&d.GUID, &d.Event, &d.Action, &d.InstallationID, &d.RepositoryID, &d.Repository, &d.GitRef, &d.Commit, &d.Pusher,
		timeColumn{&d.ReceivedAt}, &d.State, &d.Reason, &d.Attempts, &d.Summary, &d.Revision, timeColumn{&d.DoneAt},
	}
}

// ScanDelivery reads DeliveryColumns.
func ScanDelivery(s Scanner) (d storage.Delivery, err error) {
	return d, s.Scan(deliveryTargets(&d)...)
}

// ScanFullDelivery reads DeliveryColumns and the payload.
func ScanFullDelivery(s Scanner) (d storage.Delivery, err error) {
	err = s.Scan(append(deliveryTargets(&d), &d.Payload)...)
	if len(d.Payload) == 0 {
		d.Payload = nil
	}
	return d, err
}

// MessageColumns are all but the id, which the database gives.
const MessageColumns = `topic, key, payload, cause, attempts, created_at, run_after, swept_at, done_at, parked_at, error`

// Message gives the values of MessageColumns.
func Message(m storage.Message) []any {
	return []any{
		m.Topic, m.Key, string(m.Payload), Cause(m.Cause), m.Attempts, Micros(m.CreatedAt), Micros(m.RunAfter),
		Micros(m.SweptAt), Micros(m.DoneAt), Micros(m.ParkedAt), m.Error,
	}
}

// ScanMessage reads the id and MessageColumns.
func ScanMessage(s Scanner) (m storage.Message, err error) {
	return m, s.Scan(&m.ID, &m.Topic, &m.Key, rawColumn{&m.Payload}, jsonColumn{&m.Cause}, &m.Attempts,
		timeColumn{&m.CreatedAt}, timeColumn{&m.RunAfter}, timeColumn{&m.SweptAt}, timeColumn{&m.DoneAt},
		timeColumn{&m.ParkedAt}, &m.Error)
}

// Schedule fills in the times that a new message came without, and says whether
// it is due. Without CreatedAt it is created now, without RunAfter it runs then.
func Schedule(m storage.Message, now time.Time) (scheduled storage.Message, due bool) {
	if m.CreatedAt.IsZero() {
		m.CreatedAt = now
	}
	if m.RunAfter.IsZero() {
		m.RunAfter = m.CreatedAt
	}
	due = m.DoneAt.IsZero() && m.ParkedAt.IsZero() && (!m.RunAfter.After(now) || !m.RunAfter.After(m.CreatedAt))
	m.CreatedAt, m.RunAfter = Time(Micros(m.CreatedAt)), Time(Micros(m.RunAfter))
	return m, due
}
