// Package maillog writes the mail log of a synthetic Plesk server with qmail,
// with the truth of every source: for benchmarks, and to hold spoor's joins
// against. One seed always gives the same log.
package maillog

import (
	"bufio"
	"container/heap"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Plan says what to write.
type Plan struct {
	Seed      uint64
	Bytes     int64     // about how long the log is to be
	Start     time.Time // of the first line
	PerSecond float64   // messages
	Calm      bool      // no login without mail, no failed login, no second message in a session
}

// Truth is what became of the mail of one source.
type Truth struct {
	Messages   int `json:"messages"`
	Recipients int `json:"recipients"`
	Delivered  int `json:"delivered"`
	Failed     int `json:"failed"`
	Deferrals  int `json:"deferrals"`
	Logins     int `json:"logins"`
}

// UIDs of qmail's users as Plesk numbers them.
const (
	uidNetwork = 2020
	uidBounce  = 2522
	firstSite  = 10000
)

// author is somebody who sends.
type author struct {
	source  string // as spoor names it
	account string // "" for a site or a network
	uid     int
	clients []string
	spam    bool
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

	pid, delivery int
	numbers       map[int]int // deliveries that have begun, by the token in their lines
	tokens        int
	ended         []freed // messages whose inode numbers are used again
	nextInode     int
}

// freed is an inode number that is free from a moment on.
type freed struct {
	at time.Time
	id int
}

// Generate writes a log and returns the truth by source.
func Generate(out io.Writer, plan Plan) (map[string]*Truth, error) {
	g := &generator{
		plan: plan, random: rand.New(rand.NewPCG(plan.Seed, 1)), out: bufio.NewWriterSize(out, 1<<20),
		truth: map[string]*Truth{}, numbers: map[int]int{}, pid: 4000, nextInode: 2900000,
	}
	people := g.people()
	at := plan.Start
	for g.written+int64(130*len(g.pending)) < plan.Bytes {
		at = at.Add(time.Duration(g.random.ExpFloat64() / plan.PerSecond * float64(time.Second)))
		g.flush(at.Add(-time.Second))
		if !plan.Calm && g.random.IntN(3) == 0 {
			g.noise(at, people)
			continue
		}
		g.session(at, people[g.pick(len(people))])
	}
	g.flush(at.Add(30 * 24 * time.Hour))
	return g.truth, g.out.Flush()
}

// pick prefers the first: a few customers send most.
func (g *generator) pick(n int) int {
	return min(int(math.Pow(g.random.Float64(), 3)*float64(n)), n-1)
}

// people are the server's customers, and who else sends through it. Three of the
// accounts and one site were taken over.
func (g *generator) people() []*author {
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

func (g *generator) address() string {
	return fmt.Sprintf("%d.%d.%d.%d", 11+g.random.IntN(180), g.random.IntN(256), g.random.IntN(256), 1+g.random.IntN(254))
}

// emit plans a line of a program.
func (g *generator) emit(at time.Time, format string, args ...any) {
	g.made++
	heap.Push(&g.pending, line{at: at, n: g.made, text: at.UTC().Format(time.Stamp) + " mx1 " + fmt.Sprintf(format, args...) + "\n"})
}

// qmail plans a line of qmail-send, with splogger's stamp.
func (g *generator) qmail(at time.Time, format string, args ...any) {
	micros := at.UnixMicro()
	g.emit(at, "qmail: %d.%06d %s", micros/1e6, micros%1e6, fmt.Sprintf(format, args...))
}

// flush writes what is older than a moment.
func (g *generator) flush(until time.Time) {
	for len(g.pending) > 0 && g.pending[0].at.Before(until) {
		if l, ok := heap.Pop(&g.pending).(line); ok {
			n, _ := g.out.WriteString(g.numbered(l.text))
			g.written += int64(n)
		}
	}
}

func (g *generator) nextPID() int {
	if g.pid++; g.pid > 32000 {
		g.pid = 4000
	}
	return g.pid
}

// token stands for the number of a delivery, which qmail-send gives when it
// begins: lines are planned in another order.
func (g *generator) token() string {
	g.tokens++
	return "\x01" + strconv.Itoa(g.tokens) + "\x02"
}

// numbered puts the number for the token, if a line has one.
func (g *generator) numbered(text string) string {
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
func (g *generator) inode(at time.Time) int {
	for i, f := range g.ended[:min(len(g.ended), 64)] {
		if f.at.Before(at) {
			g.ended = slices.Delete(g.ended, i, i+1)
			return f.id
		}
	}
	g.nextInode++
	return g.nextInode
}

func (g *generator) of(source string) *Truth {
	t := g.truth[source]
	if t == nil {
		t = &Truth{}
		g.truth[source] = t
	}
	return t
}
