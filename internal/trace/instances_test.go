package trace

import (
	"testing"

	"spoor"
)

// under gives the events from n on to a service or instance.
func (p *tape) under(origin uint64, n int) *tape {
	for i := n; i < len(p.events); i++ {
		p.events[i].Origin = origin
	}
	return p
}

func TestAServiceWithANameOfItsOwnSpeaksOfTheSameMessages(t *testing.T) {
	const main, service = 7, 9
	client := func(p *tape) *tape {
		n := len(p.events)
		return p.client("4A", "198.51.100.7", "anna@here.test").under(service, n)
	}
	named := func(p *tape) *tape {
		n := len(p.events)
		return p.named("4A", "<1>").under(main, n)
	}
	rest := func(p *tape) *tape {
		n := len(p.events)
		p.queued("4A", "anna@here.test", 1).under(main, n).to("4A", "x@far.test", "sent").under(service, n+1)
		return p.removed("4A").under(main, n+2)
	}
	for name, p := range map[string]*tape{
		"in order":             rest(named(client(newTape()))),
		"the server's is late": rest(client(named(newTape()))),
	} {
		t.Run(name, func(t *testing.T) {
			p.events = append([]spoor.Event{{Kind: spoor.EventTrouble, UID: -1, PID: -1}}, p.events...)
			found := p.sources(t)
			wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
			if len(found) != 1 {
				t.Errorf("%v", keys(found))
			}
			s := New(testFacts()).NewSearch(Wanted{ID: "4A"}, 10)
			if err := s.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
				t.Fatal(err)
			}
			lives := s.Lives()
			if len(lives) != 1 || lives[0].Source.String() != "account:anna@here.test" || len(lives[0].Steps) != 5 {
				t.Errorf("%d lives: %+v", len(lives), lives)
			}
		})
	}
}

func TestAnotherHostSpeaksOfOtherMessages(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").under(7, 0).
		named("4A", "<1>").under(7<<spoor.InstanceBits, 1).queued("4A", "", 1).under(7<<spoor.InstanceBits, 2).removed("4A").under(7<<spoor.InstanceBits, 3)
	wantFigures(t, p.sources(t), "bounce:unknown", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
}

func TestTwoInstancesMayUseTheSameIDs(t *testing.T) {
	p := newTape().named("3C", "<0>").queued("3C", "", 1).removed("3C").under(7, 0) // the first has a queue of its own
	n := len(p.events)
	p.client("4A", "198.51.100.7", "anna@here.test").under(7, n).
		named("4A", "<1>").under(9, n+1).queued("4A", "", 1).under(9, n+2).removed("4A").under(9, n+3)
	p.named("4A", "<2>").under(7, n+4).queued("4A", "anna@here.test", 1).under(7, n+5).removed("4A").under(7, n+6)
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "bounce:unknown", "2 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
}

func TestWhatPostfixTellsThePostmasterIsABounce(t *testing.T) {
	p := newTape().named("4A", "<1>").queued("4A", "double-bounce@mx1.here.test", 1).to("4A", "postmaster@here.test", "sent", "local").removed("4A").
		client("5B", "203.0.113.9", "").named("5B", "<2>").queued("5B", "double-bounce@mx1.here.test", 1).to("5B", "jane@here.test", "sent", "local").removed("5B")
	found := p.sources(t)
	wantFigures(t, found, "bounce:unknown", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:203.0.113.9", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}
