package maillog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// exim is a server with Exim, with the log selectors that cPanel sets.
type exim struct {
	*generator
	cast *cast
	box  *box
}

func newExim(g *generator) *exim {
	return &exim{generator: g, cast: g.cast(), box: newBox("mx1", "exim")}
}

func (x *exim) step(at time.Time) {
	switch a := x.cast.next(x.generator); {
	case a == nil:
		x.noise(at)
	case a.login != "":
		x.script(at, a)
	default:
		x.session(at, a)
	}
}

// emit plans a line, in Exim's own log or by way of syslog.
func (x *exim) emit(at time.Time, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch x.plan.Style {
	case ISO, RFC3164:
		x.write(at, head(x.plan.Style, at)+" mx1 exim[4321]: "+text)
	default:
		x.write(at, at.UTC().Format("2006-01-02 15:04:05 ")+text)
	}
}

// identify gives a message an ID (exim_id.c): seconds, PID and a fraction.
func (x *exim) identify(at time.Time, l *letter) {
	l.box = x.box
	pid, fraction := int64(x.box.nextPID()), int64(at.Nanosecond()/500000)
	if x.plan.Short {
		l.id = digits(b62, at.Unix(), 6) + "-" + digits(b62, pid, 6) + "-" + digits(b62, fraction, 2)
		return
	}
	l.id = digits(b62, at.Unix(), 6) + "-" + digits(b62, pid, 11) + "-" + digits(b62, fraction, 4)
}

// session is a connection with its messages.
func (x *exim) session(at time.Time, a *author) {
	client, port := a.clients[x.random.IntN(len(a.clients))], 1024+x.random.IntN(60000)
	host := x.hostname(client) + fmt.Sprintf(" [%s]:%d", client, port)
	x.emit(at, "SMTP connection from [%s]:%d (TCP/IP connection count = %d)", client, port, 1+x.random.IntN(30))
	if a.account != "" {
		x.of(a.source).Logins++
	}
	for range x.mails(a) {
		at = x.after(at, 150*time.Millisecond)
		if !x.plan.Calm && x.oneIn(40) {
			x.refuse(at, a, host)
			continue
		}
		l := x.letter(at, a, client)
		x.identify(at, l)
		x.receive(at.Add(time.Millisecond), l, host)
	}
	x.emit(x.after(at, 20*time.Millisecond), "SMTP connection from %s closed by QUIT", strings.TrimPrefix(host, "H="))
}

// hostname is what Exim writes before a client's address: its name and what it
// called itself, or the latter alone, or nothing.
func (x *exim) hostname(client string) string {
	name := "host-" + strings.ReplaceAll(client, ".", "-") + ".isp.example"
	switch x.random.IntN(4) {
	case 0:
		return "H=" + name
	case 1:
		return "H=(DESKTOP-" + strconv.Itoa(x.random.IntN(99)) + ")"
	case 2:
		return "H=([192.168.1." + strconv.Itoa(x.random.IntN(99)) + "])"
	}
	return "H=" + name + " (PC)"
}

// receive writes the reception. The subject is of the sender's choice.
func (x *exim) receive(at time.Time, l *letter, host string) {
	protocol, login := "esmtps", ""
	if l.by.account != "" {
		protocol, login = "esmtpsa", " A=dovecot_login:"+x.written(l.by.account)
	}
	x.emit(at, "%s <= %s %s P=%s X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no%s S=%d id=%s%s", l.id, l.from, host, protocol, login, l.size, l.name, x.subject(l))
	x.route(at, l)
}

// written is an account as a client may write it.
func (x *exim) written(account string) string {
	if !x.oneIn(50) {
		return account
	}
	local, domain, _ := strings.Cut(account, "@")
	return local + "@" + strings.ToUpper(domain[:1]) + domain[1:]
}

func (x *exim) subject(l *letter) string {
	if x.oneIn(4) {
		return ""
	}
	text := fmt.Sprintf("Subject %d", x.random.IntN(999))
	if x.oneIn(30) { // it tries to look like other fields
		text = `x\" A=dovecot_login:user0@customer0.example S=1 id=a for b <= c U=root P=local`
	}
	var to strings.Builder
	for _, t := range l.to {
		to.WriteString(" " + written(t))
	}
	return ` T="` + text + `" from <` + l.from + "> for" + to.String()
}

func written(t target) string {
	if t.written != "" {
		return t.written
	}
	return t.address
}

// script is a message that a script hands over.
func (x *exim) script(at time.Time, a *author) {
	l := x.letter(at, a, "")
	x.identify(at, l)
	x.emit(at, "cwd=/home/%s/public_html/wp-content 3 args: /usr/sbin/sendmail -t -i", a.login)
	at = at.Add(2 * time.Millisecond)
	x.emit(at, "%s <= %s U=%s P=local S=%d id=%s%s", l.id, l.from, a.login, l.size, l.name, x.subject(l))
	x.route(at, l)
}

// refuse is a message that a policy ends before it is queued.
func (x *exim) refuse(at time.Time, a *author, host string) {
	l := &letter{}
	x.identify(at, l)
	x.emit(at, "%s %s F=<%s> rejected after DATA: This message contains a virus", l.id, host, x.sender(a))
}

// route delivers a message. Some go through a filter, which hands them back.
func (x *exim) route(at time.Time, l *letter) {
	if l.by.account == "" && l.by.login == "" || !x.oneIn(12) {
		x.carry(at, l, x)
		return
	}
	first := *l
	at = x.after(at, 400*time.Millisecond)
	x.identify(at, l)
	x.emit(at, "%s <= %s H=localhost (mx1.example.com) [127.0.0.1]:%d P=scanned-ok S=%d id=%s", l.id, l.from, 1024+x.random.IntN(60000), l.size+300, l.name)
	for n, to := range first.to {
		flag := "=>"
		if n > 0 {
			flag = "->"
		}
		x.emit(at.Add(3*time.Millisecond), `%s %s %s R=amavis T=amavis H=127.0.0.1 [127.0.0.1]:10024 C="250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 OK id=%s"`, first.id, flag, recipient(to), l.id)
	}
	x.emit(at.Add(3*time.Millisecond), "%s Completed", first.id)
	x.carry(at.Add(2*time.Millisecond), l, x)
}

// recipient is an address of a delivery, with the one that it replaced.
func recipient(to target) string {
	local, _, _ := strings.Cut(to.address, "@")
	switch {
	case to.written != "":
		return local + " <" + to.written + ">"
	case to.local:
		return local + " <" + to.address + ">"
	}
	return to.address
}
