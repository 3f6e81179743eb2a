package access

import (
	"net/http"
	"net/netip"
	"sync"

	"github.com/callboard/callboard/handlers/respond"
)

// Room bounds requests that hold something for long. One caller gets a share of
// the places and no more, so that the others find some too.
type Room struct {
	what          string
	places, share int

	mu    sync.Mutex
	taken int
	by    map[string]int // callers with a place
}

// NewRoom makes a room with a number of places; what says who needs one, in the
// plural. A caller may have a tenth of them.
func NewRoom(what string, places int) *Room {
	return &Room{what: what, places: places, share: max(1, places/10), by: map[string]int{}}
}

// Enter takes a place, which leave gives back.
func (m *Room) Enter(r *http.Request) (leave func(), err error) {
	who := caller(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken >= m.places || m.by[who] >= m.share {
		return nil, respond.Unavailable("There may be %d %s at a time, and %d of one caller. Try again later", m.places, m.what, m.share)
	}
	m.taken++
	m.by[who]++
	return func() { m.leave(who) }, nil
}

func (m *Room) leave(who string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken--
	if m.by[who]--; m.by[who] == 0 {
		delete(m.by, who)
	}
}

// caller tells callers apart: by whom a token names, else by address. All that
// come through one proxy without tokens are one caller, because what a proxy
// says of them anybody could say. An IPv6 network of 64 bits is one customer.
func caller(r *http.Request) string {
	if actor := Actor(r.Context()); actor != Anonymous {
		return "actor " + actor
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := at.Addr().Unmap()
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}
