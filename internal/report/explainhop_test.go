package report

import (
	"testing"

	"spoor"
)

func TestANotificationIsNotAlwaysABounce(t *testing.T) {
	f := func(hop spoor.Hop, want string) {
		t.Helper()
		hop.Via = spoor.ViaBounce
		if got := new(Explain).hop(&hop); got != want {
			t.Errorf("%q: got %q, want %q", hop.Action, got, want)
		}
	}
	f(spoor.Hop{Address: "a@b.test", Reason: "550 no"}, "queued, a bounce: a@b.test failed: 550 no")
	f(spoor.Hop{Address: "a@b.test", Action: "failed"}, "queued, a bounce: a@b.test failed")
	f(spoor.Hop{Address: "a@b.test", Action: "delayed"}, "queued, a warning: a@b.test is put off")
	f(spoor.Hop{Address: "a@b.test", Action: "relayed"}, "queued, a confirmation: a@b.test was reached")
	f(spoor.Hop{}, "queued, a bounce: a recipient failed")
}
