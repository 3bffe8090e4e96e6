package trace

import (
	"testing"
	"time"

	"spoor"
)

func (p *tape) notification() *tape {
	return p.keyed(spoor.EventBounced, "4A", func(e *spoor.Event) { e.Related = []byte("5B") })
}

func TestTrap04MailThroughAFilterIsOneMessage(t *testing.T) {
	in := func() *tape {
		return newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 2)
	}
	out := func(p *tape) *tape {
		return p.named("5B", "<1>").queued("5B", "anna@here.test", 2)
	}
	handed := func(p *tape, next ...string) *tape {
		next = append(next, "passed")
		return p.to("4A", "x@far.test", "sent", next...).to("4A", "y@far.test", "sent", next...).removed("4A")
	}
	finish := func(p *tape) *tape {
		return p.to("5B", "x@far.test", "sent").wait(time.Minute).to("5B", "y@far.test", "bounced").removed("5B").wait(time.Minute).status()
	}
	for name, p := range map[string]*tape{
		"the filter passes the ID on": finish(handed(out(in().keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) {
			e.Client, e.Related = []byte("127.0.0.1"), []byte("4A")
		})), "next=5B")),
		"it has left when the filter's answer comes": handed(finish(out(in().keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) {
			e.Client, e.Related = []byte("127.0.0.1"), []byte("4A")
		}))), "next=5B").wait(time.Minute).status(),
		"and its ID is in use again": handed(finish(out(in().keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) {
			e.Client, e.Related = []byte("127.0.0.1"), []byte("4A")
		}))).client("5B", "203.0.113.9", ""), "next=5B").wait(time.Minute).status(),
		"the filter's answer has the new ID":           finish(handed(out(in().client("5B", "127.0.0.1", "")), "next=5B")),
		"only the Message-ID is the same, by SMTP":     finish(handed(out(in().client("5B", "127.0.0.1", "")))),
		"by SMTP, after the filter's answer":           finish(out(handed(in()).wait(time.Second).client("5B", "127.0.0.1", ""))),
		"only the Message-ID is the same, by sendmail": finish(handed(out(in().pickup(110)))),
		"the filter's sendmail comes later":            finish(out(handed(in()).wait(time.Second).pickup(110))),
	} {
		t.Run(name, func(t *testing.T) {
			found := p.sources(t)
			wantFigures(t, found, "account:anna@here.test", "1 messages 2 recipients 1 delivered 1 failed 0 deferrals 0 waiting")
			if len(found) != 1 {
				t.Errorf("%v", keys(found))
			}
		})
	}
}

func TestTheSenderOfAMessageThatGoesOnCountsOnce(t *testing.T) {
	for _, account := range []string{"anna@here.test", ""} {
		in := func() *tape {
			return newTape().client("4A", "203.0.113.9", account).named("4A", "<1>").queued("4A", "anna@here.test", 1)
		}
		byID := in().keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) { e.Client, e.Related = []byte("127.0.0.1"), []byte("4A") })
		byAnswer := in().client("5B", "127.0.0.1", "").named("5B", "<1>")
		for _, p := range []*tape{byID, byAnswer} {
			p.queued("5B", "anna@here.test", 1).to("4A", "x@far.test", "sent", "next=5B", "passed").removed("4A").to("5B", "x@far.test", "sent").removed("5B")
			for name, found := range p.sources(t) {
				if senders := found.History.Senders; len(senders.Top) != 1 || senders.Top[0].Count != 1 {
					t.Errorf("%s: %+v", name, senders)
				}
			}
		}
	}
}

func TestAMessageIDAloneJoinsNothingThatAUserHandsOver(t *testing.T) {
	p := newTape().sent("4A", "anna@here.test")
	p.pickup(10003).named("5B", "<4Aanna@here.test>").queued("5B", "anna@here.test", 1).to("5B", "x@far.test", "sent").removed("5B")
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "site:site1.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

// TestAFilterMayAnswerWhenItsMessageHasLeft has a filter that hands a message back
// under its Message-ID alone, and a delivery that is faster than its answer.
func TestAFilterMayAnswerWhenItsMessageHasLeft(t *testing.T) {
	found := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1).
		client("5B", "127.0.0.1", "").named("5B", "<1>").queued("5B", "anna@here.test", 1).to("5B", "x@far.test", "sent").removed("5B").
		wait(time.Second).to("4A", "x@far.test", "sent", "passed").removed("4A").wait(time.Minute).status().sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:127.0.0.1", "nothing")
}

// A program of this machine that writes the Message-ID of a message that it has seen
// on its own does not become that message's sender, nor is it counted as nothing.
func TestAMessageIDAloneJoinsNothingThatNoFilterHadBefore(t *testing.T) {
	const one, none = "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting", "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting"
	f := func(name, annas string, p *tape) {
		t.Helper()
		p.client("5B", "127.0.0.1", "").named("5B", "<1>").queued("5B", "s@far.test", 1).to("5B", "y@far.test", "sent").removed("5B").wait(time.Minute).status()
		t.Run(name, func(t *testing.T) {
			found := p.sources(t)
			wantFigures(t, found, "account:anna@here.test", annas)
			wantFigures(t, found, "network:127.0.0.1", one)
		})
	}
	annas := func() *tape {
		return newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1)
	}
	f("delivered elsewhere", one, annas().to("4A", "x@far.test", "sent").removed("4A"))
	f("delivered into a mailbox", one, annas().to("4A", "bob@here.test", "sent", "local").removed("4A"))
	f("on its way", none, annas().to("4A", "x@far.test", "deferred"))
	f("handed back already", one, annas().client("6C", "127.0.0.1", "").named("6C", "<1>").queued("6C", "anna@here.test", 1).to("4A", "x@far.test", "sent", "passed").removed("4A").
		to("6C", "x@far.test", "sent").removed("6C"))
	f("handed back later", one, annas().to("4A", "x@far.test", "sent", "passed").removed("4A").client("6C", "127.0.0.1", "").named("6C", "<1>").queued("6C", "anna@here.test", 1).
		to("6C", "x@far.test", "sent").removed("6C"))
	f("handed back already, under another ID", one, annas().client("6C", "127.0.0.1", "").named("6C", "<1>").queued("6C", "anna@here.test", 1).to("4A", "x@far.test", "sent", "next=6C", "passed").removed("4A").
		to("6C", "x@far.test", "sent").removed("6C"))
}

func TestAMessageIDThatOthersHaveSeenJoinsNothingLater(t *testing.T) {
	p := newTape().sent("4A", "anna@here.test").wait(time.Hour)
	p.client("5B", "127.0.0.1", "").named("5B", "<4Aanna@here.test>").queued("5B", "anna@here.test", 1).to("5B", "x@far.test", "sent").removed("5B").wait(time.Minute).status()
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:127.0.0.1", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

func TestAMessageThatIsQueuedAgainIsStillTheSame(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 2).
		to("4A", "x@far.test", "deferred").to("4A", "y@far.test", "sent").
		keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) { e.UID, e.Related = 2020, []byte("4A") }).
		named("5B", "<1>").queued("5B", "anna@here.test", 1).to("5B", "x@far.test", "sent").removed("5B")
	found := p.sources(t)
	wantFigures(t, found, "account:anna@here.test", "1 messages 2 recipients 2 delivered 0 failed 1 deferrals 0 waiting")
	if len(found) != 1 {
		t.Errorf("%v", keys(found))
	}
}

func TestABounceIsNamedAfterItsCauseBeforeAndAfterItIsTold(t *testing.T) {
	for name, told := range map[string]func(p *tape) *tape{
		"while it is open": func(p *tape) *tape {
			return p.named("5B", "<b>").queued("5B", "", 1).notification().to("5B", "anna@here.test", "sent", "local").removed("5B")
		},
		"when it has left": func(p *tape) *tape {
			return p.named("5B", "<b>").queued("5B", "", 1).to("5B", "anna@here.test", "sent", "local").removed("5B").notification()
		},
		"before it comes": func(p *tape) *tape {
			return p.notification().named("5B", "<b>").queued("5B", "", 1).to("5B", "anna@here.test", "sent", "local").removed("5B")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTape().client("4A", "198.51.100.7", "anna@here.test").queued("4A", "anna@here.test", 1).to("4A", "x@far.test", "bounced")
			found := told(p).removed("4A").sources(t)
			wantFigures(t, found, "bounce:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
			if h := found["account:anna@here.test"].History; h == nil || h.Bounces != 1 {
				t.Errorf("%+v", h)
			}
		})
	}
}

func TestBackscatterIsNamedAfterTheDomainThatTookTheMail(t *testing.T) {
	p := newTape().client("4A", "203.0.113.66", "").named("4A", "<1>").queued("4A", "victim@far.test", 1).to("4A", "nobody@here.test", "bounced").
		named("5B", "<2>").queued("5B", "", 1).notification().removed("4A").to("5B", "victim@far.test", "deferred")
	found := p.sources(t)
	wantFigures(t, found, "bounce:here.test", "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting")
	if cause := found["bounce:here.test"].Cause.String(); cause != "network:203.0.113.66" {
		t.Errorf("cause %s", cause)
	}
}

// What Exim logs of an automatic reply looks like a bounce. The delivery by which it
// was made is told next.
func TestAnAutomaticReplyIsNamedAfterTheMailboxThatAnswers(t *testing.T) {
	begin := func(client string) *tape {
		return newTape().keyed(spoor.EventAccepted, "1a-b-c", func(e *spoor.Event) { e.Client, e.Address = []byte(client), []byte("victim@far.test") })
	}
	reply := func(p *tape) *tape {
		return p.keyed(spoor.EventAccepted, "1a-b-d", func(e *spoor.Event) { e.Related = []byte("1a-b-c") })
	}
	end := func(p *tape) *tape {
		return p.to("1a-b-d", "victim@far.test", "sent").removed("1a-b-d").removed("1a-b-c")
	}
	found := end(reply(begin("198.51.100.7").to("1a-b-c", "boss@here.test", "sent", "local")).to("1a-b-c", "boss@here.test", "sent", "local")).sources(t)
	wantFigures(t, found, "bounce:boss@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	if cause := found["bounce:boss@here.test"].Cause.String(); cause != "network:198.51.100.7" || len(found) != 2 {
		t.Errorf("cause %s, %v", cause, keys(found))
	}
	for _, p := range map[string]*tape{
		"a bounce":                    reply(begin("198.51.100.7").to("1a-b-c", "x@far.test", "bounced")).to("1a-b-c", "boss@here.test", "sent", "local"),
		"a warning":                   reply(begin("198.51.100.7").to("1a-b-c", "x@far.test", "deferred")).to("1a-b-c", "boss@here.test", "sent", "local"),
		"a confirmation at the end":   reply(begin("198.51.100.7").to("1a-b-c", "boss@here.test", "sent", "local")),
		"the next delivery goes away": reply(begin("198.51.100.7")).to("1a-b-c", "x@far.test", "sent"),
	} {
		wantFigures(t, end(p).sources(t), "bounce:198.51.100.7", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	}
}

// An autoreply transport that runs as the user of the mailboxes. Nobody else makes a
// mailbox answer.
func TestAnAutomaticReplyOfTheMailSystemIsOfTheMailboxThatAnswers(t *testing.T) {
	answered := func(login string, also ...string) *tape {
		p := newTape().keyed(spoor.EventAccepted, "1a-b-c", func(e *spoor.Event) { e.Client, e.Address = []byte("198.51.100.7"), []byte("victim@far.test") })
		for _, to := range also {
			p.to("1a-b-c", to, "deferred")
		}
		return p.keyed(spoor.EventAccepted, "1a-b-d", func(e *spoor.Event) { e.Related, e.Login = []byte("1a-b-c"), []byte(login) }).
			to("1a-b-c", "boss@here.test", "sent", "local").to("1a-b-d", "victim@far.test", "sent").removed("1a-b-d").removed("1a-b-c")
	}
	for _, p := range []*tape{answered("popuser"), answered("popuser", "x@far.test")} {
		found := p.sources(t)
		wantFigures(t, found, "bounce:boss@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
		if cause := found["bounce:boss@here.test"].Cause.String(); cause != "network:198.51.100.7" {
			t.Errorf("cause %s", cause)
		}
	}
	wantFigures(t, answered("jane").sources(t), "user:jane", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

func TestAnAliasThatSendsOutIsTheSourceOfWhatComesFromOutside(t *testing.T) {
	p := newTape().client("4A", "203.0.113.66", "").queued("4A", "x@far.test", 2).
		to("4A", "jane@here.test", "sent", "local").to("4A", "me@else.test", "sent", "for=sales@here.test").removed("4A").
		// who logged in is to blame, whatever is between
		client("5B", "198.51.100.7", "anna@here.test").queued("5B", "anna@here.test", 1).to("5B", "me@else.test", "sent", "for=sales@here.test").removed("5B").
		// a recipient elsewhere that was written on it is relayed
		client("6C", "203.0.113.67", "").queued("6C", "x@far.test", 2).
		to("6C", "me@else.test", "sent", "for=sales@here.test").to("6C", "other@else.test", "sent").removed("6C").
		// a bounce that goes back to whose mail was forwarded
		client("7D", "203.0.113.68", "").queued("7D", "", 1).to("7D", "me@else.test", "sent", "for=SRS0=DUUI=JQ=else.test=me@here.test").removed("7D")
	found := p.sources(t)
	wantFigures(t, found, "network:203.0.113.68", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "forward:sales@here.test", "1 messages 2 recipients 2 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:203.0.113.67", "1 messages 2 recipients 2 delivered 0 failed 0 deferrals 0 waiting")
	if cause := found["forward:sales@here.test"].Cause.String(); cause != "network:203.0.113.66" {
		t.Errorf("cause %s", cause)
	}
}

// A client wrote to three addresses here that send mail on, and one of the receivers refuses it.
func TestABounceIsOfTheAliasWhoseMailWasRefused(t *testing.T) {
	p := newTape().client("4A", "203.0.113.66", "").queued("4A", "x@far.test", 3).
		to("4A", "me@else.test", "sent", "for=loop@here.test").to("4A", "gone@else.test", "bounced", "for=old@here.test").
		to("4A", "you@else.test", "sent", "for=sales@here.test").
		named("5B", "<b>").queued("5B", "", 1).notification().removed("4A").to("5B", "x@far.test", "sent").removed("5B")
	found := p.sources(t)
	wantFigures(t, found, "forward:old@here.test", "1 messages 3 recipients 2 delivered 1 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "bounce:old@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

// The instance that sends the mail on, or a filter's way back, has only the recipients
// that the alias stands for.
func TestAnAliasIsTheSourceInTheNextInstanceToo(t *testing.T) {
	in := func() *tape {
		return newTape().client("4A", "203.0.113.66", "").named("4A", "<1>").queued("4A", "x@far.test", 1).
			client("5B", "127.0.0.1", "").named("5B", "<1>").queued("5B", "x@far.test", 1)
	}
	handed := func(p *tape, more ...string) *tape {
		return p.to("4A", "me@else.test", "sent", append(more, "next=5B", "passed")...).removed("4A")
	}
	const one = "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting"
	for name, p := range map[string]*tape{
		"in order":               handed(in(), "for=sales@here.test").to("5B", "me@else.test", "deferred"),
		"the second one is fast": handed(in().to("5B", "me@else.test", "deferred"), "for=sales@here.test"),
	} {
		t.Run(name, func(t *testing.T) {
			found := p.sources(t)
			wantFigures(t, found, "forward:sales@here.test", one)
			wantFigures(t, found, "network:203.0.113.66", "nothing")
		})
	}
	wantFigures(t, handed(in()).to("5B", "me@else.test", "deferred").sources(t), "network:203.0.113.66", one)

	// where the second one looks the alias up, its delivery may be told of first
	filtered := func(p *tape) *tape { return p.to("4A", "sales@here.test", "sent", "next=5B", "passed").removed("4A") }
	expanded := func(p *tape) *tape { return p.to("5B", "me@else.test", "deferred", "for=sales@here.test") }
	for _, p := range []*tape{expanded(filtered(in())), filtered(expanded(in()))} {
		if found := p.sources(t)["forward:sales@here.test"]; found.History.Waiting != 1 {
			t.Errorf("%+v", found.History)
		}
	}
}

func TestACopyForAnArchiveIsNotWhatAClientRelays(t *testing.T) {
	facts := testFacts()
	facts.Copies = []string{"archive@far.test"}
	p := newTape().client("4A", "203.0.113.66", "").queued("4A", "x@far.test", 2).
		to("4A", "me@else.test", "sent", "for=sales@here.test").to("4A", "archive@far.test", "sent").removed("4A").
		client("5B", "203.0.113.67", "").queued("5B", "x@far.test", 2).
		to("5B", "jane@here.test", "sent", "local").to("5B", "archive@far.test", "sent").removed("5B")
	found := p.sourcesBy(t, facts)
	wantFigures(t, found, "forward:sales@here.test", "1 messages 2 recipients 2 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "network:203.0.113.67", "1 messages 2 recipients 2 delivered 0 failed 0 deferrals 0 waiting")
	if n := found["network:203.0.113.67"].History.Remote; n != 0 {
		t.Errorf("%d messages went out", n)
	}
}

func TestWhatAMailboxForwardsIsAMessageOfItsOwn(t *testing.T) {
	p := newTape().client("4A", "203.0.113.66", "").named("4A", "<1>").queued("4A", "x@far.test", 1).
		named("5B", "<1>").queued("5B", "x@far.test", 1).to("4A", "jane@here.test", "sent", "local", "next=5B").removed("4A").
		to("5B", "me@else.test", "sent").removed("5B")
	found := p.sources(t)
	wantFigures(t, found, "network:203.0.113.66", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "forward:jane@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

// proxied is the line of the server that a filter before the queue belongs to.
func (p *tape) proxied(id, account string) *tape {
	return p.keyed(spoor.EventProxied, id, func(e *spoor.Event) { e.Account = []byte(account) })
}

func TestALoginInFrontOfAFilterBeforeTheQueueIsTheSource(t *testing.T) {
	p := newTape().
		client("4A", "203.0.113.9", "").queued("4A", "alice@here.test", 1).proxied("4A", "alice").to("4A", "x@far.test", "deferred").
		client("5B", "203.0.113.9", "").queued("5B", "alice@here.test", 1).to("5B", "x@far.test", "sent").removed("5B").proxied("5B", "alice"). // it had left
		client("6C", "203.0.113.9", "").queued("6C", "s@far.test", 1).to("6C", "jane@here.test", "sent", "local").removed("6C").                // nobody had logged in
		pickup(10003).queued("5B", "www@site1.test", 1).proxied("5B", "alice").                                                                 // another message of that ID
		client("7D", "203.0.113.9", "anna@here.test").queued("7D", "anna@here.test", 1).proxied("7D", "bob").
		proxied("8E", "alice").wait(time.Minute).status()
	found := p.sources(t)
	wantFigures(t, found, "account:alice", "2 messages 2 recipients 1 delivered 0 failed 1 deferrals 1 waiting")
	wantFigures(t, found, "network:203.0.113.9", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "site:site1.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
	wantFigures(t, found, "account:anna@here.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
}

// handedOver is the line of a server in front of the MTA, in a log of its own: without
// a name of the host.
func (p *tape) handedOver(id string) *tape {
	return p.keyed(spoor.EventProxied, id, func(e *spoor.Event) { e.Account, e.Origin = []byte("anna@here.test"), 7<<spoor.InstanceBits })
}

func TestALoginOfAServerInFrontOfTheMTAIsTheSource(t *testing.T) {
	found := newTape().
		client("4A", "127.0.0.1", "").queued("4A", "x@far.test", 1).handedOver("4A").to("4A", "y@far.test", "deferred").
		handedOver("5B").client("5B", "127.0.0.1", "").queued("5B", "x@far.test", 1).to("5B", "y@far.test", "deferred"). // of the other file, in the same second
		handedOver("6C").wait(time.Minute).
		client("6C", "127.0.0.1", "").queued("6C", "z@far.test", 1).to("6C", "y@far.test", "deferred"). // another message of that ID
		sources(t)
	wantFigures(t, found, "account:anna@here.test", "2 messages 2 recipients 0 delivered 0 failed 2 deferrals 2 waiting")
	wantFigures(t, found, "network:127.0.0.1", "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting")
}

// What is proven later takes the place of an inference: the sender's mailbox was open
// in a webmail, and somebody else has logged in, or sends.
func TestARecordCountsForMoreThanAnOpenMailbox(t *testing.T) {
	begin := func() *tape {
		return newTape().add(spoor.Event{Kind: spoor.EventAccess, Address: []byte("jane@here.test"), Client: []byte("127.0.0.1"), UID: -1, PID: -1}).
			client("4A", "127.0.0.1", "").named("4A", "<1>").queued("4A", "jane@here.test", 1)
	}
	for source, p := range map[string]*tape{
		"account:jane@here.test": begin(), // the inference alone
		"account:anna@here.test": begin().handedOver("4A"),
		"site:site1.test":        begin().keyed(spoor.EventIdentified, "4A", func(e *spoor.Event) { e.Login = []byte("site1") }),
	} {
		wantFigures(t, p.to("4A", "y@far.test", "deferred").sources(t), source, "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting")
	}
}

func TestALoginInFrontOfAFilterIsTheSourceInTheNextInstanceToo(t *testing.T) {
	found := newTape().
		client("4A", "203.0.113.9", "").named("4A", "<1>").queued("4A", "alice@here.test", 1).proxied("4A", "alice").
		client("5B", "127.0.0.1", "").named("5B", "<1>").to("4A", "x@far.test", "sent", "passed").queued("5B", "alice@here.test", 1).removed("4A").
		to("5B", "x@far.test", "deferred").sources(t)
	wantFigures(t, found, "account:alice", "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting")
	wantFigures(t, found, "network:203.0.113.9", "nothing")
}

// redirected is Dovecot's line about what the script of a mailbox has sent on.
func (p *tape) redirected() *tape {
	return p.add(spoor.Event{Kind: spoor.EventRedirected, UID: -1, PID: -1, Address: []byte("jane@here.test"), Text: []byte("<1>")})
}

func TestWhatTheScriptOfAMailboxSendsOnIsAMessageOfItsOwn(t *testing.T) {
	in := func(account string) *tape {
		return newTape().client("4A", "203.0.113.66", account).named("4A", "<1>").queued("4A", "x@far.test", 1)
	}
	out := func(p *tape) *tape {
		return p.keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) { e.UID = 110 }).named("5B", "<1>").queued("5B", "x@far.test", 1)
	}
	done := func(p *tape) *tape { return p.to("4A", "jane@here.test", "sent", "local").removed("4A") }
	for name, p := range map[string]*tape{
		"Dovecot's line first":              out(done(in("").redirected())),
		"Postfix' line first":               done(out(in("")).redirected()),
		"Postfix' line first, and the last": out(done(in(""))).redirected(),
		"Dovecot's line last":               done(out(in(""))).redirected(),
		"by SMTP to this machine":           done(in("").redirected().client("5B", "127.0.0.1", "").named("5B", "<1>").queued("5B", "x@far.test", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			found := p.to("5B", "me@else.test", "sent").removed("5B").sources(t)
			wantFigures(t, found, "network:203.0.113.66", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
			wantFigures(t, found, "forward:jane@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
			if cause := found["forward:jane@here.test"].Cause.String(); cause != "network:203.0.113.66" {
				t.Errorf("cause %s", cause)
			}
		})
	}
	found := done(out(in("anna@here.test").redirected())).to("5B", "me@else.test", "sent").removed("5B").sources(t)
	wantFigures(t, found, "forward:jane@here.test", "nothing")
	wantFigures(t, found, "account:anna@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

// Dovecot's own log names no host. Of two hosts' messages with one ID, the one that has
// just come without a login is meant.
func TestWhatDovecotRelaysIsFoundAmongHosts(t *testing.T) {
	for _, hosts := range [][2]uint64{{1 << 40, 2 << 40}, {2 << 40, 1 << 40}} {
		p := newTape().client("4A", "203.0.113.99", "bob@here.test").queued("4A", "bob@here.test", 1).to("4A", "x@far.test", "deferred").wait(time.Minute)
		first := len(p.events)
		p.client("4A", "127.0.0.1", "").queued("4A", "anna@here.test", 1)
		second := len(p.events)
		p.keyed(spoor.EventProxied, "4A", func(e *spoor.Event) { e.Account, e.Origin = []byte("anna@here.test"), 3<<40 })
		for i := range p.events[:second] {
			p.events[i].Origin = hosts[0]
			if i >= first {
				p.events[i].Origin = hosts[1]
			}
		}
		found := p.sources(t)
		wantFigures(t, found, "account:anna@here.test", "1 messages 0 recipients 0 delivered 0 failed 0 deferrals 0 waiting")
		wantFigures(t, found, "account:bob@here.test", "1 messages 1 recipients 0 delivered 0 failed 1 deferrals 1 waiting")
	}
}

// A filter that hands mail back by sendmail(1) has it no more.
func TestAFilterHandsAMessageBackOnce(t *testing.T) {
	in := func() *tape {
		return newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1)
	}
	got := func(p *tape) *tape { return p.to("4A", "x@far.test", "sent", "passed").removed("4A") }
	back := func(p *tape) *tape { return p.pickup(110).named("5B", "<1>").queued("5B", "anna@here.test", 1) }
	for name, p := range map[string]*tape{"before": back(got(in())), "later": got(back(in()))} {
		t.Run(name, func(t *testing.T) {
			p.to("5B", "x@far.test", "sent").removed("5B").
				client("6C", "127.0.0.1", "").named("6C", "<1>").queued("6C", "anna@here.test", 1).to("6C", "y@far.test", "sent").removed("6C")
			found := p.wait(time.Minute).status().sources(t)
			const one = "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting"
			wantFigures(t, found, "account:anna@here.test", one)
			wantFigures(t, found, "network:127.0.0.1", one)
		})
	}
}

// A filter may hand one message back in parts, one of them late.
func TestAFilterHandsAMessageBackInParts(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 2).
		to("4A", "x@far.test", "sent", "passed").to("4A", "y@far.test", "sent", "passed")
	back := func(id, to string) {
		p.client(id, "127.0.0.1", "").named(id, "<1>").queued(id, "anna@here.test", 1).to(id, to, "sent").removed(id)
	}
	back("5B", "x@far.test")
	p.removed("4A").wait(time.Minute).status()
	back("6C", "y@far.test")
	wantFigures(t, p.wait(time.Minute).status().sources(t), "account:anna@here.test", "1 messages 2 recipients 2 delivered 0 failed 0 deferrals 0 waiting")
}
