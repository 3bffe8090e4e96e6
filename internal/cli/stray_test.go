package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/remedy"
)

// TestStrayNamesAreSwept lets each removal of a name fail while messages are taken
// out and put back, and looks for what that has left after the next plan.
func TestStrayNamesAreSwept(t *testing.T) {
	fault := disktest.Fault{Name: "EIO at unlink", At: func(disk.Op) error { return syscall.EIO }}
	for _, s := range smallServers(t) {
		before := world(t, s.dir, s.mta)
		strays := 0
		for n := 1; ; n++ {
			dir := copyTree(t, s.dir)
			script := &disktest.Script{Fault: fault, N: n}
			seam := func(op disk.Op) error {
				if op.Name != "unlink" || !strings.Contains(op.Path, "/var/spool/") && !strings.Contains(op.Path, "/queue/") {
					return nil
				}
				return script.Seam(op)
			}
			r := &run{t: t, dir: dir, name: s.mta, seam: seam}
			if r.do(s.removal(dir, t)) == nil {
				_ = r.do(s.restoration(dir, t))
			}
			must(t, (&run{t: t, dir: dir, name: s.mta}).do(nil))
			strays += len(heldFiles(t, dir))
			must(t, (&run{t: t, dir: dir, name: s.mta}).do(s.keepRemoval(dir, t)))
			if left := heldFiles(t, dir); len(left) > 0 {
				t.Fatalf("%s: %s: %v are left beside the queue", s.mta, script, left)
			}
			if err := compare(before, world(t, dir, s.mta)); err != nil {
				t.Fatalf("%s: %s: %v", s.mta, script, err)
			}
			must(t, os.RemoveAll(dir))
			if script.Calls() < n {
				break
			}
		}
		t.Logf("%s: %d stray names", s.mta, strays)
	}
}

// keepRemoval makes a plan about another message than all other plans.
func (s *smallServer) keepRemoval(dir string, t *testing.T) func(*opened, *remedy.State) (*spoor.Plan, error) {
	t.Helper()
	other := *s
	other.pick = s.keep[:1]
	return other.removal(dir, t)
}

// heldFiles are the files beside the queue.
func heldFiles(t *testing.T, dir string) (left []string) {
	t.Helper()
	must(t, filepath.WalkDir(filepath.Join(dir, "var"), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.Contains(name, "/spoor/") && !strings.Contains(name, defaultState) {
			left = append(left, name)
		}
		return err
	}))
	return left
}
