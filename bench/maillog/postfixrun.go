package maillog

import (
	"fmt"
	"strings"
	"time"
)

const (
	qmgrPID = 913
	anvil   = 888
)

// begin implements carrier: qmgr repeats the envelope at each attempt.
func (p *postfix) begin(at time.Time, l *letter) {
	p.emit(at, l.box, "qmgr", qmgrPID, "%s: from=<%s>, size=%d, nrcpt=%d (queue active)", l.id, l.from, l.size, len(l.to))
}

// end implements carrier.
func (p *postfix) end(at time.Time, l *letter) {
	p.emit(at, l.box, "qmgr", qmgrPID, "%s: removed", l.id)
	l.box.release(at.Add(time.Millisecond), l.inode)
}

// remove implements carrier.
func (p *postfix) remove(at time.Time, l *letter) {
	pid := l.box.nextPID()
	p.emit(at, l.box, "postsuper", pid, "%s: removed", l.id)
	p.emit(at, l.box, "postsuper", pid, "Deleted: 1 message")
	l.box.release(at.Add(time.Millisecond), l.inode)
}

// expire implements carrier.
func (p *postfix) expire(at time.Time, l *letter, _ []target) {
	p.emit(at, l.box, "qmgr", qmgrPID, "%s: from=<%s>, status=expired, returned to sender", l.id, l.from)
}

// bounce implements carrier.
func (p *postfix) bounce(at time.Time, l *letter) {
	b := p.back(l)
	l.box.identify(at, b, p.plan.Short)
	b.name = fmt.Sprintf("%s.%s@%s", at.UTC().Format("20060102150405"), b.id, l.box.host)
	p.emit(at.Add(200*time.Microsecond), l.box, "cleanup", l.box.nextPID(), "%s: message-id=<%s>", b.id, b.name)
	notice := at.Add(400 * time.Microsecond)
	if p.oneIn(2) { // bounce is told when the message is queued, and qmgr may be first
		notice = at.Add(900 * time.Microsecond)
	}
	p.emit(notice, l.box, "bounce", l.box.nextPID(), "%s: sender non-delivery notification: %s", l.id, b.id)
	p.carry(at.Add(600*time.Microsecond), b, p)
}

func origTo(to target) string {
	if to.written == "" {
		return ""
	}
	return ", orig_to=<" + to.written + ">"
}

// report implements carrier.
func (p *postfix) report(at time.Time, l *letter, to target, f fate, nth int) {
	pid := 20000 + nth%5
	switch {
	case to.outside != "" && f == sent:
		p.forward(at, l, to)
	case to.local:
		p.mailbox(at, l, to, f)
	default:
		p.smtp(at, l, to, f, pid)
	}
}

// smtp is an attempt to send. The answer is of the receiver's choice.
func (p *postfix) smtp(at time.Time, l *letter, to target, f fate, pid int) {
	_, domain, _ := strings.Cut(to.address, "@")
	relay := fmt.Sprintf("mx%d.%s[%s]", 1+p.random.IntN(2), domain, p.address())
	delay := max(at.Sub(l.born).Seconds(), 0.1)
	if p.oneIn(3) {
		p.emit(at.Add(-200*time.Microsecond), l.box, "smtp", pid, "Untrusted TLS connection established to %s:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256", relay)
	}
	end := fmt.Sprintf("%s: to=<%s>%s, relay=%s:25, delay=%.1f, delays=%.1f/0/0.4/%.1f", l.id, to.address, origTo(to), relay, delay, delay/2, delay/2)
	switch f {
	case sent:
		p.emit(at, l.box, "smtp", pid, "%s, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as %X)", end, p.random.Uint32())
	case deferred:
		p.putOff(at, l, to, pid, relay, end)
	case bounced:
		text := "550 5.1.1 <" + to.address + ">: Recipient address rejected: User unknown"
		if p.oneIn(30) { // it tries to look like the end of another line
			text = "550 5.7.1 x), dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4F00000021001"
		}
		p.emit(at, l.box, "smtp", pid, "%s, dsn=5.1.1, status=bounced (host %s said: %s (in reply to RCPT TO command))", end, relay, text)
	}
}

func (p *postfix) putOff(at time.Time, l *letter, to target, pid int, relay, end string) {
	switch p.random.IntN(4) {
	case 0:
		p.emit(at.Add(-time.Millisecond), l.box, "smtp", pid, "connect to %s:25: Connection timed out", relay)
		p.emit(at, l.box, "smtp", pid, "%s: to=<%s>%s, relay=none, delay=31, delays=0.1/0/30/0, dsn=4.4.1, status=deferred (connect to %s:25: Connection timed out)", l.id, to.address, origTo(to), relay)
	case 1:
		p.emit(at.Add(-time.Millisecond), l.box, "smtp", pid, "%s: host %s said: 450 4.2.0 <%s>: Recipient address rejected: Greylisted (in reply to RCPT TO command)", l.id, relay, to.address)
		p.emit(at, l.box, "smtp", pid, "%s, dsn=4.2.0, status=deferred (host %s said: 450 4.2.0 <%s>: Recipient address rejected: Greylisted (in reply to RCPT TO command))", end, relay, to.address)
	default:
		p.emit(at, l.box, "smtp", pid, "%s, dsn=4.7.1, status=deferred (host %s said: 421 4.7.1 Too many messages from your IP, try again later (in reply to MAIL FROM command))", end, relay)
	}
}

// mailbox is a delivery on this server.
func (p *postfix) mailbox(at time.Time, l *letter, to target, f fate) {
	daemon, relay, done := "lmtp", "mx1.example.com[private/dovecot-lmtp]", "250 2.0.0 <"+to.address+"> "+l.id+"x Saved"
	switch len(to.address) % 3 {
	case 0:
		daemon, relay, done = "virtual", "virtual", "delivered to maildir"
	case 1:
		daemon, relay, done = "pipe", "dovecot", "delivered via dovecot service"
	}
	end := fmt.Sprintf("%s: to=<%s>%s, relay=%s, delay=0.05, delays=0.03/0/0/0.02", l.id, to.address, origTo(to), relay)
	switch f {
	case sent:
		p.emit(at, l.box, daemon, 21000, "%s, dsn=2.0.0, status=sent (%s)", end, done)
	case deferred:
		p.emit(at, l.box, daemon, 21000, "%s, dsn=4.2.2, status=deferred (452 4.2.2 <%s> Quota exceeded (mailbox for user is full))", end, to.address)
	case bounced:
		p.emit(at, l.box, daemon, 21000, "%s, dsn=5.1.1, status=bounced (user unknown: \"%s\")", end, to.address)
	}
}

// forward is local(8) at an address that forwards: the message goes on under
// another ID, which has no client.
func (p *postfix) forward(at time.Time, l *letter, to target) {
	on := &letter{
		by: &author{source: "forward:" + to.address}, truth: p.of("forward:" + to.address), from: l.from, name: l.name, size: l.size + 300, born: at,
		to: []target{{address: to.outside, written: to.address}},
	}
	on.truth.Messages++
	on.truth.Recipients++
	on.truth.Bytes += int64(on.size)
	l.box.identify(at, on, p.plan.Short)
	p.emit(at.Add(300*time.Microsecond), l.box, "cleanup", l.box.nextPID(), "%s: message-id=<%s>", on.id, on.name)
	p.emit(at.Add(900*time.Microsecond), l.box, "local", l.box.nextPID(), "%s: to=<%s>, relay=local, delay=0.1, delays=0.05/0/0/0.05, dsn=2.0.0, status=sent (forwarded as %s)", l.id, to.address, on.id)
	p.carry(at.Add(700*time.Microsecond), on, p)
}
