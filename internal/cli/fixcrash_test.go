package cli

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"spoor"
	"spoor/internal/disk/disktest"
	"spoor/internal/remedy"
)

// fixing makes a plan that has a step and messages.
func (s *smallServer) fixing(dir string, t *testing.T) func(*opened, *remedy.State) (*spoor.Plan, error) {
	t.Helper()
	return func(o *opened, state *remedy.State) (*spoor.Plan, error) {
		p, err := s.removal(dir, t)(o, state)
		p.Action = spoor.ActionFix
		p.Steps = []spoor.Step{{Kind: spoor.StepEdit, What: "a line", Edit: &spoor.Edit{Path: "/etc/stopped", Changes: []spoor.LineChange{{New: "info@shop.test"}}}}}
		return p, err
	}
}

// unfixing takes back whatever of it is in force or in the vault.
func (s *smallServer) unfixing(_ string, t *testing.T) func(*opened, *remedy.State) (*spoor.Plan, error) {
	t.Helper()
	return func(_ *opened, state *remedy.State) (*spoor.Plan, error) {
		plans := state.Journal.Plans()
		if len(plans) == 0 {
			return nil, errNothingPlanned
		}
		p, err := state.Plan(plans[0].Plan)
		if err != nil {
			return nil, err
		}
		back := state.Inverse(plans[0], p)
		back.Time, back.MTA, back.Root = at(), s.mta, p.Root
		back.Targets, err = storedOf(state, p.ID)
		return back, err
	}
}

var errNothingPlanned = errors.New("no plan has begun")

// TestAFixIsTakenBackWhole lets every call of a fix fail or be the last, finishes it,
// and takes it back: every message is in the queue once, and the file as it was.
func TestAFixIsTakenBackWhole(t *testing.T) {
	for _, s := range serversOf(t, "exim") {
		must(t, os.MkdirAll(filepath.Join(s.dir, "etc"), 0o755))
		must(t, os.WriteFile(filepath.Join(s.dir, "etc/stopped"), []byte("others\n"), 0o640))
		before := world(t, s.dir, s.mta)
		for _, fault := range disktest.Faults() {
			for n, reached := 1, true; reached; n += everyday() {
				dir := copyTree(t, s.dir)
				script := &disktest.Script{Fault: fault, N: n}
				_ = (&run{t: t, dir: dir, name: s.mta, seam: script.Seam}).do(s.fixing(dir, t))
				reached = script.Calls() >= n
				must(t, (&run{t: t, dir: dir, name: s.mta}).do(nil))
				if err := compare(before, world(t, dir, s.mta)); err != nil {
					t.Errorf("%s: %v", script, err)
				}
				err := (&run{t: t, dir: dir, name: s.mta}).do(s.unfixing(dir, t))
				if err != nil && !errors.Is(err, errNothingPlanned) {
					t.Errorf("%s: undo: %v", script, err)
				}
				if err := compare(before, world(t, dir, s.mta)); err != nil {
					t.Errorf("%s: after the undo: %v", script, err)
				}
				if content, err := os.ReadFile(filepath.Join(dir, "etc/stopped")); err != nil || string(content) != "others\n" {
					t.Errorf("%s: the file holds %q, %v", script, content, err)
				}
				must(t, os.RemoveAll(dir))
			}
		}
	}
}
