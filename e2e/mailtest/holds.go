package mailtest

import "slices"

// CheckHolds holds mail of an account and releases it, in both cases once for good
// and once to take it back, and has it tried.
func CheckHolds(c *Cleaning) {
	c.t.Helper()
	c.Post(Letter, 30)
	c.Post(Stolen, 90)
	c.attempted()
	end := c.Load(Letter)
	defer end()
	c.acts("hold", 0)
	c.wantHeld(true)
	c.undo("hold", "release")
	c.wantHeld(false)
	c.acts("retry", 4)
	c.Says(c.Want(5, "undo", c.last("retry"), "--yes", "--reason", "x"), "cannot be taken back")
	c.acts("hold", 0)
	c.acts("release", 0)
	c.wantHeld(false)
	c.undo("release", "hold")
	c.wantHeld(true)
	end()
	c.drain(func() bool { return len(c.IDs("!state:held")) == 0 })
	c.kept()
	c.acts("release", 0)
	c.judge()
}

// acts changes the account's mail until nothing of it was left out, or a status
// is as good.
func (c *Cleaning) acts(action string, good int) {
	c.t.Helper()
	c.Until(action, func() bool {
		ran := c.Operate("queue", action, source, "--yes", "--reason", "to be looked at")
		if ran.Status != 0 && ran.Status != 3 && ran.Status != 4 {
			c.t.Fatalf("spoor queue %s ended with %d\n%s%s", action, ran.Status, ran.Out, ran.Err)
		}
		return ran.Status != 4 || ran.Status == good
	})
}

// undo takes back the plans of an action that were not taken back yet, and does so
// again where something was being delivered.
func (c *Cleaning) undo(action, inverse string) {
	c.t.Helper()
	for _, entry := range slices.Backward(c.Journal()) {
		if entry.Action != action || entry.UndoneBy != "" || entry.Undoes != "" || entry.Done == 0 {
			continue
		}
		c.Until("undo of "+action, func() bool {
			ran := c.Operate("undo", entry.Plan, "--yes", "--reason", "a mistake")
			c.Says(ran, inverse+" of")
			if ran.Status != 0 && ran.Status != 4 {
				c.t.Fatalf("spoor undo ended with %d\n%s%s", ran.Status, ran.Out, ran.Err)
			}
			return ran.Status == 0
		})
	}
}

// last is the last plan of an action.
func (c *Cleaning) last(action string) string {
	c.t.Helper()
	for _, entry := range slices.Backward(c.Journal()) {
		if entry.Action == action {
			return entry.Plan
		}
	}
	c.t.Fatalf("no %s in the journal", action)
	return ""
}

// wantHeld wants all or nothing of the account's mail to be held.
func (c *Cleaning) wantHeld(held bool) {
	c.t.Helper()
	all, some := c.IDs(source), c.IDs(source, "state:held")
	if want := map[bool]int{true: len(all)}[held]; len(some) != want || len(all) < 30 {
		c.t.Errorf("%d of %d messages are held, want %d", len(some), len(all), want)
	}
}

// kept wants nobody who waits for a held message to have got it.
func (c *Cleaning) kept() {
	c.t.Helper()
	for _, m := range c.Messages() {
		for _, recipient := range m.Recipients {
			want := map[bool]int{true: 1}[recipient.Done]
			if got := c.Receiver.Taken(m.Subject + " " + recipient.Address); got != want {
				c.t.Errorf("%s is held, and %s got it %d times, want %d", m.Subject, recipient.Address, got, want)
			}
		}
	}
}
