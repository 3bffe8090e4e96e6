package maillog

import (
	"fmt"
	"strings"
	"time"
)

// cast is who sends through a Postfix or Exim server, and what is at work against
// it.
type cast struct {
	accounts, sites, relays []*author
	servers                 []*author // of large providers
	taken                   []*author // three accounts and a site that spammers have
	news                    *author
}

const (
	domains   = 150
	sites     = 120
	webServer = 33 // UID of www-data
)

func (g *generator) cast() *cast {
	c := &cast{}
	for i := range 600 {
		name := fmt.Sprintf("user%d@customer%d.example", i, i%domains)
		if i == 30 {
			name = "scanner, 2nd floor@customer30.example"
		}
		a := &author{source: "account:" + name, account: name}
		for range 1 + g.random.IntN(3) {
			a.clients = append(a.clients, g.address())
		}
		c.accounts = append(c.accounts, a)
	}
	for i := range sites {
		c.sites = append(c.sites, site(firstSite+i, fmt.Sprintf("site%d", firstSite+i)))
	}
	c.sites[3] = site(webServer, "www-data")
	for i := range 3005 {
		client := g.address()
		a := &author{source: "network:" + client, clients: []string{client}}
		if i < 5 {
			c.relays = append(c.relays, a)
		} else {
			c.servers = append(c.servers, a)
		}
	}
	c.take(g)
	c.news = c.accounts[12]
	c.news.news = true
	return c
}

func site(uid int, login string) *author {
	return &author{source: fmt.Sprintf("uid:%d", uid), uid: uid, login: login}
}

// take lets spammers have three accounts, from many addresses, and a site. Their
// owners go on to use them.
func (c *cast) take(g *generator) {
	for n, i := range [...]int{5, 23, 71} {
		stolen := *c.accounts[i]
		stolen.spam, stolen.clients = true, nil
		for range 40 + 60*n {
			stolen.clients = append(stolen.clients, g.address())
		}
		c.taken = append(c.taken, &stolen)
	}
	hacked := *c.sites[7]
	hacked.spam = true
	c.taken = append(c.taken, &hacked)
}

// next chooses who sends now; nil for nobody: something else happens.
func (c *cast) next(g *generator) *author {
	switch x := g.random.IntN(1000); {
	case x < 40:
		return c.taken[g.random.IntN(len(c.taken))]
	case x < 42:
		return c.news
	case x < 300:
		return c.accounts[g.pick(len(c.accounts))]
	case x < 380:
		return c.sites[g.pick(len(c.sites))]
	case x < 390:
		return c.relays[g.random.IntN(len(c.relays))]
	case x < 600:
		return c.outside(g)
	case g.plan.Calm:
		return c.accounts[g.pick(len(c.accounts))]
	}
	return nil
}

// outside is a server that mail comes from: most of it from some large ones.
func (c *cast) outside(g *generator) *author {
	if g.oneIn(3) {
		client := g.address()
		return &author{source: "network:" + client, clients: []string{client}}
	}
	return c.servers[g.pick(len(c.servers))]
}

// mails is how many messages a session has.
func (g *generator) mails(a *author) int {
	switch {
	case g.plan.Calm:
		return 1
	case a.news && g.oneIn(3):
		return 60 + g.random.IntN(60)
	case g.oneIn(6):
		return 2 + g.random.IntN(3)
	}
	return 1
}

// letter is a message on its way.
type letter struct {
	by       *author
	truth    *Truth
	client   string // address of the client, or ""
	from     string // envelope sender
	name     string // Message-ID, without its brackets
	size     int
	to       []target
	spam     bool
	stubborn bool // some receiver puts it off until it expires
	doomed   bool // an operator removes it while it waits
	box      *box
	id       string
	inode    int
	born     time.Time // when it got its first ID
}

// target is a recipient.
type target struct {
	address string
	written string // the address on the envelope, where an alias replaced it
	outside string // where a local address forwards to
	local   bool
}

// letter writes a message and counts it.
func (g *generator) letter(at time.Time, a *author, client string) *letter {
	l := &letter{by: a, truth: g.of(a.source), client: client, spam: a.spam, size: 700 + g.random.IntN(60000), born: at}
	l.from = g.sender(a)
	l.name = fmt.Sprintf("%x.%x@%s", at.UnixMicro(), g.random.Uint32(), "client.example")
	for range g.recipients(a) {
		l.to = append(l.to, g.target(a, len(l.to)))
	}
	l.stubborn, l.doomed = g.oneIn(150), g.oneIn(200)
	l.truth.Messages++
	l.truth.Recipients += len(l.to)
	l.truth.Bytes += int64(l.size)
	if key := [2]string{a.source, client}; a.account != "" && !g.seen[key] {
		g.seen[key] = true
		l.truth.Clients++
	}
	return l
}

func (g *generator) sender(a *author) string {
	switch {
	case a.spam && g.oneIn(2):
		return g.remote("f")
	case strings.Contains(a.account, " "): // a login need not be an address
		return "scanner@customer30.example"
	case a.account != "":
		return a.account
	case a.login != "":
		return fmt.Sprintf("%s@customer%d.example", a.login, a.uid%domains)
	}
	return g.remote("n")
}

func (g *generator) recipients(a *author) int {
	switch {
	case a.spam:
		return 5 + g.random.IntN(46)
	case g.oneIn(20):
		return 2 + g.random.IntN(8)
	}
	return 1
}

func (g *generator) remote(prefix string) string {
	return fmt.Sprintf("%s%d@remote%d.test", prefix, g.random.IntN(500000), g.pick(3000))
}

// target chooses the nth recipient. What comes from outside goes to somebody
// here; a tenth of what customers write does.
func (g *generator) target(a *author, n int) target {
	inbound := a.account == "" && a.login == ""
	if a.spam || !inbound && !g.oneIn(10) {
		return target{address: fmt.Sprintf("u%d.%d@remote%d.test", g.random.IntN(500000), n, g.pick(3000))}
	}
	user := g.random.IntN(600)
	t := target{address: fmt.Sprintf("user%d.%d@customer%d.example", user, n, user%domains), local: true}
	switch g.random.IntN(12) {
	case 0:
		t.written = fmt.Sprintf("info%d@customer%d.example", n, user%domains)
	case 1:
		t.address = fmt.Sprintf("forward%d@customer%d.example", user%20, n)
		t.outside = g.remote("home")
	}
	return t
}

// fate is how an attempt ends.
type fate uint8

const (
	sent fate = iota
	deferred
	bounced
)

// fate decides an attempt, and counts it.
func (g *generator) fate(l *letter, to target, try int) fate {
	fails, defers := 3, 6
	if l.spam {
		fails, defers = 18, 25
	}
	if to.local {
		fails, defers = 1, 2
	}
	switch x := g.random.IntN(100); {
	case l.stubborn && !to.local && to == l.to[0]:
		l.truth.Deferrals++
		return deferred
	case x < fails:
		l.truth.Failed++
		return bounced
	case x < fails+defers && try < maxTries:
		l.truth.Deferrals++
		return deferred
	}
	l.truth.Delivered++
	return sent
}

// maxTries is after how many attempts a message expires.
const maxTries = 4

// carrier writes what an MTA logs of a message.
type carrier interface {
	begin(at time.Time, l *letter)                              // it is tried, again
	report(at time.Time, l *letter, to target, f fate, nth int) // an attempt has ended
	bounce(at time.Time, l *letter)                             // the sender is told
	expire(at time.Time, l *letter, left []target)
	remove(at time.Time, l *letter) // by an operator
	end(at time.Time, l *letter)
}

// carry tries a message until all its recipients are decided.
func (g *generator) carry(at time.Time, l *letter, c carrier) {
	left := l.to
	for try := 1; ; try++ {
		c.begin(at, l)
		var again []target
		last, failed := at, false
		for n, to := range left {
			end := g.after(at, 700*time.Millisecond)
			if to.local {
				end = g.after(at, 8*time.Millisecond)
			}
			f := g.fate(l, to, try)
			c.report(end, l, to, f, n)
			failed = failed || f == bounced
			if f == deferred {
				again = append(again, to)
			}
			last = later(last, end)
		}
		expired := try == maxTries && len(again) > 0
		if expired {
			c.expire(last.Add(time.Millisecond), l, again)
			l.truth.Failed += len(again)
			again = nil
		}
		if (failed || expired) && l.from != "" {
			c.bounce(last.Add(2*time.Millisecond), l)
		}
		last = last.Add(5 * time.Millisecond)
		if len(again) == 0 {
			c.end(last, l)
			return
		}
		left, at = again, g.after(last, 300*time.Second<<(try-1))
		if l.doomed {
			c.remove(later(last.Add(10*time.Second), at.Add(-time.Minute)), l)
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// back is the bounce of a message.
func (g *generator) back(l *letter) *letter {
	b := &letter{
		by: &author{source: "bounce:"}, truth: g.of("bounce:"), size: l.size + 2200, box: l.box,
		to: []target{{address: l.from, local: l.by.account != "" && l.from == l.by.account}},
	}
	b.truth.Messages++
	b.truth.Recipients++
	b.truth.Bytes += int64(b.size)
	return b
}
