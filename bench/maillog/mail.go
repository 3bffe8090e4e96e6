package maillog

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// after is a delay that varies as those of networks do: half are below the
// middle, few are many times that.
func (g *generator) after(at time.Time, middle time.Duration) time.Time {
	factor := math.Exp(g.random.NormFloat64() * 0.7)
	return at.Add(time.Duration(float64(middle) * factor).Truncate(time.Microsecond))
}

// session is one connection, or one run of a script: it sends a message, and now
// and then some more.
func (g *generator) session(at time.Time, a *author) {
	if a.clients == nil {
		g.message(at, a)
		return
	}
	client := a.clients[g.random.IntN(len(a.clients))]
	g.emit(at, "relaylock: /var/qmail/bin/relaylock: mail from %s:%d (not defined)", client, 1024+g.random.IntN(60000))
	if a.account != "" {
		at = g.after(at, 3*time.Millisecond)
		g.emit(at, "smtp_auth: SMTP connect from unknown@ [%s]", client)
		at = g.after(at, time.Millisecond)
		local, domain, _ := strings.Cut(a.account, "@")
		if g.random.IntN(2) == 0 {
			g.emit(at, "smtp_auth: smtp_auth: SMTP user %s : /var/qmail/mailnames/%s/%s logged in from unknown@ [%s]", local, domain, local, client)
		} else {
			g.emit(at, "smtp_auth: SMTP user %s : logged in from host-%s.isp.example [%s]", a.account, strings.ReplaceAll(client, ".", "-"), client)
		}
		g.of(a.source).Logins++
	}
	for {
		at = g.after(at, 40*time.Millisecond)
		g.message(at, a)
		if g.plan.Calm || g.random.IntN(6) > 0 {
			return
		}
		at = g.after(at, 2*time.Second)
	}
}

// message is accepted, delivered, and ends.
func (g *generator) message(at time.Time, a *author) {
	recipients := 1
	if g.random.IntN(15) == 0 {
		recipients = 2 + g.random.IntN(6)
	}
	sender := a.account
	switch {
	case sender == "" && a.clients == nil:
		sender = "www@customer1.example"
	case sender == "":
		sender = fmt.Sprintf("n%d@remote%d.test", g.random.IntN(100000), g.random.IntN(500))
	}
	if a.spam {
		recipients = 5 + g.random.IntN(40)
		if g.random.IntN(2) == 0 {
			sender = fmt.Sprintf("f%d@remote%d.test", g.random.IntN(100000), g.random.IntN(500))
		}
	}
	t := g.of(a.source)
	t.Messages++
	t.Recipients += recipients
	addresses := make([]string, recipients)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("u%d.%d@remote%d.test", g.made, i, g.random.IntN(500))
	}
	id, qp := g.inode(at), g.nextPID()+2
	g.emit(at, "qmail-queue-handlers[%d]: Handlers Filter before-queue for qmail started ...", qp-2)
	g.emit(at.Add(100*time.Microsecond), "qmail-queue-handlers[%d]: from=%s", qp-2, sender)
	for i, address := range addresses {
		g.emit(at.Add(time.Duration(200+i)*time.Microsecond), "qmail-queue-handlers[%d]: to=%s", qp-2, address)
	}
	at = at.Add(2 * time.Millisecond)
	g.qmail(at, "new msg %d", id)
	g.qmail(at.Add(50*time.Microsecond), "info msg %d: bytes %d from <%s> qp %d uid %d", id, 700+g.random.IntN(60000), sender, qp, a.uid)
	last := at
	failed := false
	for _, address := range addresses {
		end, ok := g.deliver(at.Add(time.Millisecond), id, address, a.spam, t)
		failed = failed || !ok
		if end.After(last) {
			last = end
		}
	}
	g.finish(last.Add(5*time.Millisecond), id, failed)
}

// deliver tries one recipient until it is decided, on qmail's schedule.
func (g *generator) deliver(at time.Time, id int, address string, spam bool, t *Truth) (end time.Time, ok bool) {
	fails, defers := 2, 6
	if spam {
		fails, defers = 20, 25
	}
	begun := at
	for try := 1; ; try++ {
		n := g.token()
		g.qmail(at, "starting delivery %s: msg %d to remote %s", n, id, address)
		g.qmail(at.Add(10*time.Microsecond), "status: local 0/10 remote %d/20", 1+g.random.IntN(20))
		g.emit(at.Add(200*time.Microsecond), "qmail-remote-handlers[%d]: to=%s", g.nextPID(), address)
		at = g.after(at, 600*time.Millisecond)
		host := g.address()
		switch x := g.random.IntN(100); {
		case x < fails:
			t.Failed++
			g.qmail(at, "delivery %s: failure: %s_does_not_like_recipient./Remote_host_said:_550_5.1.1_<%s>:_User_unknown/Giving_up_on_%s./", n, host, address, host)
			return at, false
		case x < fails+defers && try < 4:
			t.Deferrals++
			g.qmail(at, "delivery %s: deferral: %s_does_not_like_recipient./Remote_host_said:_421_4.7.1_Too_many_messages/Giving_up_on_%s./", n, host, host)
			at = begun.Add(time.Duration(400*try*try) * time.Second)
		default:
			t.Delivered++
			g.qmail(at, "delivery %s: success: %s_accepted_message./Remote_host_said:_250_ok_%d/", n, host, g.random.IntN(1<<30))
			return at, true
		}
	}
}

// finish ends a message, with a bounce where a recipient failed.
func (g *generator) finish(at time.Time, id int, failed bool) {
	if failed {
		qp := g.nextPID()
		bounce := g.inode(at)
		g.qmail(at, "bounce msg %d qp %d", id, qp)
		g.qmail(at.Add(2*time.Millisecond), "info msg %d: bytes 3000 from <> qp %d uid %d", bounce, qp, uidBounce)
		g.end(at.Add(time.Second), bounce)
	}
	g.end(at.Add(3*time.Millisecond), id)
}

func (g *generator) end(at time.Time, id int) {
	g.qmail(at, "end msg %d", id)
	g.ended = append(g.ended, freed{at, id})
}

// noise is what else the log holds: logins that fail, or send nothing, mailboxes
// that are read, clients that a blocklist names, other programs.
func (g *generator) noise(at time.Time, people []*author) {
	client, a := g.address(), people[g.random.IntN(len(people))]
	kind := g.random.IntN(5)
	if a.account == "" {
		kind = 4
	}
	switch kind {
	case 0, 1:
		g.emit(at, "smtp_auth: SMTP connect from unknown@ [%s]", client)
		g.emit(at.Add(2*time.Millisecond), "smtp_auth: smtp_auth: FAILED: %s - password incorrect  from unknown@ [%s]", a.account, client)
	case 2:
		g.emit(at, "pop3d: LOGIN, user=%s, ip=[::ffff:%s], port=[%d]", a.account, client, 1024+g.random.IntN(60000))
	case 3:
		g.qmail(at, "rblsmtpd: %s pid %d bl.example.org: 451 http://bl.example.org/?ip=%s", client, g.nextPID(), client)
	default:
		g.emit(at, "sshd[%d]: Failed password for root from %s port 22 ssh2", g.nextPID(), client)
	}
}
