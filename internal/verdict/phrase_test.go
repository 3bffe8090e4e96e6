package verdict

import (
	"testing"

	"spoor"
)

func TestPartOf(t *testing.T) {
	f := func(n, of int, want string) {
		t.Helper()
		if got := partOf(n, of, "messages"); got != want {
			t.Errorf("partOf(%d, %d) = %q, want %q", n, of, got, want)
		}
	}
	f(34, 117, "34 of 117 messages (29%)")
	f(1204, 27645, "1,204 of 27,645 messages (4%)")
	f(1, 1000, "1 of 1,000 messages (under 1%)")
	f(999, 1000, "999 of 1,000 messages (over 99%)")
	f(34, 34, "all 34 messages")
	f(1, 1, "1 of 1 messages (100%)")
	f(0, 5, "0 of 5 messages (0%)")
	f(36, 34, "all 36 messages") // the queue moved between two counts
}

func TestThousands(t *testing.T) {
	f := func(n int, want string) {
		t.Helper()
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
	f(0, "0")
	f(999, "999")
	f(1000, "1,000")
	f(1204567, "1,204,567")
}

func TestCounted(t *testing.T) {
	f := func(n int, noun, want string) {
		t.Helper()
		if got := counted(n, noun); got != want {
			t.Errorf("counted(%d, %q) = %q, want %q", n, noun, got, want)
		}
	}
	f(1, "message", "1 message")
	f(2000, "message", "2,000 messages")
	f(3, "client address", "3 client addresses")
}

func TestCheckNeedsNoQuoting(t *testing.T) {
	f := func(kind spoor.Kind, name, want string) {
		t.Helper()
		one := &facts{t: &spoor.Traffic{Source: spoor.Source{Kind: kind, Name: name}, Messages: 3}}
		if got := one.recount(3); got != want {
			t.Errorf("recount of %q = %q, want %q", name, got, want)
		}
		if got := one.recount(2); got != "" {
			t.Errorf("recount of a part of %q = %q, want none", name, got)
		}
	}
	f(spoor.KindSite, "site1.example", "spoor queue ls source:site:site1.example -o ids")
	f(spoor.KindAccount, "info+x@site1.example", "spoor queue ls source:account:info+x@site1.example -o ids")
	f(spoor.KindNetwork, "2001:db8::1", "spoor queue ls source:network:2001:db8::1 -o ids")
	f(spoor.KindUnknown, "", "spoor queue ls source:unknown -o ids")
	f(spoor.KindScript, "/var/www/a b.php", "")
	f(spoor.KindAccount, "x;reboot", "")
	f(spoor.KindAccount, "a,site:b", "") // a comma is an OR in a selector
	f(spoor.KindAccount, "jürgen", "")
}
