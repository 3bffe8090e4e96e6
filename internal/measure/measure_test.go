package measure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stand is a server below a folder, with a folder for records.
type stand struct {
	t       *testing.T
	dir     string
	server  *Server
	records *disk.Dir
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{t: t, dir: t.TempDir()}
	state, err := disk.Open(t.TempDir(), nil)
	must(t, err)
	s.records, err = state.MakeDir("20261126T101500-stop", 0o700)
	must(t, err)
	s.records, err = s.records.MakeDir("0", 0o700)
	must(t, err)
	top, err := disk.Open(s.dir, nil)
	must(t, err)
	s.server = &Server{Top: top, Now: time.Now, Live: true, Run: shell{}}
	t.Cleanup(func() { _ = top.Close(); _ = s.records.Close() })
	return s
}

func (s *stand) write(name, content string, mode os.FileMode) {
	s.t.Helper()
	at := filepath.Join(s.dir, name)
	must(s.t, os.MkdirAll(filepath.Dir(at), 0o755))
	must(s.t, os.WriteFile(at, []byte(content), 0o600))
	must(s.t, os.Chmod(at, mode))
	s.old(name)
}

// old gives a file and its folder times of long ago.
func (s *stand) old(name string) {
	s.t.Helper()
	at := filepath.Join(s.dir, name)
	old := time.Date(2020, 3, 1, 12, 0, 0, 123456789, time.UTC)
	must(s.t, os.Chtimes(at, old, old.Add(time.Second)))
	must(s.t, os.Chtimes(filepath.Dir(at), old, old.Add(time.Minute)))
}

func (s *stand) read(name string) string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, name))
	must(s.t, err)
	return string(content)
}

func (s *stand) do(step *spoor.Step) (string, error) {
	return s.server.Do(context.Background(), step, s.records)
}

func (s *stand) undo(step *spoor.Step) (string, error) {
	return s.server.Undo(context.Background(), step, s.records)
}

// manifest is a tree in words: kind, mode, owner, times, flags, attributes, content.
func (s *stand) manifest() []string {
	s.t.Helper()
	var lines []string
	err := filepath.WalkDir(s.dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("%s %o %d:%d atime %d.%d mtime %d.%d", strings.TrimPrefix(name, s.dir), st.Mode, st.Uid, st.Gid,
			st.Atim.Sec, st.Atim.Nsec, st.Mtim.Sec, st.Mtim.Nsec)
		if !entry.Type().IsRegular() {
			line = fmt.Sprintf("%s %o %d:%d mtime %d.%d", strings.TrimPrefix(name, s.dir), st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		}
		if entry.Type().IsRegular() {
			more, err := described(name)
			if err != nil {
				return err
			}
			line += more
		}
		lines = append(lines, line)
		return nil
	})
	must(s.t, err)
	return lines
}

func described(name string) (string, error) {
	d, err := disk.Open(filepath.Dir(name), nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = d.Close() }()
	f, err := d.Open(filepath.Base(name))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	attrs, err := f.Attrs()
	if err != nil {
		return "", err
	}
	flags, _, err := f.Flags()
	if err != nil {
		return "", err
	}
	content, err := f.All(1 << 20)
	return fmt.Sprintf(" flags %x attrs %q content %.60q of %d", flags, attrs, content, len(content)), err
}

func (s *stand) same(before []string) {
	s.t.Helper()
	after := s.manifest()
	if !slices.Equal(before, after) {
		s.t.Errorf("the tree is not as it was:\n%s\nwas\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func TestALineIsAddedAndTakenOutAgain(t *testing.T) {
	s := newStand(t)
	s.write("etc/postfix/main.cf", "myhostname = mail\nrelay = no", 0o640)
	before := s.manifest()
	step := &spoor.Step{Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: "/etc/postfix/main.cf", Changes: []spoor.LineChange{
		{New: "authorized_submit_users = !web1, static:anyone"}, {Old: "myhostname = mail", New: "myhostname = mx"},
	}}}
	_, err := s.do(step)
	must(t, err)
	if got := s.read("etc/postfix/main.cf"); got != "myhostname = mx\nrelay = no\nauthorized_submit_users = !web1, static:anyone\n" {
		t.Errorf("the file holds %q", got)
	}
	_, err = s.do(step) // a run that was cut off after it had acted
	must(t, err)
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
}

func TestAFileThatWasNotThereGoesAgain(t *testing.T) {
	s := newStand(t)
	s.write("etc/postfix/main.cf", "x", 0o644)
	before := s.manifest()
	step := &spoor.Step{Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: "/etc/postfix/spoor_sasl_access", Mode: 0o644, Changes: []spoor.LineChange{
		{New: "info@shop.test REJECT"},
	}}}
	_, err := s.do(step)
	must(t, err)
	if got := s.read("etc/postfix/spoor_sasl_access"); got != "info@shop.test REJECT\n" {
		t.Errorf("the file holds %q", got)
	}
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
}

func TestWhatSomebodyElseHasEditedStays(t *testing.T) {
	content := "new\n"
	for name, c := range map[string]struct {
		edit             spoor.Edit
		was, since, want string
		conflict         bool
	}{
		"a line of ours":             {spoor.Edit{Changes: []spoor.LineChange{{New: "ours"}}}, "a\n", "a\nours\ntheirs\n", "a\ntheirs\n", false},
		"a line that was swapped":    {spoor.Edit{Changes: []spoor.LineChange{{Old: "a", New: "b"}}}, "a\n", "x\nb\n", "x\na\n", false},
		"somebody was faster":        {spoor.Edit{Changes: []spoor.LineChange{{Old: "a", New: "b"}}}, "a\n", "x\na\n", "x\na\n", false},
		"a line that was taken out":  {spoor.Edit{Changes: []spoor.LineChange{{Old: "b"}}}, "a\nb\nc\n", "a\nc\nd\n", "a\nb\nc\nd\n", false},
		"the first line":             {spoor.Edit{Changes: []spoor.LineChange{{Old: "a"}}}, "a\nb\n", "b\nc\n", "a\nb\nc\n", false},
		"where it was nobody knows":  {spoor.Edit{Changes: []spoor.LineChange{{Old: "b"}}}, "a\nb\n", "c\n", "c\nb\n", false},
		"two plans, one line":        {spoor.Edit{Changes: []spoor.LineChange{{New: "web1"}}}, "a\nweb1\n", "a\n" + strings.Repeat("web1\n", 2) + "b\n", "a\nweb1\nb\n", false},
		"both lines are gone":        {spoor.Edit{Changes: []spoor.LineChange{{Old: "a", New: "b"}}}, "a\n", "x\n", "x\n", true},
		"the whole content was ours": {spoor.Edit{Content: &content, Was: sum([]byte("a\n"))}, "a\n", "new\nx\n", "new\nx\n", true},
	} {
		s := newStand(t)
		s.write("etc/file", c.was, 0o644)
		c.edit.Path = "/etc/file"
		step := &spoor.Step{Kind: spoor.StepEdit, Edit: &c.edit}
		_, err := s.do(step)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(s.dir, "etc/file"), []byte(c.since), 0o644))
		_, err = s.undo(step)
		if got := s.read("etc/file"); got != c.want || errors.Is(err, spoor.ErrConflict) != c.conflict || err != nil && !c.conflict {
			t.Errorf("%s: it holds %q, want %q; error %v", name, got, c.want, err)
		}
	}
}

func TestWhatIsNotWhatThePlanWasMadeForIsLeftAlone(t *testing.T) {
	content := "new\n"
	s := newStand(t)
	s.write("etc/file", strings.Repeat("a\n", 2), 0o644)
	s.write("etc/two", "x", 0o644)
	must(t, os.Link(filepath.Join(s.dir, "etc/two"), filepath.Join(s.dir, "etc/three")))
	must(t, os.Symlink("file", filepath.Join(s.dir, "etc/link")))
	for _, e := range []spoor.Edit{
		{Path: "/etc/file", Content: &content, Was: sum([]byte("b\n"))},
		{Path: "/etc/file", Changes: []spoor.LineChange{{Old: "a", New: "b"}}},
		{Path: "/etc/file", Changes: []spoor.LineChange{{Old: "none"}}},
		{Path: "/etc/two", Changes: []spoor.LineChange{{New: "y"}}},
		{Path: "/etc/../etc/file", Changes: []spoor.LineChange{{New: "y"}}},
		{Path: "/etc/link", Changes: []spoor.LineChange{{New: "y"}}},
	} {
		before := s.manifest()
		if _, err := s.do(&spoor.Step{Kind: spoor.StepEdit, Edit: &e}); !errors.Is(err, ErrUnsafe) && !errors.Is(err, syscall.ELOOP) {
			t.Errorf("%+v: %v, want ErrUnsafe or ELOOP", e, err)
		}
		s.same(before)
	}
}

func TestAnUndoWithoutARecordDoesNothing(t *testing.T) {
	s := newStand(t)
	s.write("home/web/a.php", "<?php", 0o644)
	before := s.manifest()
	for _, step := range []spoor.Step{
		{Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: "/home/web/a.php"}},
		{Kind: spoor.StepACL, ACL: &spoor.ACL{Path: "/home/web/a.php", UID: 5}},
		{Kind: spoor.StepSeal, Seal: &spoor.Seal{Path: "/home/web/a.php", Home: "/home/web"}},
		{Kind: spoor.StepCommand, Command: &spoor.Command{Undo: []string{"/bin/false"}}},
		{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{UID: 5}},
	} {
		if _, err := s.undo(&step); err != nil {
			t.Errorf("%s: %v", step.Kind, err)
		}
	}
	s.same(before)
}

func TestStepsForTheRunningMachineAreRefusedElsewhere(t *testing.T) {
	s := newStand(t)
	s.server.Live = false
	for _, step := range []spoor.Step{
		{Kind: spoor.StepCommand, Command: &spoor.Command{Do: []string{"/bin/true"}}},
		{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{UID: 5}},
		{Kind: spoor.StepSessions, Sessions: &spoor.Sessions{}},
	} {
		if _, err := s.do(&step); !errors.Is(err, ErrNotLive) {
			t.Errorf("%s: %v, want ErrNotLive", step.Kind, err)
		}
	}
}

// TestAFileThatIsNamedStays: without the file that main.cf names, Postfix takes no
// mail at all.
func TestAFileThatIsNamedStays(t *testing.T) {
	s := newStand(t)
	s.write("etc/postfix/main.cf", "authorized_submit_users = !/etc/postfix/spoor_submit_users, static:anyone\n", 0o644)
	step := &spoor.Step{Kind: spoor.StepEdit, Edit: &spoor.Edit{
		Path: "/etc/postfix/spoor_submit_users", Mode: 0o644, Ours: true, NamedIn: []string{"/etc/postfix/main.cf"}, Changes: []spoor.LineChange{{New: "web1"}},
	}}
	_, err := s.do(step)
	must(t, err)
	remark, err := s.undo(step)
	must(t, err)
	if got := s.read("etc/postfix/spoor_submit_users"); got != "" || !strings.Contains(remark, "main.cf names it") {
		t.Errorf("it holds %q, and spoor says %q", got, remark)
	}
	must(t, os.WriteFile(filepath.Join(s.dir, "etc/postfix/main.cf"), []byte("authorized_submit_users = static:anyone\n"), 0o644))
	_, err = s.undo(step)
	must(t, err)
	if _, err := os.Stat(filepath.Join(s.dir, "etc/postfix/spoor_submit_users")); err == nil {
		t.Error("it stays although nothing names it any more")
	}
}

// A step for which another plan has done the work fails where that is gone.
func TestAStepThatRestsOnAnotherPlanLooksWhetherItDoes(t *testing.T) {
	for content, fits := range map[string]bool{"a = hook\n": true, "a =\n": false} {
		s := newStand(t)
		s.write("etc/main.cf", content, 0o644)
		if _, err := s.do(&spoor.Step{Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: "/etc/main.cf", Want: "hook"}}); errors.Is(err, ErrUnsafe) == fits {
			t.Errorf("%q: %v", content, err)
		}
	}
}
