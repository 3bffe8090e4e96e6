package trace

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"spoor"
)

// keyed adds an event of an MTA that names the message in each line.
func (p *tape) keyed(kind spoor.EventKind, id string, set func(*spoor.Event)) *tape {
	e := spoor.Event{Kind: kind, ID: []byte(id), Key: spoor.IDHash(id), UID: -1, PID: -1, Channel: spoor.ChannelRemote}
	if set != nil {
		set(&e)
	}
	return p.add(e)
}

func (p *tape) client(id, client, account string) *tape {
	return p.keyed(spoor.EventSubmitted, id, func(e *spoor.Event) { e.Client, e.Account = []byte(client), []byte(account) })
}

func (p *tape) pickup(uid int) *tape {
	return p.keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) { e.UID = int32(uid) })
}

func (p *tape) named(id, name string) *tape {
	return p.keyed(spoor.EventNamed, id, func(e *spoor.Event) { e.Text = []byte(name) })
}

func (p *tape) queued(id, sender string, recipients int) *tape {
	return p.keyed(spoor.EventQueued, id, func(e *spoor.Event) { e.Address, e.Size, e.Count = []byte(sender), 1000, int32(recipients) })
}

// to reports a delivery: sent, deferred or bounced, maybe of another address that
// was written, or to where the message goes on.
func (p *tape) to(id, address, status string, more ...string) *tape {
	kind := map[string]spoor.EventKind{"sent": spoor.EventDelivered, "deferred": spoor.EventDeferred, "bounced": spoor.EventFailed}[status]
	return p.keyed(kind, id, func(e *spoor.Event) {
		e.Address = []byte(address)
		for _, one := range more {
			word, value, _ := strings.Cut(one, "=")
			switch word {
			case "for":
				e.Parent = []byte(value)
			case "next":
				e.Related = []byte(value)
			case "local":
				e.Channel = spoor.ChannelLocal
			case "passed": // to a program of this machine
				e.Passed = true
			}
		}
	})
}

func (p *tape) removed(id string) *tape { return p.keyed(spoor.EventEnded, id, nil) }

// sent is a whole message of an account to x@far.test.
func (p *tape) sent(id, account string) *tape {
	return p.client(id, "198.51.100.7", account).named(id, "<"+id+account+">").queued(id, account, 1).to(id, "x@far.test", "sent").removed(id)
}

func TestTheAccountAndTheUserOfTheLogAreTheSources(t *testing.T) {
	p := newTape().sent("4A", "anna@here.test").
		pickup(10003).named("5B", "<b>").queued("5B", "www@site1.test", 2).to("5B", "y@far.test", "deferred").to("5B", "z@far.test", "bounced").
		client("6C", "203.0.113.9", "").named("6C", "<c>").queued("6C", "s@far.test", 1).to("6C", "jane@here.test", "sent", "local").removed("6C")
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "site:site1.test", "1 messages 2 recipients 0 delivered 1 failed 1 deferrals 1 waiting")
	wantFigures(t, found, "network:203.0.113.9", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

func TestTrap01AReusedIDIsAnotherMessage(t *testing.T) {
	p := newTape().sent("4A", "anna@here.test").sent("4A", "bob@here.test").
		client("4A", "198.51.100.7", "carl@here.test").queued("4A", "carl@here.test", 1). // its end is not in the log
		wait(time.Minute).sent("4A", "dora@here.test").
		// a bounce has no line of origin: its name tells it from the message before
		client("5B", "198.51.100.7", "anna@here.test").named("5B", "<1>").queued("5B", "anna@here.test", 1).
		wait(time.Minute).named("5B", "<2>").queued("5B", "", 1).to("5B", "q@far.test", "sent").removed("5B").wait(time.Minute).status()
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "2 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "account:bob@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "account:carl@here.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "account:dora@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "bounce:unknown", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

// status is any later line.
func (p *tape) status() *tape { return p.add(spoor.Event{Kind: spoor.EventStatus, UID: -1}) }

func TestTrap02AMessageGoesOnInTheNextFileOfTheLog(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1).to("4A", "x@far.test", "deferred")
	first := len(p.events)
	p.wait(8*time.Hour).queued("4A", "anna@here.test", 1).to("4A", "x@far.test", "sent").removed("4A")
	j := New(testFacts()).NewJournal()
	for file, events := range [][]spoor.Event{p.events[:first], p.events[first:]} {
		if err := j.Add(&spoor.Block{File: file, FirstLine: 1, Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	b, ok := j.known(spoor.Source{Kind: spoor.KindAccount, Name: "anna@here.test"})
	if !ok || b.accepted != 1 || b.recipients != 1 || b.delivered != 1 || b.deferrals != 1 || b.waiting != 0 {
		t.Fatalf("%+v", b)
	}
}

func TestTrap03ARetryIsNoNewMessageAndNoNewRecipient(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 3)
	for range 5 {
		for i := range 40 {
			p.to("4A", "x"+string(rune('a'+i))+"@far.test", "deferred")
		}
		p.wait(time.Hour).queued("4A", "anna@here.test", 40)
	}
	wantFigures(t, p.sources(t), "account:anna@here.test", "1 messages 40 recipients 0 delivered 0 failed 200 deferrals 40 waiting")
}

func TestTrap07TwoHostsWithTheSameIDsAreTwoServers(t *testing.T) {
	p := newTape()
	for i, account := range []string{"anna@here.test", "bob@here.test"} {
		p.client("4A", "198.51.100.7", account).queued("4A", account, 1)
		for n := len(p.events) - 2; n < len(p.events); n++ {
			p.events[n].Origin = uint64(7 + i)
		}
	}
	for i := range 2 {
		p.to("4A", "x@far.test", "sent").removed("4A")
		p.events[len(p.events)-1].Origin, p.events[len(p.events)-2].Origin = uint64(7+i), uint64(7+i)
	}
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "account:bob@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

func TestTrap14AnAccountIsOneHoweverItsNameIsWritten(t *testing.T) {
	p := newTape().sent("4A", "Anna@Here.Test").sent("4B", "anna@here.test").sent("4C", "anna").
		sent("4D", "some one, else+x@here.test")
	facts := testFacts()
	facts.Realm = "here.test"
	j := New(facts).NewJournal()
	if err := j.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int32{"anna@here.test": 3, "some one, else+x@here.test": 1} {
		if b, ok := j.known(spoor.Source{Kind: spoor.KindAccount, Name: name}); !ok || b.accepted != want {
			t.Errorf("%s: %+v", name, b)
		}
	}
	if len(j.books) != 2 {
		t.Errorf("%d accounts", len(j.books))
	}
}

func TestTrap16WhatAFilterDiscardsHasEnded(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").keyed(spoor.EventRemoved, "4A", nil).
		// the ID is free again
		sent("4A", "bob@here.test")
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "nothing")
	wantFigures(t, found, "account:bob@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

func TestTrap17ExpiredAndRemovedMessagesWaitNoLonger(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").queued("4A", "anna@here.test", 2).
		to("4A", "x@far.test", "deferred").to("4A", "y@far.test", "deferred").
		keyed(spoor.EventFailed, "4A", func(e *spoor.Event) { e.Answer = spoor.AnswerTooOld }).removed("4A").
		client("5B", "198.51.100.7", "bob@here.test").queued("5B", "bob@here.test", 1).to("5B", "x@far.test", "deferred").
		keyed(spoor.EventRemoved, "5B", nil)
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 2 recipients 0 delivered 2 failed 2 deferrals 0 waiting")
	wantFigures(t, found, "account:bob@here.test", "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 0 waiting")
}

func TestTrap18ALogThatBeginsInTheMiddleBlamesNobodyAndCountsNoMessage(t *testing.T) {
	p := newTape().queued("4A", "anna@here.test", 2).to("4A", "x@far.test", "deferred").to("4A", "y@far.test", "sent").
		to("5B", "x@far.test", "sent").removed("5B").removed("6C")
	found := p.sources(t)
	wantFigures(t, found, "unknown", "0 messages 0 recipients 2 delivered 0 failed 1 deferrals 1 waiting")
}

func TestTrap22AFailedLoginIsNoMail(t *testing.T) {
	p := newTape().add(spoor.Event{Kind: spoor.EventLoginFailed, Address: []byte("anna@here.test"), Client: []byte("203.0.113.7"), UID: -1, PID: 1})
	if found := p.sources(t); len(found) != 0 {
		t.Fatalf("%v", keys(found))
	}
}

func TestLinesOfOneMessageMayComeInAnyOrder(t *testing.T) {
	write := []func(*tape){
		func(p *tape) { p.client("4A", "198.51.100.7", "anna@here.test") },
		func(p *tape) { p.named("4A", "<1>") },
		func(p *tape) { p.queued("4A", "anna@here.test", 1) },
		func(p *tape) { p.to("4A", "x@far.test", "sent") },
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {1, 0, 2, 3}, {1, 2, 0, 3}, {2, 1, 0, 3}, {2, 0, 3, 1}, {3, 2, 1, 0}} {
		p := newTape()
		for _, i := range order {
			write[i](p)
		}
		p.wait(time.Second).removed("4A")
		wantFigures(t, p.sources(t), "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	}
}

func TestWhatAClientBeginsAndNeverFinishesIsNoMessage(t *testing.T) {
	p := newTape()
	for i := range firstSweep {
		p.client("A"+string(rune('0'+i%10))+strings.Repeat("B", i/10%7)+time.Duration(i).String(), "198.51.100.7", "anna@here.test")
	}
	p.wait(2 * time.Hour)
	for i := range firstSweep {
		p.client("C"+time.Duration(i).String(), "198.51.100.7", "anna@here.test")
	}
	j := New(testFacts()).NewJournal()
	if err := j.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
		t.Fatal(err)
	}
	if j.open.n > firstSweep+1 {
		t.Errorf("%d messages are kept", j.open.n)
	}
	wantFigures(t, p.sources(t), "account:anna@here.test", "nothing")
}

func TestAnEximLineTellsOfOriginAndEnvelope(t *testing.T) {
	p := newTape().
		keyed(spoor.EventInvoked, "", func(e *spoor.Event) { e.PID, e.Text, e.Key = 77, []byte("/home/site1/www"), 0 }).
		keyed(spoor.EventAccepted, "1a-b-c", func(e *spoor.Event) {
			e.PID, e.Login, e.Address, e.Text = 77, []byte("jane"), []byte("jane@here.test"), []byte("<1>")
		}).to("1a-b-c", "x@far.test", "bounced").
		keyed(spoor.EventAccepted, "1a-b-d", func(e *spoor.Event) { e.Related = []byte("1a-b-c") }).
		to("1a-b-d", "jane@here.test", "sent", "local").removed("1a-b-d").removed("1a-b-c").
		keyed(spoor.EventAccepted, "1a-b-e", func(e *spoor.Event) {
			e.Client, e.Account, e.Address = []byte("198.51.100.7"), []byte("anna@here.test"), []byte("x@far.test")
		})
	found := p.sources(t)
	wantFigures(t, found, "user:jane", "1 messages 1 recipients 0 delivered 1 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "bounce:jane", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "account:anna@here.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	if cause := found["bounce:jane"].Cause.String(); cause != "user:jane" {
		t.Errorf("cause %s", cause)
	}
}

// Automatic replies have the fields of a bounce, and so has what a script hands over
// with exim -E: only the MTA's own user makes bounces.
func TestAUserOfEximMakesNoBounces(t *testing.T) {
	p := newTape().client("1a-b-c", "198.51.100.7", "")
	for id, login := range map[string]string{"1a-b-d": "jane", "1a-b-e": "apache", "1a-b-f": "exim", "1a-b-g": "nobodyknows"} {
		p.keyed(spoor.EventAccepted, id, func(e *spoor.Event) { e.Related, e.Login = []byte("1a-b-c"), []byte(login) })
	}
	found := p.sources(t)
	wantFigures(t, found, "user:jane", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "user:apache", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "bounce:198.51.100.7", "2 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
}

func TestAWebmailsMailIsOfTheMailboxThatItHadOpened(t *testing.T) {
	p := newTape().add(spoor.Event{Kind: spoor.EventAccess, Address: []byte("anna@here.test"), Client: []byte("127.0.0.1"), UID: -1, PID: -1}).
		wait(time.Hour).client("4A", "::1", "").queued("4A", "anna@here.test", 1).to("4A", "x@far.test", "sent").removed("4A").
		client("5B", "::1", "").queued("5B", "bob@here.test", 1).to("5B", "x@far.test", "sent").removed("5B").wait(time.Minute).status()
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	if h := found["account:anna@here.test"].History; h != nil && h.Inferred != 1 {
		t.Error("this is inferred")
	}
	wantFigures(t, found, "network:::1", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

func TestATimeThatIsNotOverIsNoDelivery(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").queued("4A", "anna@here.test", 2).to("4A", "x@far.test", "deferred")
	for _, address := range []string{"x@far.test", "y@far.test"} {
		p.keyed(spoor.EventDeferred, "4A", func(e *spoor.Event) { e.Idle, e.Address = true, []byte(address) })
	}
	wantFigures(t, p.sources(t), "account:anna@here.test", "1 messages 2 recipients 0 delivered 0 failed 1 deferrals 2 waiting")
}

func TestAScriptThatWritesUnderAnOpenMailboxIsNotItsUser(t *testing.T) {
	p := newTape()
	for range 2 {
		p.add(spoor.Event{Kind: spoor.EventAccess, Address: []byte("anna@here.test"), Client: []byte("127.0.0.1"), UID: -1, PID: -1})
		for range 50 {
			p.client("4A", "127.0.0.1", "").queued("4A", "anna@here.test", 1).to("4A", "x@far.test", "sent").removed("4A").wait(10 * time.Second)
		}
	}
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "8 messages 8 recipients 8 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:127.0.0.1", "92 messages 92 recipients 92 delivered 0 failed 0 deferrals 0 waiting")
}

func TestTheFolderNamesTheSiteThatTheWebServersUserSentFrom(t *testing.T) {
	p := newTape()
	for i, dir := range []string{"/home/site1/www/shop", "/srv/other"} {
		p.keyed(spoor.EventInvoked, "", func(e *spoor.Event) { e.Text, e.Key = []byte(dir), 0 }).
			keyed(spoor.EventAccepted, []string{"1a-b-c", "1a-b-d"}[i], func(e *spoor.Event) {
				e.Login, e.Address = []byte("apache"), []byte("www@site1.test")
			})
	}
	found := p.sources(t)
	wantFigures(t, found, "site:site1.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "user:apache", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	if h := found["site:site1.test"].History; h == nil || !h.WebServer || h.OwnSender != 1 {
		t.Errorf("%+v", h)
	}
}

func TestAFolderOfAnotherCommandNamesNoSite(t *testing.T) {
	here, elsewhere := "/home/site1/www", "/srv/other"
	command := func(pid int, origin uint64, dir string) func(*tape) {
		return func(p *tape) {
			p.add(spoor.Event{Kind: spoor.EventInvoked, UID: -1, PID: int32(pid), Origin: origin, Text: []byte(dir)})
		}
	}
	message := func(pid int, id string) func(*tape) {
		return func(p *tape) {
			p.keyed(spoor.EventAccepted, id, func(e *spoor.Event) {
				e.PID, e.Login, e.Address = int32(pid), []byte("apache"), []byte("www@site1.test")
			})
		}
	}
	for name, lines := range map[string]struct {
		tape []func(*tape)
		site int // messages of the site
	}{
		"two at once, without PIDs":            {[]func(*tape){command(-1, 0, elsewhere), command(-1, 0, here), message(-1, "1a-b-c"), message(-1, "1a-b-d")}, 0},
		"and one more":                         {[]func(*tape){command(-1, 0, here), command(-1, 0, elsewhere), message(-1, "1a-b-c"), command(-1, 0, here), message(-1, "1a-b-d")}, 0},
		"two of one site, without PIDs":        {[]func(*tape){command(-1, 0, here), command(-1, 0, here), message(-1, "1a-b-c"), message(-1, "1a-b-d")}, 2},
		"one after another, without PIDs":      {[]func(*tape){command(-1, 0, elsewhere), message(-1, "1a-b-c"), command(-1, 0, here), message(-1, "1a-b-d")}, 1},
		"two at once":                          {[]func(*tape){command(77, 0, here), command(78, 0, elsewhere), message(78, "1a-b-c"), message(77, "1a-b-d")}, 1},
		"a PID that is as good as another":     {[]func(*tape){command(77, 0, here), message(77+maxInvocations, "1a-b-c")}, 0},
		"another host's":                       {[]func(*tape){command(77, 5, here), message(77, "1a-b-c")}, 0},
		"another host's at once, without PIDs": {[]func(*tape){command(-1, 5, here), command(-1, 0, here), message(-1, "1a-b-c")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTape()
			for _, line := range lines.tape {
				line(p)
			}
			if h := p.sources(t)["site:site1.test"].History; lines.site != 0 && (h == nil || h.Accepted != lines.site) || lines.site == 0 && h != nil {
				t.Errorf("%s, want %d messages", figures(h), lines.site)
			}
		})
	}
}

func TestAnAliasIsTheSourceBeforeAWayIsChosen(t *testing.T) {
	undecided := func(p *tape, kind spoor.EventKind, address, written string) *tape {
		return p.keyed(kind, "4A", func(e *spoor.Event) {
			e.Channel, e.Address, e.Parent = spoor.ChannelUndecided, []byte(address), []byte(written)
		})
	}
	begun := func() *tape { return newTape().client("4A", "203.0.113.9", "").queued("4A", "s@far.test", 1) }
	wantFigures(t, undecided(begun(), spoor.EventDeferred, "owner@other.test", "info@here.test").sources(t),
		"forward:info@here.test", "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting")
	wantFigures(t, undecided(begun(), spoor.EventDeferred, "jane@here.test", "info@here.test").sources(t),
		"network:203.0.113.9", "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting")
	wantFigures(t, undecided(begun(), spoor.EventFailed, "owner@other.test", "").sources(t),
		"network:203.0.113.9", "1 messages 1 recipients 0 delivered 1 failed 0 deferrals 0 waiting")
}

func TestMessagesWhoseEndIsLostTakeNoMemory(t *testing.T) {
	const messages = 4 * firstSweep
	p := newTape()
	for i := range messages {
		id := fmt.Sprintf("4A%05X", i)
		p.client(id, "198.51.100.7", "anna@here.test").queued(id, "anna@here.test", 2).to(id, "x@far.test", "sent").wait(time.Second)
		if i%8 > 0 { // of the others it is on its way
			p.to(id, "y@far.test", "sent")
		}
	}
	j := New(testFacts()).NewJournal()
	if err := j.Add(&spoor.Block{Events: p.events}); err != nil {
		t.Fatal(err)
	}
	if j.open.n > 2*firstSweep {
		t.Errorf("%d messages are open", j.open.n)
	}
	wantFigures(t, p.sources(t), "account:anna@here.test", fmt.Sprintf("%d messages %d recipients %d delivered 0 failed 0 deferrals 0 waiting", messages, messages*15/8, messages*15/8))
}
