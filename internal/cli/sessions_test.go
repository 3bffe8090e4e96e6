package cli

import (
	"net/netip"
	"testing"

	"spoor"
)

// A server's process serves others after the account that is to be stopped: their
// sessions go on.
func TestWhoseSessionsEnd(t *testing.T) {
	l := logins{served: map[served]bool{}, clients: map[netip.Addr]bool{}}
	l.add(&spoor.Event{PID: 700, Client: []byte("192.0.2.1")})
	l.add(&spoor.Event{PID: 701, Client: []byte("127.0.0.1")})
	l.add(&spoor.Event{PID: 702})
	for _, c := range []struct {
		pid    int
		client string
		ends   bool
	}{
		{700, "192.0.2.1", true},
		{800, "192.0.2.1", true},
		{800, "::ffff:192.0.2.1", true},
		{701, "127.0.0.1", true},
		{700, "198.51.100.7", false},
		{800, "127.0.0.1", false},
		{702, "198.51.100.7", false},
	} {
		if got := l.has(spoor.Session{PID: c.pid, Client: netip.MustParseAddr(c.client)}); got != c.ends {
			t.Errorf("process %d with %s: ends %t", c.pid, c.client, got)
		}
	}
}
