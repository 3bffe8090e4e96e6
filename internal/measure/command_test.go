package measure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
)

func TestACommandAndItsInverse(t *testing.T) {
	s := newStand(t)
	flag := filepath.Join(s.dir, "flag")
	step := &spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{
		Do: []string{"/bin/mkdir", "-p", flag}, Undo: []string{"/bin/rm", "-rf", flag}, Before: []string{"/bin/echo", "old value"},
		Test: []string{"/bin/ls", s.dir}, Want: "flag",
	}}
	_, err := s.do(step)
	must(t, err)
	_, err = os.Stat(flag)
	must(t, err)
	var record commandRecord
	_, err = load(s.records, beforeName, &record)
	must(t, err)
	if record.Before != "old value\n" {
		t.Errorf("before: %q", record.Before)
	}
	_, err = s.undo(step)
	must(t, err)
	if _, err := os.Stat(flag); err == nil {
		t.Error("it is still there")
	}
}

func TestAFailureNamesTheCommandAndWhatItSaid(t *testing.T) {
	for _, c := range []spoor.Command{
		{Do: []string{"/bin/ls", "/nonexistent"}},
		{Do: []string{"/bin/true"}, Test: []string{"/bin/ls", "/nonexistent"}},
		{Before: []string{"/bin/ls", "/nonexistent"}, Do: []string{"/bin/true"}},
	} {
		s := newStand(t)
		_, err := s.do(&spoor.Step{Kind: spoor.StepCommand, Command: &c})
		if err == nil || !strings.Contains(err.Error(), "ls /nonexistent") || !strings.Contains(err.Error(), "No such file") {
			t.Errorf("%v", err)
		}
	}
	s := newStand(t)
	if _, err := s.do(&spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{Do: []string{"/bin/true"}, Test: []string{"/bin/echo", "no"}, Want: "yes"}}); err == nil {
		t.Error("an answer that was not expected is none")
	}
	if _, err := s.do(&spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{Do: []string{"true"}}}); err == nil {
		t.Error("a program must be named by its path")
	}
}

func TestAnInverseThatHasNothingToDoMayFail(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		s := newStand(t)
		step := &spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{Do: []string{"/bin/true"}, Undo: []string{"/bin/ls", "/nonexistent"}, Lenient: lenient}}
		_, err := s.do(step)
		must(t, err)
		remark, err := s.undo(step)
		if (err == nil) != lenient || strings.Contains(remark, "No such file") != lenient {
			t.Errorf("lenient %t: %q, %v", lenient, remark, err)
		}
	}
}

func TestWhatACommandWritesComesBack(t *testing.T) {
	s := newStand(t)
	s.write("etc/aliases.db", "old", 0o640)
	before := s.manifest()
	step := &spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{
		Do:     []string{"/bin/cp", "/etc/hostname", filepath.Join(s.dir, "etc/aliases.db")},
		Undo:   []string{"/bin/touch", filepath.Join(s.dir, "etc/made-anew")},
		Writes: []string{"/etc/aliases.db"},
	}}
	_, err := s.do(step)
	must(t, err)
	if s.read("etc/aliases.db") == "old" {
		t.Fatal("nothing was written")
	}
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
	_, err = s.undo(step)
	must(t, err)
	s.same(before)

	_, err = s.do(step)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.dir, "etc/aliases.db"), []byte("theirs"), 0o640))
	_, err = s.undo(step) // it is made anew from what somebody has changed
	must(t, err)
	if s.read("etc/aliases.db") != "theirs" || s.read("etc/made-anew") != "" {
		t.Error("what somebody else has written is gone")
	}
}

// A program like tcprules(1) makes a new file, with a mode that the umask decides.
func TestWhatACommandMakesAnewCanBeReadByThoseWhoCouldBefore(t *testing.T) {
	s := newStand(t)
	s.write("etc/rules", "one\n", 0o600)
	s.write("etc/made", "old\n", 0o644)
	made := filepath.Join(s.dir, "etc/made")
	argv := []string{"/bin/cp", "--remove-destination", "--preserve=mode", filepath.Join(s.dir, "etc/rules"), made}
	step := &spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{Do: argv, Undo: argv, Writes: []string{"/etc/made"}}}
	mode := func(when string) {
		t.Helper()
		info, err := os.Stat(made)
		must(t, err)
		if info.Mode().Perm() != 0o644 {
			t.Errorf("%s it has mode %04o", when, info.Mode().Perm())
		}
	}
	_, err := s.do(step)
	must(t, err)
	mode("after the command")
	must(t, os.WriteFile(made, []byte("theirs"), 0o644)) // so that it is made anew
	_, err = s.undo(step)
	must(t, err)
	if got := s.read("etc/made"); got != "one\n" {
		t.Errorf("after the undo it has %q", got)
	}
	mode("after the undo")
}

func TestACommandReadsAFileAsItIs(t *testing.T) {
	s := newStand(t)
	s.write("etc/rules", "one\n", 0o644)
	made := filepath.Join(s.dir, "etc/made")
	step := &spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{
		Do: []string{"/bin/dd", "of=" + made}, Undo: []string{"/bin/dd", "of=" + made}, Input: "/etc/rules", Writes: []string{"/etc/made"},
	}}
	_, err := s.do(step)
	must(t, err)
	if got := s.read("etc/made"); got != "one\n" {
		t.Errorf("the program has read %q", got)
	}
	must(t, os.WriteFile(made, []byte("theirs"), 0o644))
	must(t, os.WriteFile(filepath.Join(s.dir, "etc/rules"), []byte("two\n"), 0o644))
	_, err = s.undo(step)
	must(t, err)
	if got := s.read("etc/made"); got != "two\n" {
		t.Errorf("after the undo it has read %q", got)
	}
	must(t, os.Remove(filepath.Join(s.dir, "etc/rules")))
	must(t, os.Symlink("/etc/hostname", filepath.Join(s.dir, "etc/rules")))
	if _, err := s.do(step); err == nil {
		t.Error("a link was followed")
	}
	must(t, os.Remove(filepath.Join(s.dir, "etc/rules")))
	if _, err := s.do(step); err == nil {
		t.Error("what is not there was read as nothing")
	}
}
