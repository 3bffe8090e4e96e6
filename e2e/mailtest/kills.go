package mailtest

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	journalFile = "/var/lib/spoor/journal.jsonl"
	cuts        = 12 // runs that are killed, at least
	rounds      = 12 // of removing and taking back, at most
)

// CheckKills kills spoor again and again while it removes and while it puts back.
// The next command finishes what was begun.
func CheckKills(c *Cleaning) {
	c.t.Helper()
	c.Post(Letter, 60)
	c.Post(Stolen, 300)
	c.attempted()
	end := c.Load(Letter)
	defer end()
	k := &killer{Cleaning: c, random: rand.New(rand.NewPCG(1, 2))}
	c.removes()
	k.finish()
	for i := 0; i < rounds && k.killed["rm"]+k.killed["undo"] < cuts; i++ {
		k.round()
	}
	c.t.Logf("killed %v, of them %d with something to be finished; runs took %v", k.killed, k.resumed, k.took)
	if k.killed["rm"] < 3 || k.killed["undo"] < 3 || k.killed["rm"]+k.killed["undo"] < cuts || k.resumed < cuts/2 {
		c.t.Errorf("killed were %v, of them %d with something to be finished: too few", k.killed, k.resumed)
	}
	k.tidy()
	end()
	c.judge()
}

// killer kills spoor.
type killer struct {
	*Cleaning
	random  *rand.Rand
	killed  map[string]int
	resumed int                      // runs that finished one that was killed
	took    map[string]time.Duration // the last whole run, from its first record in the journal
}

// round removes all of the account's mail and puts it back, each with runs that
// are killed before.
func (k *killer) round() {
	k.cut("rm", "queue", "rm", source, "--yes", "--reason", "stolen password")
	k.cut("rm", "queue", "rm", source, "--yes", "--reason", "stolen password")
	k.note(k.removes())
	k.finish()
}

// tidy is a plan from its begin to its end, which also tidies up what runs have
// left that were killed when all was done.
func (k *killer) tidy() {
	k.removes()
	k.undoAll()
}

// finish puts everything back: what was removed in several plans in as many.
func (k *killer) finish() {
	k.t.Helper()
	for _, entry := range k.Journal() {
		if entry.Action != "rm" || entry.UndoneBy != "" {
			continue
		}
		args := []string{"undo", entry.Plan, "--yes", "--reason", "a mistake"}
		k.cut("undo", args...)
		k.cut("undo", args...)
		ran := k.Operate(args...)
		if ran.Status != 0 && ran.Status != 3 {
			k.t.Fatalf("undo of %+v ended with %d\n%s%s", entry, ran.Status, ran.Out, ran.Err)
		}
		k.note(ran)
	}
	if left := k.Vault(); len(left) > 0 {
		k.t.Fatalf("%d messages are still in the vault, and the journal is %+v", len(left), k.Journal())
	}
}

// note counts a run that finished another one.
func (k *killer) note(ran Ran) {
	if strings.Contains(ran.Err, "which was cut off") {
		k.resumed++
	}
}

// cut starts spoor and kills it at a random moment after its first record in the
// journal. The first time it lets it run, to see how long it takes.
func (k *killer) cut(what string, args ...string) {
	k.t.Helper()
	if k.killed == nil {
		k.killed, k.took = map[string]int{}, map[string]time.Duration{}
	}
	before := len(k.Read(journalFile))
	command, ran := k.operation(args)
	if err := command.Start(); err != nil {
		k.t.Fatal(err)
	}
	ended := func() bool { return state(command.Process.Pid) == 'Z' }
	k.Until("a record in the journal", func() bool { return len(k.Read(journalFile)) > before || ended() })
	begin := time.Now()
	for limit := time.Duration(k.random.Int64N(int64(k.took[what]) + 1)); k.took[what] > 0 && time.Since(begin) < limit && !ended(); {
		time.Sleep(limit / 50)
	}
	if k.took[what] == 0 {
		ran()
		k.took[what] = time.Since(begin)
		return
	}
	if signal(command, syscall.SIGKILL) {
		k.killed[what]++
	} else if len(k.Read(journalFile)) > before {
		k.took[what] = max(k.took[what]*3/4, 50*time.Millisecond) // it takes less than was thought
	}
	k.note(ran())
}

// CheckTwoAtOnce runs spoor while another one is at work.
func CheckTwoAtOnce(c *Cleaning) {
	c.t.Helper()
	c.Post(Letter, 40)
	c.Post(Stolen, 200)
	c.attempted()
	command, first := c.stopped("queue", "rm", source, "--yes", "--reason", "first")
	holder := fmt.Sprintf("process %d", command.Process.Pid)
	c.Says(c.Want(7, "queue", "rm", source, "--yes", "--reason", "second"), "another spoor is at work on this server", holder, "nothing was changed")
	c.Says(c.Want(7, "vault", "purge", "--older", "1s", "--yes"), holder)
	c.Want(0, "journal")
	signal(command, syscall.SIGCONT)
	if ran := first(); ran.Status != 0 {
		c.t.Errorf("the first ended with %d\n%s%s", ran.Status, ran.Out, ran.Err)
	}
	if journal := c.Journal(); len(journal) != 1 || journal[0].Reason != "first" || journal[0].State != "done" {
		c.t.Errorf("the journal is %+v, want the first alone", journal)
	}
	c.undoTwice()
	c.judge()
}

// stopped starts spoor and stops it behind its first record in the journal.
func (c *Cleaning) stopped(args ...string) (command *exec.Cmd, ran func() Ran) {
	c.t.Helper()
	before := c.Read(journalFile)
	command, ran = c.operation(args)
	if err := command.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.Until("a record in the journal", func() bool { return c.Read(journalFile) != before || state(command.Process.Pid) == 'Z' })
	if !signal(command, syscall.SIGSTOP) {
		c.t.Fatalf("it has ended already: %+v", ran())
	}
	return command, ran
}

// undoTwice kills an undo. The same command again finishes it, and does not take it
// back in turn, as it would have if that had come to its end.
func (c *Cleaning) undoTwice() {
	c.t.Helper()
	args := []string{"undo", "--yes", "--reason", "a mistake"}
	command, ran := c.stopped(args...)
	signal(command, syscall.SIGKILL)
	ran()
	cut := c.last("restore")
	c.Says(c.Want(0, "queue", "rm", "-n", "account:"+Letter), cut+" is not finished")
	c.Says(c.Want(5, "undo"), "there is no terminal to ask on")
	c.Says(c.Want(0, args...), "finishing "+cut+", which was cut off", "done: restore of", "in more than one run")
	if left := c.Vault(); len(left) > 0 {
		c.t.Errorf("%d messages are still in the vault", len(left))
	}
}
