package maillog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plesk is a server with qmail as Plesk has it.
type plesk struct {
	*generator
	people    []*author
	pid       int
	delivery  int
	numbers   map[int]int // deliveries that have begun, by the token in their lines
	tokens    int
	ended     []freed // messages whose inode numbers are used again
	nextInode int
}

// UIDs of qmail's users as Plesk numbers them.
const (
	uidNetwork = 2020
	uidBounce  = 2522
	firstSite  = 10000
)

// freed is an inode number that is free from a moment on.
type freed struct {
	at time.Time
	id int
}

func newPlesk(g *generator) *plesk {
	p := &plesk{generator: g, numbers: map[int]int{}, pid: 4000, nextInode: 2900000}
	p.people = p.customers()
	g.finish = p.numbered
	return p
}

// step is what happens at a moment.
func (g *plesk) step(at time.Time) {
	if !g.plan.Calm && g.random.IntN(3) == 0 {
		g.noise(at, g.people)
		return
	}
	g.session(at, g.people[g.pick(len(g.people))])
}

// session is one connection, or one run of a script: it sends a message, and now
// and then some more.
func (g *plesk) session(at time.Time, a *author) {
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
func (g *plesk) message(at time.Time, a *author) {
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
	g.close(last.Add(5*time.Millisecond), id, failed)
}

// deliver tries one recipient until it is decided, on qmail's schedule.
func (g *plesk) deliver(at time.Time, id int, address string, spam bool, t *Truth) (end time.Time, ok bool) {
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

// close ends a message, with a bounce where a recipient failed.
func (g *plesk) close(at time.Time, id int, failed bool) {
	if failed {
		qp := g.nextPID()
		bounce := g.inode(at)
		g.qmail(at, "bounce msg %d qp %d", id, qp)
		g.qmail(at.Add(2*time.Millisecond), "info msg %d: bytes 3000 from <> qp %d uid %d", bounce, qp, uidBounce)
		g.end(at.Add(time.Second), bounce)
	}
	g.end(at.Add(3*time.Millisecond), id)
}

func (g *plesk) end(at time.Time, id int) {
	g.qmail(at, "end msg %d", id)
	g.ended = append(g.ended, freed{at, id})
}

// noise is what else the log holds: logins that fail, or send nothing, mailboxes
// that are read, clients that a blocklist names, other programs.
func (g *plesk) noise(at time.Time, people []*author) {
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

// customers are the server's customers, and who else sends through it. Three of the
// accounts and one site were taken over.
func (g *plesk) customers() []*author {
	var list []*author
	for i := range 400 {
		name := fmt.Sprintf("user%d@customer%d.example", i, i%60)
		a := &author{source: "account:" + name, account: name, uid: uidNetwork}
		for range 1 + g.random.IntN(2) {
			a.clients = append(a.clients, g.address())
		}
		list = append(list, a)
		if i%4 == 0 {
			list = append(list, &author{source: fmt.Sprintf("uid:%d", firstSite+i/4), uid: firstSite + i/4})
		}
		if i%2 == 0 {
			client := g.address()
			list = append(list, &author{source: "network:" + client, uid: uidNetwork, clients: []string{client}})
		}
	}
	for _, i := range [...]int{3, 11, 19, 26} {
		list[i].spam = true
		if list[i].account != "" {
			for range 60 {
				list[i].clients = append(list[i].clients, g.address())
			}
		}
	}
	return list
}

// emit plans a line of a program.
func (g *plesk) emit(at time.Time, format string, args ...any) {
	g.write(at, at.UTC().Format(time.Stamp)+" mx1 "+fmt.Sprintf(format, args...))
}

// qmail plans a line of qmail-send, with splogger's stamp.
func (g *plesk) qmail(at time.Time, format string, args ...any) {
	micros := at.UnixMicro()
	g.emit(at, "qmail: %d.%06d %s", micros/1e6, micros%1e6, fmt.Sprintf(format, args...))
}

func (g *plesk) nextPID() int {
	if g.pid++; g.pid > 32000 {
		g.pid = 4000
	}
	return g.pid
}

// token stands for the number of a delivery, which qmail-send gives when it
// begins: lines are planned in another order.
func (g *plesk) token() string {
	g.tokens++
	return "\x01" + strconv.Itoa(g.tokens) + "\x02"
}

// numbered puts the number for the token, if a line has one.
func (g *plesk) numbered(text string) string {
	before, rest, ok := strings.Cut(text, "\x01")
	if !ok {
		return text
	}
	word, after, _ := strings.Cut(rest, "\x02")
	token, _ := strconv.Atoi(word)
	n, begun := g.numbers[token]
	if begun {
		delete(g.numbers, token)
	} else {
		g.delivery++
		n = g.delivery
		g.numbers[token] = n
	}
	return before + strconv.Itoa(n) + after
}

// inode takes a number that was freed, as file systems do, or a new one.
func (g *plesk) inode(at time.Time) int {
	for i, f := range g.ended[:min(len(g.ended), 64)] {
		if f.at.Before(at) {
			g.ended = slices.Delete(g.ended, i, i+1)
			return f.id
		}
	}
	g.nextInode++
	return g.nextInode
}
