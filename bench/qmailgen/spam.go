package qmailgen

import (
	"strconv"
	"strings"
)

// hackedSite is spam from a site's own UID, with forged senders.
func (a *author) hackedSite() {
	s := pickFirst(a, a.server.hacked)
	l := &a.letter
	l.source, l.sender = s.label(), a.person()
	a.persons(1 + a.rng.IntN(25))
	extra := ""
	if s == a.server.shell {
		l.source += ",script:" + a.server.shellPath
		extra = "X-PHP-Originating-Script: " + strconv.Itoa(s.uid) + ":sess.php\n"
	}
	a.submit(s.caller())
	if a.chance(80) {
		a.forged(l.queued)
	}
	c := a.hackedCampaign(s)
	a.header(fields{from: l.sender, to: l.recipients[0].address, subject: a.fill(c.subject), domain: domainOf(l.sender), extra: extra}, l.queued)
	a.pitch(c)
}

// webMailer is spam from a script that the web server runs itself.
func (a *author) webMailer() {
	l := &a.letter
	l.source = "user:apache,script:" + a.server.mailerPath + "," + a.server.mailer.label()
	l.sender = "apache@" + mailHost
	a.persons(1 + a.rng.IntN(8))
	a.submit(webServer())
	c := a.words.campaigns[campaignMailer]
	a.header(fields{
		from: l.sender, to: a.addressList(), subject: a.fill(c.subject), domain: mailHost,
		extra: "X-PHP-Originating-Script: 48:mailer.php\n",
	}, l.queued)
	a.pitch(c)
}

// stolenAccount is spam by SMTP AUTH from many clients with one login.
func (a *author) stolenAccount() {
	who := pickFirst(a, a.server.stolen)
	l := &a.letter
	l.source, l.sender, l.caller = "account:"+who.address, who.address, smtpd()
	a.persons(5 + a.rng.IntN(46))
	helo := pick(a, []string{"User", "win-9f31", "localhost.localdomain"})
	a.accept(l.pid, session{client: pick(a, who.clients), helo: helo, login: who.address}, l.queued)
	c := a.words.campaigns[campaignStolen]
	if who.address != a.server.stolen[0].address {
		c = a.words.campaigns[campaignStolen2]
	}
	a.header(fields{from: l.sender, to: l.recipients[0].address, subject: a.fill(c.subject), domain: domainOf(l.sender)}, l.queued)
	a.pitch(c)
}

// relay is spam from a client that may relay without authenticating.
func (a *author) relay() {
	from := pickFirst(a, []session{
		{client: client{"unknown", "203.0.113.45"}, helo: "wks12"},
		{client: client{"dsl-77.isp.example", "203.0.113.77"}},
		{client: client{"unknown", "198.51.100.180"}, helo: "ylmf-pc"},
	})
	l := &a.letter
	l.source, l.sender, l.caller = "network:"+from.client.ip, a.person(), smtpd()
	a.persons(1 + a.rng.IntN(12))
	a.accept(l.pid, from, l.queued)
	if a.chance(200) {
		a.forged(l.queued)
	}
	c := a.words.campaigns[campaignRelay]
	a.header(fields{from: l.sender, to: l.recipients[0].address, subject: a.fill(c.subject), domain: domainOf(l.sender)}, l.queued)
	a.pitch(c)
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// addressList is a To field for all recipients, folded as PHP scripts do.
func (a *author) addressList() string {
	var b strings.Builder
	for i, r := range a.letter.recipients {
		switch {
		case i > 0 && i%2 == 0:
			b.WriteString(",\n  ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(r.address)
	}
	return b.String()
}
