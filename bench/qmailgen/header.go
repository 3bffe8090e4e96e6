package qmailgen

import (
	"fmt"
	"strconv"
	"time"
)

// The dates of qmail's date822fmt.c and of RFC 5322.
const (
	qmailDate  = "2 Jan 2006 15:04:05 -0000"
	headerDate = "Mon, 2 Jan 2006 15:04:05 -0000"
)

func (a *author) print(format string, args ...any) {
	a.letter.content = fmt.Appendf(a.letter.content, format, args...)
}

// received writes qmail-queue's line, such as
//
//	Received: (qmail 24925 invoked by uid 10005); 23 Nov 2026 11:32:18 -0000
func (a *author) received(pid int, how string, at time.Time) {
	a.print("Received: (qmail %d invoked %s); %s\n", pid, how, at.Format(qmailDate))
}

// submit writes the line of a local submission and records its caller.
func (a *author) submit(c caller) {
	a.letter.caller = c
	a.received(a.letter.pid, "by uid "+strconv.Itoa(c.uid), a.letter.queued)
}

// session is an SMTP session as qmail-smtpd(8) records it.
type session struct {
	client client
	helo   string // "" where it is the name of the host
	login  string // "" without authentication
}

// accept writes the lines of a message that came by SMTP, such as
//
//	Received: (qmail 24643 invoked from network); 23 Nov 2026 11:32:18 -0000
//	Received: from unknown (HELO User) (info@site1.example@198.51.100.25)
//	  by mail.host.example with SMTP; 23 Nov 2026 11:32:18 -0000
func (a *author) accept(pid int, s session, at time.Time) {
	a.received(pid, "from network", at)
	helo, login := s.helo, s.login
	if helo != "" {
		helo = " (HELO " + helo + ")"
	}
	if login != "" {
		login += "@"
	}
	a.print("Received: from %s%s (%s%s)\n  by %s with SMTP; %s\n", s.client.host, helo, login, s.client.ip, mailHost, at.Format(qmailDate))
}

// fields are the header fields that a mail program writes. Domain is that of
// the Message-ID; extra fields end in a line end.
type fields struct {
	from, to, subject, domain string
	extra                     string
}

func (a *author) header(f fields, at time.Time) {
	a.print("Message-ID: <gen.%05d.%06x@%s>\nFrom: %s\nTo: %s\nSubject: %s\nDate: %s\n%s",
		a.rng.IntN(100000), a.rng.IntN(1<<24), f.domain, f.from, f.to, f.subject, at.Format(headerDate), f.extra)
	a.print("MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n")
}

// forged writes a Received field below the last one that this server wrote.
func (a *author) forged(at time.Time) {
	a.print("Received: from %s (HELO %s) (192.0.2.%d)\n  by mx.%s with SMTP; %s\n",
		"mail."+pick(a, a.words.providers), pick(a, a.words.given), 1+a.rng.IntN(200), pick(a, a.words.providers), at.Add(-time.Minute).Format(qmailDate))
}
