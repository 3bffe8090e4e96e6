package maillog

import (
	"fmt"
	"strings"
	"time"
)

// postfix is one Postfix server, or several that log into one file.
type postfix struct {
	*generator
	cast  *cast
	boxes []*box
}

func newPostfix(g *generator) *postfix {
	p := &postfix{generator: g, cast: g.cast()}
	for i := range max(1, g.plan.Hosts) {
		p.boxes = append(p.boxes, newBox(fmt.Sprintf("mx%d", i+1), "postfix"))
	}
	if len(p.boxes) > 1 {
		p.boxes = append(p.boxes, newBox("mx1", "postfix-out"))
	}
	return p
}

func (p *postfix) step(at time.Time) {
	b := p.boxes[p.random.IntN(len(p.boxes))]
	switch a := p.cast.next(p.generator); {
	case a == nil:
		p.noise(at, b)
	case a.login != "":
		p.pickup(at, b, a)
	default:
		p.session(at, b, a)
	}
}

// emit plans a line of a daemon.
func (p *postfix) emit(at time.Time, b *box, daemon string, pid int, format string, args ...any) {
	p.log(at, b, fmt.Sprintf("%s/%s[%d]: ", b.name, daemon, pid)+fmt.Sprintf(format, args...))
}

func (p *postfix) log(at time.Time, b *box, text string) {
	p.write(at, head(p.plan.Style, at)+" "+b.host+" "+text)
}

// head is the time in a line's head.
func head(style string, at time.Time) string {
	if style == ISO {
		return at.UTC().Format("2006-01-02T15:04:05.000000-07:00")
	}
	return at.UTC().Format(time.Stamp)
}

// session is a connection with its messages.
func (p *postfix) session(at time.Time, b *box, a *author) {
	client := a.clients[p.random.IntN(len(a.clients))]
	name := p.hostname(client)
	daemon, pid := "smtpd", b.nextPID()
	if a.account != "" {
		daemon = [...]string{"submission/smtpd", "submission/smtpd", "smtps/smtpd"}[p.random.IntN(3)]
	}
	p.emit(at, b, daemon, pid, "connect from %s[%s]", name, client)
	at = p.after(at, 60*time.Millisecond)
	if !p.oneIn(4) {
		p.emit(at, b, daemon, pid, "Anonymous TLS connection established from %s[%s]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256", name, client)
		at = p.after(at, 30*time.Millisecond)
	}
	if a.account != "" {
		p.of(a.source).Logins++
	}
	count, rcpts := p.mails(a), 0
	for range count {
		var n int
		at, n = p.hand(at, b, a, daemon, pid, name, client)
		rcpts += n
	}
	auth := ""
	if a.account != "" {
		auth = " auth=1"
	}
	p.emit(at, b, daemon, pid, "disconnect from %s[%s] ehlo=2 starttls=1%s mail=%d rcpt=%d data=%d quit=1 commands=%d", name, client, auth, count, rcpts, count, rcpts+2*count+4)
}

// hostname is the name of a client; Postfix knows none of many.
func (p *postfix) hostname(client string) string {
	if p.oneIn(2) {
		return "unknown"
	}
	return "host-" + strings.ReplaceAll(client, ".", "-") + ".isp.example"
}

// hand is one transaction of a session: a message, or one that fails at its end,
// of which there is an ID and nothing else.
func (p *postfix) hand(at time.Time, b *box, a *author, daemon string, pid int, name, client string) (end time.Time, rcpts int) {
	if !p.plan.Calm && p.oneIn(40) {
		return p.refuse(at, b, a, daemon, pid, name, client), 1
	}
	l := p.letter(at, a, client)
	b.identify(at, l, p.plan.Short)
	at = at.Add(300 * time.Microsecond)
	p.emit(at, b, daemon, pid, "%s: client=%s[%s]%s", l.id, name, client, p.login(a))
	at = p.after(at, 80*time.Millisecond)
	p.accept(at, l, a.account != "" || p.oneIn(4), fmt.Sprintf("%s[%s]", name, client))
	return p.after(at, 20*time.Millisecond), len(l.to)
}

// login is what smtpd tells of an account. Clients write domains as they please.
func (p *postfix) login(a *author) string {
	if a.account == "" {
		return ""
	}
	name := a.account
	if p.oneIn(50) {
		local, domain, _ := strings.Cut(name, "@")
		name = local + "@" + strings.ToUpper(domain[:1]) + domain[1:]
	}
	return ", sasl_method=" + [...]string{"PLAIN", "LOGIN"}[p.random.IntN(2)] + ", sasl_username=" + name
}

// refuse is a message that a policy, or the client, ends before it is queued.
func (p *postfix) refuse(at time.Time, b *box, a *author, daemon string, pid int, name, client string) time.Time {
	l := &letter{}
	b.identify(at, l, p.plan.Short)
	p.emit(at.Add(300*time.Microsecond), b, daemon, pid, "%s: client=%s[%s]%s", l.id, name, client, p.login(a))
	at = p.after(at, 200*time.Millisecond)
	if p.oneIn(2) {
		p.emit(at, b, "cleanup", b.nextPID(), "%s: milter-reject: END-OF-MESSAGE from %s[%s]: 5.7.1 Command rejected; from=<%s> to=<%s> proto=ESMTP helo=<x>", l.id, name, client, p.sender(a), p.remote("r"))
	} else {
		p.emit(at, b, daemon, pid, "lost connection after DATA (%d bytes) from %s[%s]", p.random.IntN(9000), name, client)
	}
	b.release(at.Add(time.Millisecond), l.inode)
	return p.after(at.Add(time.Millisecond), 20*time.Millisecond)
}

// pickup is a message that a script hands over.
func (p *postfix) pickup(at time.Time, b *box, a *author) {
	l := p.letter(at, a, "")
	b.identify(at, l, p.plan.Short)
	at = at.Add(300 * time.Microsecond)
	p.emit(at, b, "pickup", 1812, "%s: uid=%d from=<%s>", l.id, a.uid, l.from)
	p.accept(at.Add(3*time.Millisecond), l, p.oneIn(4), "localhost[127.0.0.1]")
}

// accept is what follows when a message is queued. Some go through a filter,
// which hands them back.
func (p *postfix) accept(at time.Time, l *letter, outgoing bool, origin string) {
	p.emit(at, l.box, "cleanup", l.box.nextPID(), "%s: message-id=<%s>", l.id, l.name)
	at = at.Add(2 * time.Millisecond)
	if outgoing && p.oneIn(5) {
		p.filter(at, l, origin)
		return
	}
	p.carry(at, l, p)
}

// filter hands a message to amavis, and takes it back under another ID.
func (p *postfix) filter(at time.Time, l *letter, origin string) {
	b, first, pid := l.box, *l, l.box.nextPID()
	p.begin(at, l)
	if p.oneIn(20) {
		for _, to := range l.to {
			p.emit(at.Add(50*time.Millisecond), b, "smtp", pid, "%s: to=<%s>, relay=none, delay=0.05, delays=0.03/0.01/0/0, dsn=4.4.1, status=deferred (connect to 127.0.0.1[127.0.0.1]:10024: Connection refused)", l.id, to.address)
			l.truth.Deferrals++
		}
		at = p.after(at, 300*time.Second)
		p.begin(at, l)
	}
	at = p.after(at, 400*time.Millisecond)
	if !p.plan.Calm && p.oneIn(30) {
		p.quarantine(at, l, pid)
		return
	}
	second := b.nextPID()
	b.identify(at, l, p.plan.Short)
	p.emit(at.Add(-time.Millisecond), b, "10025/smtpd", second, "connect from localhost[127.0.0.1]")
	kept := ""
	if !p.oneIn(4) { // the filter tells nothing with XFORWARD otherwise
		kept = fmt.Sprintf(", orig_queue_id=%s, orig_client=%s", first.id, origin)
	}
	p.emit(at.Add(300*time.Microsecond), b, "10025/smtpd", second, "%s: client=localhost[127.0.0.1]%s", l.id, kept)
	at = at.Add(2 * time.Millisecond)
	p.emit(at, b, "cleanup", b.nextPID(), "%s: message-id=<%s>", l.id, l.name)
	p.emit(at.Add(2*time.Millisecond), b, "10025/smtpd", second, "disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=%d data=1 quit=1 commands=%d", len(l.to), len(l.to)+4)
	p.log(at.Add(3*time.Millisecond), b, fmt.Sprintf("amavis[%d]: (%05d-%02d) Passed CLEAN {RelayedOutbound}, <%s> -> <%s>, Queue-ID: %s, Message-ID: <%s>, Hits: -0.1, size: %d, queued_as: %s, 300 ms", second, second, p.random.IntN(20), l.from, l.to[0].address, first.id, l.name, l.size, l.id))
	back := p.after(at.Add(2*time.Millisecond), 3*time.Millisecond)
	for i, to := range first.to {
		p.emit(back.Add(time.Duration(i)*time.Microsecond), b, "smtp", pid, "%s: to=<%s>%s, relay=127.0.0.1[127.0.0.1]:10024, delay=0.5, delays=0.03/0.01/0.01/0.4, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as %s)", first.id, to.address, origTo(to), l.id)
	}
	p.end(back.Add(time.Millisecond), &first)
	p.carry(at.Add(3*time.Millisecond), l, p)
}

// quarantine is where a filter keeps a message.
func (p *postfix) quarantine(at time.Time, l *letter, pid int) {
	for _, to := range l.to {
		p.emit(at, l.box, "smtp", pid, "%s: to=<%s>%s, relay=127.0.0.1[127.0.0.1]:10024, delay=0.5, delays=0.03/0.01/0.01/0.4, dsn=2.7.0, status=sent (250 2.7.0 Ok, discarded, id=%05d-07 - spam)", l.id, to.address, origTo(to), pid)
		l.truth.Delivered++
	}
	p.end(at.Add(time.Millisecond), l)
}
