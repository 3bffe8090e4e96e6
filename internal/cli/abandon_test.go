package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/remedy"
)

// TestAPlanThatCannotBeFinishedIsGivenUp lets spoor crash at any call, and the disk
// fail for one message from then on. Once the plan is given up other changes are possible,
// and each message is in one place; with the disk repaired, all of them can be in
// the queue again.
func TestAPlanThatCannotBeFinishedIsGivenUp(t *testing.T) {
	if testing.Short() {
		t.Skip("it goes through hundreds of broken disks")
	}
	for _, s := range smallServers(t) {
		t.Run(s.mta+" rm", func(t *testing.T) { giveUpEverywhere(t, s, s.dir, s.removal) })
		t.Run(s.mta+" restore", func(t *testing.T) {
			removed := copyTree(t, s.dir)
			must(t, (&run{t: t, dir: removed, name: s.mta}).do(s.removal(removed, t)))
			giveUpEverywhere(t, s, removed, s.restoration)
		})
	}
}

func giveUpEverywhere(t *testing.T, s smallServer, from string, plan planner) {
	t.Helper()
	before := world(t, from, s.mta)
	givenUp := 0
	for n := 1; ; n += stride() {
		dir := copyTree(t, from)
		script := &disktest.Script{Fault: disktest.Faults()[0], N: n}
		_ = (&run{t: t, dir: dir, name: s.mta, seam: script.Seam}).do(plan(dir, t))
		broken := &brokenFor{words: []string{string(s.pick[0]), "/m0."}, what: script}
		_ = (&run{t: t, dir: dir, name: s.mta, seam: broken.seam}).do(nil)
		if id := unfinishedOf(t, dir); id != "" {
			givenUp++
			s.giveUp(t, dir, id, broken, before)
		}
		must(t, os.RemoveAll(dir))
		if script.Calls() < n {
			break
		}
	}
	t.Logf("%d plans were given up", givenUp)
	if givenUp == 0 {
		t.Error("no plan had to be given up")
	}
}

type planner func(string, *testing.T) func(*opened, *remedy.State) (*spoor.Plan, error)

// brokenFor is a disk that cannot do anything with files of some names.
type brokenFor struct {
	words []string
	what  fmt.Stringer // came before
}

func (b *brokenFor) seam(op disk.Op) error {
	for _, word := range b.words {
		if strings.Contains(op.Path, word) {
			return syscall.EIO
		}
	}
	return nil
}

// unfinishedOf is a plan that was cut off, or "".
func unfinishedOf(t *testing.T, dir string) (id string) {
	t.Helper()
	top, err := disk.Open(dir, nil)
	must(t, err)
	defer func() { must(t, top.Close()) }()
	state, err := remedy.LookState(top, defaultState)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	must(t, err)
	defer state.Close()
	for _, past := range state.Journal.Unfinished() {
		id = past.Plan
	}
	return id
}

func (s *smallServer) giveUp(t *testing.T, dir, id string, broken *brokenFor, before map[string][]place) {
	t.Helper()
	what := fmt.Sprintf("%s, %s, broken for %s", id, broken.what, broken.words)
	if status, text := s.spoor(dir, "journal", "abandon", "-n", id); status != 0 || !strings.Contains(text, "unfinished part of "+id) {
		t.Fatalf("%s: the plan to give it up ends with %d:\n%s", what, status, text)
	}
	var out, problems bytes.Buffer
	env := testEnvironment(&out, &problems)
	env.Seam = broken.seam
	status := Main([]string{"--root", dir, "--mta", s.mta, "queue", "rm", "id:" + string(s.keep[0]), "--yes", "--reason", "blocked"}, env)
	if status != exitFailure || !strings.Contains(problems.String(), "journal abandon -n "+id) || !strings.Contains(problems.String(), "nothing else was changed") {
		t.Fatalf("%s: a later change ends with %d:\n%s", what, status, &problems)
	}
	problems.Reset()
	status = Main([]string{"--root", dir, "--mta", s.mta, "journal", "abandon", id, "--yes", "--reason", "disk"}, env)
	if status != 0 && status != exitPartial || unfinishedOf(t, dir) != "" {
		t.Fatalf("%s: giving it up ends with %d:\n%s%s", what, status, &out, &problems)
	}
	s.must(t, dir, "queue", "rm", "id:"+string(s.keep[0]), "--yes", "--reason", "a later change")
	s.restoreAll(t, dir, what, exitPartial) // what may be in the queue already is left out
	for key, places := range world(t, dir, s.mta) {
		queued := slices.DeleteFunc(places, func(p place) bool { return p.where != "queue" })
		if len(queued) > 1 {
			t.Fatalf("%s: message %.8s is in the queue twice\n%s", what, key, &out)
		}
	}
	s.must(t, dir, "journal", "abandon", id, "--yes", "--reason", "the disk is repaired")
	s.restoreAll(t, dir, what, exitDone)
	after := world(t, dir, s.mta)
	if err := compare(before, after); err != nil {
		t.Fatalf("%s: after the restore %v", what, err)
	}
	for key, places := range after {
		if places[0].where != "queue" {
			t.Fatalf("%s: message %.8s is not in the queue", what, key)
		}
	}
}

func (s *smallServer) restoreAll(t *testing.T, dir, what string, or int) {
	t.Helper()
	if status, text := s.spoor(dir, "vault", "restore", "age:>0s", "--yes", "--reason", "all"); status != exitDone && status != exitNothing && status != or {
		t.Fatalf("%s: the restore ends with %d:\n%s", what, status, text)
	}
}
