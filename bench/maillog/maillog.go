// Package maillog writes the mail log of a synthetic server, with the truth of
// every source: for benchmarks, and to hold spoor's joins against. One seed
// always gives the same log.
package maillog

import (
	"bufio"
	"container/heap"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"
)

// The kinds of server.
const (
	Plesk   = "plesk" // qmail, as Plesk has it
	Postfix = "postfix"
	Exim    = "exim"
)

// The styles of a line's head.
const (
	RFC3164 = "rfc3164"
	ISO     = "iso"  // as rsyslog writes it
	Main    = "main" // Exim's own log
)

// Plan says what to write.
type Plan struct {
	Kind      string // "" is Plesk
	Style     string // "" is RFC3164, for Exim Main; Plesk has no other
	Short     bool   // queue IDs that are used again (Postfix), or of Exim before 4.97
	Hosts     int    // Postfix servers in one log, which use the same IDs and PIDs; 0 is 1
	Seed      uint64
	Bytes     int64     // about how long the log is to be
	Start     time.Time // of the first line
	PerSecond float64   // messages
	Calm      bool      // no login without mail, no failed login, no second message in a session
}

// Truth is what became of the mail of one source. What passes the queue several
// times, because of a filter, counts once.
type Truth struct {
	Messages     int   `json:"messages"`
	Recipients   int   `json:"recipients"`
	Delivered    int   `json:"delivered"`
	Failed       int   `json:"failed"`
	Deferrals    int   `json:"deferrals"`
	Logins       int   `json:"logins"`
	FailedLogins int   `json:"failed_logins"` // that name the account
	Bytes        int64 `json:"bytes"`
	Clients      int   `json:"clients"` // addresses that an account's mail came from
}

// author is somebody who sends.
type author struct {
	source  string // as spoor names it
	account string // "" for a site or a network
	uid     int
	login   string // of a site
	clients []string
	spam    bool
	news    bool // sends newsletters
}

// line is one line of the log, not yet written.
type line struct {
	at   time.Time
	n    int // of its making: lines of one moment keep their order
	text string
}

// queue orders lines by time.
type queue []line

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].n < q[j].n
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for container/heap.
func (q *queue) Push(x any) {
	if l, ok := x.(line); ok {
		*q = append(*q, l)
	}
}

// Pop is for container/heap.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// generator writes one log.
type generator struct {
	plan    Plan
	random  *rand.Rand
	out     *bufio.Writer
	written int64
	pending queue
	made    int
	truth   map[string]*Truth
	seen    map[[2]string]bool       // clients by source
	finish  func(text string) string // completes a line when it is its turn
}

// server is one kind of server: step writes what happens at a moment, and what
// comes of it later.
type server interface{ step(at time.Time) }

// Generate writes a log and returns the truth by source.
func Generate(out io.Writer, plan Plan) (map[string]*Truth, error) {
	g := &generator{
		plan: plan, random: rand.New(rand.NewPCG(plan.Seed, 1)), out: bufio.NewWriterSize(out, 1<<20),
		truth: map[string]*Truth{}, seen: map[[2]string]bool{}, finish: func(text string) string { return text },
	}
	s, err := g.server()
	if err != nil {
		return nil, err
	}
	at := plan.Start
	for g.written+int64(130*len(g.pending)) < plan.Bytes {
		at = at.Add(time.Duration(g.random.ExpFloat64() / plan.PerSecond * float64(time.Second)))
		g.flush(at.Add(-time.Second))
		s.step(at)
	}
	g.flush(at.Add(30 * 24 * time.Hour))
	return g.truth, g.out.Flush()
}

func (g *generator) server() (server, error) {
	switch g.plan.Kind {
	case Plesk, "":
		return newPlesk(g), nil
	case Postfix:
		return newPostfix(g), nil
	case Exim:
		return newExim(g), nil
	}
	return nil, fmt.Errorf("kind %q: want %s, %s or %s", g.plan.Kind, Plesk, Postfix, Exim)
}

// write plans a line.
func (g *generator) write(at time.Time, text string) {
	g.made++
	heap.Push(&g.pending, line{at: at, n: g.made, text: text + "\n"})
}

// flush writes what is older than a moment.
func (g *generator) flush(until time.Time) {
	for len(g.pending) > 0 && g.pending[0].at.Before(until) {
		if l, ok := heap.Pop(&g.pending).(line); ok {
			n, _ := g.out.WriteString(g.finish(l.text))
			g.written += int64(n)
		}
	}
}

// after is a delay that varies as those of networks do: half are below the
// middle, few are many times that.
func (g *generator) after(at time.Time, middle time.Duration) time.Time {
	factor := math.Exp(g.random.NormFloat64() * 0.7)
	return at.Add(time.Duration(float64(middle) * factor).Truncate(time.Microsecond))
}

// pick prefers the first: a few customers send most.
func (g *generator) pick(n int) int {
	return min(int(math.Pow(g.random.Float64(), 3)*float64(n)), n-1)
}

// oneIn is true once in n times.
func (g *generator) oneIn(n int) bool { return g.random.IntN(n) == 0 }

func (g *generator) address() string {
	return fmt.Sprintf("%d.%d.%d.%d", 11+g.random.IntN(180), g.random.IntN(256), g.random.IntN(256), 1+g.random.IntN(254))
}

func (g *generator) of(source string) *Truth {
	t := g.truth[source]
	if t == nil {
		t = &Truth{}
		g.truth[source] = t
	}
	return t
}
