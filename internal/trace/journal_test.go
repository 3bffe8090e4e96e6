package trace

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
)

// tape writes the events of a log.
type tape struct {
	events []spoor.Event
	now    spoor.Stamp
}

func newTape() *tape {
	return &tape{now: spoor.StampOf(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))}
}

func (p *tape) add(e spoor.Event) *tape {
	e.Time, e.Exact, e.Line, e.Offset = p.now, true, uint32(len(p.events)), uint32(100*len(p.events))
	if e.Kind != spoor.EventAccepted && e.Kind != spoor.EventBounced && e.PID == 0 {
		e.PID = -1
	}
	p.events = append(p.events, e)
	return p
}

func (p *tape) wait(d time.Duration) *tape { p.now = p.now.Add(d); return p }

func (p *tape) info(id string, uid, qp int, sender string) *tape {
	return p.add(spoor.Event{Kind: spoor.EventAccepted, ID: []byte(id), UID: int32(uid), PID: int32(qp), Size: 1000, Address: []byte(sender)})
}

func (p *tape) start(n int, id, channel, address string) *tape {
	e := spoor.Event{Kind: spoor.EventAttempt, ID: []byte(id), Delivery: uint64(n), Address: []byte(address), Channel: spoor.ChannelRemote}
	if channel == "local" {
		e.Channel = spoor.ChannelLocal
	}
	return p.add(e)
}

func (p *tape) done(n int, kind spoor.EventKind, answer spoor.Answer, words string) *tape {
	return p.add(spoor.Event{Kind: kind, Delivery: uint64(n), Answer: answer, Text: []byte(words)})
}

func (p *tape) end(id string) *tape {
	return p.add(spoor.Event{Kind: spoor.EventEnded, ID: []byte(id)})
}

func (p *tape) connect(client string, pid int) *tape {
	return p.add(spoor.Event{Kind: spoor.EventConnect, Client: []byte(client), PID: int32(pid)})
}

func (p *tape) login(account, client string) *tape {
	return p.add(spoor.Event{Kind: spoor.EventLogin, Address: []byte(account), Client: []byte(client), PID: -1})
}

func (p *tape) failedLogin(account, client string) *tape {
	return p.add(spoor.Event{Kind: spoor.EventLoginFailed, Address: []byte(account), Client: []byte(client), PID: -1})
}

func (p *tape) bounce(id string, qp int) *tape {
	return p.add(spoor.Event{Kind: spoor.EventBounced, ID: []byte(id), PID: int32(qp)})
}

// sources joins the tape, without a queue, and returns what came of it.
func (p *tape) sources(t *testing.T) map[string]spoor.Traffic {
	t.Helper()
	return p.sourcesBy(t, testFacts())
}

func (p *tape) sourcesBy(t *testing.T, facts Facts) map[string]spoor.Traffic {
	t.Helper()
	tracer := New(facts)
	j := tracer.NewJournal()
	if err := j.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
		t.Fatal(err)
	}
	tracer.UseLog(j, func(what string, id spoor.QueueID, place spoor.LogPlace) spoor.Evidence {
		return spoor.Evidence{What: what, ID: id, File: "/var/log/maillog", Line: int(place.Line)}
	})
	found := map[string]spoor.Traffic{}
	for _, one := range slices.Concat(tracer.NewLedger().Join(), slices.Collect(j.Minor())) {
		found[one.Source.String()] = one
	}
	return found
}

// figures are what a test compares.
func figures(h *spoor.History) string {
	if h == nil {
		return "nothing"
	}
	return fmt.Sprintf("%d messages %d recipients %d delivered %d failed %d deferrals %d waiting",
		h.Accepted, h.Recipients, h.Delivered, h.Failed, h.Deferrals, h.Waiting)
}

func wantFigures(t *testing.T, found map[string]spoor.Traffic, source, want string) {
	t.Helper()
	if got := figures(found[source].History); got != want {
		t.Errorf("%s: %s, want %s (sources: %v)", source, got, want, keys(found))
	}
}

func keys(found map[string]spoor.Traffic) []string {
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestARetriedRecipientCountsOnce(t *testing.T) {
	p := newTape().info("7", 10003, 100, "a@site1.test").
		start(1, "7", "remote", "x@far.test").start(2, "7", "remote", "y@far.test").
		done(1, spoor.EventDeferred, spoor.AnswerRate, "421 too many").done(2, spoor.EventDelivered, 0, "ok").
		wait(400*time.Second).start(3, "7", "remote", "x@far.test").done(3, spoor.EventDeferred, spoor.AnswerRate, "421 too many").
		wait(1200*time.Second).start(4, "7", "remote", "x@far.test").done(4, spoor.EventFailed, spoor.AnswerUserUnknown, "550 no").end("7")
	wantFigures(t, p.sources(t), "site:site1.test", "1 messages 2 recipients 1 delivered 1 failed 2 deferrals 0 waiting")
}

func TestARecipientThatIsNamedTwiceCountsTwice(t *testing.T) {
	p := newTape().info("7", 10003, 100, "a@site1.test").
		start(1, "7", "remote", "x@far.test").start(2, "7", "remote", "x@far.test").
		done(1, spoor.EventDelivered, 0, "ok").done(2, spoor.EventDelivered, 0, "ok").end("7")
	wantFigures(t, p.sources(t), "site:site1.test", "1 messages 2 recipients 2 delivered 0 failed 0 deferrals 0 waiting")
}

func TestAQueueIDIsUsedAgain(t *testing.T) {
	p := newTape().info("7", 10003, 100, "a@site1.test").start(1, "7", "remote", "x@far.test").done(1, spoor.EventDelivered, 0, "ok").end("7").
		info("7", 1000, 101, "jane@here.test").start(2, "7", "remote", "x@far.test").done(2, spoor.EventDelivered, 0, "ok").end("7").
		info("8", 10003, 102, "a@site1.test"). // its end is not in the log
		info("8", 1000, 103, "jane@here.test")
	found := p.sources(t)
	wantFigures(t, found, "site:site1.test", "2 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "user:jane", "2 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

func TestDeliveryNumbersBeginAnewAfterARestart(t *testing.T) {
	p := newTape().info("7", 10003, 100, "a@site1.test").start(1, "7", "remote", "x@far.test").
		add(spoor.Event{Kind: spoor.EventStopped}).
		info("8", 1000, 101, "jane@here.test").start(1, "8", "remote", "z@far.test").start(2, "7", "remote", "x@far.test").
		done(1, spoor.EventFailed, spoor.AnswerUserUnknown, "no").done(2, spoor.EventDelivered, 0, "ok")
	found := p.sources(t)
	wantFigures(t, found, "site:site1.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "user:jane", "1 messages 1 recipients 0 delivered 1 failed 0 deferrals 0 waiting")
}

func TestALogThatBeginsAfterTheMessageBlamesNobody(t *testing.T) {
	p := newTape().start(900, "7", "remote", "x@far.test").done(900, spoor.EventDelivered, 0, "ok").end("7").
		done(4, spoor.EventFailed, spoor.AnswerUserUnknown, "no")
	found := p.sources(t)
	wantFigures(t, found, "unknown", "0 messages 0 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	if len(found) != 1 {
		t.Errorf("sources %v, want unknown alone", keys(found))
	}
}

func TestASessionsMailIsItsAccounts(t *testing.T) {
	p := newTape().connect("198.51.100.7", -1).login("info@site1.test", "198.51.100.7").
		wait(30*time.Millisecond).info("7", 2020, 100, "forged@far.test").
		wait(time.Second).info("8", 2020, 102, "forged2@far.test")
	found := p.sources(t)
	wantFigures(t, found, "account:info@site1.test", "2 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	one := found["account:info@site1.test"]
	if one.History.Inferred != 2 || one.Confidence > sureInferred {
		t.Errorf("%d inferred, confidence %v: a join by time is no proof", one.History.Inferred, one.Confidence)
	}
	if one.History.Logins != 1 || one.History.Clients.Distinct != 1 {
		t.Errorf("%d logins from %d clients, want 1 from 1", one.History.Logins, one.History.Clients.Distinct)
	}
}

func TestAFailedLoginSendsNothing(t *testing.T) {
	p := newTape().connect("203.0.113.9", -1).failedLogin("info@site1.test", "203.0.113.9").
		wait(30*time.Millisecond).connect("198.51.100.7", -1).
		wait(30*time.Millisecond).info("7", 2020, 100, "someone@far.test")
	found := p.sources(t)
	wantFigures(t, found, "network:198.51.100.7", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	if _, ok := found["account:info@site1.test"]; ok {
		t.Error("a failed login made a source")
	}
}

func TestOfTwoSessionsTheSendersOwnSends(t *testing.T) {
	p := newTape().login("info@site1.test", "198.51.100.7").wait(5*time.Millisecond).
		login("sales@here.test", "198.51.100.8").wait(20*time.Millisecond).
		info("7", 2020, 100, "sales@here.test").info("8", 2020, 102, "info@site1.test")
	found := p.sources(t)
	wantFigures(t, found, "account:sales@here.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "account:info@site1.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
}

func TestAConnectionOfTcpserverIsKnownByItsPID(t *testing.T) {
	p := newTape().connect("198.51.100.7", 500).connect("198.51.100.8", 510).
		info("7", 2020, 502, "a@far.test").info("8", 2020, 512, "b@far.test")
	found := p.sources(t)
	wantFigures(t, found, "network:198.51.100.7", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:198.51.100.8", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
}

func TestABacklogDoesNotMoveAMessageToALaterSession(t *testing.T) {
	p := newTape().connect("198.51.100.7", -1).login("info@site1.test", "198.51.100.7").wait(30 * time.Millisecond)
	p.add(spoor.Event{Kind: spoor.EventHandover, PID: 98, Address: []byte("forged@far.test")})
	p.add(spoor.Event{Kind: spoor.EventHandover, PID: 98, Address: []byte("x@far.test"), Channel: spoor.ChannelRemote})
	p.wait(20*time.Minute).login("sales@here.test", "198.51.100.8").wait(30*time.Millisecond).info("7", 2020, 100, "forged@far.test")
	wantFigures(t, p.sources(t), "account:info@site1.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
}

func TestBackscatterIsNamedAfterTheDomainThatCausedIt(t *testing.T) {
	p := newTape().connect("203.0.113.9", 500).info("7", 2020, 501, "victim@far.test").
		start(1, "7", "local", "nobody@here.test").done(1, spoor.EventFailed, spoor.AnswerUserUnknown, "no mailbox").
		bounce("7", 600).end("7").info("8", 2522, 600, "").start(2, "8", "remote", "victim@far.test")
	found := p.sources(t)
	wantFigures(t, found, "bounce:here.test", "1 messages 1 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	if cause := found["bounce:here.test"].Cause.String(); cause != "network:203.0.113.9" {
		t.Errorf("cause %s, want the client that sent it", cause)
	}
	if n := found["network:203.0.113.9"].History.Bounces; n != 1 {
		t.Errorf("%d bounces because of the client, want 1", n)
	}
}

func TestAPIDOfABounceThatIsNotInTheLogIsUsedAgain(t *testing.T) {
	p := newTape().info("7", 1000, 501, "jane@here.test").start(1, "7", "remote", "x@far.test").done(1, spoor.EventFailed, spoor.AnswerUserUnknown, "").
		bounce("7", 600).end("7").wait(24*time.Hour).info("8", 10003, 600, "").start(2, "8", "remote", "y@far.test")
	wantFigures(t, p.sources(t), "site:site1.test", "1 messages 1 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
}

func TestAForwardIsNamedWhicheverLineComesFirst(t *testing.T) {
	forwarded := func(p *tape) *tape { return p.done(1, spoor.EventDelivered, 0, "did_0+1+0/qp_600/") }
	child := func(p *tape) *tape { return p.info("8", 2021, 600, "a@far.test") }
	for name, order := range map[string][]func(*tape) *tape{"parent first": {forwarded, child}, "child first": {child, forwarded}} {
		p := newTape().connect("203.0.113.9", 500).info("7", 2020, 501, "a@far.test").start(1, "7", "local", "alias-shop@here.test")
		for _, step := range order {
			p = step(p)
		}
		t.Run(name, func(t *testing.T) {
			found := p.sources(t)
			wantFigures(t, found, "forward:shop@here.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
		})
	}
}

func TestEveryRecipientIsCountedUnderOneSource(t *testing.T) {
	p := newTape()
	for i := range 50 {
		id := fmt.Sprint(100 + i)
		p.connect(fmt.Sprintf("198.51.100.%d", i), -1).wait(time.Duration(i) * time.Millisecond)
		p.info(id, []int{2020, 10003, 1000, 0}[i%4], 1000+i, fmt.Sprintf("u%d@far.test", i))
		p.start(2*i+1, id, "remote", "x@far.test").start(2*i+2, id, "remote", "y@far.test").done(2*i+1, spoor.EventDelivered, 0, "ok")
	}
	messages, recipients := 0, 0
	for _, one := range p.sources(t) {
		messages += one.History.Accepted
		recipients += one.History.Recipients
	}
	if messages != 50 || recipients != 100 {
		t.Errorf("%d messages, %d recipients in all; want 50, 100", messages, recipients)
	}
}

func TestStuckGroupsByWhatTheReceiverSays(t *testing.T) {
	p := newTape()
	for i := range 3 {
		id := fmt.Sprint(i)
		p.info(id, 10003, 100+i, "a@site1.test").start(i+1, id, "remote", fmt.Sprintf("u%d@Far.test", i)).
			done(i+1, spoor.EventDeferred, spoor.AnswerRate, fmt.Sprintf("203.0.113.%d_does_not_like_recipient./Remote_host_said:_421_<u%d@far.test>_too_many", i, i))
	}
	tracer := New(testFacts())
	j := tracer.NewJournal()
	if err := j.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
		t.Fatal(err)
	}
	list := j.Stuck()
	if len(list) != 1 || list[0].Recipients != 3 || list[0].Domain != "far.test" || list[0].Messages != 3 || list[0].Place.Line != 3 {
		t.Errorf("%+v, want one group of three", list)
	}
}

func TestALoginNamesTheAccountOfAQueuedMessage(t *testing.T) {
	p := newTape().connect("192.0.2.9", -1).login("info@site1.test", "192.0.2.9")
	tracer, j := readTape(t, p)
	m := queued("7", p.now.Add(3*time.Second), netHop("", false))
	a := tracer.Attribute(m)
	if a.Source.String() != "account:info@site1.test" || !a.Inferred || a.Confidence != sureLogin {
		t.Errorf("%s, inferred %v, %v: want the account that had logged in", a.Source, a.Inferred, a.Confidence)
	}
	late := queued("8", p.now.Add(2*loginReach), netHop("", false))
	if a := tracer.Attribute(late); a.Source.String() != "network:192.0.2.9" {
		t.Errorf("%s, want the address: the login is too long ago", a.Source)
	}
	early := queued("9", p.now.Add(-time.Minute), netHop("", false))
	if a := tracer.Attribute(early); a.Source.String() != "network:192.0.2.9" {
		t.Errorf("%s, want the address: the login came later", a.Source)
	}
	_ = j
}

func TestALoginNeverOutranksTheHeader(t *testing.T) {
	p := newTape().connect("192.0.2.9", -1).login("sales@here.test", "192.0.2.9")
	tracer, _ := readTape(t, p)
	a := tracer.Attribute(queued("7", p.now.Add(time.Second), netHop("info@site1.test", true)))
	if a.Source.String() != "account:info@site1.test" || a.Inferred {
		t.Errorf("%s, want the account in the header", a.Source)
	}
	if !slices.ContainsFunc(a.Conflicts, func(e spoor.Evidence) bool { return e.What == "log-login" }) {
		t.Errorf("conflicts %v do not show the login", a.Conflicts)
	}
}

func TestQueueAndLogCountAMessageOnce(t *testing.T) {
	p := newTape().info("7", 10003, 100, "a@site1.test").start(1, "7", "remote", "x@far.test").done(1, spoor.EventDeferred, spoor.AnswerRate, "later").
		info("8", 10003, 101, "a@site1.test").start(2, "8", "remote", "x@far.test").done(2, spoor.EventDelivered, 0, "ok").end("8")
	tracer, _ := readTape(t, p)
	ledger := tracer.NewLedger()
	known, unknown := queued("7", p.now, uidHop(10003)), queued("9", p.now, uidHop(10003))
	known.Trail.Hops[0].PID, unknown.Trail.Hops[0].PID = 100, 300
	known.Recipients.Add(spoor.ChannelRemote, false, []byte("x@far.test"))
	known.Recipients.Add(spoor.ChannelRemote, false, []byte("not-yet-tried@far.test"))
	unknown.Recipients.Add(spoor.ChannelRemote, false, []byte("z@far.test"))
	ledger.Add(known)
	ledger.Add(unknown)
	list := ledger.Join()
	if len(list) != 1 {
		t.Fatalf("%d sources, want 1", len(list))
	}
	one := list[0]
	if one.Messages != 2 || one.History.Accepted != 2 || one.TotalRecipients() != 4 || one.Unlogged != 1 {
		t.Errorf("queued %d, accepted %d, recipients %d, unlogged %d; want 2, 2, 4, 1", one.Messages, one.History.Accepted, one.TotalRecipients(), one.Unlogged)
	}
}

func TestAMessageThatTheLogHasOnlyTheTriesOfCountsByTheQueue(t *testing.T) {
	p := newTape().start(1, "7", "remote", "x@far.test").done(1, spoor.EventDeferred, spoor.AnswerRate, "later")
	tracer, _ := readTape(t, p)
	ledger := tracer.NewLedger()
	m := queued("7", p.now, uidHop(10003))
	m.Recipients.Add(spoor.ChannelRemote, false, []byte("x@far.test"))
	m.Recipients.Add(spoor.ChannelRemote, false, []byte("y@far.test"))
	ledger.Add(m)
	for _, one := range ledger.Join() {
		if one.Messages == 1 && (one.TotalRecipients() != 2 || one.Unlogged != 1 || one.History.Deferrals != 1) {
			t.Errorf("recipients %d, unlogged %d, deferrals %d; want 2, 1, 1", one.TotalRecipients(), one.Unlogged, one.History.Deferrals)
		}
	}
}

func TestAnotherMessageOfTheSameIDIsNotInTheLog(t *testing.T) {
	p := newTape().info("7", 10003, 100, "a@site1.test")
	tracer, j := readTape(t, p)
	m := queued("7", p.now, uidHop(1000))
	m.Trail.Hops[0].PID = 4711
	if j.find(m) != nil {
		t.Error("a message that another process queued was taken for the one in the log")
	}
	_ = tracer
}

// readTape is a tracer that knows the log of a tape.
func readTape(t *testing.T, p *tape) (*Tracer, *Journal) {
	t.Helper()
	tracer := New(testFacts())
	j := tracer.NewJournal()
	if err := j.Add(&spoor.Block{FirstLine: 1, Events: p.events}); err != nil {
		t.Fatal(err)
	}
	tracer.UseLog(j, func(what string, id spoor.QueueID, place spoor.LogPlace) spoor.Evidence {
		return spoor.Evidence{What: what, ID: id, File: "/var/log/maillog", Line: int(place.Line)}
	})
	return tracer, j
}

func queued(id spoor.QueueID, arrived spoor.Stamp, hop spoor.Hop) *spoor.Message {
	return &spoor.Message{
		ID: id, Arrived: arrived.Time(), CallerUID: -1, CallerGID: -1, HasEnvelope: true, Sender: "a@site1.test",
		Trail: spoor.Trail{Hops: []spoor.Hop{hop}},
	}
}

func TestLongNamesTakeNoMemory(t *testing.T) {
	long := strings.Repeat("x", 4000)
	j := New(testFacts()).NewJournal()
	p := newTape()
	for i := range 3 {
		p.failedLogin(fmt.Sprint(long, i), "203.0.113.9")
		p.client("4A", "198.51.100.7", "anna@here.test").queued("4A", fmt.Sprintf("%s%d@%s%d.test", long, i, long, i), 1).removed("4A")
		p.client("4B", "198.51.100.7", "anna@here.test").queued("4B", fmt.Sprintf("%s%d@far.test", long, i), 1).removed("4B")
	}
	if err := j.Add(&spoor.Block{Events: p.events}); err != nil {
		t.Fatal(err)
	}
	if len(j.failed) > 0 {
		t.Errorf("%d failed logins are kept", len(j.failed))
	}
	for _, name := range j.domains.names {
		if len(name) > longestDomain {
			t.Errorf("a domain of %d bytes is kept", len(name))
		}
	}
	h := j.history(j.account([]byte("anna@here.test")))
	if h.ForeignSender != 6 {
		t.Errorf("%d foreign senders", h.ForeignSender)
	}
	for _, one := range h.Senders.Top {
		if len(one.Value) > longestAddress {
			t.Errorf("a sender of %d bytes is kept", len(one.Value))
		}
	}
}

func TestTheCausesOfASourceAreBounded(t *testing.T) {
	p := newTape()
	for i := range spoor.MaxDistinct + 10 {
		p.client("4A", fmt.Sprintf("203.0.%d.%d", i>>8, i&255), "").queued("4A", "s@far.test", 1).
			to("4A", "owner@other.test", "sent", "for=info@here.test").removed("4A")
	}
	p.wait(time.Minute).status()
	j := New(testFacts()).NewJournal()
	if err := j.Add(&spoor.Block{Events: p.events}); err != nil {
		t.Fatal(err)
	}
	b := j.book(spoor.Source{Kind: spoor.KindForward, Name: "info@here.test"}, -1)
	if int(b.accepted) != spoor.MaxDistinct+10 || len(b.causes) != spoor.MaxDistinct {
		t.Errorf("%d messages of %d causes", b.accepted, len(b.causes))
	}
}
