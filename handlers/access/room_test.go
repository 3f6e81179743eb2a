package access

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

func comes(from, actor string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = from
	if actor != "" {
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, actor))
	}
	return r
}

func TestCallers(t *testing.T) {
	t.Parallel()
	tests := []struct{ address, actor, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"}, {"192.0.2.1:6", "", "192.0.2.1"}, {"[::ffff:192.0.2.1]:5", "", "192.0.2.1"},
		{"[2001:db8:1:2:3::4]:5", "", "2001:db8:1:2::/64"}, {"[fe80::1%eth0]:5", "", "fe80::/64"},
		{"192.0.2.1:5", "ci", "actor ci"}, {"@", "", "@"}, {"192.0.2.1:5", Anonymous, "192.0.2.1"},
	}
	for _, tt := range tests {
		if got := caller(comes(tt.address, tt.actor)); got != tt.want {
			t.Errorf("%s %s is %q, want %q", tt.address, tt.actor, got, tt.want)
		}
	}
}

// One caller gets a tenth, all callers get everything, and nobody is remembered.
func TestRoom(t *testing.T) {
	t.Parallel()
	m := NewRoom("tests", 25)
	var leave []func()
	enter := func(r *http.Request, want bool) {
		t.Helper()
		free, err := m.Enter(r)
		if (err == nil) != want {
			t.Errorf("%s: %v", r.RemoteAddr, err)
		}
		if err == nil {
			leave = append(leave, free)
		} else if got := name(err); got != "ServiceUnavailableError: There may be 25 tests at a time, and 2 of one caller. Try again later" {
			t.Error(got)
		}
	}
	for range 2 {
		enter(comes("192.0.2.1:1", ""), true)
	}
	enter(comes("192.0.2.1:2", ""), false)
	enter(comes("192.0.2.1:1", "ci"), true)
	leave[0]()
	leave = leave[1:]
	enter(comes("192.0.2.1:3", ""), true)
	for i := range 22 {
		enter(comes("198.51.100."+string(rune('0'+i%10))+":1", string(rune('a'+i))), true)
	}
	enter(comes("203.0.113.1:1", ""), false)
	for _, free := range leave {
		free()
	}
	if m.taken != 0 || len(m.by) != 0 {
		t.Errorf("%d places are taken, by %v", m.taken, m.by)
	}
}
