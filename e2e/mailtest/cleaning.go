package mailtest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// Cleaning is a server whose queue an operator cleans up, while mail arrives and
// leaves. Every message has a subject of its own. One of three goes to somebody who
// takes it at once; the others have two recipients more who do not: what waits is
// delivered in part, and at the receiver can be counted who got what.
type Cleaning struct {
	*Server
	Receiver *Receiver
	Holding  string       // what spoor has beside the queue
	Push     func() error // lets the server attempt deliveries until that is done; nil if it does so all the time
	Waiting  func() int   // how many files the queue has

	posted atomic.Int64
}

// accounts are who sends mail: the thief, and who has always done so.
var accounts = map[string]*Client{
	Stolen: {Address: Thief1, Login: Stolen, Password: StolenPassword},
	Letter: {Address: Office, Login: Letter, Password: LetterPassword},
}

// source is what the operator acts on.
const source = "account:" + Stolen

// Post sends messages of an account.
func (c *Cleaning) Post(account string, count int) {
	c.t.Helper()
	var mails []Mail
	for range count {
		number := c.posted.Add(1)
		mails = append(mails, Mail{
			Sender: account, Recipients: recipients(number),
			Text: fmt.Sprintf("From: %s\nSubject: %s\n\nbody of %d\n%s", account, subject(number), number, strings.Repeat("spam \n", 20)),
		})
	}
	client := *accounts[account]
	client.Port = c.Submission
	if err := client.Send(mails...); err != nil {
		c.t.Error(err)
	}
}

func subject(number int64) string { return fmt.Sprintf("number%d", number) }

func recipients(number int64) []string {
	list := []string{fmt.Sprintf("a%d@%s", number, TakesDomain), fmt.Sprintf("b%d@%s", number, SlowDomain), fmt.Sprintf("c%d@%s", number, SlowDomain)}
	if number%3 == 0 {
		return list[:1]
	}
	return list
}

// copies is how many copies all recipients of a message got.
func (c *Cleaning) copies(subject string) (copies int) {
	var number int64
	_, _ = fmt.Sscanf(subject, "number%d", &number)
	for _, recipient := range recipients(number) {
		copies += c.Receiver.Taken(subject + " " + recipient)
	}
	return copies
}

// attempted waits until every message was tried.
func (c *Cleaning) attempted() {
	c.t.Helper()
	for number := int64(1); number <= c.posted.Load(); number++ {
		c.Until("a first attempt", func() bool { return c.tried(number) })
	}
}

func (c *Cleaning) tried(number int64) bool {
	return c.Receiver.Taken(subject(number)+" "+recipients(number)[0]) > 0
}

const (
	portion = 5   // messages arrive together
	flood   = 300 // arrive at most while the operator works
)

// Load lets messages arrive and deliveries be attempted until it is ended: the
// next ones arrive when those before have been tried.
func (c *Cleaning) Load(senders ...string) (end func()) {
	var load sync.WaitGroup
	stop := make(chan struct{})
	stopped := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	load.Go(func() {
		for i := 0; i < flood/portion && !stopped(); i++ {
			c.Post(senders[i%len(senders)], portion)
			last := c.posted.Load()
			c.until(func() bool { return stopped() || c.tried(last) })
		}
	})
	if c.Push != nil {
		load.Go(func() {
			for !stopped() {
				if err := c.Push(); err != nil {
					c.t.Error(err)
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(stop)
		load.Wait()
	})
}

// drain lets the receiver take everything and waits until the queue is as wanted.
func (c *Cleaning) drain(done func() bool) {
	c.t.Helper()
	c.Receiver.Open.Store(true)
	c.Until("deliveries", func() bool {
		if done() {
			return true
		}
		if c.Push != nil {
			if err := c.Push(); err != nil {
				c.t.Fatal(err)
			}
		}
		return false
	})
}

// judge drains the queue and counts at the receiver: each recipient of each
// message has got one copy. Nothing of spoor is left beside the queue.
func (c *Cleaning) judge() {
	c.t.Helper()
	c.drain(func() bool { return c.Waiting() == 0 })
	wrong := 0
	for number := int64(1); number <= c.posted.Load(); number++ {
		for _, recipient := range recipients(number) {
			if got := c.Receiver.Taken(subject(number) + " " + recipient); got != 1 {
				if wrong++; wrong <= 10 {
					c.t.Errorf("%s got %s %d times, want once", recipient, subject(number), got)
				}
			}
		}
	}
	if wrong > 0 {
		c.t.Errorf("%d copies of %d messages are lost or doubled", wrong, c.posted.Load())
	}
	if c.Exists(c.Holding) {
		c.t.Errorf("%s is still there, with %d files", c.Holding, c.Files(c.Holding))
	}
	for _, entry := range c.Journal() {
		if entry.State == "unfinished" {
			c.t.Errorf("unfinished in the journal: %+v", entry)
		}
	}
}
