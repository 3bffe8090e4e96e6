//go:build e2e

package postfix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"spoor"
	"spoor/e2e/mailtest"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
	"spoor/internal/mta/postfix"
)

// controlCF lets Postfix try everything again each two seconds, so that messages
// move all the time.
const controlCF = `compatibility_level = 3.6
myhostname = mx.shop.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
local_recipient_maps =
alias_maps =
alias_database =
relayhost = [127.0.0.1]:%s
smtpd_error_sleep_time = 0
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_dns_support_level = disabled
smtp_host_lookup = native
maillog_file = /var/log/mail.log
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 4s
default_destination_concurrency_failed_cohort_limit = 0
enable_long_queue_ids = %s
`

// inRoot runs programs below the root of a server.
type inRoot struct{ root *mailtest.Root }

func (r inRoot) Run(_ context.Context, input []byte, name string, args ...string) ([]byte, error) {
	command := r.root.Command(0, name, args...)
	command.Stdin = bytes.NewReader(input)
	return command.CombinedOutput()
}

// site is a Postfix with what a controller of it needs.
type site struct {
	testing.TB
	*mailtest.Root
	smtp   string
	sink   *sink
	server *mta.Server
	top    *disk.Dir
}

func startSite(t *testing.T, longIDs, services string) *site {
	t.Helper()
	s := &site{TB: t, Root: mailtest.New(t, "postfix"), sink: newSink(t)}
	s.smtp = s.Port()
	s.Root.Write("/etc/postfix/main.cf", fmt.Sprintf(controlCF, s.sink.port, longIDs))
	s.Root.Write("/etc/postfix/master.cf", fmt.Sprintf(services, s.smtp, s.Port()))
	folders(&mailtest.Server{Root: s.Root})
	s.Daemon("/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix")
	s.Answers(s.smtp)
	root, err := host.Open(s.Dir)
	s.ok(err)
	passwd, err := root.Passwd(&spoor.Gaps{})
	s.ok(err)
	s.top, err = disk.Open(s.Dir, nil)
	s.ok(err)
	s.server = &mta.Server{Root: root, Passwd: passwd, Gaps: &spoor.Gaps{}}
	t.Cleanup(func() { _, _ = root.Close(), s.top.Close() })
	return s
}

func (s *site) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// control opens the queue to change it, while Postfix runs.
func (s *site) control(plan string) mta.Controller {
	s.Helper()
	return s.controlBy(plan, inRoot{s.Root})
}

func (s *site) controlBy(plan string, run mta.Runner) mta.Controller {
	s.Helper()
	c, err := postfix.Adapter().Control(s.server, mta.Control{Top: s.top, Live: true, Plan: plan, Run: run})
	s.ok(err)
	return c
}

// scan reads the queue: messages by the name in their first recipient.
func (s *site) scan() map[string]*spoor.Message {
	s.Helper()
	q, err := postfix.Adapter().Open(s.server)
	s.ok(err)
	defer func() { s.ok(q.Close()) }()
	scan, err := q.Scan(s.Context(), mta.Want{Addresses: true})
	s.ok(err)
	all := map[string]*spoor.Message{}
	for _, part := range scan.Parts {
		for m, err := range part {
			s.ok(err)
			for one := range m.Recipients.All() {
				name, _, _ := strings.Cut(one.Address, "@")
				all[name] = m.Clone()
				break
			}
		}
	}
	return all
}

// send sends messages, each to one who takes it and one who puts it off.
func (s *site) send(from, to int) {
	var mails []mailtest.Mail
	for i := from; i < to; i++ {
		name := fmt.Sprintf("n%d", i)
		mails = append(mails, mailtest.Mail{
			Sender: name + "@sender.test", Recipients: []string{name + "@" + deferredDomain, name + "@now.test"},
			Text: "Subject: " + name + "\n\n" + strings.Repeat("spam spam spam\n", 50),
		})
	}
	if err := (&mailtest.Client{Address: "127.0.0.1", Port: s.smtp}).Send(mails...); err != nil {
		s.Error(err)
	}
}

// pick are the targets of messages with these numbers.
func (s *site) pick(from, to int) []spoor.Target {
	s.Helper()
	all := s.scan()
	var batch []spoor.Target
	for i := from; i < to; i++ {
		m := all[fmt.Sprintf("n%d", i)]
		if m == nil {
			s.Fatalf("n%d is not in the queue", i)
		}
		batch = append(batch, spoor.TargetOf(m))
	}
	return batch
}

// untilDone repeats an action for those that are busy.
func (s *site) untilDone(what string, batch []spoor.Target, act func([]spoor.Target) ([]spoor.Outcome, error)) {
	s.Helper()
	busy := 0
	s.Until(what, func() bool {
		outcomes, err := act(batch)
		s.ok(err)
		var again []spoor.Target
		for i, one := range outcomes {
			switch one.Result {
			case spoor.ResultDone:
			case spoor.ResultBusy:
				again = append(again, batch[i])
			default:
				s.Fatalf("%s of %s: %s, %v", what, batch[i].Path(), one.Result, one.Err)
			}
		}
		busy += len(again)
		batch = again
		return len(batch) == 0
	})
	s.Logf("%s: %d times a message was being delivered", what, busy)
}

// pack stores messages in memory.
func (s *site) pack(c mta.Controller, batch []spoor.Target) []*spoor.Parcel {
	s.Helper()
	var parcels []*spoor.Parcel
	for i := range batch {
		p, err := c.Pack(&batch[i])
		s.ok(err)
		for j := range p.Files {
			content, err := p.Files[j].Open()
			s.ok(err)
			data, err := io.ReadAll(content)
			s.ok(err)
			s.ok(content.Close())
			p.Files[j].Open = func() (spoor.Content, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		}
		parcels = append(parcels, p)
	}
	return parcels
}

func (s *site) wantDone(what string, outcomes []spoor.Outcome, err error) {
	s.Helper()
	s.ok(err)
	for _, one := range outcomes {
		if one.Result != spoor.ResultDone {
			s.Errorf("%s: %s, %v", what, one.Result, one.Err)
		}
	}
}

// listed is what postqueue -j prints, by queue ID.
func (s *site) listed() map[string]listing {
	s.Helper()
	all := map[string]listing{}
	for line := range strings.Lines(s.Run(0, "", "/usr/sbin/postqueue", "-j")) {
		var one listing
		s.ok(json.Unmarshal([]byte(line), &one))
		all[one.ID] = one
	}
	return all
}

type listing struct {
	Queue      string `json:"queue_name"`
	ID         string `json:"queue_id"`
	Sender     string
	Recipients []struct {
		Address string
		Reason  string `json:"delay_reason"`
	}
}

const (
	staged   = 300 // messages at the beginning
	arriving = 100 // while they are acted on
)

// TestMessagesAreDeliveredOnceWhateverIsDone acts on a queue that Postfix works on
// all the time. In the end everything was delivered once, but for what is in the
// vault, whose recipients got nothing.
func TestMessagesAreDeliveredOnceWhateverIsDone(t *testing.T) {
	for _, longIDs := range []string{"no", "yes"} {
		t.Run("long queue IDs: "+longIDs, func(t *testing.T) { deliverOnce(t, startSite(t, longIDs, masterCF)) })
	}
}

func deliverOnce(t *testing.T, s *site) {
	t.Helper()
	s.send(0, staged)
	s.Until("first attempts", func() bool {
		return len(s.sink.counts()) == staged && s.Files("/var/spool/postfix/deferred")+s.Files("/var/spool/postfix/active") == staged
	})
	s.sink.slow.Store(int64(20 * time.Millisecond))
	var arrivals sync.WaitGroup
	arrivals.Go(func() { s.send(staged, staged+arriving) })

	removed := s.pick(0, 100)
	c := s.control("p1")
	s.untilDone("take", removed, func(b []spoor.Target) ([]spoor.Outcome, error) { return c.Take(t.Context(), b) })
	s.ok(c.Settle())
	s.ok(c.Close())
	c = s.control("p1") // as after a crash
	s.untilDone("take again", removed, func(b []spoor.Target) ([]spoor.Outcome, error) { return c.Take(t.Context(), b) })
	parcels := s.pack(c, removed)
	outcomes, err := c.Discard(t.Context(), removed)
	s.wantDone("discard", outcomes, err)
	outcomes, err = c.Discard(t.Context(), removed)
	s.wantDone("discard again", outcomes, err)

	back := s.pick(100, 150)
	s.untilDone("take to put back", back, func(b []spoor.Target) ([]spoor.Outcome, error) { return c.Take(t.Context(), b) })
	outcomes, err = c.PutBack(t.Context(), back)
	s.wantDone("put back", outcomes, err)

	held := s.pick(150, 200)
	outcomes, err = c.Hold(t.Context(), held)
	s.wantDone("hold", outcomes, err)
	for _, m := range s.listedIn("hold", held) {
		t.Errorf("%s is not on hold", m)
	}

	ready := s.restore(c, parcels[:50])
	s.checkListed(parcels[:50], ready)
	if out := s.Run(0, "", "/usr/sbin/postsuper", "-v", "-s"); strings.Contains(out, "RENAMED") || strings.Contains(s.Root.Read("/var/log/mail.log"), "match inode") {
		t.Errorf("postsuper -s found names to change: %s", out)
	}
	outcomes, err = c.Release(t.Context(), held)
	s.wantDone("release", outcomes, err)
	arrivals.Wait()
	outcomes, err = c.Retry(t.Context(), s.pick(200, 210))
	s.wantDone("retry", outcomes, err)
	s.ok(c.Close())

	s.sink.slow.Store(0)
	s.sink.open.Store(true)
	s.drain()
	s.checkCounts(removed[50:])
}

// listedIn are targets that postqueue does not list in a queue.
func (s *site) listedIn(queue string, batch []spoor.Target) (missing []spoor.QueueID) {
	all := s.listed()
	for i := range batch {
		if all[string(batch[i].ID)].Queue != queue {
			missing = append(missing, batch[i].ID)
		}
	}
	return missing
}

func (s *site) restore(c mta.Controller, parcels []*spoor.Parcel) []spoor.Prepared {
	s.Helper()
	var ready []spoor.Prepared
	for i, p := range parcels {
		one, err := c.Prepare(s.Context(), fmt.Sprintf("m%d", i), p)
		s.ok(err)
		ready = append(ready, one)
	}
	s.ok(c.Settle())
	for range 2 {
		outcomes, err := c.Publish(s.Context(), ready)
		s.wantDone("publish", outcomes, err)
	}
	return ready
}

// checkListed holds what postqueue lists of restored messages against what they
// were: under the new ID, to those who have not got it.
func (s *site) checkListed(parcels []*spoor.Parcel, ready []spoor.Prepared) {
	s.Helper()
	all := s.listed()
	for i, p := range parcels {
		var undone, got []string
		for _, one := range p.Envelope {
			if !one.Done {
				undone = append(undone, one.Address)
			}
		}
		one, ok := all[string(ready[i].NewID)]
		for again := 0; !ok && again < 20; again++ {
			// postqueue misses a message that qmgr moves from one queue to another
			// while it reads them.
			all = s.listed()
			one, ok = all[string(ready[i].NewID)]
		}
		for _, recipient := range one.Recipients {
			got = append(got, recipient.Address)
		}
		if !slices.Equal(got, undone) || len(undone) != ready[i].Undone || one.Sender != p.Sender {
			s.Errorf("%s, once %s: listed as %+v, want %s to %v", ready[i].NewID, p.ID, one, p.Sender, undone)
		}
	}
}

// drain waits until everything that is in the queue was delivered.
func (s *site) drain() {
	s.Helper()
	const spool = "/var/spool/postfix/"
	s.Until("an empty queue", func() bool {
		left := 0
		for _, queue := range []string{"maildrop", "incoming", "active", "deferred", "hold", "corrupt", "defer", "bounce"} {
			left += s.Files(spool + queue)
		}
		return left == 0
	})
	if s.Exists(spool + "spoor") {
		s.Error("the holding place is left")
	}
}

// checkCounts counts at the sink.
func (s *site) checkCounts(stillRemoved []spoor.Target) {
	s.Helper()
	want := map[string]int{}
	for i := range staged + arriving {
		want[fmt.Sprintf("n%d@now.test", i)] = 1
		want[fmt.Sprintf("n%d@%s", i, deferredDomain)] = 1
	}
	for i := range stillRemoved {
		name, _, _ := strings.Cut(stillRemoved[i].Sender, "@")
		delete(want, name+"@"+deferredDomain)
	}
	got := s.sink.counts()
	for _, address := range slices.Sorted(maps.Keys(want)) {
		if got[address] != 1 {
			s.Errorf("%s got it %d times, want once", address, got[address])
		}
		delete(got, address)
	}
	for address, n := range got {
		s.Errorf("%s got it %d times, though it was removed", address, n)
	}
}

// TestWhatIsBeingDeliveredIsLeft is about a receiver who takes minutes. The message
// goes back into the queue, and its delivery on.
func TestWhatIsBeingDeliveredIsLeft(t *testing.T) {
	s := startSite(t, "no", masterCF)
	const stalled = "n1@now.test"
	end := s.sink.stallFor(stalled)
	s.send(0, 3)
	s.Until("a delivery", func() bool { return s.sink.wasAsked(stalled) && len(s.sink.counts()) == 2 })
	c := s.control("p1")
	batch := s.pick(1, 2)
	outcomes, err := c.Take(t.Context(), batch)
	s.ok(err)
	if outcomes[0].Result != spoor.ResultBusy {
		t.Errorf("take: %s, %v; want busy", outcomes[0].Result, outcomes[0].Err)
	}
	if _, err := c.Pack(&batch[0]); err == nil {
		t.Error("it was packed")
	}
	outcomes, err = c.Discard(t.Context(), batch)
	s.ok(err)
	if outcomes[0].Result != spoor.ResultFailed {
		t.Errorf("discard: %s, want failed: it was not taken", outcomes[0].Result)
	}
	if n := s.Files("/var/spool/postfix/hold"); n != 0 {
		t.Errorf("%d messages are on hold, want none", n)
	}
	end()
	s.untilDone("take", batch, func(b []spoor.Target) ([]spoor.Outcome, error) { return c.Take(t.Context(), b) })
	if p := s.pack(c, batch)[0]; p.Done != 1 || s.sink.counts()[stalled] != 1 {
		t.Errorf("after the delivery %d recipients are done, and %v were given", p.Done, s.sink.counts())
	}
	outcomes, err = c.PutBack(t.Context(), batch)
	s.wantDone("put back", outcomes, err)
	s.ok(c.Close())
	s.sink.open.Store(true)
	s.drain()
	for address, n := range s.sink.counts() {
		if n != 1 {
			t.Errorf("%s got it %d times", address, n)
		}
	}
}

// TestWhatWasHeldStaysHeld is about messages that somebody had put on hold before.
func TestWhatWasHeldStaysHeld(t *testing.T) {
	s := startSite(t, "no", masterCF)
	s.send(0, 2)
	s.Until("first attempts", func() bool {
		return len(s.sink.counts()) == 2 && s.Files("/var/spool/postfix/deferred") == 2
	})
	batch := s.pick(0, 2)
	s.Run(0, "", "/usr/sbin/postsuper", "-h", string(batch[0].ID))
	batch = s.pick(0, 2)
	c := s.control("p1")
	s.untilDone("take", batch, func(b []spoor.Target) ([]spoor.Outcome, error) { return c.Take(t.Context(), b) })
	parcels := s.pack(c, batch)
	outcomes, err := c.PutBack(t.Context(), batch)
	s.wantDone("put back", outcomes, err)
	if missing := s.listedIn("hold", batch); !slices.Equal(missing, []spoor.QueueID{batch[1].ID}) {
		t.Errorf("not on hold are %v, want the second alone", missing)
	}
	s.untilDone("take", batch, func(b []spoor.Target) ([]spoor.Outcome, error) { return c.Take(t.Context(), b) })
	outcomes, err = c.Discard(t.Context(), batch)
	s.wantDone("discard", outcomes, err)
	ready := s.restore(c, parcels)
	if folder := ready[0].Folder; folder != "/var/spool/postfix/hold" || s.listed()[string(ready[0].NewID)].Queue != "hold" {
		t.Errorf("the first came back to %s", folder)
	}
	for _, recipient := range s.listed()[string(ready[0].NewID)].Recipients {
		if !strings.Contains(recipient.Reason, "come back later") {
			t.Errorf("%s waits because of %q: its log is lost", recipient.Address, recipient.Reason)
		}
	}
	s.ok(c.Close())
}

// spoiled does something before a program runs, and lets it have what is left of
// its input.
type spoiled struct {
	inRoot
	before func(input []byte) []byte
}

var errDied = errors.New("the program died")

func (r spoiled) Run(ctx context.Context, input []byte, name string, args ...string) ([]byte, error) {
	output, err := r.inRoot.Run(ctx, r.before(input), name, args...)
	return output, errors.Join(err, errDied)
}

// TestTheQueueIsBelievedNotPostsuper is about a postsuper that dies when it has
// acted on half of the messages.
func TestTheQueueIsBelievedNotPostsuper(t *testing.T) {
	s := startSite(t, "no", masterCF)
	s.send(0, 10)
	s.Until("first attempts", func() bool {
		return len(s.sink.counts()) == 10 && s.Files("/var/spool/postfix/deferred") == 10
	})
	batch := s.pick(0, 10)
	half := spoiled{inRoot{s.Root}, func(input []byte) []byte {
		lines := bytes.SplitAfter(input, []byte("\n"))
		return bytes.Join(lines[:len(lines)/2], nil)
	}}
	c := s.controlBy("p1", half)
	taken := s.halfDone(c.Take(t.Context(), batch))
	if n, held := s.Files("/var/spool/postfix/spoor/p1/taken"), s.Files("/var/spool/postfix/hold"); taken != n || held != 0 {
		t.Errorf("take: %d done, %d are taken and %d on hold", taken, n, held)
	}
	s.ok(c.Close())
	c = s.control("p1")
	s.untilDone("take again", batch, func(b []spoor.Target) ([]spoor.Outcome, error) { return c.Take(t.Context(), b) })
	s.ok(c.Close())
	c = s.controlBy("p1", half) // which it does not ask
	for range 2 {
		outcomes, err := c.Discard(t.Context(), batch)
		s.wantDone("discard", outcomes, err)
	}
	if n := s.Files("/var/spool/postfix/spoor") + s.Files("/var/spool/postfix/defer"); n != 0 {
		t.Errorf("%d files are left, logs of deliveries or messages", n)
	}
	s.ok(c.Close())
}

// TestWhatIsTakenCannotBeReleased lets an operator release, requeue and delete
// everything that is held while messages are on their way to the vault.
func TestWhatIsTakenCannotBeReleased(t *testing.T) {
	s := startSite(t, "no", masterCF)
	s.send(0, 4)
	s.Until("first attempts", func() bool {
		return len(s.sink.counts()) == 4 && s.Files("/var/spool/postfix/deferred") == 4
	})
	batch := s.pick(0, 3)
	c := s.control("p1")
	s.untilDone("take", batch, func(b []spoor.Target) ([]spoor.Outcome, error) { return c.Take(t.Context(), b) })
	s.Run(0, "", "/usr/sbin/postsuper", "-H", "ALL")
	s.Run(0, "", "/usr/sbin/postsuper", "-H", string(batch[0].ID), "-r", string(batch[1].ID))
	s.Run(0, "", "/usr/sbin/postsuper", "-r", "ALL", "-d", "ALL", "hold")
	s.sink.open.Store(true)
	s.Run(0, "", "/usr/sbin/postqueue", "-f")
	s.Until("the other message to be delivered", func() bool { return s.sink.counts()["n3@"+deferredDomain] == 1 })
	if n := len(s.pack(c, batch)); n != 3 {
		t.Errorf("%d are packed, want 3", n)
	}
	outcomes, err := c.Discard(t.Context(), batch)
	s.wantDone("discard", outcomes, err)
	s.ok(c.Close())
	for i := range 3 {
		if n := s.sink.counts()[fmt.Sprintf("n%d@%s", i, deferredDomain)]; n != 0 {
			t.Errorf("n%d is removed, and was delivered %d times", i, n)
		}
	}
}

// TestWhatSomebodyReleasesIsNotTaken lets an operator release messages between
// postsuper -h and what follows it.
func TestWhatSomebodyReleasesIsNotTaken(t *testing.T) {
	s := startSite(t, "no", masterCF)
	s.send(0, 2)
	s.Until("first attempts", func() bool {
		return len(s.sink.counts()) == 2 && s.Files("/var/spool/postfix/deferred") == 2
	})
	batch := s.pick(0, 2)
	c := s.controlBy("p1", meddled{inRoot{s.Root}, func() { s.Run(0, "", "/usr/sbin/postsuper", "-H", string(batch[0].ID)) }})
	outcomes, err := c.Take(t.Context(), batch)
	s.ok(err)
	if outcomes[0].Result == spoor.ResultDone || outcomes[1].Result != spoor.ResultDone {
		t.Errorf("take: %v, want the second alone", outcomes)
	}
	outcomes, err = c.PutBack(t.Context(), batch[1:])
	s.wantDone("put back", outcomes, err)
	s.ok(c.Close())
	s.sink.open.Store(true)
	s.drain()
	for i := range 2 {
		if n := s.sink.counts()[fmt.Sprintf("n%d@%s", i, deferredDomain)]; n != 1 {
			t.Errorf("n%d was delivered %d times, want once", i, n)
		}
	}
}

// meddled does something after each program.
type meddled struct {
	inRoot
	after func()
}

func (r meddled) Run(ctx context.Context, input []byte, name string, args ...string) ([]byte, error) {
	output, err := r.inRoot.Run(ctx, input, name, args...)
	r.after()
	return output, err
}

// halfDone counts what is done, which is some and not all.
func (s *site) halfDone(outcomes []spoor.Outcome, err error) (done int) {
	s.Helper()
	s.ok(err)
	for _, one := range outcomes {
		switch one.Result {
		case spoor.ResultDone:
			done++
		case spoor.ResultFailed:
			if !errors.Is(one.Err, errDied) {
				s.Errorf("failed: %v", one.Err)
			}
		default:
			s.Errorf("%s, %v", one.Result, one.Err)
		}
	}
	if done == 0 || done == len(outcomes) {
		s.Errorf("%d of %d are done", done, len(outcomes))
	}
	return done
}

// TestAnIDThatGoesToAnotherMessageIsReleased lets another message have the ID
// between the last look at it and postsuper.
func TestAnIDThatGoesToAnotherMessageIsReleased(t *testing.T) {
	s := startSite(t, "no", masterCF)
	s.send(0, 2)
	s.Until("first attempts", func() bool {
		return len(s.sink.counts()) == 2 && s.Files("/var/spool/postfix/deferred") == 2
	})
	batch := s.pick(0, 2)
	file, other := filepath.Join(s.Dir, batch[0].Path()), ""
	c := s.controlBy("p1", spoiled{inRoot{s.Root}, func(input []byte) []byte {
		if other != "" {
			return input
		}
		s.Until("the message to be deferred", func() bool { // it is tried each two seconds
			_, err := os.Stat(file)
			return err == nil
		})
		other = file + "x"
		s.ok(os.Rename(file, other)) // kept, so that the inode differs
		data, err := os.ReadFile(other)
		s.ok(err)
		s.ok(os.WriteFile(file, data, 0o700))
		s.ok(os.Chown(file, mailtest.Postfix, mailtest.Postfix))
		return input
	}})
	outcomes, err := c.Take(t.Context(), batch)
	s.ok(err)
	if outcomes[0].Result != spoor.ResultChanged || outcomes[1].Result != spoor.ResultDone {
		t.Errorf("take: %v, want changed and done", outcomes)
	}
	if n, held := s.Files("/var/spool/postfix/spoor/p1/taken"), s.Files("/var/spool/postfix/hold"); n != 1 || held != 0 {
		t.Errorf("%d are taken and %d on hold, want the second alone taken", n, held)
	}
	s.ok(os.Remove(other))
	s.ok(c.Close())
}

// TestMailInMaildropIsTakenAndRestored is about mail that pickup(8) has not seen,
// which waits since there is no pickup.
func TestMailInMaildropIsTakenAndRestored(t *testing.T) {
	services := strings.ReplaceAll(masterCF, "pickup unix n - n 60 1 pickup\n", "")
	s := startSite(t, "no", services)
	for i := range 5 {
		s.Run(mailtest.Dump, "Subject: x\n\nbody\n", "/usr/sbin/sendmail", "-i", "-f", fmt.Sprintf("n%d@sender.test", i), fmt.Sprintf("n%d@now.test", i))
	}
	c := s.control("p1")
	batch := s.pick(0, 4)
	outcomes, err := c.Take(t.Context(), batch)
	s.wantDone("take", outcomes, err)
	if n := s.Files("/var/spool/postfix/maildrop"); n != 1 {
		t.Errorf("%d messages are in maildrop, want 1", n)
	}
	parcels := s.pack(c, batch)
	outcomes, err = c.PutBack(t.Context(), batch[:1])
	s.wantDone("put back", outcomes, err)
	outcomes, err = c.Discard(t.Context(), batch[1:])
	s.wantDone("discard", outcomes, err)
	s.restore(c, parcels[1:3])
	s.ok(c.Close())
	for i, p := range parcels {
		if p.CallerUID != mailtest.Dump {
			t.Errorf("message %d was submitted by %d, want %d", i, p.CallerUID, mailtest.Dump)
		}
	}
	s.Root.Write("/etc/postfix/master.cf", fmt.Sprintf(masterCF, s.smtp, s.Port()))
	s.reload()
	s.drain()
	got := s.sink.counts()
	for i := range 5 {
		if want := map[bool]int{true: 0, false: 1}[i == 3]; got[fmt.Sprintf("n%d@now.test", i)] != want {
			t.Errorf("n%d got it %d times, want %d", i, got[fmt.Sprintf("n%d@now.test", i)], want)
		}
	}
}

// reload makes master read its files.
func (s *site) reload() {
	s.Helper()
	pid := strings.TrimSpace(s.Root.Read("/var/spool/postfix/pid/master.pid"))
	s.Run(0, "", "/usr/bin/sh", "-c", "kill -HUP "+pid)
}

// TestAStoppedPostfixIsChangedByMovingFiles takes messages while Postfix runs,
// removes others after it was stopped, and restores with it stopped.
func TestAStoppedPostfixIsChangedByMovingFiles(t *testing.T) {
	s := startSite(t, "no", masterCF)
	s.send(0, 20)
	s.Until("first attempts", func() bool {
		return len(s.sink.counts()) == 20 && s.Files("/var/spool/postfix/deferred")+s.Files("/var/spool/postfix/active") == 20
	})
	if _, err := postfix.Adapter().Control(s.server, mta.Control{Top: s.top, Plan: "p2"}); err == nil {
		t.Error("a tree whose Postfix runs was opened as another machine's")
	}
	batch := s.pick(0, 10)
	s.End("/usr/lib/postfix/sbin/master")
	c := s.control("p2")
	outcomes, err := c.Take(t.Context(), batch)
	s.wantDone("take", outcomes, err)
	parcels := s.pack(c, batch)
	outcomes, err = c.PutBack(t.Context(), batch[:2])
	s.wantDone("put back", outcomes, err)
	outcomes, err = c.Discard(t.Context(), batch[2:])
	s.wantDone("discard", outcomes, err)
	s.restore(c, parcels[2:5])
	s.ok(c.Close())
	s.sink.open.Store(true)
	s.Daemon("/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix")
	s.drain()
	got := s.sink.counts()
	for i := range 20 {
		want := 1
		if i >= 5 && i < 10 {
			want = 0
		}
		if n := got[fmt.Sprintf("n%d@%s", i, deferredDomain)]; n != want || got[fmt.Sprintf("n%d@now.test", i)] != 1 {
			t.Errorf("n%d: got it %d times, want %d", i, n, want)
		}
	}
}
