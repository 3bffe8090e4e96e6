package measure

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

func need(t *testing.T, program string) string {
	t.Helper()
	name, err := exec.LookPath(program)
	if err != nil {
		t.Skip(program + " is not installed")
	}
	return name
}

// program is a stand with a real program that has a set-id bit.
func program(t *testing.T) (*stand, string) {
	t.Helper()
	needRoot(t)
	s := newStand(t)
	content, err := os.ReadFile("/bin/true")
	must(t, err)
	s.write("usr/sbin/postdrop", string(content), 0o755|os.ModeSetgid)
	must(t, os.Chmod(s.dir, 0o755))
	must(t, os.Chmod(filepath.Dir(s.dir), 0o755))
	return s, filepath.Join(s.dir, "usr/sbin/postdrop")
}

func getfacl(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), need(t, "getfacl"), "-n", "-c", "-p", name).CombinedOutput()
	must(t, err)
	return string(out)
}

func TestAUserMayNotRunTheProgramAndOthersMay(t *testing.T) {
	s, name := program(t)
	before := s.manifest()
	step := &spoor.Step{Kind: spoor.StepACL, ACL: &spoor.ACL{Path: "/usr/sbin/postdrop", UID: tenant}}
	_, err := s.do(step)
	must(t, err)
	if got := getfacl(t, name); !strings.Contains(got, fmt.Sprintf("user:%d:---\n", tenant)) || !strings.Contains(got, "group::r-x\nmask::r-x\nother::r-x\n") {
		t.Errorf("getfacl says\n%s", got)
	}
	st, err := os.Stat(name)
	must(t, err)
	if st.Mode() != 0o755|os.ModeSetgid {
		t.Errorf("the mode is %v", st.Mode())
	}
	if err := s.asTenant(func() error { return unix.Access(name, unix.X_OK) }); err == nil {
		// access(2) asks for the real user, whom asTenant sets.
		t.Error("the user may still run it")
	}
	copied := name + "-ran" // running a program changes when it was last read
	must(t, os.Link(name, copied))
	must(t, exec.CommandContext(t.Context(), copied).Run())
	must(t, os.Remove(copied))
	s.old("usr/sbin/postdrop")
	_, err = s.do(step)
	must(t, err)
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
}

func TestAListOfSetfaclIsUnderstoodAndKept(t *testing.T) {
	s, name := program(t)
	must(t, exec.CommandContext(t.Context(), need(t, "setfacl"), "-m", "u:4321:rwx,u:33:r-x,g:8:r--,m:rwx", name).Run())
	before := s.manifest()
	step := &spoor.Step{Kind: spoor.StepACL, ACL: &spoor.ACL{Path: "/usr/sbin/postdrop", UID: tenant}}
	_, err := s.do(step)
	must(t, err)
	if got := getfacl(t, name); !strings.Contains(got, "user:33:r-x") || !strings.Contains(got, "user:4321:---") || !strings.Contains(got, "group:8:r--") {
		t.Errorf("getfacl says\n%s", got)
	}
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
}

func TestAListThatWasChangedSinceKeepsTheChange(t *testing.T) {
	s, name := program(t)
	step := &spoor.Step{Kind: spoor.StepACL, ACL: &spoor.ACL{Path: "/usr/sbin/postdrop", UID: tenant}}
	_, err := s.do(step)
	must(t, err)
	must(t, exec.CommandContext(t.Context(), need(t, "setfacl"), "-m", "u:33:---", name).Run())
	_, err = s.undo(step)
	must(t, err)
	if got := getfacl(t, name); !strings.Contains(got, "user:33:---") || strings.Contains(got, "4321") {
		t.Errorf("getfacl says\n%s", got)
	}
}

// A mask that somebody has widened for a user who is gone again is no right of the group.
func TestTheGroupGainsNothing(t *testing.T) {
	s, name := program(t)
	must(t, os.Chmod(name, 0o700))
	step := &spoor.Step{Kind: spoor.StepACL, ACL: &spoor.ACL{Path: "/usr/sbin/postdrop", UID: tenant}}
	_, err := s.do(step)
	must(t, err)
	must(t, exec.CommandContext(t.Context(), need(t, "setfacl"), "-m", "u:33:r-x", name).Run())
	must(t, exec.CommandContext(t.Context(), need(t, "setfacl"), "-n", "-x", "u:33", name).Run())
	_, err = s.undo(step)
	must(t, err)
	if st, err := os.Stat(name); err != nil || st.Mode() != 0o700 {
		t.Errorf("%v: the mode is %v", err, st.Mode())
	}
}

func TestAnUpgradeIsCaughtUpWith(t *testing.T) {
	s, name := program(t)
	step := &spoor.Step{Kind: spoor.StepACL, ACL: &spoor.ACL{Path: "/usr/sbin/postdrop", UID: tenant}}
	_, err := s.do(step)
	must(t, err)
	must(t, os.Remove(name))
	s.write("usr/sbin/postdrop", "another", 0o711)
	before := s.manifest()
	_, err = s.server.Renew(t.Context(), step, s.records)
	must(t, err)
	if got := getfacl(t, name); !strings.Contains(got, "user:4321:---") {
		t.Errorf("getfacl says\n%s", got)
	}
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
}

func FuzzACL(f *testing.F) {
	f.Add(encodeACL(withUser(aclOfMode(0o2755), 10003, 0)))
	f.Add(encodeACL([]aclEntry{{aclUserObj, 7, aclNoID}, {aclUser, 4, 33}, {aclMask, 7, aclNoID}, {aclOther, 0, aclNoID}}))
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeACL(data)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeACL(entries), data) {
			t.Fatalf("%x is written as %x", data, encodeACL(entries))
		}
		with := withUser(entries, 10003, 0)
		if perm, ok := permOf(with, 10003); !ok || perm != 0 {
			t.Fatalf("%x does not forbid", encodeACL(with))
		}
		if without := withoutUser(with, 10003); slices.ContainsFunc(without, func(e aclEntry) bool { return e.tag == aclUser && e.id == 10003 }) {
			t.Fatalf("%x still names the user", encodeACL(without))
		}
	})
}

func TestNoListIsWrittenWhereNoneHelps(t *testing.T) {
	s, name := program(t)
	must(t, os.Chown(name, tenant, tenant))
	before := s.manifest()
	for _, uid := range []int{0, -1, tenant} {
		if _, err := s.do(&spoor.Step{Kind: spoor.StepACL, ACL: &spoor.ACL{Path: "/usr/sbin/postdrop", UID: uid}}); err == nil {
			t.Errorf("uid %d: no error", uid)
		}
	}
	s.same(before)
	if disk.ACLName != "system.posix_acl_access" {
		t.Error("the kernel knows it by another name")
	}
}
