package maillog

import (
	"fmt"
	"strings"
	"time"
)

// begin implements carrier: Exim tells nothing.
func (x *exim) begin(time.Time, *letter) {}

// end implements carrier.
func (x *exim) end(at time.Time, l *letter) { x.emit(at, "%s Completed", l.id) }

// remove implements carrier.
func (x *exim) remove(at time.Time, l *letter) {
	x.emit(at, "%s removed by root", l.id)
	x.emit(at, "%s Completed", l.id)
}

// expire implements carrier.
func (x *exim) expire(at time.Time, l *letter, left []target) {
	for _, to := range left {
		x.emit(at, "%s ** %s: retry timeout exceeded", l.id, recipient(to))
	}
}

// bounce implements carrier.
func (x *exim) bounce(at time.Time, l *letter) {
	b := x.back(l)
	x.identify(at, b)
	x.emit(at, "%s <= <> R=%s U=Debian-exim P=local S=%d", b.id, l.id, b.size)
	x.carry(at.Add(time.Millisecond), b, x)
}

// report implements carrier.
func (x *exim) report(at time.Time, l *letter, to target, f fate, nth int) {
	if to.local && to.outside == "" {
		x.mailbox(at, l, to, f)
		return
	}
	address := to.address
	_, domain, _ := strings.Cut(address, "@")
	if to.outside != "" {
		address = fmt.Sprintf("%s <%s>", to.outside, to.address)
		_, domain, _ = strings.Cut(to.outside, "@")
	}
	mx := fmt.Sprintf("H=mx%d.%s [%s]", 1+x.random.IntN(2), domain, x.address())
	switch f {
	case sent:
		flag := "=>"
		if nth > 0 && x.oneIn(4) {
			flag = "->"
		}
		x.emit(at, `%s %s %s R=dnslookup T=remote_smtp %s X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C="250 2.0.0 Ok: queued as %X"`, l.id, flag, address, mx, x.random.Uint32())
	case deferred:
		x.putOff(at, l, address, mx)
	case bounced:
		text := "550 5.1.1 User unknown"
		if x.oneIn(30) {
			text = `550 5.7.1 x => victim@customer1.example R=dnslookup C="250 2.0.0 Ok"`
		}
		x.emit(at, "%s ** %s R=dnslookup T=remote_smtp %s: SMTP error from remote mail server after RCPT TO:<%s>: %s", l.id, address, mx, to.address, text)
	}
}

func (x *exim) putOff(at time.Time, l *letter, address, mx string) {
	if x.oneIn(3) {
		x.emit(at.Add(-time.Millisecond), "%s %s: Connection timed out", l.id, mx)
		x.emit(at, "%s == %s R=dnslookup T=remote_smtp defer (110): Connection timed out", l.id, address)
		return
	}
	x.emit(at, "%s == %s R=dnslookup T=remote_smtp defer (-46) %s: SMTP error from remote mail server after MAIL FROM:<%s>: 421 4.7.1 Too many messages", l.id, address, mx, l.from)
}

func (x *exim) mailbox(at time.Time, l *letter, to target, f fate) {
	switch f {
	case sent:
		x.emit(at, `%s => %s R=virtual_user T=dovecot_virtual_delivery C="250 2.0.0 <%s> Saved"`, l.id, recipient(to), to.address)
	case deferred:
		x.emit(at, "%s == %s R=virtual_user T=dovecot_virtual_delivery defer (-44): LMTP error from remote mail server after RCPT TO:<%s>: 452 4.2.2 Mailbox is full", l.id, recipient(to), to.address)
	case bounced:
		x.emit(at, "%s ** %s R=virtual_user T=dovecot_virtual_delivery: LMTP error from remote mail server after RCPT TO:<%s>: 550 5.1.1 User doesn't exist", l.id, recipient(to), to.address)
	}
}

// noise is what else the log holds.
func (x *exim) noise(at time.Time) {
	client := x.address()
	switch x.random.IntN(6) {
	case 0:
		x.emit(at, "H=(x%d) [%s] F=<%s> rejected RCPT <info@customer1.example>: Unrouteable address", x.random.IntN(99), client, x.remote("a"))
	case 1, 2:
		a := x.cast.accounts[x.pick(len(x.cast.accounts))]
		x.of(a.source).FailedLogins++
		x.emit(at, "dovecot_login authenticator failed for (User) [%s]:%d: 535 Incorrect authentication data (set_id=%s)", client, 1024+x.random.IntN(60000), a.account)
	case 3:
		x.emit(at, "no host name found for IP address %s", client)
	case 4:
		x.emit(at, "TLS error on connection from [%s] (gnutls_handshake): timed out", client)
	default:
		pid := x.box.nextPID()
		x.emit(at, "Start queue run: pid=%d", pid)
		x.emit(at.Add(200*time.Millisecond), "End queue run: pid=%d", pid)
	}
}
