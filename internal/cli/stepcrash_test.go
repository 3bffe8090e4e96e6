package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/measure"
	"spoor/internal/remedy"
)

// stepTree is a server of a few files that a plan changes, with a state folder.
type stepTree struct {
	t    *testing.T
	dir  string
	plan *spoor.Plan
}

const stepOwner = 4321

func newStepTree(t *testing.T) *stepTree {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s := &stepTree{t: t, dir: t.TempDir()}
	t.Cleanup(s.unseal)
	for name, content := range map[string]string{
		"etc/postfix/main.cf": "myhostname = mail\nmynetworks = 127.0.0.0/8\n", "usr/sbin/postdrop": "ELF", "home/web1/htdocs/mailer.php": "<?php mail();",
		"etc/dovecot/users": "info@shop.test:{SHA512}abc:5000:5000\n",
	} {
		at := filepath.Join(s.dir, name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.WriteFile(at, []byte(content), 0o640))
	}
	must(t, os.Chown(filepath.Join(s.dir, "home/web1/htdocs/mailer.php"), stepOwner, stepOwner))
	must(t, os.Chmod(filepath.Join(s.dir, "usr/sbin/postdrop"), 0o755|fs.ModeSetgid))
	_ = unix.Setxattr(filepath.Join(s.dir, "etc/postfix/main.cf"), "user.note", []byte("by hand"), 0)
	must(t, filepath.WalkDir(s.dir, func(name string, _ fs.DirEntry, _ error) error {
		old := time.Date(2021, 5, 6, 7, 8, 9, 123456789, time.UTC)
		return os.Chtimes(name, old, old)
	}))
	must(t, os.MkdirAll(filepath.Join(s.dir, "state"), 0o700))
	s.plan = s.newPlan()
	return s
}

func (s *stepTree) newPlan() *spoor.Plan {
	top, err := disk.Open(s.dir, nil)
	must(s.t, err)
	defer func() { _ = top.Close() }()
	script, err := measure.LookAtScript(top, "/home/web1/htdocs/mailer.php", "/home/web1")
	must(s.t, err)
	content := "info@shop.test:!{SHA512}abc:5000:5000\n"
	return &spoor.Plan{Action: spoor.ActionStop, Time: time.Unix(1800000000, 0).UTC(), Steps: []spoor.Step{
		{Kind: spoor.StepEdit, What: "a map", Edit: &spoor.Edit{Path: "/etc/postfix/spoor_sasl_access", Mode: 0o644, Changes: []spoor.LineChange{{New: "info@shop.test REJECT"}}}},
		{Kind: spoor.StepEdit, What: "a parameter", Edit: &spoor.Edit{Path: "/etc/postfix/main.cf", Changes: []spoor.LineChange{
			{New: "smtpd_sender_restrictions = check_sasl_access texthash:/etc/postfix/spoor_sasl_access"}, {Old: "mynetworks = 127.0.0.0/8", New: "mynetworks ="},
		}}},
		{Kind: spoor.StepEdit, What: "a password", Edit: &spoor.Edit{Path: "/etc/dovecot/users", Content: &content, Was: hashOf(s.t, s.dir+"/etc/dovecot/users")}},
		{Kind: spoor.StepACL, What: "a right", ACL: &spoor.ACL{Path: "/usr/sbin/postdrop", UID: 10003}},
		{Kind: spoor.StepSeal, What: "a script", Seal: script},
	}}
}

func (s *stepTree) unseal() {
	name := filepath.Join(s.dir, "home/web1/htdocs/mailer.php")
	if f, err := os.Open(name); err == nil {
		_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0)
		_ = f.Close()
	}
}

// manifest is all of the server but the state folder, in words.
func (s *stepTree) manifest() map[string]string {
	s.t.Helper()
	tree := map[string]string{}
	must(s.t, filepath.WalkDir(s.dir, func(name string, entry fs.DirEntry, err error) error {
		below := strings.TrimPrefix(name, s.dir+"/")
		if err != nil || below == "state" || name == s.dir {
			if below == "state" {
				return fs.SkipDir
			}
			return err
		}
		var st unix.Stat_t
		must(s.t, unix.Lstat(name, &st))
		line := fmt.Sprintf("%o %d:%d mtime %d.%d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		if !entry.IsDir() {
			content, err := os.ReadFile(name)
			must(s.t, err)
			flags, attrs := 0, make([]byte, 4096)
			if f, err := os.Open(name); err == nil {
				flags, _ = unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
				_ = f.Close()
			}
			acl, _ := unix.Getxattr(name, disk.ACLName, attrs)
			note, _ := unix.Getxattr(name, "user.note", make([]byte, 100))
			line += fmt.Sprintf(" flags %x acl %x note %d content %q", flags, attrs[:max(acl, 0)], note, content)
		}
		tree[below] = line
		return nil
	}))
	return tree
}

// without leaves out times, which an edit changes.
func without(tree map[string]string) []string {
	var lines []string
	for name, line := range tree {
		before, after, _ := strings.Cut(line, " mtime ")
		_, after, _ = strings.Cut(after, " ")
		lines = append(lines, name+" "+before+" "+after)
	}
	slices.Sort(lines)
	return lines
}

// open opens state and server anew, as another process would.
func (s *stepTree) open(seam disk.Seam) (work *remedy.Work, closing func(), err error) {
	top, err := disk.Open(s.dir, seam)
	if err != nil {
		return nil, nil, err
	}
	state, err := remedy.OpenState(top, "state/spoor")
	if err != nil {
		_ = top.Close()
		return nil, nil, err
	}
	closing = func() { state.Close(); _ = top.Close() }
	if err := state.Lock(); err != nil {
		closing()
		return nil, nil, err
	}
	now := func() time.Time { return time.Unix(1800000001, 0) }
	return &remedy.Work{State: state, Now: now, Steps: &measure.Server{Top: top, Now: now}}, closing, nil
}

// run does something with a server that may break meanwhile.
func (s *stepTree) run(seam disk.Seam, do func(w *remedy.Work) error) error {
	w, closing, err := s.open(seam)
	if err != nil {
		return err
	}
	defer closing()
	return do(w)
}

func (s *stepTree) stop(w *remedy.Work) error {
	p := *s.plan
	if err := w.Propose(&p); err != nil {
		return err
	}
	_, err := w.Apply(context.Background(), &p)
	return err
}

// finish is what every later command does first.
func finishSteps(w *remedy.Work) error {
	for _, past := range w.State.Journal.Unfinished() {
		p, err := w.State.Plan(past.Plan)
		if err != nil {
			return err
		}
		if _, err := w.Apply(context.Background(), p); err != nil && !w.State.Journal.Of(p.ID).Finished {
			return err
		}
	}
	return nil
}

// undoAll takes back all that is in force.
func undoAll(w *remedy.Work) error {
	for _, past := range w.State.Journal.InForce() {
		p, err := w.State.Plan(past.Plan)
		if err != nil {
			return err
		}
		back := w.State.Inverse(past, p)
		back.Time = w.Now()
		if err := w.Propose(back); err != nil {
			return err
		}
		if _, err := w.Apply(context.Background(), back); err != nil {
			return err
		}
	}
	return nil
}

// TestStepsAreDoneOrUndoneAtAnyCall lets every call of a plan with each mechanism
// that works on files fail, or be the last one. The next run finishes the plan or
// takes it back: all of its steps are done then, or none is. Undo restores all,
// whatever breaks meanwhile.
func TestStepsAreDoneOrUndoneAtAnyCall(t *testing.T) {
	whole := newStepTree(t)
	before := whole.manifest()
	must(t, whole.run(nil, whole.stop))
	done := without(whole.manifest())
	must(t, whole.run(nil, undoAll))
	if after := whole.manifest(); !equalTrees(before, after) {
		t.Fatalf("undone, the tree is\n%v\nwas\n%v", after, before)
	}
	for _, fault := range disktest.Faults() {
		for n, reached := 1, true; reached; n += everyday() {
			s := newStepTree(t)
			before := s.manifest()
			script := &disktest.Script{Fault: fault, N: n}
			err := s.run(script.Seam, s.stop)
			reached = script.Calls() >= n
			must(t, s.run(nil, finishSteps))
			state := without(s.manifest())
			if undone := slices.Equal(state, without(before)); !undone && !slices.Equal(state, done) {
				t.Errorf("%s (%v): neither done nor undone:\n%s", script, err, strings.Join(state, "\n"))
			} else if undone && !equalTrees(before, s.manifest()) {
				t.Errorf("%s: rolled back, but for times:\n%v\nwas\n%v", script, s.manifest(), before)
			}
			must(t, s.run(nil, undoAll))
			if after := s.manifest(); !equalTrees(before, after) {
				t.Errorf("%s (%v): undone, the tree is\n%v\nwas\n%v", script, err, after, before)
			}
			s.unseal()
			must(t, os.RemoveAll(s.dir))
		}
	}
}

// TestAnUndoBreaksOffAtAnyCall does the same to the undo.
func TestAnUndoBreaksOffAtAnyCall(t *testing.T) {
	for _, fault := range disktest.Faults() {
		for n, reached := 1, true; reached; n += everyday() {
			s := newStepTree(t)
			before := s.manifest()
			must(t, s.run(nil, s.stop))
			script := &disktest.Script{Fault: fault, N: n}
			err := s.run(script.Seam, undoAll)
			reached = script.Calls() >= n
			must(t, s.run(nil, finishSteps))
			must(t, s.run(nil, undoAll))
			if after := s.manifest(); !equalTrees(before, after) {
				t.Errorf("%s (%v): undone, the tree is\n%v\nwas\n%v", script, err, after, before)
			}
			if err := s.run(nil, nothingInForce); err != nil {
				t.Errorf("%s: %v", script, err)
			}
			s.unseal()
			must(t, os.RemoveAll(s.dir))
		}
	}
}

func nothingInForce(w *remedy.Work) error {
	if left := w.State.Journal.InForce(); len(left) > 0 {
		return errors.New(left[0].Plan + " is still in force")
	}
	return nil
}

func equalTrees(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if a[name] != b[name] {
			return false
		}
	}
	return true
}

// hashOf is the SHA-256 of a file, in hexadecimal.
func hashOf(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	must(t, err)
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

// everyday makes the matrix coarser for everyday runs: SPOOR_CRASH_ALL=1 takes
// every call. Neither number of calls is a multiple of it.
func everyday() int {
	if os.Getenv("SPOOR_CRASH_ALL") != "" {
		return 1
	}
	return 11
}
