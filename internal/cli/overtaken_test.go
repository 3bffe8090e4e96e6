package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"spoor"
)

// A stop whose script somebody has replaced can be neither undone nor in the way: the
// new script can be stopped, and is given back when that is taken back.
func TestAStopThatSomebodyHasOvertaken(t *testing.T) {
	s := newRemadeTree(t)
	name := filepath.Join(s.dir, "source")
	edit := func(content string) *spoor.Plan {
		return &spoor.Plan{Action: spoor.ActionStop, Time: time.Now(), Expires: time.Now().Add(-time.Hour), Steps: []spoor.Step{{
			Kind: spoor.StepEdit, What: "shut", Shared: "shut", Edit: &spoor.Edit{Path: "/source", Content: &content, Was: hashOf(t, name)},
		}}}
	}
	first := edit("shut\n")
	s.apply(first)
	must(t, os.WriteFile(name, []byte("another\n"), 0o644))
	journal := s.state.Journal
	back := s.state.Inverse(journal.Of(first.ID), first)
	back.Time = time.Now()
	must(t, s.work.Propose(back))
	receipt, err := s.work.Apply(t.Context(), back)
	must(t, err)
	if receipt.Steps[0].Result != spoor.ResultChanged {
		t.Fatalf("%+v", receipt.Steps)
	}
	if n := len(journal.Due(time.Now())) + len(journal.InForce()); n != 0 {
		t.Errorf("it is still in force, and would be taken back again and again: %d", n)
	}
	second := edit("shut again\n")
	s.apply(second)
	s.unstop(second)
	text, err := os.ReadFile(name)
	if must(t, err); string(text) != "another\n" {
		t.Errorf("it holds %q", text)
	}
}
