package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
)

// smallQmail is a small server with qmail.
func smallQmail(t *testing.T) smallServer {
	t.Helper()
	for _, s := range smallServers(t) {
		if s.mta == "qmail" {
			return s
		}
	}
	t.Fatal("there is none")
	return smallServer{}
}

// at runs spoor with a disk.
func (s *smallServer) at(dir string, seam disk.Seam, args ...string) (status int, text string) {
	var out, problems bytes.Buffer
	env := testEnvironment(&out, &problems)
	env.Seam = seam
	status = Main(append([]string{"--root", dir, "--mta", s.mta}, args...), env)
	return status, out.String() + problems.String()
}

const (
	ownRoutes    = "far.test:relay.test\n"
	editedRoutes = "somebody:else\n"
)

// TestAFreezeThatSomebodyHasEditedIsGivenUp cuts freeze and thaw off at any call, and has
// somebody edit the control file before spoor runs again. Nothing of theirs is lost, and
// later changes are possible.
func TestAFreezeThatSomebodyHasEditedIsGivenUp(t *testing.T) {
	s := smallQmail(t)
	routes := func(dir string) string { return filepath.Join(dir, "var/qmail/control/smtproutes") }
	must(t, os.WriteFile(routes(s.dir), []byte(ownRoutes), 0o644))
	frozen := copyTree(t, s.dir)
	s.must(t, frozen, "queue", "freeze", "--yes", "--reason", "test")
	for _, c := range []struct{ verb, from string }{{"freeze", s.dir}, {"thaw", frozen}} {
		givenUp := 0
		for n := 1; ; n++ {
			dir := copyTree(t, c.from)
			script := &disktest.Script{Fault: disktest.Faults()[0], N: n}
			_, _ = s.at(dir, script.Seam, "queue", c.verb, "--yes", "--reason", "test")
			if id := unfinishedOf(t, dir); id != "" {
				must(t, os.WriteFile(routes(dir), []byte(editedRoutes), 0o644))
				status, text := s.spoor(dir, "queue", "rm", "id:"+string(s.keep[0]), "--yes", "--reason", "later")
				if status == 0 { // the plan could be ended all the same
					must(t, os.RemoveAll(dir))
					continue
				}
				if !strings.Contains(text, "journal abandon -n "+id) {
					t.Fatalf("%s: a later change ends with %d:\n%s", script, status, text)
				}
				givenUp++
				if status, text := s.spoor(dir, "journal", "abandon", "-n", id); status != 0 || unfinishedOf(t, dir) != id {
					t.Fatalf("%s: the plan to give it up ends with %d:\n%s", script, status, text)
				}
				if status, text := s.spoor(dir, "journal", "abandon", id, "--yes", "--reason", "edited"); status != 0 || !strings.Contains(text, "somebody has edited it") {
					t.Fatalf("%s: giving it up ends with %d:\n%s", script, status, text)
				}
				if got, err := os.ReadFile(routes(dir)); err != nil || string(got) != editedRoutes {
					t.Fatalf("%s: control/smtproutes is %q, %v", script, got, err)
				}
				s.must(t, dir, "queue", "rm", "id:"+string(s.keep[0]), "--yes", "--reason", "later")
				s.must(t, dir, "queue", "thaw", "--force", "--yes", "--reason", "as it was")
				if got, err := os.ReadFile(routes(dir)); err != nil || string(got) != ownRoutes {
					t.Fatalf("%s: after thaw --force control/smtproutes is %q, %v", script, got, err)
				}
			}
			must(t, os.RemoveAll(dir))
			if script.Calls() < n {
				break
			}
		}
		t.Logf("%s: %d were given up", c.verb, givenUp)
		if givenUp == 0 {
			t.Errorf("no %s had to be given up", c.verb)
		}
	}
}

// TestAThawThatIsRefusedBlocksNothing has somebody edit the control file while it is
// frozen: a thaw without --force cannot be done, and one with it still can.
func TestAThawThatIsRefusedBlocksNothing(t *testing.T) {
	s := smallQmail(t)
	routes := filepath.Join(s.dir, "var/qmail/control/smtproutes")
	must(t, os.WriteFile(routes, []byte(ownRoutes), 0o644))
	s.must(t, s.dir, "queue", "freeze", "--yes", "--reason", "test")
	must(t, os.WriteFile(routes, []byte(editedRoutes), 0o644))
	if status, text := s.spoor(s.dir, "queue", "thaw", "--yes", "--reason", "test"); status == 0 || !strings.Contains(text, "was edited by somebody else") {
		t.Fatalf("thaw ends with %d:\n%s", status, text)
	}
	if id := unfinishedOf(t, s.dir); id != "" {
		t.Fatalf("%s blocks what comes later", id)
	}
	s.must(t, s.dir, "queue", "thaw", "--force", "--yes", "--reason", "test")
	if got, err := os.ReadFile(routes); err != nil || string(got) != ownRoutes {
		t.Errorf("control/smtproutes is %q, %v", got, err)
	}
}

// full is a disk on which nothing of the queue can be made or removed any more.
func full(op disk.Op) error {
	if strings.Contains(op.Path, "queue") && !strings.Contains(op.Path, defaultState) && slices.Contains([]string{"mkdir", "link", "rename", "exchange", "unlink", "rmdir"}, op.Name) {
		return syscall.EIO
	}
	return nil
}

// TestARebuildIsGivenUpWhileNothingIsHalf cuts what a rebuild does off at any call, after
// which the disk can make nothing new. As long as no message is in a tree alone on which
// qmail does not work it is given up; else that is refused, and the rest is done when the
// disk is repaired. No message is lost, or there twice.
func TestARebuildIsGivenUpWhileNothingIsHalf(t *testing.T) {
	if testing.Short() {
		t.Skip("it goes through many broken disks")
	}
	s := smallQmail(t)
	before := world(t, s.dir, s.mta)
	const plan = "20261123T120000-rebuild"
	for _, c := range []struct {
		name             string
		words            []string
		givenUp, refused bool // whether each is expected
	}{
		{"rebuild", nil, true, true},
		{"late", []string{"--late", plan}, true, false},
		{"purge", []string{"--purge", plan}, true, false},
		{"undo", []string{"--undo", plan}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			words := append(append([]string{"queue", "rebuild"}, c.words...), "--yes", "--reason", "test")
			givenUp, refused := 0, 0
			for n := 1; ; n += 6 * stride() {
				dir := copyTree(t, s.dir)
				if c.words != nil {
					s.must(t, dir, "queue", "rebuild", "--yes", "--reason", "test")
				}
				script := &disktest.Script{Fault: disktest.Faults()[0], N: n}
				_, _ = s.at(dir, script.Seam, words...)
				if id := unfinishedOf(t, dir); id != "" {
					status, text := s.at(dir, full, "journal", "abandon", id, "--yes", "--reason", "disk")
					switch {
					case status == exitDone && unfinishedOf(t, dir) == "" && strings.Contains(text, "is the queue") || strings.Contains(text, "nothing in it was changed") || strings.Contains(text, "nothing was begun"):
						givenUp++
					case status == exitRefused && strings.Contains(text, "cannot be given up"), status == exitNoMTA:
						refused++
					default:
						t.Fatalf("%s: giving it up ends with %d:\n%s", script, status, text)
					}
					if status, text := s.spoor(dir, words...); status != exitDone && status != exitNothing || unfinishedOf(t, dir) != "" {
						t.Fatalf("%s: with the disk repaired it ends with %d:\n%s", script, status, text)
					}
				}
				if err := compare(before, world(t, dir, s.mta)); err != nil {
					t.Fatalf("%s: %v", script, err)
				}
				must(t, os.RemoveAll(dir))
				if script.Calls() < n {
					break
				}
			}
			t.Logf("%d were given up, and %d refused", givenUp, refused)
			if (givenUp > 0) != c.givenUp || (refused > 0) != c.refused {
				t.Error("it was not what is expected")
			}
		})
	}
}
