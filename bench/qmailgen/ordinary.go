package qmailgen

import (
	"fmt"
	"strconv"
)

func external() session {
	return session{client: client{"mail-out.external.example", "198.51.100.200"}, helo: "external.example"}
}

// forward is honest mail to a mailbox that forwards it elsewhere: a message
// that the alias user queued, around the one that came in.
func (a *author) forward() {
	s := a.server.honest(a.rng.IntN(siteCount))
	box := pick(a, a.words.boxes)
	l := &a.letter
	l.source, l.sender, l.caller = "forward:*", "friend@external.example", aliasUser()
	l.recipients = append(l.recipients, recipient{address: "collector" + strconv.Itoa(s.uid) + "@farmail.example"})
	a.received(l.pid, "by alias", l.queued)
	a.print("Delivered-To: %s\n", s.alias(box))
	a.accept(l.pid-50, external(), l.queued)
	a.header(fields{from: l.sender, to: box + "@" + s.domain, subject: pick(a, a.words.subjects), domain: "external.example"}, l.queued)
	a.chat()
}

// ordinarySite is one honest mail from a web shop or a blog.
func (a *author) ordinarySite() {
	s := a.server.honest(a.rng.IntN(siteCount))
	l := &a.letter
	l.source, l.sender = s.label(), "orders@"+s.domain
	a.persons(1)
	a.submit(s.caller())
	subject := "Order confirmation " + strconv.Itoa(a.rng.IntN(100000))
	a.header(fields{from: l.sender, to: l.recipients[0].address, subject: subject, domain: s.domain}, l.queued)
	a.chat()
}

// ordinaryAccount is mail that a person wrote, sometimes to a colleague too.
func (a *author) ordinaryAccount() {
	n := a.rng.IntN(siteCount)
	s := a.server.honest(n)
	l := &a.letter
	l.sender = pick(a, a.words.given) + "@" + s.domain
	l.source, l.caller = "account:"+l.sender, smtpd()
	a.persons(1 + a.rng.IntN(4))
	if a.chance(200) {
		a.localBox(s)
	}
	from := session{client: client{"office." + s.domain, "192.0.2." + strconv.Itoa(1+n%90)}, login: l.sender}
	a.accept(l.pid, from, l.queued)
	a.header(fields{from: l.sender, to: l.recipients[0].address, subject: pick(a, a.words.subjects), domain: s.domain}, l.queued)
	a.chat()
}

// contactForm is what an honest script sends under the web server's UID.
func (a *author) contactForm() {
	s := a.server.form
	l := &a.letter
	l.source = "user:apache,script:" + a.server.formPath + "," + s.label()
	l.sender = "noreply@" + s.domain
	a.persons(1)
	a.submit(webServer())
	a.header(fields{
		from: l.sender, to: l.recipients[0].address, subject: "Contact form", domain: s.domain,
		extra: "X-PHP-Originating-Script: 48:contact.php\n",
	}, l.queued)
	a.chat()
}

// delayedDelivery is incoming mail to a mailbox that cannot take it now.
func (a *author) delayedDelivery() {
	l := &a.letter
	l.source, l.sender, l.caller = "network:198.51.100.200", "friend@external.example", smtpd()
	to := a.localBox(a.server.honest(a.rng.IntN(siteCount)))
	a.accept(l.pid, external(), l.queued)
	a.header(fields{from: l.sender, to: to, subject: pick(a, a.words.subjects), domain: "external.example"}, l.queued)
	a.chat()
}

// newsletter is bulk mail that its readers asked for.
func (a *author) newsletter() {
	s := a.server.newsletter
	l := &a.letter
	l.source, l.sender = s.label(), "news@"+s.domain
	a.persons(20 + a.rng.IntN(31))
	a.submit(s.caller())
	a.header(fields{
		from: l.sender, to: "news@" + s.domain, subject: "Our news in " + l.queued.Month().String(), domain: s.domain,
		extra: fmt.Sprintf("List-Id: <news.%s>\nList-Unsubscribe: <https://%s/unsubscribe?n=%d>\n", s.domain, s.domain, a.rng.IntN(100000)),
	}, l.queued)
	a.chat()
}
