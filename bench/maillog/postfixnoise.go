package maillog

import (
	"fmt"
	"time"
)

// noise is what else the log holds.
func (p *postfix) noise(at time.Time, b *box) {
	client, pid := p.address(), b.nextPID()
	switch p.random.IntN(8) {
	case 0:
		p.stranger(at, b, client, pid)
	case 1, 2:
		p.guess(at, b, client, pid)
	case 3:
		p.postscreen(at, b, client)
	case 4:
		a := p.cast.accounts[p.pick(len(p.cast.accounts))]
		p.log(at, b, fmt.Sprintf("dovecot: imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=10.0.0.1, mpid=%d, TLS, session=<%x>", a.account, a.clients[0], pid, p.random.Uint64()))
	case 5:
		p.emit(at, b, "anvil", anvil, "statistics: max connection rate %d/60s for (smtp:%s) at %s", 1+p.random.IntN(9), client, at.UTC().Format(time.Stamp))
		p.emit(at, b, "anvil", anvil, "statistics: max connection count %d for (smtp:%s) at %s", 1+p.random.IntN(9), client, at.UTC().Format(time.Stamp))
	case 6:
		p.emit(at, b, "smtpd", pid, "connect from unknown[%s]", client)
		p.emit(at.Add(90*time.Millisecond), b, "smtpd", pid, "SSL_accept error from unknown[%s]: lost connection", client)
		p.emit(at.Add(91*time.Millisecond), b, "smtpd", pid, "lost connection after STARTTLS from unknown[%s]", client)
		p.emit(at.Add(92*time.Millisecond), b, "smtpd", pid, "disconnect from unknown[%s] ehlo=1 starttls=0/1 commands=1/2", client)
	default:
		p.log(at, b, fmt.Sprintf("sshd[%d]: Failed password for root from %s port 22 ssh2", pid, client))
	}
}

// stranger is a client that is refused before it has an ID.
func (p *postfix) stranger(at time.Time, b *box, client string, pid int) {
	p.emit(at, b, "smtpd", pid, "warning: hostname host.isp.example does not resolve to address %s: Name or service not known", client)
	p.emit(at, b, "smtpd", pid, "connect from unknown[%s]", client)
	p.emit(at.Add(200*time.Millisecond), b, "smtpd", pid, "NOQUEUE: reject: RCPT from unknown[%s]: 450 4.7.25 Client host rejected: cannot find your hostname, [%s]; from=<%s> to=<info@customer1.example> proto=ESMTP helo=<4F00000021001: client=x[192.0.2.1]>", client, client, p.remote("a"))
	p.emit(at.Add(300*time.Millisecond), b, "smtpd", pid, "disconnect from unknown[%s] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4", client)
}

// guess is an attempt to log in. Old versions do not say as whom.
func (p *postfix) guess(at time.Time, b *box, client string, pid int) {
	a, name := p.cast.accounts[p.pick(len(p.cast.accounts))], ""
	if !p.oneIn(3) {
		name = ", sasl_username=" + a.account
		p.of(a.source).FailedLogins++
	}
	p.emit(at, b, "submission/smtpd", pid, "connect from unknown[%s]", client)
	p.emit(at.Add(200*time.Millisecond), b, "submission/smtpd", pid, "warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6%s", client, name)
	p.emit(at.Add(300*time.Millisecond), b, "submission/smtpd", pid, "lost connection after AUTH from unknown[%s]", client)
	p.emit(at.Add(300*time.Millisecond), b, "submission/smtpd", pid, "disconnect from unknown[%s] ehlo=1 auth=0/1 commands=1/2", client)
}

func (p *postfix) postscreen(at time.Time, b *box, client string) {
	port := 1024 + p.random.IntN(60000)
	p.emit(at, b, "postscreen", 777, "CONNECT from [%s]:%d to [10.0.0.1]:25", client, port)
	if p.oneIn(3) {
		p.emit(at.Add(6*time.Second), b, "postscreen", 777, "PASS NEW [%s]:%d", client, port)
		return
	}
	p.emit(at.Add(5*time.Millisecond), b, "dnsblog", 778, "addr %s listed by domain zen.example.org as 127.0.0.4", client)
	p.emit(at.Add(50*time.Millisecond), b, "postscreen", 777, "PREGREET 14 after 0.05 from [%s]:%d: EHLO ylmf-pc\\r\\n", client, port)
	p.emit(at.Add(6*time.Second), b, "postscreen", 777, "DNSBL rank 3 for [%s]:%d", client, port)
	p.emit(at.Add(6*time.Second), b, "postscreen", 777, "NOQUEUE: reject: RCPT from [%s]:%d: 550 5.7.1 Service unavailable; client [%s] blocked using zen.example.org; from=<%s>, to=<info@customer1.example>, proto=ESMTP, helo=<ylmf-pc>", client, port, client, p.remote("a"))
	p.emit(at.Add(7*time.Second), b, "postscreen", 777, "DISCONNECT [%s]:%d", client, port)
}
