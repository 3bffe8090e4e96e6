package trace

import (
	"fmt"
	"testing"

	"spoor"
)

// answered is Dovecot's line about what a mailbox has answered by itself.
func (p *tape) answered(mailbox, to string) *tape {
	return p.add(spoor.Event{Kind: spoor.EventReplied, UID: -1, PID: -1, Address: []byte(mailbox), Parent: []byte(to), Text: []byte("<1>")})
}

// strangers is mail from outside to a mailbox here.
func strangers() *tape {
	return newTape().client("4A", "203.0.113.66", "").named("4A", "<1>").queued("4A", "x@far.test", 1)
}

func (p *tape) byMailSystem(id string) *tape {
	return p.keyed(spoor.EventSubmitted, id, func(e *spoor.Event) { e.UID = 110 }).named(id, "<dovecot-sieve-"+id+"@here.test>").queued(id, "", 1)
}

func TestWhatAMailboxAnswersByItselfIsBackscatterOfThatMailbox(t *testing.T) {
	for name, p := range map[string]*tape{
		"Dovecot's line first": strangers().answered("jane@here.test", "x@far.test").byMailSystem("5B").to("5B", "x@far.test", "sent").removed("5B"),
		"Postfix' lines first": strangers().byMailSystem("5B").answered("jane@here.test", "x@far.test").to("5B", "x@far.test", "sent").removed("5B"),
		"Dovecot's line last":  strangers().byMailSystem("5B").to("5B", "x@far.test", "sent").removed("5B").answered("jane@here.test", "x@far.test"),
		"by SMTP": strangers().client("5B", "127.0.0.1", "").named("5B", "<dovecot-1-2-0@here.test>").queued("5B", "", 1).
			answered("jane@here.test", "x@far.test").to("5B", "x@far.test", "sent").removed("5B"),
		"by a user of no passwd": strangers().answered("jane@here.test", "x@far.test").
			keyed(spoor.EventSubmitted, "5B", func(e *spoor.Event) { e.UID = 4242 }).named("5B", "<dovecot-sieve-5B@here.test>").queued("5B", "", 1).
			to("5B", "x@far.test", "sent").removed("5B"),
		"with a filter behind": strangers().byMailSystem("5B").answered("jane@here.test", "x@far.test").
			client("6C", "127.0.0.1", "").named("6C", "<dovecot-sieve-5B@here.test>").queued("6C", "", 1).
			to("5B", "x@far.test", "sent", "next=6C").removed("5B").to("6C", "x@far.test", "sent").removed("6C"),
	} {
		t.Run(name, func(t *testing.T) {
			found := p.to("4A", "jane@here.test", "sent", "local").removed("4A").sources(t)
			wantFigures(t, found, "network:203.0.113.66", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
			wantFigures(t, found, "bounce:jane@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
			if cause := found["bounce:jane@here.test"].Cause.String(); cause != "network:203.0.113.66" {
				t.Errorf("cause %s", cause)
			}
		})
	}
}

func TestSeveralMailboxesThatAnswerOneSenderAreToldApartInNumber(t *testing.T) {
	p := strangers()
	for i := range 8 {
		p.answered(fmt.Sprintf("m%d@here.test", i), "x@far.test").byMailSystem(fmt.Sprint("5B", i))
	}
	for i := range 8 {
		id := fmt.Sprint("5B", i)
		p.to(id, "x@far.test", "sent").removed(id)
	}
	found := p.sources(t)
	for i := range 8 {
		wantFigures(t, found, fmt.Sprintf("bounce:m%d@here.test", i), "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
	}
}

// Sender rewriting makes the recipient of a reply an address that Postfix turns back.
func TestAReplyIsKnownByTheRecipientThatItWasWrittenTo(t *testing.T) {
	p := strangers().answered("jane@here.test", "SRS0=hWVV=JQ=far.test=x@srs.here.test").byMailSystem("5B").
		to("5B", "x@far.test", "sent", "for=SRS0=hWVV=JQ=far.test=x@srs.here.test").removed("5B")
	wantFigures(t, p.sources(t), "bounce:jane@here.test", "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting")
}

func TestOnlyDovecotsOwnMessageToThatRecipientIsAReply(t *testing.T) {
	const one = "1 messages 1 recipients 1 delivered 0 failed 0 deferrals 0 waiting"
	to := func(p *tape, address string) *tape { return p.to("5B", address, "sent").removed("5B") }
	found := to(strangers().answered("jane@here.test", "other@far.test").byMailSystem("5B"), "x@far.test").sources(t)
	wantFigures(t, found, "bounce:jane@here.test", "nothing")
	script := strangers().answered("jane@here.test", "x@far.test").client("5B", "127.0.0.1", "").named("5B", "<x@shop.test>").queued("5B", "", 1)
	wantFigures(t, to(script, "x@far.test").sources(t), "network:127.0.0.1", one)
	late := strangers().answered("jane@here.test", "x@far.test").wait(2 * disorder).byMailSystem("5B")
	wantFigures(t, to(late, "x@far.test").sources(t), "bounce:jane@here.test", "nothing")
	many := strangers().answered("jane@here.test", "x@far.test").client("5B", "127.0.0.1", "").named("5B", "<dovecot-1-2-0@here.test>").queued("5B", "", 3)
	wantFigures(t, to(many.to("5B", "x@far.test", "sent").to("5B", "y@far.test", "sent"), "z@far.test").sources(t),
		"network:127.0.0.1", "1 messages 3 recipients 3 delivered 0 failed 0 deferrals 0 waiting")
	login := strangers().answered("jane@here.test", "x@far.test").client("5B", "127.0.0.1", "anna@here.test").named("5B", "<dovecot-sieve-1-2-0@here.test>").queued("5B", "", 1)
	wantFigures(t, to(login, "x@far.test").sources(t), "account:anna@here.test", one)
}
