package trace

import (
	"net/netip"
	"testing"
	"time"

	"spoor"
)

// smtpd adds the line of a server that has handed a message over. session is 0 where
// the server itself knows the login.
func (p *tape) smtpd(qp, session int, sender, account, client string) *tape {
	e := spoor.Event{Kind: spoor.EventReceived, PID: int32(qp), Key: uint64(session), Address: []byte(sender), Client: []byte(client)}
	if account != "" {
		e.Account = []byte(account)
	}
	return p.add(e)
}

// smtpdLogin adds a login that names the process alone.
func (p *tape) smtpdLogin(account string, session int) *tape {
	return p.add(spoor.Event{Kind: spoor.EventLogin, Address: []byte(account), PID: int32(session)})
}

const oneMessage = "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting"

func TestALoginIsKnownByThePIDThatQueuedTheMessage(t *testing.T) {
	proven := func() *tape { return newTape().smtpdLogin("anna@here.test", 11).wait(time.Second) }
	for name, p := range map[string]*tape{
		"before the message": proven().smtpd(12, 11, "anna@here.test", "anna@here.test", "192.0.2.4").wait(time.Second).info("7", 2020, 12, "anna@here.test"),
		"after it":           proven().info("7", 2020, 12, "anna@here.test").wait(2*time.Second).smtpd(12, 11, "anna@here.test", "anna@here.test", "192.0.2.4"),
		"after its end":      proven().smtpd(5, 4, "x@far.test", "", "192.0.2.9").info("7", 2020, 12, "anna@here.test").end("7").wait(time.Second).smtpd(12, 11, "anna@here.test", "anna@here.test", "192.0.2.4"),
		"by the mail system's user": proven().smtpd(12, 11, "anna@here.test", "anna@here.test", "192.0.2.4").
			wait(time.Second).info("7", 110, 12, "anna@here.test"),
	} {
		found := p.sources(t)
		wantFigures(t, found, "account:anna@here.test", oneMessage)
		h := found["account:anna@here.test"].History
		if h == nil || h.Inferred != 0 || found["account:anna@here.test"].Confidence != sureReceipt || h.Clients.Distinct != 1 {
			t.Errorf("%s: %+v: the PID is a record", name, found["account:anna@here.test"])
		}
		if len(found) != 1 {
			t.Errorf("%s: sources %v", name, keys(found))
		}
	}
}

func TestAServersLineOfOneMessageAfterAnother(t *testing.T) {
	p := newTape().connect("192.0.2.4", 11).smtpdLogin("anna@here.test", 11).connect("192.0.2.5", 21).smtpd(5, 4, "x@far.test", "", "192.0.2.9")
	for i, id := range []string{"7", "8", "9"} {
		p.wait(time.Second).info(id, 2020, 100+2*i, "anna@here.test").info("1"+id, 2020, 101+2*i, "anna@here.test").
			start(10*i+1, id, "local", "x@here.test").end(id).start(10*i+2, "1"+id, "remote", "x@far.test").
			smtpd(100+2*i, 11, "anna@here.test", "anna@here.test", "192.0.2.4").smtpd(101+2*i, 21, "anna@here.test", "", "192.0.2.5").end("1" + id)
	}
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "3 messages 3 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:192.0.2.5", "3 messages 3 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	if len(found) != 2 || found["network:192.0.2.5"].History.Inferred != 0 {
		t.Errorf("sources %v", keys(found))
	}
}

func TestAForwardOfAMessageThatIsToldOfLaterHasItsCause(t *testing.T) {
	p := newTape().smtpd(5, 4, "x@far.test", "", "192.0.2.9").wait(time.Minute).
		smtpd(12, 11, "a@far.test", "", "192.0.2.4").info("7", 2020, 12, "a@far.test").
		start(1, "7", "local", "info@here.test").done(1, spoor.EventDelivered, 0, "did_0+0+1/qp_20/").end("7").
		info("8", 2021, 20, "a@far.test").end("8")
	if cause := p.sources(t)["forward:info@here.test"].Cause.String(); cause != "network:192.0.2.4" {
		t.Errorf("cause %s", cause)
	}
}

// TestNobodyPassesForAnother holds lines that name an account which did not send.
func TestNobodyPassesForAnother(t *testing.T) {
	const victim, client = "victim@here.test", "203.0.113.9"
	line := func(p *tape) *tape { return p.smtpd(12, 11, "a@far.test", victim, client) }
	info := func(p *tape) *tape { return p.info("7", 2020, 12, "a@far.test") }
	for name, p := range map[string]*tape{
		"no login was let in":               info(line(newTape())),
		"the login was another process's":   info(line(newTape().smtpdLogin(victim, 10))),
		"the login was another client's":    info(line(newTape().connect("192.0.2.1", 11).smtpdLogin(victim, 11))),
		"the login was long ago":            info(line(newTape().smtpdLogin(victim, 11).wait(2 * time.Hour))),
		"the process is a new connection":   info(line(newTape().connect("192.0.2.1", 11).smtpdLogin(victim, 11).wait(time.Second).connect(client, 11))),
		"the login failed":                  info(line(newTape().failedLogin(victim, client))),
		"the sender is another":             newTape().smtpdLogin(victim, 11).smtpd(12, 11, victim, victim, "192.0.2.1").info("7", 2020, 12, "a@far.test"),
		"the PID is another":                info(newTape().smtpdLogin(victim, 11).smtpd(13, 11, "a@far.test", victim, "192.0.2.1")),
		"the PID was used long before":      info(line(newTape().smtpdLogin(victim, 11)).wait(2 * time.Hour)),
		"the line came long after":          line(info(line(newTape()).wait(time.Second)).smtpdLogin(victim, 11).wait(time.Minute)),
		"another line says otherwise":       info(line(newTape().smtpdLogin(victim, 11)).wait(time.Second).smtpd(12, 30, "a@far.test", "", client)),
		"another line says so later":        info(line(newTape().smtpdLogin(victim, 11))).wait(time.Second).smtpd(12, 30, "a@far.test", "", client),
		"two lines about one that has left": info(line(newTape().smtpdLogin(victim, 11))).end("7").wait(time.Second).smtpd(12, 0, "a@far.test", "", client),
	} {
		found := p.sources(t)
		if h := found["account:"+victim].History; h != nil && h.Accepted > 0 {
			t.Errorf("%s: %s", name, figures(h))
		}
		total := 0
		for _, one := range found {
			total += one.History.Accepted
		}
		if total != 1 {
			t.Errorf("%s: %d messages of %v, want 1", name, total, keys(found))
		}
	}
}

func TestWordsOfAFailedLoginAreNotBelieved(t *testing.T) {
	failed := spoor.Event{Kind: spoor.EventLoginFailed, Text: []byte("failed type=plain user=<x")}
	p := newTape().add(failed).smtpdLogin("victim@here.test", 11).smtpd(12, 11, "a@far.test", "victim@here.test", "192.0.2.1").
		smtpd(12, 0, "a@far.test", "victim@here.test", "192.0.2.1").connect("192.0.2.1", 11).
		wait(time.Second).info("7", 2020, 12, "a@far.test")
	wantFigures(t, p.sources(t), "unknown", oneMessage)
}

func TestNoWrapperIsSupposedWherePIDsAgree(t *testing.T) {
	p := newTape().smtpd(5, 4, "x@far.test", "", "192.0.2.1").info("5", 2020, 5, "x@far.test").
		smtpd(10, 9, "a@far.test", "", "192.0.2.4").info("7", 2020, 12, "a@far.test")
	wantFigures(t, p.sources(t), "unknown", oneMessage)
}

func TestTheLineOfAWrapperIsAnInference(t *testing.T) {
	p := newTape().smtpd(12, 11, "a@far.test", "", "192.0.2.4").info("7", 2020, 15, "a@far.test").end("7").wait(time.Second).
		info("8", 2020, 30, "b@far.test").smtpd(28, 11, "b@far.test", "", "192.0.2.4").end("8").wait(time.Second).
		smtpd(42, 41, "c@far.test", "", "192.0.2.5").smtpd(43, 40, "c@far.test", "", "192.0.2.6").info("9", 2020, 45, "c@far.test")
	found := p.sources(t)
	wantFigures(t, found, "network:192.0.2.4", "2 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "unknown", oneMessage)
	if found["network:192.0.2.4"].History.Inferred != 2 {
		t.Error("the PIDs differ")
	}
}

func TestASessionWithoutALoginIsItsClients(t *testing.T) {
	p := newTape().connect("192.0.2.4", 11).connect("192.0.2.5", 21).smtpdLogin("anna@here.test", 21).
		smtpd(12, 11, "a@far.test", "anna@here.test", "192.0.2.4").info("7", 2020, 12, "a@far.test")
	found := p.sources(t)
	wantFigures(t, found, "network:192.0.2.4", oneMessage)
	if found["network:192.0.2.4"].History.Inferred != 1 {
		t.Error("a line that is missing is no record")
	}
}

func TestALineWithoutTheLoginOfItsSessionIsNotBelieved(t *testing.T) {
	p := newTape().connect("192.0.2.4", 1).smtpdLogin("anna@here.test", 1).smtpd(99, 1, "a@far.test", "", "192.0.2.4").info("7", 2020, 99, "a@far.test")
	wantFigures(t, p.sources(t), "unknown", oneMessage)
}

func TestATenantsMessageIsHisWhateverAServerSays(t *testing.T) {
	p := newTape().smtpd(12, 0, "a@site1.test", "victim@here.test", "192.0.2.1").info("7", 10003, 12, "a@site1.test")
	wantFigures(t, p.sources(t), "site:site1.test", oneMessage)
}

func TestALoginOfTheSameClientIsAnInference(t *testing.T) {
	p := newTape().login("anna@here.test", "192.0.2.4").wait(time.Second).smtpd(12, 11, "a@far.test", "anna@here.test", "192.0.2.4").info("7", 2020, 12, "a@far.test")
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", oneMessage)
	if found["account:anna@here.test"].History.Inferred != 1 {
		t.Error("the line names the client alone")
	}
}

func TestTheQueueAgreesWithTheServersLine(t *testing.T) {
	f := func(name string, p *tape, hop spoor.Hop, want string) {
		t.Helper()
		tracer, _ := readTape(t, p)
		hop.PID, hop.Client = 12, netip.MustParseAddr("192.0.2.4")
		m := message(hop)
		m.ID, m.Arrived = "7", p.now.Time()
		if a := tracer.Attribute(m); a.Source.String() != want || a.Inferred {
			t.Errorf("%s: %s, inferred %v, want %s", name, a.Source, a.Inferred, want)
		}
	}
	f("a login that spamdyke took", newTape().smtpd(12, 0, "a@far.test", "anna@here.test", "192.0.2.4").info("7", 2020, 12, "a@far.test"), netHop("", false), "account:anna@here.test")
	f("no login after one of the same client", newTape().login("anna@here.test", "192.0.2.4").wait(time.Second).smtpd(12, 11, "a@far.test", "", "192.0.2.4").info("7", 2020, 12, "a@far.test"),
		netHop("", false), "network:192.0.2.4")
	f("the header proves a login", newTape().smtpd(12, 11, "a@far.test", "", "192.0.2.4").info("7", 2020, 12, "a@far.test"), netHop("anna@here.test", true), "account:anna@here.test")
	f("another client", newTape().smtpd(12, 0, "a@far.test", "anna@here.test", "192.0.2.5").info("7", 2020, 12, "a@far.test"), netHop("", false), "network:192.0.2.4")
}
