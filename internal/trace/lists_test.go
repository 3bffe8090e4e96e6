package trace

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"spoor"
)

// list is a post to news@here.test, its three copies, and the line of the delivery to
// the list's program.
type list struct{ tape *tape }

func newList() list {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1@pc>").queued("4A", "anna@here.test", 1)
	return list{p}
}

func (l list) copies(sender string) list {
	for i := range 3 {
		id := fmt.Sprintf("5%d", i)
		l.tape.wait(time.Second).client(id, "127.0.0.1", "").named(id, "<1@pc>").queued(id, fmt.Sprintf(sender, i), 1).
			to(id, fmt.Sprintf("s%d@far.test", i), "sent").removed(id)
	}
	return l
}

func (l list) program(address string, more ...string) list {
	l.tape.to("4A", address, "sent", slices.Concat([]string{"local", "passed"}, more)...)
	return l
}

func (l list) waited(d time.Duration) list { l.tape.wait(d).status(); return l }

func (l list) sources(t *testing.T) map[string]spoor.Traffic {
	t.Helper()
	return l.tape.removed("4A").wait(time.Hour).status().sources(t)
}

func TestTheCopiesOfAListAreTheLists(t *testing.T) {
	const mlmmj, mailman, ezmlm = "news+bounces-7-s%d=far.test@here.test", "News-bounces+s%d=far.test@here.test", "news-return-1-s%d=far.test@here.test"
	for name, l := range map[string]list{
		"in the background":       newList().program("news@here.test").copies(mlmmj),
		"while the MTA waits":     newList().copies(mlmmj).program("news@here.test"),
		"a long time":             newList().copies(mlmmj).waited(8 * time.Minute).program("news@here.test"),
		"by an alias":             newList().copies(mailman).program("news@localhost.mlmmj", "for=news@here.test"),
		"in other case":           newList().program("NEWS@Here.test").copies(ezmlm),
		"with a filter before it": newListBehindFilter().program("news@here.test").copies(mlmmj),
	} {
		t.Run(name, func(t *testing.T) {
			found := l.sources(t)
			wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
			wantFigures(t, found, "list:news@here.test", "3 messages 3 recipients 3 delivered 0 failed 0 deferrals 0 waiting")
			one := found["list:news@here.test"]
			if len(found) != 2 || one.Cause.String() != "account:anna@here.test" || one.CauseCount != 3 || one.History.OwnSender != 3 {
				t.Errorf("sources %v; %+v", keys(found), one)
			}
		})
	}
}

// newListBehindFilter is a list whose post a filter has handed back.
func newListBehindFilter() list {
	p := newTape().client("3F", "198.51.100.7", "anna@here.test").named("3F", "<1@pc>").queued("3F", "anna@here.test", 1).
		client("4A", "127.0.0.1", "").named("4A", "<1@pc>").queued("4A", "anna@here.test", 1).
		to("3F", "news@here.test", "sent", "next=4A", "passed").removed("3F")
	return list{p}
}

// Who has read a post and the address of a list, and sends from this machine, does not
// pass for its author; and without a program that got the post there is no list.
func TestNobodyPassesForAList(t *testing.T) {
	const one = "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting"
	for name, l := range map[string]list{
		"a mailbox":              newList().copies("anna+bounces-%d@here.test"),
		"another list":           newList().program("news@here.test").copies("sales-bounces+%d@here.test"),
		"another domain":         newList().program("news@here.test").copies("news+bounces-%d@far.test"),
		"no sender of the lists": newList().copies("news%d@here.test"),
	} {
		t.Run(name, func(t *testing.T) {
			found := l.sources(t)
			for source := range found {
				if source != "account:anna@here.test" && source != "network:127.0.0.1" {
					t.Errorf("sources %v", keys(found))
				}
			}
			if h := found["network:127.0.0.1"].History; h == nil || h.Accepted < 2 {
				t.Errorf("of this machine: %s", figures(h))
			}
		})
	}
	// another message under the list's address
	l := newList().program("news@here.test")
	l.tape.client("6C", "127.0.0.1", "").named("6C", "<2@pc>").queued("6C", "news+bounces-1-x=far.test@here.test", 1).to("6C", "x@far.test", "sent").removed("6C")
	wantFigures(t, l.sources(t), "network:127.0.0.1", one)
}

// Where a filter has all mail, that a program has got mail for an address makes it no list.
func TestAFilterMakesNoList(t *testing.T) {
	const one = "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting"
	in := func() *tape {
		return newTape().client("3F", "198.51.100.7", "anna@here.test").named("3F", "<1@pc>").queued("3F", "anna@here.test", 1)
	}
	back := func(p *tape) *tape {
		return p.client("4A", "127.0.0.1", "").named("4A", "<1@pc>").queued("4A", "anna@here.test", 1)
	}
	got := func(p *tape, more ...string) *tape {
		return p.to("3F", "bob@here.test", "sent", append(more, "passed")...).removed("3F")
	}
	for name, p := range map[string]*tape{
		"that says what comes of it": got(back(in()), "next=4A"),
		"that does not":              back(got(in())),
		"that is logged later":       got(back(in())),
		"of another message":         got(newTape().client("3F", "203.0.113.9", "").named("3F", "<0@far>").queued("3F", "s@far.test", 1)).sent("5B", "carl@here.test").client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1@pc>").queued("4A", "anna@here.test", 1),
	} {
		t.Run(name, func(t *testing.T) {
			p.to("4A", "bob@here.test", "sent", "local").removed("4A").wait(time.Second).
				client("6C", "127.0.0.1", "").named("6C", "<1@pc>").queued("6C", "bob+bounces-1@here.test", 1).to("6C", "x@far.test", "sent").removed("6C")
			found := p.wait(time.Hour).status().sources(t)
			wantFigures(t, found, "account:anna@here.test", one)
			wantFigures(t, found, "network:127.0.0.1", one)
		})
	}
}

// The copies go through the filter too, which takes its time.
func TestTheCopiesOfAListGoThroughAFilter(t *testing.T) {
	const sender, subscribers = "news+bounces-1@here.test", 6
	l := newListBehindFilter().program("news@here.test")
	for i := range subscribers {
		id := fmt.Sprintf("5%d", i)
		l.tape.client(id, "127.0.0.1", "").named(id, "<1@pc>").queued(id, sender, 1)
	}
	for i := range subscribers {
		id, next, to := fmt.Sprintf("5%d", i), fmt.Sprintf("6%d", i), fmt.Sprintf("s%d@far.test", i)
		l.tape.wait(8*time.Second).keyed(spoor.EventSubmitted, next, func(e *spoor.Event) { e.Client, e.Related = []byte("127.0.0.1"), []byte(id) }).
			named(next, "<1@pc>").queued(next, sender, 1).to(id, to, "sent", "next="+next, "passed").removed(id).to(next, to, "sent").removed(next)
	}
	found := l.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "list:news@here.test", "6 messages 6 recipients 6 delivered 0 failed 0 deferrals 0 waiting")
}

// A program needs its time for many subscribers. What has been silent for long is another's.
func TestAListMayTakeLongForItsCopies(t *testing.T) {
	l := newList().program("news@here.test")
	for i, wait := range []time.Duration{0, 6 * time.Minute, 9 * time.Minute, 8 * time.Minute, filterReach + time.Minute} {
		id := fmt.Sprintf("5%d", i)
		l.tape.removed("4A").wait(wait).client(id, "127.0.0.1", "").named(id, "<1@pc>").queued(id, "news-bounce@here.test", 1).to(id, "x@far.test", "sent").removed(id)
	}
	found := l.sources(t)
	wantFigures(t, found, "list:news@here.test", "4 messages 4 recipients 4 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:127.0.0.1", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

// The login behind a post may be known after its copies.
func TestTheCauseOfAListsCopiesIsKnownLater(t *testing.T) {
	p := newTape().client("4A", "127.0.0.1", "").named("4A", "<1@pc>").queued("4A", "anna@here.test", 1)
	l := list{p}.copies("news+bounces-%d@here.test").program("news@here.test")
	l.tape.keyed(spoor.EventProxied, "4A", func(e *spoor.Event) { e.Account = []byte("anna@here.test") })
	if one := l.sources(t)["list:news@here.test"]; one.Cause.String() != "account:anna@here.test" || one.CauseCount != 3 {
		t.Errorf("%+v", one)
	}
}

func TestPossibleListsAreBounded(t *testing.T) {
	p := newList().tape
	for i := range 4 * maxPostings {
		id := fmt.Sprintf("6%05X", i)
		p.client(id, "127.0.0.1", "").named(id, "<1@pc>").queued(id, fmt.Sprintf("l%d-bounces@here.test", i), 1).to(id, "x@far.test", "sent").removed(id)
	}
	j := New(testFacts()).NewJournal()
	if err := j.Add(&spoor.Block{Events: p.wait(10 * time.Second).status().events}); err != nil {
		t.Fatal(err)
	}
	if len(j.held) != maxPostings || len(j.held) > maxHeld {
		t.Errorf("%d messages held", len(j.held))
	}
	if err := j.Add(&spoor.Block{Events: p.wait(time.Hour).client("7D", "198.51.100.7", "anna@here.test").events[len(p.events)-1:]}); err != nil {
		t.Fatal(err)
	}
	if len(j.held) != 0 || j.open.n > 2 {
		t.Errorf("%d messages held, %d open", len(j.held), j.open.n)
	}
}
