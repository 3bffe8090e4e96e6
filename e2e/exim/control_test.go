//go:build e2e

package exim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"spoor"
	"spoor/e2e/mailtest"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
	eximmta "spoor/internal/mta/exim"
)

// inRoot runs Exim's programs where the server is.
type inRoot struct{ s *mailtest.Server }

// Run implements mta.Runner.
func (r inRoot) Run(_ context.Context, input []byte, name string, args ...string) ([]byte, error) {
	command := r.s.Command(0, name, args...)
	command.Stdin = bytes.NewReader(input)
	return command.CombinedOutput()
}

// operator is who acts on the queue, and the vault where the messages are that he
// has taken out of it.
type operator struct {
	t      *testing.T
	s      *mailtest.Server
	top    *disk.Dir
	server mta.Server
	random *rand.Rand
	plans  int
	vault  map[spoor.QueueID]*spoor.Parcel
	counts map[string]int // of outcomes, to see that all of them happened
}

func newOperator(t *testing.T, s *mailtest.Server) *operator {
	root, err := host.Open(s.Dir)
	must(t, err)
	passwd, err := root.Passwd(&spoor.Gaps{})
	must(t, err)
	top, err := disk.Open(s.Dir, nil)
	must(t, err)
	t.Cleanup(func() { _, _ = root.Close(), top.Close() })
	return &operator{
		t: t, s: s, top: top, server: mta.Server{Root: root, Passwd: passwd, Gaps: &spoor.Gaps{}}, random: rand.New(rand.NewPCG(1, 2)),
		vault: map[spoor.QueueID]*spoor.Parcel{}, counts: map[string]int{},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// act does something with the queue.
func (o *operator) act(do func(k mta.Controller)) {
	o.t.Helper()
	o.plans++
	k, err := eximmta.Adapter().Control(&o.server, mta.Control{Top: o.top, Live: true, Plan: fmt.Sprint("plan-", o.plans), Run: inRoot{o.s}})
	must(o.t, err)
	do(k)
	must(o.t, k.Settle())
	must(o.t, k.Close())
}

// some is about one message of n in the queue.
func (o *operator) some(n int) []spoor.Target {
	o.t.Helper()
	q, err := eximmta.Adapter().Open(&o.server)
	must(o.t, err)
	defer func() { _ = q.Close() }()
	scan, err := q.Scan(o.t.Context(), mta.Want{})
	must(o.t, err)
	var batch []spoor.Target
	for _, part := range scan.Parts {
		for m, err := range part {
			must(o.t, err)
			if o.random.IntN(n) == 0 {
				batch = append(batch, spoor.TargetOf(m))
			}
		}
	}
	return batch
}

// booked counts outcomes and returns the targets of which it is done.
func (o *operator) booked(what string, batch []spoor.Target, outcomes []spoor.Outcome, err error) []spoor.Target {
	o.t.Helper()
	must(o.t, err)
	var list []spoor.Target
	for i, out := range outcomes {
		o.counts[what+" "+out.Result.String()]++
		switch out.Result {
		case spoor.ResultDone:
			list = append(list, batch[i])
		case spoor.ResultFailed, spoor.ResultChanged:
			o.t.Errorf("%s of %s: %v, %v", what, batch[i].ID, out.Result, out.Err)
		default:
		}
	}
	return list
}

// remove takes a part of the queue into the vault.
func (o *operator) remove() {
	o.act(func(k mta.Controller) {
		batch := o.some(3)
		outcomes, err := k.Take(o.t.Context(), batch)
		taken := o.booked("take", batch, outcomes, err)
		for i := range taken {
			p, err := k.Pack(&taken[i])
			must(o.t, err)
			o.store(p)
		}
		outcomes, err = k.Discard(o.t.Context(), taken)
		o.booked("discard", taken, outcomes, err)
	})
}

// store keeps a parcel in memory.
func (o *operator) store(p *spoor.Parcel) {
	o.t.Helper()
	for i := range p.Files {
		f := &p.Files[i]
		open, err := f.Open()
		must(o.t, err)
		content, err := io.ReadAll(open)
		must(o.t, err)
		must(o.t, open.Close())
		f.Open = func() (spoor.Content, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	}
	o.vault[p.ID] = p
}

// restore puts one message of n in the vault into the queue. It returns their IDs.
func (o *operator) restore(n int) []spoor.QueueID {
	var restored []spoor.QueueID
	o.act(func(k mta.Controller) {
		var batch []spoor.Prepared
		for id, p := range o.vault {
			if o.random.IntN(n) == 0 {
				one, err := k.Prepare(o.t.Context(), fmt.Sprint("m", len(batch)), p)
				must(o.t, err)
				batch = append(batch, one)
				delete(o.vault, id)
			}
		}
		outcomes, err := k.Publish(o.t.Context(), batch)
		must(o.t, err)
		for i, out := range outcomes {
			o.counts["publish "+out.Result.String()]++
			if out.Result != spoor.ResultDone || out.Err != nil {
				o.t.Errorf("publish of %s: %v, %v", batch[i].NewID, out.Result, out.Err)
			}
			restored = append(restored, batch[i].NewID)
		}
	})
	return restored
}

// hold freezes a part of the queue and wants Exim to list it so.
func (o *operator) hold() {
	o.act(func(k mta.Controller) {
		batch := o.some(4)
		outcomes, err := k.Hold(o.t.Context(), batch)
		held := o.booked("hold", batch, outcomes, err)
		listed := o.listed()
		for _, t := range held {
			if !strings.Contains(listed[t.ID], "*** frozen ***") {
				o.t.Errorf("%s is held, and exim lists it as %q", t.ID, listed[t.ID])
			}
		}
		outcomes, err = k.PutBack(o.t.Context(), held[:len(held)/2]) // that were not taken
		o.booked("put back", held, outcomes, err)
	})
}

func (o *operator) release(n int) {
	o.act(func(k mta.Controller) {
		batch := o.some(n)
		outcomes, err := k.Release(o.t.Context(), batch)
		o.booked("release", batch, outcomes, err)
	})
}

// listed is what exim -bp prints of each message.
func (o *operator) listed() map[spoor.QueueID]string {
	list := map[spoor.QueueID]string{}
	for entry := range strings.SplitSeq(o.s.Run(0, "", "/usr/sbin/exim4", "-bp"), "\n\n") {
		if fields := strings.Fields(entry); len(fields) > 2 {
			list[spoor.QueueID(fields[2])] = entry
		}
	}
	return list
}

// post sends messages that have a part of the recipients put off. Each has a
// subject of its own.
func post(s *mailtest.Server, from, count int) error {
	var mails []mailtest.Mail
	for i := range count {
		mails = append(mails, mailtest.Mail{
			Sender: "a@shop.example", Recipients: recipientsOf(from + i),
			Text: fmt.Sprintf("From: a@shop.example\nSubject: number%d\n\nbody %d\n", from+i, from+i),
		})
	}
	return (&mailtest.Client{Address: mailtest.Relaying, Port: s.SMTP}).Send(mails...)
}

func recipientsOf(i int) []string {
	return []string{fmt.Sprintf("a%d@takes.test", i), fmt.Sprintf("b%d@slow.test", i), fmt.Sprintf("c%d@slow.test", i)}
}

const (
	waiting  = 300 // messages that wait when the operator begins
	arriving = 200 // that come meanwhile
	rounds   = 6   // of acting
)

// TestActingUnderLoad lets an operator take, restore, hold and release messages
// while others arrive and queue runners deliver, and counts at the receivers: each
// recipient of each message has got it once, or it is undone in the vault.
func TestActingUnderLoad(t *testing.T) {
	receivers := mailtest.NewReceiver(t, 10)
	s := startWith(mailtest.New(t, "exim"), mailtest.Sinks{Slow: receivers.Port, Refuses: receivers.Port, Takes: receivers.Port})
	o := newOperator(t, s)
	must(t, post(s, 0, waiting))

	var load sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		load.Go(func() { runQueue(t, s, stop) })
	}
	load.Go(func() {
		for i := 0; i < arriving; i += 10 {
			if err := post(s, waiting+i, 10); err != nil {
				t.Error(err)
			}
		}
	})
	for range rounds {
		o.remove()
		o.hold()
		o.restore(2)
		o.release(2)
	}
	close(stop)
	load.Wait()
	s.Until("deliveries to end", func() bool { return eximsRunning(s) == 1 })

	if left := len(o.some(1)) + len(o.vault); left == waiting+arriving {
		t.Error("no message was delivered meanwhile")
	}
	o.read(o.restore(2))
	o.finish(receivers)
	o.judge(receivers)
}

// runQueue runs the queue again and again, whatever the retry times are.
func runQueue(t *testing.T, s *mailtest.Server, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if out, err := s.Command(0, "/usr/sbin/exim4", "-qf").CombinedOutput(); err != nil {
			t.Errorf("exim -qf: %v: %s", err, out)
		}
	}
}

func eximsRunning(s *mailtest.Server) int {
	running := 0
	for _, program := range s.Processes() {
		if strings.Contains(program, "exim") {
			running++
		}
	}
	return running
}

// read wants Exim to list restored messages and to show their headers.
func (o *operator) read(restored []spoor.QueueID) {
	o.t.Helper()
	listed := o.listed()
	for _, id := range restored {
		shown := o.s.Run(0, "", "/usr/sbin/exim4", "-Mvh", string(id))
		file, _ := os.ReadFile(filepath.Join(o.s.Dir, "/var/spool/exim4/input", string(id[5:6]), string(id)+"-H"))
		if shown != string(file) || shown == "" || !strings.Contains(listed[id], "@slow.test") {
			o.t.Errorf("exim -Mvh %s shows %q, and exim -bp %q", id, shown, listed[id])
		}
	}
	if len(restored) == 0 {
		o.t.Error("nothing was restored")
	}
}

// finish lets the receivers take everything and asks for a delivery of all that is
// not held, then of the rest.
func (o *operator) finish(receivers *mailtest.Receiver) {
	o.t.Helper()
	o.hold()
	receivers.Open.Store(true)
	o.act(func(k mta.Controller) {
		batch := o.some(1)
		outcomes, err := k.Retry(o.t.Context(), batch)
		must(o.t, err)
		for i, out := range outcomes {
			if want := map[bool]spoor.Result{true: spoor.ResultFailed}[batch[i].Held]; out.Result != want {
				o.t.Errorf("retry of %+v gives %v, %v", batch[i], out.Result, out.Err)
			}
		}
		for _, left := range o.some(1) {
			if !left.Held {
				o.t.Errorf("%s is still in the queue", left.ID)
			}
		}
	})
	o.release(1)
	o.act(func(k mta.Controller) {
		batch := o.some(1)
		outcomes, err := k.Retry(o.t.Context(), batch)
		o.booked("retry", batch, outcomes, err)
	})
	if left := o.some(1); len(left) > 0 {
		o.t.Errorf("%d messages are still in the queue", len(left))
	}
}

// judge counts.
func (o *operator) judge(receivers *mailtest.Receiver) {
	o.t.Helper()
	undone := map[string]int{}
	for _, p := range o.vault {
		subject := o.subject(p)
		for _, recipient := range p.Envelope {
			if !recipient.Done {
				undone[subject+" "+recipient.Address]++
			}
		}
	}
	for i := range waiting + arriving {
		for _, recipient := range recipientsOf(i) {
			key := fmt.Sprintf("number%d %s", i, recipient)
			if got, kept := receivers.Taken(key), undone[key]; got+kept != 1 {
				o.t.Errorf("%s: delivered %d times, and %d times in the vault", key, got, kept)
			}
		}
	}
	o.t.Logf("%d messages in the vault; outcomes: %v", len(o.vault), o.counts)
	for _, what := range []string{"take done", "publish done", "hold done", "release done", "retry done"} {
		if o.counts[what] == 0 {
			o.t.Errorf("%q never happened: %v", what, o.counts)
		}
	}
	if log := o.s.Read("/var/log/exim4/paniclog"); log != "" {
		o.t.Errorf("Exim panicked: %s", log)
	}
	if o.s.Exists("/var/spool/exim4/spoor") {
		o.t.Error("the holding place is still there")
	}
}

func (o *operator) subject(p *spoor.Parcel) string {
	o.t.Helper()
	message, err := eximmta.Adapter().Message(p)
	must(o.t, err)
	defer func() { _ = message.Close() }()
	text, err := io.ReadAll(message)
	must(o.t, err)
	_, rest, _ := strings.Cut(string(text), "Subject: ")
	subject, _, _ := strings.Cut(rest, "\n")
	return subject
}
