package qmail

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
)

// crashDir is a folder in memory where there is one: thousands of trees are made.
func crashDir(t *testing.T) string {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "spoor-rebuild-") //nolint:usetesting // in memory, where thousands of syncs cost nothing
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// interruption is an action that is interrupted at each of its calls.
type interruption struct {
	name    string
	options RebuildOptions
	before  func(s *sound) // brings the queue to where the action begins
	act     func(t *testing.T, r *Rebuild) error
	again   error // what a run after the last step may return
	want    []string
	// delivered is taken out of the queue by qmail between the interruption and the
	// second run, if it is in the queue then.
	delivered string
	refusal   error // of the second run after that, if the delivery came before the trees were exchanged
	split2    bool  // the layout of the new tree is in place at the end
	plain     bool  // the file system cannot exchange
}

func interruptions() []interruption {
	change := RebuildOptions{Workers: 1, Looks: 1, Split: 2, Todo: TodoSplit}
	all := []string{"remote", "local and bounce", "new"}
	applied := func(s *sound) { apply(s.t, s.dir, change) }
	doApply := func(t *testing.T, r *Rebuild) error { _, err := r.Apply(t.Context()); return err }
	doUndo := func(t *testing.T, r *Rebuild) error { _, err := r.Undo(t.Context()); return err }
	doPurge := func(t *testing.T, r *Rebuild) error { _, err := r.Purge(t.Context()); return err }
	doLate := func(t *testing.T, r *Rebuild) error { _, err := r.Late(t.Context()); return err }
	arrived := func(s *sound) {
		applied(s)
		made := *s
		made.layout = layout{2, true}
		made.message("since", unprocessed("a@x.test", "b@y.test"))
		made.message("both since", map[piece]string{pieceInfo: "Fa@x.test\x00", pieceLocal: "Tl@x.test\x00", pieceRemote: "Tr@y.test\x00"})
	}
	late := func(s *sound) {
		applied(s)
		old := *s
		old.queue = "queue.old.p1"
		old.message("late", unprocessed("a@x.test", "b@y.test"))
	}
	nothing := func(*sound) {}
	plus := func(more ...string) []string { return append(more, all...) }
	return []interruption{
		{name: "apply", options: change, before: nothing, act: doApply, want: all, delivered: "remote", split2: true},
		{name: "apply in two steps", options: change, before: nothing, act: doApply, want: all, delivered: "new", split2: true, plain: true},
		{name: "undo", options: change, before: arrived, act: doUndo, again: ErrNoRebuild, want: plus("since", "both since"), delivered: "since"},
		{name: "undo, both", options: change, before: arrived, act: doUndo, again: ErrNoRebuild, want: plus("since", "both since"), delivered: "both since", plain: true},
		{name: "undo, carried", options: change, before: arrived, act: doUndo, again: ErrNoRebuild, want: plus("since", "both since"), delivered: "remote", refusal: ErrUsed},
		{name: "late", options: change, before: late, act: doLate, want: plus("late"), delivered: "late", split2: true},
		{name: "purge", options: change, before: late, act: doPurge, again: ErrNoRebuild, want: plus("late"), delivered: "late", split2: true},
	}
}

// stride is at how many calls of each action a fault happens: at every one takes
// minutes. SPOOR_FAULTS=all does that.
const stride = 17

// TestACrashLosesAndDoublesNothing interrupts each action at each call, by each
// fault. Then the queue must be whole; and after a second run, with and without
// a qmail that delivers a message in between, each message must be there once.
func TestACrashLosesAndDoublesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of trees")
	}
	for _, c := range interruptions() {
		t.Run(c.name, func(t *testing.T) {
			dir, runs := crashDir(t), 0
			for i, fault := range disktest.Faults() {
				step := stride
				if os.Getenv("SPOOR_FAULTS") == "all" {
					step = 1
				}
				for n := 1 + i%step; ; n += step {
					if !c.interrupted(t, dir, &disktest.Script{Fault: fault, N: n}, n/step%2 == 0) {
						break
					}
					runs++
				}
			}
			t.Logf("%d interruptions", runs)
			if runs < 100 && os.Getenv("SPOOR_FAULTS") != "" || runs < 30 {
				t.Error("hardly anything was interrupted")
			}
		})
	}
}

// interrupted runs the action with one fault, and reports whether it could happen.
func (c *interruption) interrupted(t *testing.T, dir string, script *disktest.Script, delivery bool) bool {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(dir, "server")))
	s := full(t, filepath.Join(dir, "server"), layout{1, false})
	s.message("half", nil)
	c.before(s)
	seam := disk.Seam(script.Seam)
	if c.plain {
		seam = func(op disk.Op) error {
			if err := script.Seam(op); err != nil || op.Name != "exchange" {
				return err
			}
			return syscall.EINVAL
		}
	}
	first := c.run(t, s, seam)
	c.whole(t, script, s)
	want := map[string]bool{}
	for _, subject := range c.want {
		want[subject] = true
	}
	refused := false
	if delivery {
		made := s.deliver(c.delivered)
		refused = made && c.refusal != nil
		if s.delivered {
			delete(want, c.delivered)
		}
	}
	second := c.run(t, s, nil)
	switch {
	case refused && !errors.Is(second, c.refusal) && first != nil:
		t.Errorf("%v, then a delivery: the second run gives %v, want %v", script, second, c.refusal)
	case refused:
		return script.Calls() >= script.N
	case second != nil && (c.again == nil || !errors.Is(second, c.again)):
		t.Errorf("%v: %v, and the second run gives %v", script, first, second)
	}
	got := s.subjects()
	if !maps.Equal(got, want) {
		t.Errorf("%v, delivery %v (%v): the queue has %v, want %v", script, delivery, first, got, want)
	}
	if split2 := s.inPlace() == (layout{2, true}); split2 != c.split2 {
		t.Errorf("%v: the wrong tree is in place", script)
	}
	return script.Calls() >= script.N
}

func (c *interruption) run(t *testing.T, s *sound, seam disk.Seam) error {
	t.Helper()
	r, done, err := tryRebuild(s.dir, seam, c.options)
	if err != nil {
		return err
	}
	defer done()
	return c.act(t, r)
}

// inPlace is the layout of the tree that is in place.
func (s *sound) inPlace() layout {
	if _, err := os.Stat(s.path("todo/0")); err == nil {
		return layout{2, true}
	}
	return layout{1, false}
}

// subjects are the messages that qmail can see in the queue.
func (s *sound) subjects() map[string]bool {
	s.t.Helper()
	seen := map[string]bool{}
	for content := range visible(raw(s.t, s.path(""), s.inPlace())) {
		seen[what([]byte(content))] = true
	}
	return seen
}

// whole checks the queue right after an interruption: there is one, unless the
// file system needs two steps; and all messages that were in it are.
func (c *interruption) whole(t *testing.T, script *disktest.Script, s *sound) {
	t.Helper()
	if _, err := os.Stat(s.path("mess")); err != nil {
		if !c.plain {
			t.Errorf("%v: there is no queue", script)
		}
		return
	}
	seen := s.subjects()
	for _, subject := range []string{"remote", "local and bounce", "new"} {
		if !seen[subject] {
			t.Errorf("%v: right after it %q is not in the queue", script, subject)
		}
	}
}

// deliver does what qmail does with a message that it has delivered, if the
// message is in the queue. It reports whether that was in the new tree.
func (s *sound) deliver(subject string) (made bool) {
	s.t.Helper()
	s.delivered = false
	l := s.inPlace()
	files, err := filepath.Glob(s.path("mess/*/*"))
	must(s.t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(s.t, err)
		if what(data) != subject || !s.subjects()[subject] {
			continue
		}
		id, _ := parseID([]byte(filepath.Base(file)))
		at := *s
		at.layout = l
		for p := pieces; p > 0; p-- {
			_ = os.Remove(s.path(at.file(p-1, id)))
		}
		s.delivered = true
	}
	return s.delivered && l == (layout{2, true})
}

func TestWhatIsDescribedIsTold(t *testing.T) {
	if got := visible(map[string]string{"a": "mess \nintd x\n", "b": "mess \nintd x\ntodo x\n"}); len(got) != 1 || strings.Contains(got["b"], "intd") {
		t.Errorf("visible gives %q", got)
	}
}
