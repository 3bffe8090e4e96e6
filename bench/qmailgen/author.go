package qmailgen

import (
	"math/rand/v2"
	"time"
)

// author composes messages. Message n depends on the options and n alone,
// whichever author composes it. Not for use by several goroutines at once.
type author struct {
	server *server
	seed   uint64
	now    time.Time
	kinds  []kind
	words  words

	source *rand.PCG
	rng    *rand.Rand
	letter letter
}

func newAuthor(s *server, o Options) *author {
	source := rand.NewPCG(o.Seed, 0)
	return &author{server: s, seed: o.Seed, now: o.Now, kinds: kinds(), words: newWords(), source: source, rng: rand.New(source)}
}

// kind is one sort of mail and its share of the queue.
type kind struct {
	perMille int
	compose  func(*author)
}

// kinds is the mix of a server with several abused sites and accounts: most of
// its queue is spam that nobody wants to accept, and what comes of it.
func kinds() []kind {
	return []kind{
		{420, (*author).hackedSite},
		{130, (*author).webMailer},
		{120, (*author).stolenAccount},
		{80, (*author).relay},
		{100, (*author).backscatter},
		{20, (*author).spamBounce},
		{3, (*author).doubleBounce},
		{27, (*author).forward},
		{40, (*author).ordinarySite},
		{40, (*author).ordinaryAccount},
		{10, (*author).contactForm},
		{8, (*author).delayedDelivery},
		{2, (*author).newsletter},
	}
}

// Shares of messages in states that are seldom seen, per mille.
const (
	todoPerMille    = 3
	triedPerMille   = 60 // some recipients done
	bouncedPerMille = 300
	emptiedPerMille = 20
)

// compose writes message n and returns it; the next call overwrites it.
func (a *author) compose(n uint64) *letter {
	a.source.Seed(a.seed, n)
	a.letter = letter{
		pid:        1000 + a.rng.IntN(64000),
		recipients: a.letter.recipients[:0],
		failures:   a.letter.failures[:0],
		content:    a.letter.content[:0],
		todo:       a.chance(todoPerMille),
	}
	a.letter.queued = a.now.Add(-a.age())
	a.pickKind()(a)
	if !a.letter.todo && a.chance(triedPerMille) {
		a.try()
	}
	return &a.letter
}

func (a *author) pickKind() func(*author) {
	left := a.rng.IntN(1000)
	for _, k := range a.kinds {
		if left -= k.perMille; left < 0 {
			return k.compose
		}
	}
	return (*author).ordinarySite
}

// age is how long ago a message was queued: seconds if it is not preprocessed
// yet, otherwise within the week that qmail keeps trying, mostly since
// yesterday.
func (a *author) age() time.Duration {
	span := 30 * time.Hour
	switch {
	case a.letter.todo:
		span = 20 * time.Second
	case a.chance(250):
		span = 6 * 24 * time.Hour
	}
	return time.Duration(a.rng.Int64N(int64(span)))
}

// try marks recipients as done: most were delivered, some failed for good, and
// then a bounce is due.
func (a *author) try() {
	l := &a.letter
	open := 1 + a.rng.IntN(len(l.recipients))
	if a.chance(emptiedPerMille) {
		open = 0
	}
	bounced := open == 0 || a.chance(bouncedPerMille)
	for i := range l.recipients[:len(l.recipients)-open] {
		l.recipients[i].done = true
		if bounced && (i == 0 || a.chance(200)) {
			l.failures = appendFailure(l.failures, l.recipients[i].address)
		}
	}
}

// appendFailure appends the report about one recipient as qmail-send(8) writes
// it to bounce and qmail-remote(8) words it.
func appendFailure(buf []byte, address string) []byte {
	buf = append(buf, '<')
	buf = append(buf, address...)
	buf = append(buf, ">:\n192.0.2.25 does not like recipient.\nRemote host said: 550 5.1.1 <"...)
	buf = append(buf, address...)
	return append(buf, ">: Recipient address rejected: User unknown\nGiving up on 192.0.2.25.\n\n"...)
}

func (a *author) chance(perMille int) bool { return a.rng.IntN(1000) < perMille }

// pick returns one of list.
func pick[T any](a *author, list []T) T { return list[a.rng.IntN(len(list))] }

// pickFirst returns one of list, the first ones much more often.
func pickFirst[T any](a *author, list []T) T {
	i := 0
	for i < len(list)-1 && a.chance(200) {
		i++
	}
	return list[i]
}
