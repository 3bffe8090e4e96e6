package trace

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"spoor"
)

// webmail is a line of a webmail's log.
func (p *tape) webmail(id, account, client string) *tape {
	return p.keyed(spoor.EventWebmail, id, func(e *spoor.Event) {
		e.Account, e.Client, e.Key, e.Origin = []byte(account), []byte(client), spoor.IDHash(id), 0
	})
}

func clientsOf(t *testing.T, found map[string]spoor.Traffic, source string) []string {
	t.Helper()
	one, ok := found[source]
	if !ok || one.History == nil {
		t.Errorf("no %s: %v", source, found)
		return nil
	}
	var clients []string
	for _, c := range one.History.Clients.Top {
		clients = append(clients, c.Value)
	}
	slices.Sort(clients)
	return clients
}

func TestAWebmailTellsWhereItsUserSat(t *testing.T) {
	const anna = "account:anna@here.test"
	f := func(name string, p *tape, want ...string) {
		t.Helper()
		if got := clientsOf(t, p.wait(time.Minute).status().sources(t), anna); !slices.Equal(got, want) {
			t.Errorf("%s: clients %q, want %q", name, got, want)
		}
	}
	through := func(p *tape, client string) *tape {
		return p.client("4A", client, "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1)
	}
	f("after", through(newTape(), "127.0.0.1").webmail("4A", "anna@here.test", "203.0.113.7"), "203.0.113.7")
	f("before, for its stamp has no fractions", through(newTape().webmail("4A", "anna@here.test", "203.0.113.7").wait(time.Millisecond), "::1"), "203.0.113.7")
	f("after it has left", through(newTape(), "::1").to("4A", "x@far.test", "sent").removed("4A").
		client("5B", "127.0.0.1", "anna@here.test").queued("5B", "anna@here.test", 1).webmail("5B", "anna@here.test", "198.51.100.9").
		to("5B", "x@far.test", "sent").removed("5B").client("6C", "127.0.0.1", "anna@here.test").queued("6C", "anna@here.test", 1).removed("6C").
		wait(time.Second).webmail("6C", "anna@here.test", "203.0.113.9"), "198.51.100.9", "203.0.113.9", "::1")
	exim := func(p *tape) *tape {
		return p.keyed(spoor.EventAccepted, "1a-b-c", func(e *spoor.Event) {
			e.Client, e.Account, e.Address, e.UID, e.Count = []byte("127.0.0.1"), []byte("anna@here.test"), []byte("anna@here.test"), -1, 1
		})
	}
	f("of Exim, after", exim(newTape()).webmail("1a-b-c", "anna@here.test", "203.0.113.7"), "203.0.113.7")
	f("of Exim, before", exim(newTape().webmail("1a-b-c", "anna@here.test", "203.0.113.7").wait(time.Millisecond)), "203.0.113.7")
	f("not of this machine", through(newTape(), "192.0.2.9").webmail("4A", "anna@here.test", "203.0.113.7"), "192.0.2.9")
	f("of another message", through(newTape(), "127.0.0.1").webmail("5B", "anna@here.test", "203.0.113.7"), "127.0.0.1")
	f("of one that had the ID before", through(newTape().webmail("4A", "anna@here.test", "203.0.113.7").wait(time.Hour), "127.0.0.1"), "127.0.0.1")
	f("of nowhere", through(newTape(), "127.0.0.1").webmail("4A", "anna@here.test", "unknown"), "127.0.0.1")
	f("twice", through(newTape(), "127.0.0.1").webmail("4A", "anna@here.test", "203.0.113.7").webmail("4A", "anna@here.test", "198.51.100.9"), "203.0.113.7")
	f("with a login of its own", through(newTape(), "127.0.0.1").webmail("4A", "bob@here.test", "203.0.113.7"), "203.0.113.7")
}

// The log of a webmail is one that scripts of sites may write. Its login counts
// where the MTA knows none, and not for much.
func TestAWebmailNamesTheAccountWhereTheMTAHasNone(t *testing.T) {
	f := func(name string, p *tape, source string, confidence float64) {
		t.Helper()
		found := p.queued("4A", "anna@here.test", 1).to("4A", "x@far.test", "sent").removed("4A").wait(time.Minute).status().sources(t)
		one, ok := found[source]
		if !ok || one.Confidence != confidence {
			t.Errorf("%s: %v, want %s, %.2f sure", name, found, source, confidence)
		}
	}
	opened := spoor.Event{Kind: spoor.EventAccess, Address: []byte("anna@here.test"), Client: []byte("::1"), UID: -1, PID: -1}
	f("alone", newTape().client("4A", "127.0.0.1", "").webmail("4A", "anna@here.test", "203.0.113.7"), "account:anna@here.test", 0.6)
	f("with the mailbox", newTape().add(opened).client("4A", "127.0.0.1", "").webmail("4A", "anna@here.test", "203.0.113.7"), "account:anna@here.test", 0.7)
	f("of a webmail that says nothing of it", newTape().add(opened).webmail("9F", "anna@here.test", "203.0.113.7").wait(time.Minute).client("4A", "127.0.0.1", ""), "network:127.0.0.1", 0.99)
	f("of elsewhere", newTape().client("4A", "127.0.0.1", "").webmail("4A", "anna@far.test", "203.0.113.7"), "network:127.0.0.1", 0.99)
	f("of a user's script", newTape().keyed(spoor.EventSubmitted, "4A", func(e *spoor.Event) { e.UID = 10003 }).webmail("4A", "anna@here.test", "203.0.113.7"), "site:site1.test", 1)
}

// Nobody else's message may be closed by a time that anybody could write.
func TestAWebmailsTimeMovesNothing(t *testing.T) {
	p := newTape().client("4A", "127.0.0.1", "anna@here.test").queued("4A", "anna@here.test", 1)
	p.wait(10*365*24*time.Hour).webmail("9F", "anna@here.test", "203.0.113.7").wait(-10 * 365 * 24 * time.Hour)
	p.removed("4A").webmail("4A", "anna@here.test", "203.0.113.7").wait(time.Minute).status()
	if got := clientsOf(t, p.sources(t), "account:anna@here.test"); !slices.Equal(got, []string{"203.0.113.7"}) {
		t.Errorf("clients %q", got)
	}
}

func TestTheLifeOfAWebmailsMessageTellsSo(t *testing.T) {
	tail := func(p *tape) *tape {
		return p.client("4A", "127.0.0.1", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1)
	}
	for name, p := range map[string]*tape{
		"before": tail(newTape().webmail("4A", "anna@here.test", "203.0.113.7")),
		"after":  tail(newTape()).webmail("4A", "anna@here.test", "203.0.113.7"),
	} {
		s := New(testFacts()).NewSearch(Wanted{ID: "4A"}, 10)
		if err := s.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
			t.Fatal(err)
		}
		lives := s.Lives()
		if len(lives) != 1 || len(lives[0].Steps) != 4 || !slices.ContainsFunc(lives[0].Steps, func(s Step) bool { return s.Kind == spoor.EventWebmail }) {
			t.Errorf("%s: %+v", name, lives)
		}
	}
}

// The log of a webmail may be full of names: they take no memory but for messages
// that the MTA has.
func TestAWebmailsNamesMakeNoSources(t *testing.T) {
	p := newTape()
	for i := range 2 * maxWebmails {
		p.webmail("9F"+strconv.Itoa(i), "u"+strconv.Itoa(i)+"@here.test", "203.0.113.7")
	}
	p.webmail("4A", strings.Repeat("a", 60000)+"@here.test", "203.0.113.7").client("4A", "127.0.0.1", "").queued("4A", "anna@here.test", 1)
	j := New(testFacts()).NewJournal()
	if err := j.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
		t.Fatal(err)
	}
	if len(j.accounts) > 0 || len(j.webmails.early) > maxWebmails {
		t.Errorf("%d accounts, %d early", len(j.accounts), len(j.webmails.early))
	}
}

// Several hosts log into one file, and short IDs are used again on each of them.
func TestAWebmailsMessageIsFoundAmongHosts(t *testing.T) {
	at := func(p *tape, origin uint64, tell func()) {
		first := len(p.events)
		tell()
		for i := range p.events[first:] {
			p.events[first+i].Origin = origin
		}
	}
	for _, hosts := range [][2]uint64{{1 << 40, 2 << 40}, {2 << 40, 1 << 40}} {
		p := newTape()
		at(p, hosts[0], func() {
			p.client("4A", "203.0.113.99", "").queued("4A", "x@far.test", 1).to("4A", "x@far.test", "deferred")
		})
		p.wait(2 * time.Hour)
		at(p, hosts[1], func() { p.client("4A", "127.0.0.1", "anna@here.test").queued("4A", "anna@here.test", 1) })
		p.webmail("4A", "anna@here.test", "203.0.113.7")
		at(p, hosts[0], func() { p.wait(time.Minute).queued("4A", "x@far.test", 1) })
		if got := clientsOf(t, p.sources(t), "account:anna@here.test"); !slices.Equal(got, []string{"203.0.113.7"}) {
			t.Errorf("clients %q", got)
		}
	}
}

// What a webmail hands over may go through a filter, and is still its user's.
func TestAWebmailsMessageGoesThroughAFilter(t *testing.T) {
	opened := spoor.Event{Kind: spoor.EventAccess, Address: []byte("anna@here.test"), Client: []byte("::1"), UID: -1, PID: -1}
	told := func(p *tape, in string) *tape { return p.webmail(in, "anna@here.test", "203.0.113.7") }
	for name, begin := range map[string]func(p *tape, in string) *tape{
		"that opens the mailbox": func(p *tape, _ string) *tape { return p },
		"that has a log":         told,
	} {
		for kind, back := range map[string]func(p *tape, in, out string) *tape{
			"names the ID": func(p *tape, in, out string) *tape {
				return p.keyed(spoor.EventSubmitted, out, func(e *spoor.Event) { e.Client, e.Related = []byte("127.0.0.1"), []byte(in) }).
					named(out, "<"+in+">").queued(out, "anna@here.test", 1).to(in, "x@far.test", "sent", "next="+out, "passed").removed(in)
			},
			"answers first": func(p *tape, in, out string) *tape {
				return p.to(in, "x@far.test", "sent", "passed").removed(in).client(out, "127.0.0.1", "").named(out, "<"+in+">").queued(out, "anna@here.test", 1)
			},
			"has left": func(p *tape, in, out string) *tape {
				return p.to(in, "x@far.test", "sent", "passed").removed(in).wait(time.Minute).status().client(out, "127.0.0.1", "").named(out, "<"+in+">").queued(out, "anna@here.test", 1)
			},
		} {
			p := newTape().add(opened)
			for i := range perOpening {
				in, out := fmt.Sprintf("4%d", i), fmt.Sprintf("5%d", i)
				begin(p, in).client(in, "127.0.0.1", "").named(in, "<"+in+">").queued(in, "anna@here.test", 1)
				back(p, in, out).to(out, "x@far.test", "sent").removed(out)
			}
			t.Run(name+", "+kind, func(t *testing.T) {
				wantFigures(t, p.wait(time.Hour).status().sources(t), "account:anna@here.test", "4 messages 4 recipients 4 delivered 0 failed 0 deferrals 0 waiting")
			})
		}
	}
}
