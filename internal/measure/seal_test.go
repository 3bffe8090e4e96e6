package measure

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

const tenant = 4321 // a user that owns a site

// site is a stand with a script of the tenant.
func site(t *testing.T) *stand {
	t.Helper()
	needRoot(t)
	s := newStand(t)
	s.write("var/www/web1/htdocs/mailer.php", "<?php mail();", 0o640)
	must(t, os.Chown(filepath.Join(s.dir, "var/www/web1/htdocs"), tenant, tenant))
	must(t, os.Chown(filepath.Join(s.dir, "var/www/web1/htdocs/mailer.php"), tenant, tenant))
	must(t, os.Chmod(s.dir, 0o755))
	must(t, os.Chmod(filepath.Dir(s.dir), 0o755))
	t.Cleanup(func() { s.unseal() })
	return s
}

// unseal lets the folder of the test be removed.
func (s *stand) unseal() {
	_ = filepath.WalkDir(s.dir, func(name string, entry os.DirEntry, _ error) error {
		if entry != nil && entry.Type().IsRegular() {
			if f, err := os.Open(name); err == nil {
				_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0)
				_ = f.Close()
			}
		}
		return nil
	})
}

func (s *stand) seal() *spoor.Step {
	s.t.Helper()
	look, err := LookAtScript(s.server.Top, "/var/www/web1/htdocs/mailer.php", "/var/www/web1")
	must(s.t, err)
	return &spoor.Step{Kind: spoor.StepSeal, Seal: look}
}

// asTenant runs a system call as the tenant, on a thread of its own.
func (s *stand) asTenant(call func() error) error {
	failed := make(chan error)
	go func() {
		// The thread ends with the goroutine: it is never unlocked.
		lockThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, tenant, tenant, tenant); errno != 0 {
			failed <- errno
			return
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, tenant, tenant, tenant); errno != 0 {
			failed <- errno
			return
		}
		failed <- call()
	}()
	return <-failed
}

func TestASealedScriptIsOutOfItsOwnersReach(t *testing.T) {
	s := site(t)
	before := s.manifest()
	name := filepath.Join(s.dir, "var/www/web1/htdocs/mailer.php")
	step := s.seal()
	remark, err := s.do(step)
	must(t, err)
	if remark != "" {
		t.Skip("here: " + remark)
	}
	for what, call := range map[string]func() error{
		"read":   func() error { _, err := os.ReadFile(name); return err },
		"chmod":  func() error { return unix.Chmod(name, 0o644) },
		"rename": func() error { return unix.Rename(name, name+".old") },
		"unlink": func() error { return unix.Unlink(name) },
		"replace": func() error {
			if err := os.WriteFile(name+".new", []byte("<?php"), 0o644); err != nil {
				return nil //nolint:nilerr // then it is no answer
			}
			return unix.Rename(name+".new", name)
		},
		"link": func() error { return unix.Link(name, name+".2") },
	} {
		if err := s.asTenant(call); !errors.Is(err, os.ErrPermission) {
			t.Errorf("the tenant can %s it: %v", what, err)
		}
	}
	must(t, os.Remove(name+".new"))
	resetFolder(t, filepath.Dir(name))
	_, err = s.do(step)
	if err != nil {
		t.Errorf("again: %v", err)
	}
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
}

func TestWhatATenantCanStillDoIsToldNotHidden(t *testing.T) {
	s := site(t)
	must(t, os.Chown(filepath.Join(s.dir, "var/www/web1"), tenant, tenant))
	step := s.seal()
	remark, err := s.do(step)
	must(t, err)
	if remark != "" {
		t.Skip("here: " + remark)
	}
	// The folder is the tenant's: it can be moved away, with the sealed script in it.
	folder := filepath.Join(s.dir, "var/www/web1/htdocs")
	must(t, s.asTenant(func() error { return unix.Rename(folder, folder+".old") }))
	if _, err := s.undo(step); !errors.Is(err, spoor.ErrConflict) {
		t.Errorf("undo: %v, want ErrConflict", err)
	}
	must(t, os.Rename(folder+".old", folder))
	_, err = s.undo(step)
	must(t, err)
}

func TestATenantCannotHaveOthersFilesSealed(t *testing.T) {
	s := site(t)
	s.write("etc/shadow", "root:secret", 0o600)
	htdocs := filepath.Join(s.dir, "var/www/web1/htdocs")
	must(t, os.Link(filepath.Join(s.dir, "etc/shadow"), filepath.Join(htdocs, "hard.php")))
	must(t, os.Symlink("/etc/shadow", filepath.Join(htdocs, "link.php")))
	must(t, os.Symlink("../../../../etc", filepath.Join(htdocs, "up")))
	must(t, unix.Mkfifo(filepath.Join(htdocs, "pipe.php"), 0o600))
	before := s.manifest()
	for _, name := range []string{"hard.php", "link.php", "up/shadow", "pipe.php", "../../../etc/shadow"} {
		if _, err := LookAtScript(s.server.Top, "/var/www/web1/htdocs/"+name, "/var/www/web1"); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v, want ErrUnsafe", name, err)
		}
	}
	s.same(before)
}

func TestAScriptThatIsSwappedInBetweenIsLeftAlone(t *testing.T) {
	for name, swap := range map[string]func(t *testing.T, s *stand, script string){
		"another content": func(t *testing.T, _ *stand, script string) {
			must(t, os.WriteFile(script, []byte("<?php mail!();"), 0o640))
		},
		"another file": func(t *testing.T, _ *stand, script string) {
			must(t, os.Rename(script, script+".old"))
			must(t, os.WriteFile(script, []byte("<?php mail();"), 0o640))
		},
		"a link": func(t *testing.T, s *stand, script string) {
			must(t, os.Remove(script))
			must(t, os.Symlink(filepath.Join(s.dir, "etc/shadow"), script))
		},
		"a second name": func(t *testing.T, _ *stand, script string) { must(t, os.Link(script, script+".2")) },
	} {
		s := site(t)
		s.write("etc/shadow", "root:secret", 0o600)
		step := s.seal()
		swap(t, s, filepath.Join(s.dir, "var/www/web1/htdocs/mailer.php"))
		before := s.manifest()
		if _, err := s.do(step); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v, want ErrUnsafe", name, err)
		}
		_, err := s.undo(step)
		must(t, err)
		s.same(before)
	}
}

// TestARaceIsLost lets the tenant swap the script between any two calls.
func TestARaceIsLost(t *testing.T) {
	for n, reached := 1, true; reached; n++ {
		s := site(t)
		s.write("etc/shadow", "root:secret", 0o600)
		step := s.seal()
		script := filepath.Join(s.dir, "var/www/web1/htdocs/mailer.php")
		calls := 0
		top, err := disk.Open(s.dir, func(disk.Op) error {
			if calls++; calls == n {
				if os.Rename(script, script+".old") == nil {
					must(t, os.Symlink(filepath.Join(s.dir, "etc/shadow"), script))
				}
			}
			return nil
		})
		must(t, err)
		s.server.Top = top
		_, err = s.do(step)
		st, failed := os.Stat(filepath.Join(s.dir, "etc/shadow"))
		must(t, failed)
		if st.Mode() != 0o600 || err == nil && calls >= n && !immutable(t, script) {
			t.Errorf("swapped at call %d: shadow has mode %v; error %v", n, st.Mode(), err)
		}
		reached = calls >= n
		_ = top.Close()
	}
}

func immutable(t *testing.T, name string) bool {
	t.Helper()
	st, err := os.Lstat(name)
	must(t, err)
	return st.Mode().IsRegular() && st.Mode().Perm() == 0
}

func TestALateWriteIsNoticed(t *testing.T) {
	s := site(t)
	step := s.seal()
	script := filepath.Join(s.dir, "var/www/web1/htdocs/mailer.php")
	open, err := os.OpenFile(script, os.O_WRONLY, 0)
	must(t, err)
	defer func() { _ = open.Close() }()
	top, err := disk.Open(s.dir, func(op disk.Op) error {
		if op.Name == "chown" {
			_, err := open.WriteString("<?php evil")
			must(t, err)
		}
		return nil
	})
	must(t, err)
	defer func() { _ = top.Close() }()
	s.server.Top = top
	if _, err := s.do(step); !errors.Is(err, ErrUnsafe) {
		t.Errorf("%v, want ErrUnsafe", err)
	}
	_, err = s.undo(step)
	must(t, err)
	st, err := os.Stat(script)
	must(t, err)
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || sys.Uid != tenant || st.Mode().Perm() != 0o640 || s.read("var/www/web1/htdocs/mailer.php")[:10] != "<?php evil" {
		t.Errorf("the script is %v of uid %d", st.Mode(), sys.Uid)
	}
}

// A script that somebody has made unchangeable as it is, an intruder perhaps, is shut
// like any other.
func TestAnImmutableScriptIsSealedToo(t *testing.T) {
	s := site(t)
	name := filepath.Join(s.dir, "var/www/web1/htdocs/mailer.php")
	f, err := os.Open(name)
	must(t, err)
	defer func() { _ = f.Close() }()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, disk.Immutable); err != nil {
		t.Skip("no file can be made unchangeable here: ", err)
	}
	before, step := s.manifest(), s.seal()
	for range 2 { // also where an earlier run has done it
		_, err = s.do(step)
		must(t, err)
		var st unix.Stat_t
		must(t, unix.Stat(name, &st))
		if st.Uid != 0 || st.Mode&0o7777 != 0 {
			t.Fatalf("it belongs to %d and has mode %o", st.Uid, st.Mode)
		}
	}
	_, err = s.undo(step)
	must(t, err)
	s.same(before)
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if must(t, err); flags&disk.Immutable == 0 {
		t.Error("it was unchangeable, and is not any more")
	}
}
