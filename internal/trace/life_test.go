package trace

import (
	"fmt"
	"slices"
	"testing"

	"spoor"
)

// lives looks for messages on the tape and says of each its ID, its source, how
// many lines are of it, and whether it ended.
func (p *tape) lives(t *testing.T, wanted Wanted) []string {
	t.Helper()
	s := New(testFacts()).NewSearch(wanted, 10)
	if err := s.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, l := range s.Lives() {
		words := fmt.Sprintf("%s %s %d", l.ID, l.Source, len(l.Steps))
		if l.Ended {
			words += " ended"
		}
		found = append(found, words)
	}
	return found
}

func TestAMessageIsFoundWithWhatItCaused(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<one@here.test>").queued("4A", "anna@here.test", 1).
		to("4A", "x@far.test", "bounced").named("5B", "<b>").queued("5B", "", 1).notification().removed("4A").
		to("5B", "anna@here.test", "sent", "local").removed("5B").
		sent("6C", "bob@here.test").
		sent("4A", "carl@here.test") // the ID is used again
	f := func(wanted Wanted, want ...string) {
		t.Helper()
		if got := p.lives(t, wanted); !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", wanted, got, want)
		}
	}
	both := []string{"4A account:anna@here.test 6 ended", "5B bounce:anna@here.test 4 ended"}
	f(Wanted{ID: "4A"}, "4A account:anna@here.test 6 ended", "4A account:carl@here.test 5 ended", "5B bounce:anna@here.test 4 ended")
	f(Wanted{Name: "<one@here.test>"}, both...)
	f(Wanted{Name: "one@here.test"}, both...)
	f(Wanted{Address: "Anna@here.test"}, both...)
	f(Wanted{Address: "@far.test"}, "4A account:anna@here.test 6 ended", "5B bounce:anna@here.test 4 ended", "6C account:bob@here.test 5 ended", "4A account:carl@here.test 5 ended")
	f(Wanted{Address: "nobody@here.test"})
	f(Wanted{ID: "7D"})
}

func TestAMessageIsFoundUnderEachIDThatItHad(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1).
		client("5B", "127.0.0.1", "").named("5B", "<1>").queued("5B", "anna@here.test", 1).
		to("4A", "x@far.test", "sent", "next=5B").removed("4A").to("5B", "x@far.test", "sent").removed("5B")
	want := []string{"4A account:anna@here.test 5 ended", "5B account:anna@here.test 5 ended"}
	for _, id := range []spoor.QueueID{"4A", "5B"} { // what was asked for comes first
		if got := p.lives(t, Wanted{ID: id}); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
		slices.Reverse(want)
	}
}

func TestALifeIsFoundByItsMessageID(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "").named("4A", "<1@here.test>").queued("4A", "fan@far.test", 1).removed("4A").
		keyed(spoor.EventAccepted, "1a-b-c", func(e *spoor.Event) { e.Client, e.Text = []byte("198.51.100.7"), []byte("2@here.test") }).removed("1a-b-c")
	for name, want := range map[string]int{"<1@here.test>": 1, "1@here.test": 1, "<2@here.test>": 1, "<3@here.test>": 0, "": 0} {
		search := New(testFacts()).NewSearch(Wanted{Name: name}, 10)
		if err := search.Add(&spoor.Block{Events: p.events}); err != nil {
			t.Fatal(err)
		}
		if got := len(search.Lives()); got != want {
			t.Errorf("%s: %d lives, want %d", name, got, want)
		}
	}
}

func TestTheMessageThatWasAskedForComesFirst(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1).to("4A", "x@far.test", "bounced").
		named("5B", "<2>").queued("5B", "", 1).notification().to("5B", "anna@here.test", "sent", "local").removed("5B").removed("4A")
	for _, id := range []spoor.QueueID{"4A", "5B"} {
		search := New(testFacts()).NewSearch(Wanted{ID: id}, 10)
		if err := search.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
			t.Fatal(err)
		}
		if lives := search.Lives(); len(lives) == 0 || lives[0].ID != id {
			t.Errorf("%s: %d lives, %+v", id, len(lives), lives)
		}
	}
}

func TestAMessageThatWasQueuedAgainTellsUnderWhichID(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1).to("4A", "x@far.test", "deferred").
		keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) { e.UID, e.Related = 101, []byte("4A") }).named("5B", "<1>").queued("5B", "anna@here.test", 1)
	s := New(testFacts()).NewSearch(Wanted{ID: "4A"}, 10)
	if err := s.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
		t.Fatal(err)
	}
	lives := s.Lives()
	if len(lives) != 2 || lives[0].Again != "5B" || lives[1].Again != "" || lives[1].Source.String() != "account:anna@here.test" {
		t.Errorf("%+v", lives)
	}
}

func TestWhatAPolicyTookAwayIsFoundByItsAddresses(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").
		keyed(spoor.EventRemoved, "4A", func(e *spoor.Event) {
			e.Text = []byte("discard: header Subject: < cheap> from h.test[198.51.100.7]; from=<anna@here.test> to=<x@far.test> proto=ESMTP helo=<h.test>")
		})
	for address, want := range map[string]int{"x@far.test": 1, "Anna@here.test": 1, "@far.test": 1, "y@far.test": 0, "ar.test": 0, "@ar.test": 0} {
		if got := p.lives(t, Wanted{Address: address}); len(got) != want {
			t.Errorf("%s: %q, want %d", address, got, want)
		}
	}
}

// Dovecot's own log has another name of the host than the MTA's, or none.
func TestTheLifeOfWhatDovecotRelaysTellsSo(t *testing.T) {
	told := func(p *tape) *tape {
		return p.keyed(spoor.EventProxied, "4A", func(e *spoor.Event) { e.Account, e.Origin = []byte("anna@here.test"), 3<<40 })
	}
	sent := func(p *tape) *tape {
		return p.client("4A", "127.0.0.1", "").named("4A", "<1>").queued("4A", "anna@here.test", 1)
	}
	for name, p := range map[string]*tape{"before": sent(told(newTape())), "after": told(sent(newTape()))} {
		s := New(testFacts()).NewSearch(Wanted{ID: "4A"}, 10)
		if err := s.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
			t.Fatal(err)
		}
		lives := s.Lives()
		if len(lives) != 1 || len(lives[0].Steps) != 4 || !slices.ContainsFunc(lives[0].Steps, func(s Step) bool { return s.Kind == spoor.EventProxied }) {
			t.Errorf("%s: %+v", name, lives)
		}
	}
}
