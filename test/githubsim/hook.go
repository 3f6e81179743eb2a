package githubsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// hook is one receiver of webhooks: an App's or an organisation's. Its queue
// is guarded by hooks.mu.
type hook struct {
	all        *hooks
	id         int64
	url        string
	secret     string
	targetType string // integration, organization
	targetID   int64
	events     []string // empty means all

	// deleted hooks send what waits and nothing new.
	deleted bool

	queue []*job
	last  time.Time // when the last job was put in
	wake  chan struct{}
}

// job is a delivery that waits to be sent.
type job struct {
	d         *Delivery
	order     int64
	notBefore time.Time
	dropped   bool
}

// hooks are all receivers, their queues and the log.
type hooks struct {
	s      *Server
	client *http.Client
	wg     sync.WaitGroup

	mu      sync.Mutex
	list    []*hook
	log     []*Delivery // oldest first
	lastID  int64
	pending int
	paused  bool
	idle    chan struct{} // closed when nothing is pending
	fault   DeliveryFaults
	random  *rand.Rand
}

// DeliveryFaults spoil deliveries, the same ones for the same seed as long as
// events happen in the same order.
type DeliveryFaults struct {
	// Drop is the share that never reaches the receiver and is logged as
	// failed; Lose the share that is not even logged; Double the share that is
	// sent twice.
	Drop, Lose, Double float64
	// Delay is the longest extra wait of a delivery.
	Delay time.Duration
	// Reorder lets a delivery overtake up to so many others.
	Reorder int
}

func (h *hooks) init(s *Server) {
	h.s = s
	h.idle = make(chan struct{})
	close(h.idle)
	h.random = rand.New(rand.NewPCG(s.opt.seed, 1))
	h.client = &http.Client{
		Timeout:   s.opt.deliveryTimeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: max(2, s.opt.deliveryWorkers)},
		// GitHub does not follow redirects of a receiver.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (h *hooks) close() {
	h.wg.Wait()
	h.client.CloseIdleConnections()
}

// add makes a hook and starts its senders.
func (h *hooks) add(id int64, url, secret, targetType string, targetID int64, events ...string) *hook {
	k := &hook{
		all: h, id: id, url: url, secret: secret, targetType: targetType, targetID: targetID,
		events: events, wake: make(chan struct{}, 1),
	}
	h.mu.Lock()
	h.list = append(h.list, k)
	h.mu.Unlock()
	for range h.s.opt.deliveryWorkers {
		h.wg.Go(func() { h.run(k) })
	}
	return k
}

func (k *hook) configure(url, secret string) {
	k.all.mu.Lock()
	defer k.all.mu.Unlock()
	k.url, k.secret, k.deleted = url, secret, false
}

func (k *hook) config() (url, secret string) {
	k.all.mu.Lock()
	defer k.all.mu.Unlock()
	return k.url, k.secret
}

func (k *hook) active() bool {
	k.all.mu.Lock()
	defer k.all.mu.Unlock()
	return k.url != "" && !k.deleted
}

func (k *hook) configJSON() object {
	url, secret := k.config()
	o := object{"url": url, "content_type": "json", "insecure_ssl": "0"}
	if secret != "" {
		o["secret"] = "********"
	}
	return o
}

// ofAccount lists the plain hooks of an account.
func (h *hooks) ofAccount(id int64) []*hook {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*hook
	for _, k := range h.list {
		if k.targetType == "organization" && k.targetID == id && k.url != "" {
			out = append(out, k)
		}
	}
	return out
}

// AddWebhook makes an organisation's own webhook, for use without an App.
// Without events it gets all of its repositories' events.
func (s *Server) AddWebhook(org, url, secret string, events ...string) {
	s.mu.Lock()
	id, target := s.id(), s.ensureAccount(org, typeOrg).ID
	s.mu.Unlock()
	s.hooks.add(id, url, secret, "organization", target, events...)
}

// SetDeliveryFaults spoils the deliveries made from now on.
func (s *Server) SetDeliveryFaults(f DeliveryFaults) {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	s.hooks.fault = f
}

// PauseDeliveries holds back everything, ResumeDeliveries lets it go.
func (s *Server) PauseDeliveries() { s.hooks.pause(true) }

// ResumeDeliveries sends what was held back.
func (s *Server) ResumeDeliveries() { s.hooks.pause(false) }

func (h *hooks) pause(paused bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paused = paused
	for _, k := range h.list {
		k.signal()
	}
}

func (k *hook) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// enqueue makes a delivery of a new event.
func (h *hooks) enqueue(k *hook, event, action string, install, repo int64, body object) error {
	payload, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode %s event: %w", event, err)
	}
	if len(payload) > h.s.opt.maxPayload || !k.active() {
		return nil // GitHub sends nothing at all for an oversized payload
	}
	d := &Delivery{
		GUID: uuid.NewString(), Event: event, Action: action, HookID: k.id,
		InstallationID: install, RepositoryID: repo, Payload: payload,
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.fault
	lost, dropped, doubled := h.hit(f.Lose), h.hit(f.Drop), h.hit(f.Double)
	if lost {
		return nil
	}
	h.put(k, d, f, dropped)
	if doubled {
		again := *d
		h.put(k, &again, f, false)
	}
	return nil
}

// hit draws a chance, the same number of draws for every delivery.
func (h *hooks) hit(share float64) bool { return h.random.Float64() < share }

// put gives the delivery its id and place; mu is held.
func (h *hooks) put(k *hook, d *Delivery, f DeliveryFaults, dropped bool) {
	h.lastID++
	d.ID = h.lastID
	j := &job{d: d, order: d.ID, dropped: dropped}
	if f.Reorder > 0 {
		j.order += h.random.Int64N(int64(f.Reorder) + 1)
	}
	if f.Delay > 0 {
		j.notBefore = time.Now().Add(time.Duration(h.random.Int64N(int64(f.Delay) + 1)))
	}
	if h.pending == 0 {
		h.idle = make(chan struct{})
	}
	h.pending++
	k.last = time.Now()
	at, _ := slices.BinarySearchFunc(k.queue, j, func(a, b *job) int {
		if a.order != b.order {
			return int(a.order - b.order)
		}
		return int(a.d.ID - b.d.ID)
	})
	k.queue = slices.Insert(k.queue, at, j)
	k.signal()
}

// reorderQuiet is how long a queue with reordering waits for more to reorder.
const reorderQuiet = 20 * time.Millisecond

// take hands out the next job, or says how long to wait for one (0: until woken).
func (h *hooks) take(k *hook) (*job, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.paused || len(k.queue) == 0 {
		return nil, 0
	}
	if len(k.queue) <= h.fault.Reorder {
		if wait := reorderQuiet - time.Since(k.last); wait > 0 {
			return nil, wait
		}
	}
	j := k.queue[0]
	if wait := time.Until(j.notBefore); wait > 0 {
		return nil, wait
	}
	k.queue[0] = nil
	k.queue = k.queue[1:]
	if len(k.queue) > 0 {
		k.signal() // another sender may go on
	}
	return j, 0
}

// run sends a hook's deliveries until the server is closed.
func (h *hooks) run(k *hook) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for h.s.stopped.Err() == nil {
		j, wait := h.take(k)
		if j != nil {
			h.deliver(k, j)
			continue
		}
		if wait == 0 {
			wait = time.Hour
		}
		timer.Reset(wait)
		select {
		case <-h.s.stopped.Done():
		case <-k.wake:
		case <-timer.C:
		}
	}
}

// record puts a finished attempt into the log, at its place by id.
func (h *hooks) record(d *Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, _ := slices.BinarySearchFunc(h.log, d, func(a, b *Delivery) int { return int(a.ID - b.ID) })
	h.log = slices.Insert(h.log, at, d)
	if n := len(h.log) - h.s.opt.deliveryLog; n > 0 {
		clear(h.log[:n])
		h.log = h.log[n:]
	}
	if h.pending--; h.pending == 0 {
		close(h.idle)
	}
}

func (d *Delivery) clone() Delivery {
	c := *d
	c.RequestHeaders, c.ResponseHeaders = maps.Clone(d.RequestHeaders), maps.Clone(d.ResponseHeaders)
	return c
}
