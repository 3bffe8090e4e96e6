package trace

import (
	"testing"

	"spoor"
)

func TestALifeIsFoundByTheAddressThatWasWritten(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "").named("4A", "<1>").queued("4A", "fan@far.test", 1).
		to("4A", "owner@far.test", "deferred", "for=member@here.test")
	for address, want := range map[string]int{"member@here.test": 1, "owner@far.test": 1, "@here.test": 1, "other@here.test": 0} {
		search := New(testFacts()).NewSearch(Wanted{Address: address}, 10)
		if err := search.Add(&spoor.Block{Events: p.events}); err != nil {
			t.Fatal(err)
		}
		if got := len(search.Lives()); got != want {
			t.Errorf("%s: %d lives, want %d", address, got, want)
		}
	}
}
