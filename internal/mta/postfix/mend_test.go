package postfix

import (
	"net/netip"
	"testing"
)

func TestAnItemIsCutOutOfAListAndNothingElse(t *testing.T) {
	f := func(list, want string) {
		t.Helper()
		got, ok := cutItem(list, netip.MustParsePrefix("192.0.2.0/24"))
		if !ok {
			got = "not found"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", list, got, want)
		}
	}
	f("mynetworks = 127.0.0.1/32, 192.0.2.0/24", "mynetworks = 127.0.0.1/32")
	f("mynetworks = 192.0.2.0/24, 127.0.0.1/32", "mynetworks = 127.0.0.1/32")
	f("mynetworks = 192.0.2.0/24", "mynetworks =")
	f("mynetworks = 10.0.0.0/8 192.0.2.0/24 127.0.0.0/8", "mynetworks = 10.0.0.0/8 127.0.0.0/8")
	f("mynetworks =\n  10.0.0.0/8,\n  192.0.2.0/24,\n  127.0.0.0/8", "mynetworks =\n  10.0.0.0/8,\n  127.0.0.0/8")
	f("mynetworks = 192.0.20.0/24", "not found")
	f("mynetworks = !192.0.2.0/24, 10.0.0.0/8", "not found")
}
