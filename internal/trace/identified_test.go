package trace

import (
	"net/netip"
	"testing"
	"time"

	"spoor"
)

// owned adds the line that names the owner of a connection from this machine.
func (p *tape) owned(port uint16, pid, uid int32, login string) *tape {
	return p.add(spoor.Event{Kind: spoor.EventIdentified, Client: []byte("127.0.0.1"), Port: port, PID: pid, UID: uid, Login: []byte(login)})
}

// local is a whole message that came from this machine by SMTP.
func (p *tape) local(port uint16, pid int32, account string) *tape {
	const id = "4A"
	return p.keyed(spoor.EventAccepted, id, func(e *spoor.Event) {
		e.Client, e.Port, e.PID, e.Account, e.Address, e.Count = []byte("127.0.0.1"), port, pid, []byte(account), []byte("x@far.test"), 1
	}).to(id, "y@far.test", "sent").removed(id)
}

func TestTheOwnerOfALocalConnectionIsTheSource(t *testing.T) {
	const one = "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting"
	f := func(name, source string, p *tape) {
		t.Helper()
		t.Run(name, func(t *testing.T) { wantFigures(t, p.sources(t), source, one) })
	}
	site := func() *tape { return newTape().owned(35036, 50, 10003, "site1") }
	f("by port", "site:site1.test", site().owned(35037, 51, 10004, "site2").local(35036, -1, ""))
	f("by process", "site:site1.test", site().owned(35037, 51, 10004, "site2").local(0, 50, ""))
	f("by time", "site:site1.test", newTape().owned(35036, -1, 10003, "site1").local(0, -1, ""))
	f("by time, of two connections of one user", "site:site1.test", newTape().owned(35036, -1, 10003, "site1").owned(35038, -1, 10003, "site1").local(0, -1, ""))
	f("by time, of two users", "network:127.0.0.1", newTape().owned(35036, -1, 10003, "site1").owned(35037, -1, 10004, "site2").local(0, -1, ""))
	f("by time, too late", "network:127.0.0.1", newTape().owned(35036, -1, 10003, "site1").wait(10*time.Second).local(0, -1, ""))
	f("by time, of a user who waits with his message", "network:127.0.0.1", newTape().owned(35036, -1, 10003, "site1").wait(10*time.Second).owned(35037, -1, 10004, "site2").local(0, -1, ""))
	busy := newTape().owned(35036, -1, 10003, "site1")
	for range 2 * maxMoments {
		busy.wait(time.Second).owned(35037, -1, 10004, "site2")
	}
	f("by time, of a user who waits for many of another's", "network:127.0.0.1", busy.local(0, -1, ""))
	f("the port is used again by another process", "network:127.0.0.1", site().local(35036, 51, ""))
	f("another port", "network:127.0.0.1", site().local(35037, 50, ""))
	f("another process", "network:127.0.0.1", site().local(0, 51, ""))
	f("the port is used again much later", "network:127.0.0.1", site().wait(time.Hour).local(35036, -1, ""))
	f("a login proves more", "account:anna@here.test", site().local(35036, -1, "anna@here.test"))
}

func TestAMessageWhoseUserIsNamedLaterIsTheUsers(t *testing.T) {
	later := func(p *tape, id, login string) *tape {
		return p.keyed(spoor.EventIdentified, id, func(e *spoor.Event) { e.Login = []byte(login) })
	}
	p := newTape().client("4A", "127.0.0.1", "").queued("4A", "s@far.test", 1)
	later(later(p, "4A", "site1").to("4A", "x@far.test", "sent").removed("4A"), "4A", "site2")
	p.client("5B", "127.0.0.1", "").queued("5B", "s@far.test", 1)
	later(p, "5B", "exim").to("5B", "x@far.test", "sent").removed("5B") // a filter
	p.client("6C", "203.0.113.9", "").queued("6C", "s@far.test", 1)
	later(p, "6C", "site1").to("6C", "x@far.test", "sent").removed("6C") // from elsewhere
	p.client("7D", "127.0.0.1", "anna").queued("7D", "anna@here.test", 1)
	later(p, "7D", "site1").to("7D", "x@far.test", "sent").removed("7D") // who had logged in
	p.client("8E", "::1", "").queued("8E", "s@far.test", 1).to("8E", "x@far.test", "sent").removed("8E")
	later(later(p, "8E", "nobody-knows"), "9F", "site1") // late
	found := p.sources(t)
	for _, source := range []string{"site:site1.test", "network:127.0.0.1", "network:203.0.113.9", "account:anna", "user:nobody-knows"} {
		wantFigures(t, found, source, "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	}
	if len(found) != 5 {
		t.Errorf("%v", keys(found))
	}
}

// The MTA itself may be the client: a filter that runs as its user.
func TestTheMTAsOwnConnectionNamesNobody(t *testing.T) {
	for name, uid := range map[string]int32{"its own user": 47, "a user of the mail system": 93} {
		p := newTape().owned(35036, 50, uid, "exim").keyed(spoor.EventAccepted, "4A", func(e *spoor.Event) {
			e.Client, e.Port, e.PID, e.Address, e.Count = []byte("127.0.0.1"), 35036, 50, []byte("x@far.test"), 1
		}).to("4A", "y@far.test", "deferred")
		facts := testFacts()
		via := facts.Via
		facts.Via = func(uid int) spoor.Via {
			if uid == 47 {
				return spoor.ViaUnknown
			}
			return via(uid)
		}
		tracer := New(facts)
		j := tracer.NewJournal()
		if err := j.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
			t.Fatal(err)
		}
		tracer.UseLog(j, nil)
		m := &spoor.Message{ID: "4A", Arrived: p.now.Time(), CallerUID: -1, CallerGID: -1}
		m.Trail.Hops = []spoor.Hop{{Via: spoor.ViaNetwork, UID: -1, PID: -1, Client: netip.MustParseAddr("127.0.0.1")}}
		if got := tracer.Name(m).Source; got.Name == "" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
