package mailtest

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// CheckRefusals lets spoor be told to do what is not safe, or what nobody has
// confirmed. It refuses, and every message stays where it is.
func CheckRefusals(c *Cleaning) {
	c.t.Helper()
	c.Post(Stolen, 30)
	c.attempted()
	c.Until("what nobody puts off to leave", func() bool { return len(c.IDs(source)) == 20 })
	all := c.IDs(source)
	yes := []string{"queue", "rm", source, "--yes", "--reason", "x"}
	for words, args := range map[string][]string{
		"more than 5 (--max)":               append(yes, "--max", "5"),
		"there is no terminal to ask on":    {"queue", "rm", source},
		"--yes needs --reason TEXT":         {"queue", "rm", source, "--yes"},
		"--yes needs --reason TEXT: the jo": {"queue", "hold", source, "--yes", "--reason", " "},
	} {
		c.Says(c.Want(5, args...), words, "nothing was changed")
	}
	if c.Exists("/var/lib/spoor") {
		c.t.Error("a refusal has made a state folder")
	}
	c.refusesLinks(yes)
	if left := c.IDs(source); len(common(all, left)) != len(all) {
		c.t.Errorf("%d messages are left of %d", len(common(all, left)), len(all))
	}
	c.refusesHolding(yes)
	c.Want(0, yes...)
	c.undoAll()
	c.judge()
}

// elsewhere is where planted links lead to.
const elsewhere = "/tmp/elsewhere"

// refusesLinks plants links where spoor keeps things.
func (c *Cleaning) refusesLinks(yes []string) {
	c.t.Helper()
	c.Folder(elsewhere, 0o777, DebianExim, DebianExim)
	c.Folder("/var/lib", 0o755, 0, 0)
	c.Link(elsewhere, "/var/lib/spoor")
	c.refuses("a linked state folder", 5, yes)
	c.remove("/var/lib/spoor")

	c.Folder("/var/lib/spoor", 0o777, 0, 0)
	c.refuses("a state folder that all may write to", 5, yes)
	c.remove("/var/lib/spoor")

	c.Folder("/var/lib/spoor", 0o700, 0, 0)
	c.Link(elsewhere, "/var/lib/spoor/vault")
	c.refuses("a linked vault", 5, yes)
	c.remove("/var/lib/spoor/vault")

	c.Folder("/var/lib/spoor/vault", 0o700, 0, 0)
	for i := range 120 {
		name := time.Now().UTC().Add(time.Duration(i)*time.Second).Format("20060102T150405") + "-rm.spoorvault"
		c.Link(fmt.Sprintf("%s/%d", elsewhere, i), "/var/lib/spoor/vault/"+name)
	}
	c.refuses("a linked container", 1, yes)
	c.remove("/var/lib/spoor")
}

// refusesHolding plants a link where messages wait beside the queue. What is in
// the queue stays there, or waits in the vault until the link is gone.
func (c *Cleaning) refusesHolding(yes []string) {
	c.t.Helper()
	c.Link(elsewhere, c.Holding)
	ran := c.Operate(yes...)
	if ran.Status == 0 {
		ran = c.Operate("undo", "--yes", "--reason", "x")
	}
	if ran.Status != 1 && ran.Status != 4 && ran.Status != 5 {
		c.t.Errorf("a linked holding place: ended with %d\n%s%s", ran.Status, ran.Out, ran.Err)
	}
	c.t.Logf("a linked holding place: %d %s%s", ran.Status, ran.Out, ran.Err)
	if entries, _ := os.ReadDir(filepath.Join(c.Dir, elsewhere)); len(entries) > 0 {
		c.t.Errorf("the link was followed: %v", entries)
	}
	c.remove(c.Holding)
	c.undoAll()
}

// refuses wants spoor to end with a status, and nothing to come out at the other end of a link.
func (c *Cleaning) refuses(what string, status int, yes []string) {
	c.t.Helper()
	c.t.Logf("%s: %s", what, c.Want(status, yes...).Err)
	if entries, _ := os.ReadDir(filepath.Join(c.Dir, elsewhere)); len(entries) > 0 {
		c.t.Errorf("%s: was followed: %v", what, entries)
	}
}

// remove removes something below the root.
func (c *Cleaning) remove(name string) {
	c.t.Helper()
	if err := os.RemoveAll(filepath.Join(c.Dir, name)); err != nil {
		c.t.Fatal(err)
	}
}
