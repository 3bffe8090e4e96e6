package qmailgen

import "strconv"

// The texts of qmail-send's injectbounce().
const (
	bounceText = "\nHi. This is the qmail-send program at " + mailHost + ".\n" +
		"I'm afraid I wasn't able to deliver your message to the following addresses.\n" +
		"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
	doubleBounceText = "\nHi. This is the qmail-send program at " + mailHost + ".\n" +
		"I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"
	copyText     = "--- Below this line is a copy of the message.\n\n"
	originalText = "--- Below this line is the original bounce.\n\n"
	noMailbox    = "Sorry, no mailbox here by that name. (#5.1.1)\n\n"
)

// bounce starts a bounce message to one address.
func (a *author) bounce(sender, to string) {
	l := &a.letter
	l.source, l.sender, l.caller = "bounce:*", sender, qmailSend()
	l.recipients = append(l.recipients, recipient{address: to})
	a.received(l.pid, "for bounce", l.queued)
	a.print("Date: %s\nFrom: MAILER-DAEMON@%s\nTo: %s\nSubject: failure notice\n", l.queued.Format(qmailDate), mailHost, to)
}

// backscatter is the bounce of spam that came by SMTP to a mailbox that does
// not exist, with a forged sender who gets the bounce.
func (a *author) backscatter() {
	victim, box := a.person(), a.noSuchUser()
	a.bounce("", victim)
	a.print("%s<%s>:\n%s%sReturn-Path: <%s>\n", bounceText, box, noMailbox, copyText, victim)
	a.accept(a.letter.pid-40, session{client: client{"mx7.bulk.example", "192.0.2.99"}}, a.letter.queued)
	c := a.words.campaigns[campaignBackscatter]
	a.header(fields{from: victim, to: box, subject: a.fill(c.subject), domain: domainOf(victim)}, a.letter.queued)
	a.pitch(c)
}

// spamBounce is the bounce of spam that a hacked site sent.
func (a *author) spamBounce() {
	s, victim, box := pickFirst(a, a.server.hacked), a.person(), a.person()
	a.bounce("", victim)
	a.print("%s%s%sReturn-Path: <%s>\n", bounceText, appendFailure(nil, box), copyText, victim)
	a.received(a.letter.pid-700, "by uid "+strconv.Itoa(s.uid), a.letter.queued.Add(-attempt))
	c := a.hackedCampaign(s)
	a.header(fields{from: victim, to: box, subject: a.fill(c.subject), domain: domainOf(victim)}, a.letter.queued.Add(-attempt))
	a.pitch(c)
}

// doubleBounce tells the postmaster about a bounce that could not be delivered.
func (a *author) doubleBounce() {
	box := a.noSuchUser()
	a.bounce("#@[]", "abuse@noc.example")
	a.print("%s<%s>:\n%s%sReturn-Path: <>\n", doubleBounceText, box, noMailbox, originalText)
	a.accept(a.letter.pid-40, external(), a.letter.queued)
	a.header(fields{from: "MAILER-DAEMON@mx.example", to: box, subject: "Undelivered Mail", domain: "mx.example"}, a.letter.queued)
	a.chat()
}

func (a *author) noSuchUser() string {
	return "nouser" + strconv.Itoa(a.rng.IntN(10000)) + "@local.example"
}
