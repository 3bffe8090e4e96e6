package exim

import (
	"net/netip"
	"testing"
)

func TestANetworkIsCutOutOfAListOfHosts(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		got, ok := cutHost(line, netip.MustParsePrefix("192.0.2.0/24"))
		if !ok {
			got = "left alone"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	f("hostlist relay = 127.0.0.1 : 192.0.2.0/24", "hostlist relay = 127.0.0.1")
	f("hostlist relay = 192.0.2.0/24 : 127.0.0.1", "hostlist relay = 127.0.0.1")
	f("hostlist relay = 10.0.0.0/8 : 192.0.2.0/24 : 127.0.0.1", "hostlist relay = 10.0.0.0/8 : 127.0.0.1")
	f("hostlist relay = <; 192.0.2.0/24 ; ::1", "left alone")
	f("hostlist relay = 192.0.3.0/24", "left alone")
}
