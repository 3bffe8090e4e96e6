package mailtest

import (
	"slices"
	"strings"
)

// CheckIncident takes the mail of a stolen account out of the queue while the
// thief and others go on sending, looks at it in the vault, and puts it back.
func CheckIncident(c *Cleaning) {
	c.t.Helper()
	c.Post(Letter, 50)
	c.Post(Stolen, 150)
	c.attempted()
	end := c.Load(Letter, Stolen)
	defer end()
	old := c.IDs(source)
	if len(old) < 80 {
		c.t.Fatalf("%d messages of the account wait, want most of 100", len(old))
	}
	c.showsPlan()
	c.Until("the account to have nothing in the queue that was there", func() bool {
		c.removes()
		return len(common(old, c.IDs(source))) == 0
	})
	stored := c.Vault()
	c.readable(stored)
	c.Until("more mail", func() bool { return c.posted.Load() > 230 })
	c.undelivered(stored)
	c.undoAll()
	if left := c.Vault(); len(left) > 0 {
		c.t.Errorf("%d messages are left in the vault", len(left))
	}
	end()
	c.judge()
}

// showsPlan wants a plan to be shown and nothing to be changed.
func (c *Cleaning) showsPlan() {
	c.t.Helper()
	ran := c.Want(0, "queue", "rm", "-n", source)
	c.Says(ran, "leave the queue for the vault", source, "Nothing was changed", "spoor queue rm "+source)
	c.Says(c.Want(3, "journal"), "nothing was ever changed here")
	if c.Exists("/var/lib/spoor") || c.Exists(c.Holding) {
		c.t.Error("the plan that was only shown has left something")
	}
}

// removes takes the mail of the account out of the queue. What is being delivered
// stays, and is told; so is what has left since the plan was made.
func (c *Cleaning) removes() Ran {
	c.t.Helper()
	ran := c.Operate("queue", "rm", source, "--yes", "--reason", "stolen password")
	switch ran.Status {
	case 0:
		done := "done: rm of"
		if strings.Contains(ran.Out, "which had left by themselves") {
			done = "done with exceptions: rm of"
		}
		c.Says(ran, done, "spoor undo ")
	case 3:
		c.Says(ran, "no message matches")
	case 4:
		c.Says(ran, "done with exceptions: rm of", "being delivered at that moment")
	default:
		c.t.Fatalf("spoor queue rm ended with %d\n%s%s", ran.Status, ran.Out, ran.Err)
	}
	return ran
}

// readable reads the vault in all ways that there are.
func (c *Cleaning) readable(stored []Stored) {
	c.t.Helper()
	if len(stored) < 80 {
		c.t.Errorf("%d messages are in the vault, want most of 100", len(stored))
	}
	one := stored[len(stored)/2]
	c.Says(c.Want(0, "vault", "cat", one.ID), one.Subject, "spam ", Stolen)
	c.Says(c.Want(0, "vault", "ls", source), one.ID, one.Plan, source)
	mbox := c.Want(0, "vault", "export", source, "--mbox", "-").Out
	var want, got []string
	for _, m := range stored {
		want = append(want, m.Subject)
	}
	for line := range strings.Lines(mbox) {
		if text, ok := strings.CutPrefix(line, "Subject: "); ok {
			got = append(got, strings.TrimSpace(text))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || strings.Count("\n"+mbox, "\nFrom ") != len(want) {
		c.t.Errorf("the mbox has %d subjects, and the vault %d messages", len(got), len(want))
	}
	c.Want(0, "vault", "export", source, "--to", "/root/evidence")
	if n := c.Files("/root/evidence"); n != len(stored) {
		c.t.Errorf("%d files were exported of %d messages", n, len(stored))
	}
}

// undelivered wants recipients of stored messages to have got what the vault says
// is done, and no more.
func (c *Cleaning) undelivered(stored []Stored) {
	c.t.Helper()
	for _, m := range stored {
		if got := c.copies(m.Subject); got != m.Done {
			c.t.Errorf("%s is in the vault with %d recipients done, and %d copies were delivered", m.Subject, m.Done, got)
		}
	}
}

// undoAll takes back what was removed, the last plan first, as it is by default.
func (c *Cleaning) undoAll() {
	c.t.Helper()
	for i, entry := range slices.Backward(c.Journal()) {
		if entry.Action != "rm" || entry.Done == 0 || entry.UndoneBy != "" {
			continue
		}
		args := []string{"undo", "--yes", "--reason", "all of it was good"}
		if i < len(c.Journal())-1 {
			args = append(args, entry.Plan)
		}
		ran := c.Want(0, args...)
		c.Says(ran, "done: restore of", "spoor undo ")
		c.Says(c.Want(0, "journal", "show", entry.Plan), "undone: ", entry.Reason)
	}
}
