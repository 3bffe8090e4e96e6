package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/measure"
	"spoor/internal/mta"
	"spoor/internal/remedy"
)

// remadeTree is a server of which one file is made of another, as Postfix' databases
// and Debian's configuration of Exim are.
type remadeTree struct {
	t     *testing.T
	dir   string
	state *remedy.State
	work  *remedy.Work
}

func newRemadeTree(t *testing.T) *remadeTree {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	r := &remadeTree{t: t, dir: t.TempDir()}
	must(t, os.MkdirAll(filepath.Join(r.dir, "state"), 0o700))
	for _, name := range []string{"source", "made"} {
		must(t, os.WriteFile(filepath.Join(r.dir, name), []byte("a\nb\nc\n"), 0o644))
		must(t, os.Chtimes(filepath.Join(r.dir, name), old(), old()))
	}
	top, err := disk.Open(r.dir, nil)
	must(t, err)
	t.Cleanup(func() { _ = top.Close() })
	r.state, err = remedy.OpenState(top, "state")
	must(t, err)
	t.Cleanup(r.state.Close)
	must(t, r.state.Lock())
	server := &measure.Server{Top: top, Live: true, Run: programs{}, Now: time.Now}
	r.work = &remedy.Work{State: r.state, Steps: server, Now: time.Now}
	return r
}

// old is when the files were written.
func old() time.Time { return time.Date(2021, 5, 6, 7, 8, 9, 0, time.UTC) }

// stop takes a line out of the source, by a plan.
func (r *remadeTree) stop(shared string, changes []spoor.LineChange, hook ...spoor.Step) *spoor.Plan {
	r.t.Helper()
	argv := []string{"/bin/cp", filepath.Join(r.dir, "source"), filepath.Join(r.dir, "made")}
	before, after := mta.Remade(argv, []string{"/made"}, "as it was", shared)
	steps := append([]spoor.Step{before}, hook...)
	if len(changes) > 0 {
		steps = append(steps, spoor.Step{Kind: spoor.StepEdit, What: "a line", Edit: &spoor.Edit{Path: "/source", Changes: changes}})
	}
	p := &spoor.Plan{Action: spoor.ActionStop, Time: time.Now(), Steps: append(steps, after)}
	r.apply(p)
	return p
}

func (r *remadeTree) apply(p *spoor.Plan) {
	r.t.Helper()
	must(r.t, r.work.Propose(p))
	receipt, err := r.work.Apply(context.Background(), p)
	must(r.t, err)
	for _, s := range receipt.Steps {
		if s.Result != spoor.ResultDone {
			r.t.Errorf("%s: %s: %s", s.What, s.Result, s.Why)
		}
	}
}

func (r *remadeTree) unstop(p *spoor.Plan) {
	r.t.Helper()
	past := r.state.Journal.Of(p.ID)
	back := r.state.Inverse(past, p)
	back.Time = time.Now()
	r.apply(back)
}

// want says which lines are in the source, and in what was made of it.
func (r *remadeTree) want(lines string) {
	r.t.Helper()
	for _, name := range []string{"source", "made"} {
		text, err := os.ReadFile(filepath.Join(r.dir, name))
		must(r.t, err)
		words := strings.Fields(string(text))
		slices.Sort(words) // who is taken back first may have another place
		if got := strings.Join(words, ""); got != lines {
			r.t.Errorf("%s has %q, want %q", name, got, lines)
		}
	}
}

// What is made of a file is made of the file as it is after the undo, whichever of two
// plans is taken back first.
func TestWhatIsMadeOfOthersFollowsThem(t *testing.T) {
	for _, firstBack := range []int{0, 1} {
		r := newRemadeTree(t)
		plans := []*spoor.Plan{
			r.stop("", []spoor.LineChange{{Old: "a"}}), r.stop("", []spoor.LineChange{{Old: "b"}}),
		}
		r.want("c")
		r.unstop(plans[firstBack])
		r.want([]string{"ac", "bc"}[firstBack])
		r.unstop(plans[1-firstBack])
		r.want("abc")
	}
}

// A file that is as it was before the first of several plans has its time from then,
// whichever is taken back last.
func TestAFileThatIsAsItWasHasItsTime(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		if at := swapped(t, order, 0o644); !at.Equal(old()) {
			t.Errorf("taken back in the order %v, it is of %v", order, at)
		}
	}
	if at := swapped(t, []int{0, 1, 2}, 0o640); at.Equal(old()) {
		t.Error("somebody has changed its mode, and it has the time from before")
	}
}

// swapped is the time of a file of which three plans have changed a line each, when
// they are taken back in an order, and somebody has set its mode before that.
func swapped(t *testing.T, order []int, mode os.FileMode) time.Time {
	t.Helper()
	r := newRemadeTree(t)
	var plans []*spoor.Plan
	for _, c := range []spoor.LineChange{{Old: "a", New: "A"}, {Old: "b", New: "B"}, {Old: "c", New: "C"}} {
		plans = append(plans, r.stop("", []spoor.LineChange{c}))
	}
	name := filepath.Join(r.dir, "source")
	must(t, os.Chmod(name, mode))
	for _, i := range order {
		r.unstop(plans[i])
	}
	r.want("abc")
	info, err := os.Stat(name)
	must(t, err)
	return info.ModTime()
}

// A plan that needs what another one has made keeps it, whichever is taken back first.
func TestWhatWasMadeForAnotherPlanStays(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		r := newRemadeTree(t)
		hook := spoor.Step{Kind: spoor.StepEdit, What: "a hook", Shared: "hook", Edit: &spoor.Edit{Path: "/source", Changes: []spoor.LineChange{{New: "hook"}}}}
		plans := []*spoor.Plan{r.stop("made", nil, hook)}
		hook.Edit = &spoor.Edit{Path: "/source"}
		plans = append(plans, r.stop("made", nil, hook), r.stop("made", nil, hook))
		for _, i := range order {
			r.want("abchook")
			r.unstop(plans[i])
		}
		r.want("abc")
	}
}
