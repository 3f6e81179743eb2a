package githubsim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Delivery is one attempt to deliver an event, as the log keeps it. A
// redelivery has its own ID and the GUID of the first attempt.
type Delivery struct {
	ID             int64
	GUID           string
	HookID         int64
	Event, Action  string
	InstallationID int64
	RepositoryID   int64
	Redelivery     bool
	URL            string
	DeliveredAt    time.Time
	Duration       time.Duration
	// StatusCode is the receiver's, or 502 and 504 where it was not reached or
	// too slow; Status is GitHub's word for it.
	StatusCode      int
	Status          string
	Payload         []byte
	RequestHeaders  map[string]string
	ResponseHeaders map[string]string
	ResponseBody    string
}

// OK says whether the receiver accepted the delivery.
func (d Delivery) OK() bool { return d.StatusCode >= 200 && d.StatusCode < 300 }

// retention is how long deliveries can be listed and sent again,
// contracts/github.md section 1.
const retention = 3 * 24 * time.Hour

// maxLoggedResponse bounds what the log keeps of an answer.
const maxLoggedResponse = 16 << 10

// deliver makes one attempt and logs it. There is no second one.
func (h *hooks) deliver(k *hook, j *job) {
	d := j.d
	target, secret := k.config()
	d.URL, d.DeliveredAt = target, h.s.deliveryNow()
	headers := http.Header{
		"Content-Type":                           {"application/json"},
		"Accept":                                 {"*/*"},
		"User-Agent":                             {"GitHub-Hookshot/githubsim"},
		"X-Github-Event":                         {d.Event},
		"X-Github-Delivery":                      {d.GUID},
		"X-Github-Hook-Id":                       {strconv.FormatInt(k.id, 10)},
		"X-Github-Hook-Installation-Target-Type": {k.targetType},
		"X-Github-Hook-Installation-Target-Id":   {strconv.FormatInt(k.targetID, 10)},
	}
	if secret != "" {
		headers.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, d.Payload))
		headers.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, d.Payload))
	}
	d.RequestHeaders = flatten(headers)
	start := time.Now()
	if j.dropped {
		d.StatusCode, d.Status = http.StatusGatewayTimeout, "timed out"
	} else {
		h.try(d, headers)
	}
	d.Duration = time.Since(start)
	h.record(d)
}

func (h *hooks) try(d *Delivery, headers http.Header) {
	req, err := http.NewRequestWithContext(h.s.stopped, http.MethodPost, d.URL, bytes.NewReader(d.Payload))
	if err != nil {
		d.StatusCode, d.Status = http.StatusBadGateway, "Invalid url"
		return
	}
	req.Header = headers
	resp, err := h.client.Do(req)
	if err != nil {
		d.StatusCode, d.Status = http.StatusBadGateway, "failed to connect"
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			d.StatusCode, d.Status = http.StatusGatewayTimeout, "timed out"
		}
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxLoggedResponse))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection is used again
	d.StatusCode, d.ResponseBody, d.ResponseHeaders = resp.StatusCode, string(body), flatten(resp.Header)
	d.Status = "OK"
	if !d.OK() {
		d.Status = fmt.Sprintf("Invalid HTTP Response: %d", resp.StatusCode)
	}
}

func sign(alg func() hash.Hash, secret string, payload []byte) string {
	mac := hmac.New(alg, []byte(secret))
	mac.Write(payload)
	return hex.EncodeToString(mac.Sum(nil))
}

func flatten(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		if after, ok := strings.CutPrefix(name, "X-Github-"); ok { // as GitHub spells it
			name = "X-GitHub-" + after
		}
		out[name] = strings.Join(values, ", ")
	}
	return out
}

// WaitDeliveries waits until every delivery made so far was tried.
func (s *Server) WaitDeliveries(ctx context.Context) error {
	s.hooks.mu.Lock()
	idle, n := s.hooks.idle, s.hooks.pending
	s.hooks.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %d deliveries: %w", n, ctx.Err())
	case <-s.stopped.Done():
		return errors.New("wait for deliveries: simulator closed")
	}
}

// Deliveries is the log of all hooks, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	out := make([]Delivery, len(s.hooks.log))
	for i, d := range s.hooks.log {
		out[i] = d.clone()
	}
	return out
}

// Redeliver sends a logged delivery again, with the same GUID, whatever the
// delivery faults are.
func (s *Server) Redeliver(id int64) error {
	h := &s.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.log {
		if d.ID != id {
			continue
		}
		for _, k := range h.list {
			if k.id == d.HookID {
				h.put(k, &Delivery{
					GUID: d.GUID, Event: d.Event, Action: d.Action, HookID: d.HookID, Redelivery: true,
					InstallationID: d.InstallationID, RepositoryID: d.RepositoryID, Payload: d.Payload,
				}, DeliveryFaults{}, false)
				return nil
			}
		}
	}
	return fmt.Errorf("delivery %d: %w", id, errNotFound)
}

// deliveryJSON is an entry of GET /app/hook/deliveries; full adds request and
// response, as GET /app/hook/deliveries/{id} does.
func deliveryJSON(d *Delivery, full bool) object {
	o := object{
		"id": d.ID, "guid": d.GUID, "event": d.Event, "action": null(d.Action),
		"delivered_at": d.DeliveredAt.Format(time.RFC3339Nano), "redelivery": d.Redelivery,
		"duration": d.Duration.Seconds(), "status": d.Status, "status_code": d.StatusCode,
		"installation_id": zeroNull(d.InstallationID), "repository_id": zeroNull(d.RepositoryID),
		"throttled_at": nil,
	}
	if full {
		o["url"] = d.URL
		o["request"] = object{"headers": d.RequestHeaders, "payload": rawJSON(d.Payload)}
		o["response"] = object{"headers": d.ResponseHeaders, "payload": d.ResponseBody}
	}
	return o
}

func zeroNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}
