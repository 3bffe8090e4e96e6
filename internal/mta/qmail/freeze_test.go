package qmail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
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
	"spoor/internal/host"
	"spoor/internal/mta"
)

// controlTree is a root with control files.
type controlTree struct {
	dir  string
	root *host.Root
}

const routesText = "# ours\nShop.Example:relay.example:26\n.example.org:\nshop.example:again\n:smart.example\nno colon\nod/d:x\n"

func newControlTree(t *testing.T, files map[string]string) *controlTree {
	t.Helper()
	c := &controlTree{dir: t.TempDir()}
	noError(t, os.MkdirAll(filepath.Join(c.dir, "var/qmail/control"), 0o755))
	for name, content := range files {
		noError(t, os.MkdirAll(filepath.Dir(c.path(name)), 0o755))
		noError(t, os.WriteFile(c.path(name), []byte(content), 0o640))
		noError(t, os.Chtimes(c.path(name), time.Unix(1000, 1), time.Unix(2000, 2)))
		if os.Getuid() == 0 {
			noError(t, os.Chown(c.path(name), 3, 4))
		}
	}
	var err error
	c.root, err = host.Open(c.dir)
	noError(t, err)
	t.Cleanup(func() { noError(t, c.root.Close()) })
	return c
}

func (c *controlTree) path(name string) string { return filepath.Join(c.dir, name) }

// freezer works on the tree as on that of another machine.
func (c *controlTree) freezer(t *testing.T, seam disk.Seam) *Freezer {
	t.Helper()
	top, err := disk.Open(c.dir, nil)
	if seam != nil {
		noError(t, top.Close())
		top, err = disk.Open(c.dir, seam)
	}
	if err != nil {
		return nil // the fault was there already
	}
	t.Cleanup(func() { _ = top.Close() })
	return NewFreezer(&mta.Server{Root: c.root}, mta.Control{Top: top, Plan: "p1"})
}

// look describes every file below var/qmail and etc: name, content, mode, owner,
// time and inode, but for files that spoor wrote content and mode alone.
func (c *controlTree) look(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	noError(t, filepath.WalkDir(c.dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rest, err := filepath.Rel(c.dir, name)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			files[rest] = "-> " + target
			return err
		}
		data, err := os.ReadFile(name)
		files[rest] = fmt.Sprintf("%o %d:%d %s", st.Mode, st.Uid, st.Gid, data)
		if !bytes.Contains(data, []byte(markerStart)) {
			files[rest] += fmt.Sprintf(" %d %d.%d", st.Ino, st.Mtim.Sec, st.Mtim.Nsec)
		}
		return err
	}))
	return files
}

func same(a, b map[string]string) string {
	var out []string
	for name, want := range a {
		if b[name] != want {
			out = append(out, fmt.Sprintf("%s: %q, before %q", name, b[name], want))
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			out = append(out, "new: "+name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

const routesPath = "var/qmail/control/smtproutes"

func TestFreezeAndThawAreTheIdentity(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"routes":          {routesPath: routesText, "var/qmail/control/me": "x\n"},
		"no routes":       {"var/qmail/control/me": "x\n"},
		"empty routes":    {routesPath: ""},
		"binary routes":   {routesPath: "a:b\x00\xff\r\nno end"},
		"one byte routes": {routesPath: "#"},
	} {
		for _, method := range []FreezeMethod{FreezeRoutes, FreezeConcurrency} {
			t.Run(name+"/"+method.String(), func(t *testing.T) {
				c := newControlTree(t, files)
				before := c.look(t)
				f := c.freezer(t, nil)
				r, err := f.Plan(t.Context(), method)
				noError(t, err)
				if out := same(before, c.look(t)); out != "" {
					t.Errorf("a plan changes\n%s", out)
				}
				noError(t, f.Freeze(t.Context(), r))
				noError(t, f.Freeze(t.Context(), r))
				frozen := c.look(t)
				if !strings.Contains(frozen["var/qmail/control/"+method.String()], string(r.Content)) {
					t.Errorf("frozen: %q", frozen)
				}
				if _, err := f.Plan(t.Context(), method); !errors.Is(err, mta.ErrChanged) {
					t.Errorf("a second freeze gives %v", err)
				}
				noError(t, f.Thaw(t.Context(), r, false))
				noError(t, f.Thaw(t.Context(), r, false))
				if out := same(before, c.look(t)); out != "" {
					t.Errorf("after thawing\n%s", out)
				}
			})
		}
	}
}

func TestFrozenRoutesLeadNowhere(t *testing.T) {
	c := newControlTree(t, map[string]string{routesPath: routesText})
	r, err := c.freezer(t, nil).Plan(t.Context(), FreezeRoutes)
	noError(t, err)
	want := "# Written by spoor, plan p1: no mail leaves this server until it is thawed.\n" +
		"# What was here before is in smtproutes.spoor-p1.\n" +
		":127.0.0.1:9\nshop.example:127.0.0.1:9\n.example.org:127.0.0.1:9\n"
	if string(r.Content) != want {
		t.Errorf("the routes are\n%s", r.Content)
	}
	if string(r.Original) != routesText || !r.Existed {
		t.Errorf("the record has %q", r.Original)
	}
}

func TestOtherRoutesAreNotOverlooked(t *testing.T) {
	for _, name := range []string{"authsenders", "qmtproutes"} {
		c := newControlTree(t, map[string]string{"var/qmail/control/" + name: "# none\n"})
		_, err := c.freezer(t, nil).Plan(t.Context(), FreezeRoutes)
		noError(t, err)
		c = newControlTree(t, map[string]string{"var/qmail/control/" + name: "a:b\n"})
		if _, err := c.freezer(t, nil).Plan(t.Context(), FreezeRoutes); !errors.Is(err, mta.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLinkedControlFiles: the file at the end of a link changes, the link stays.
func TestLinkedControlFiles(t *testing.T) {
	c := newControlTree(t, map[string]string{"etc/mail/routes": routesText, "var/qmail/control/me": "x\n"})
	noError(t, os.Symlink("/etc/mail/routes", c.path(routesPath)))
	before := c.look(t)
	f := c.freezer(t, nil)
	r, err := f.Plan(t.Context(), FreezeRoutes)
	noError(t, err)
	noError(t, f.Freeze(t.Context(), r))
	if got := c.look(t); got[routesPath] != before[routesPath] || !strings.Contains(got["etc/mail/routes"], ":127.0.0.1:9") {
		t.Errorf("frozen: %q", got)
	}
	noError(t, f.Thaw(t.Context(), r, false))
	if out := same(before, c.look(t)); out != "" {
		t.Errorf("after thawing\n%s", out)
	}
	noError(t, os.Chmod(c.path("etc/mail"), 0o777))
	if _, err := f.Plan(t.Context(), FreezeRoutes); !errors.Is(err, errUntrusted) {
		t.Errorf("a link into a folder of everybody's gives %v", err)
	}
}

func TestLinksThatLeadNowhereOrOutAreRefused(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	noError(t, os.WriteFile(secret, []byte("x"), 0o600))
	for _, target := range []string{"missing", "../../../../../../../.." + secret, "smtproutes"} {
		c := newControlTree(t, nil)
		noError(t, os.Symlink(target, c.path(routesPath)))
		if r, err := c.freezer(t, nil).Plan(t.Context(), FreezeRoutes); err == nil {
			t.Errorf("a link to %s gives a plan for %s/%s", target, r.Folder, r.Name)
		}
	}
	// A link that is planted after the plan.
	c := newControlTree(t, map[string]string{routesPath: routesText})
	f := c.freezer(t, nil)
	r, err := f.Plan(t.Context(), FreezeRoutes)
	noError(t, err)
	for _, name := range []string{"smtproutes.spoor-p1", "smtproutes.spoor-p1.swap"} {
		noError(t, os.Symlink(secret, c.path("var/qmail/control/"+name)))
		if err := f.Freeze(t.Context(), r); err == nil {
			t.Errorf("%s was followed", name)
		}
		noError(t, os.Remove(c.path("var/qmail/control/"+name)))
	}
	if data, err := os.ReadFile(secret); err != nil || string(data) != "x" {
		t.Errorf("the file outside holds %q, %v", data, err)
	}
	r.Name = "../x"
	if err := f.Freeze(t.Context(), r); !errors.Is(err, errUntrusted) {
		t.Errorf("a record with a path gives %v", err)
	}
}

func TestWhatSomebodyHasEditedIsNotOverwritten(t *testing.T) {
	for _, existed := range []bool{true, false} {
		files := map[string]string{}
		if existed {
			files[routesPath] = routesText
		}
		c := newControlTree(t, files)
		f := c.freezer(t, nil)
		r, err := f.Plan(t.Context(), FreezeRoutes)
		noError(t, err)
		noError(t, os.WriteFile(c.path(routesPath), []byte("edited:x\n"), 0o600))
		expectChanged(t, f.Freeze(t.Context(), r), `+"edited:x"`)
		if existed {
			noError(t, os.WriteFile(c.path(routesPath), []byte(routesText), 0o600))
		} else {
			noError(t, os.Remove(c.path(routesPath)))
		}
		noError(t, f.Freeze(t.Context(), r))
		noError(t, os.WriteFile(c.path(routesPath), append(slices.Clone(r.Content), "vip.example:relay\n"...), 0o600))
		expectChanged(t, f.Thaw(t.Context(), r, false), `+"vip.example:relay"`)
		edited, err := os.ReadFile(c.path(routesPath))
		if err != nil || !bytes.HasSuffix(edited, []byte("vip.example:relay\n")) {
			t.Errorf("it holds %q, %v", edited, err)
		}
		noError(t, f.Thaw(t.Context(), r, true))
		aside, err := os.ReadFile(c.path(routesPath + ".edited-p1-1"))
		if err != nil || !bytes.Equal(aside, edited) {
			t.Errorf("put aside is %q, %v", aside, err)
		}
		now, err := os.ReadFile(c.path(routesPath))
		if existed != (err == nil) || (existed && string(now) != routesText) {
			t.Errorf("after a forced thaw it holds %q, %v", now, err)
		}
	}
}

func expectChanged(t *testing.T, err error, difference string) {
	t.Helper()
	var problem *spoor.Problem
	if !errors.As(err, &problem) || !errors.Is(err, mta.ErrChanged) || !strings.Contains(problem.So, difference) {
		t.Errorf("an edited file gives %v (%+v)", err, problem)
	}
}

// TestEditsAtTheLastMomentWin: the file is edited right before it is exchanged.
func TestEditsAtTheLastMomentWin(t *testing.T) {
	for _, existed := range []bool{true, false} {
		for _, thaw := range []bool{false, true} {
			files := map[string]string{}
			if existed {
				files[routesPath] = routesText
			}
			c := newControlTree(t, files)
			r, err := c.freezer(t, nil).Plan(t.Context(), FreezeRoutes)
			noError(t, err)
			if thaw {
				noError(t, c.freezer(t, nil).Freeze(t.Context(), r))
			}
			edited := false
			f := c.freezer(t, func(op disk.Op) error {
				if (op.Name == "exchange" || op.Name == "rename") && !edited {
					edited = true
					return os.WriteFile(c.path(routesPath), []byte("last moment\n"), 0o600)
				}
				return nil
			})
			if thaw {
				err = f.Thaw(t.Context(), r, false)
			} else {
				err = f.Freeze(t.Context(), r)
			}
			if !errors.Is(err, mta.ErrChanged) || !edited {
				t.Errorf("existed %v, thaw %v: %v", existed, thaw, err)
			}
			if now, err := os.ReadFile(c.path(routesPath)); err != nil || string(now) != "last moment\n" {
				t.Errorf("existed %v, thaw %v: it holds %q, %v", existed, thaw, now, err)
			}
		}
	}
}

// freezeCase is one way to freeze or thaw that every fault is tried on.
type freezeCase struct {
	existed, thaw bool
	noExchange    bool // the file system lacks RENAME_EXCHANGE
}

func TestFreezesSurviveEveryFault(t *testing.T) {
	for _, fault := range disktest.Faults() {
		for i := range 8 {
			one := freezeCase{existed: i&1 != 0, thaw: i&2 != 0, noExchange: i&4 != 0}
			t.Run(fmt.Sprintf("%s/%+v", fault.Name, one), func(t *testing.T) {
				t.Parallel() // they wait for the disk
				for n := 1; one.try(t, &disktest.Script{Fault: fault, N: n}); n++ {
				}
			})
		}
	}
}

// try makes one call fail and does the same again; false if there was no such call.
func (one freezeCase) try(t *testing.T, script *disktest.Script) bool {
	t.Helper()
	files := map[string]string{"var/qmail/control/me": "x\n"}
	if one.existed {
		files[routesPath] = routesText
	}
	c := newControlTree(t, files)
	before := c.look(t)
	r, err := c.freezer(t, nil).Plan(t.Context(), FreezeRoutes)
	noError(t, err)
	do := (*Freezer).Freeze
	if one.thaw {
		noError(t, c.freezer(t, nil).Freeze(t.Context(), r))
		do = func(f *Freezer, ctx context.Context, r *Frozen) error { return f.Thaw(ctx, r, false) }
	}
	if f := c.freezer(t, one.seam(script.Seam)); f != nil {
		_ = do(f, t.Context(), r)
	}
	one.checkNothingLost(t, c, r, script)
	noError(t, do(c.freezer(t, one.seam(nil)), t.Context(), r))
	after := c.look(t)
	if !one.thaw {
		one.checkFrozen(t, before, after, script)
		noError(t, c.freezer(t, one.seam(nil)).Thaw(t.Context(), r, false))
		after = c.look(t)
	}
	if out := same(before, after); out != "" {
		t.Errorf("%s: thawed\n%s", script, out)
	}
	return script.Calls() >= script.N
}

// seam makes exchanges fail as on a file system that lacks them.
func (one freezeCase) seam(next disk.Seam) disk.Seam {
	return func(op disk.Op) error {
		if next != nil {
			if err := next(op); err != nil {
				return err
			}
		}
		if one.noExchange && op.Name == "exchange" {
			return unix.EINVAL
		}
		return nil
	}
}

func (one freezeCase) checkNothingLost(t *testing.T, c *controlTree, r *Frozen, script *disktest.Script) {
	t.Helper()
	now, err := os.ReadFile(c.path(routesPath))
	original := (err == nil) == one.existed && string(now) == string(r.Original)
	if !original && !bytes.Equal(now, r.Content) {
		t.Errorf("%s: the control file is neither: %q, %v", script, now, err)
	}
	if !one.existed || original {
		return
	}
	for _, name := range []string{".spoor-p1", ".spoor-p1.swap"} {
		if kept, err := os.ReadFile(c.path(routesPath + name)); err == nil && string(kept) == routesText {
			return
		}
	}
	t.Errorf("%s: the original is lost", script)
}

func (one freezeCase) checkFrozen(t *testing.T, before, after map[string]string, script *disktest.Script) {
	t.Helper()
	want := []string{"var/qmail/control/me", routesPath}
	if one.existed {
		want = append(want, routesPath+".spoor-p1")
		if got := after[routesPath+".spoor-p1"]; got != before[routesPath] {
			t.Errorf("%s: kept is %q", script, got)
		}
		if mode, _, _ := strings.Cut(before[routesPath], " #"); !strings.HasPrefix(after[routesPath], mode) {
			t.Errorf("%s: frozen is %q, before %q", script, after[routesPath], mode)
		}
	}
	if len(after) != len(want) {
		t.Errorf("%s: the files are %q", script, after)
	}
}

func TestALostOriginalIsWrittenAgain(t *testing.T) {
	c := newControlTree(t, map[string]string{routesPath: routesText})
	f := c.freezer(t, nil)
	r, err := f.Plan(t.Context(), FreezeRoutes)
	noError(t, err)
	noError(t, f.Freeze(t.Context(), r))
	noError(t, os.Remove(c.path(routesPath+".spoor-p1")))
	noError(t, f.Freeze(t.Context(), r))
	noError(t, f.Thaw(t.Context(), r, false))
	info, err := os.Stat(c.path(routesPath))
	noError(t, err)
	now, err := os.ReadFile(c.path(routesPath))
	if err != nil || string(now) != routesText || info.Mode() != 0o640 || !info.ModTime().Equal(time.Unix(2000, 2)) {
		t.Errorf("it is %q, %v", now, info)
	}
}

func TestAPortIsClosedAndRootsAlone(t *testing.T) {
	port, err := closedPort(t.Context())
	if errors.Is(err, mta.ErrUnsupported) && firstUnprivileged() < 9 {
		t.Skip("every user of this machine may listen on every port")
	}
	noError(t, err)
	if port >= firstUnprivileged() || !slices.Contains(deadPorts(), port) {
		t.Errorf("chose port %d", port)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	noError(t, err)
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("no TCP address")
	}
	open := address.Port
	if refusesConnections(t.Context(), open) {
		t.Error("a port with a listener counts as closed")
	}
	noError(t, l.Close())
	if !refusesConnections(t.Context(), open) {
		t.Error("a port without a listener counts as open")
	}
}

func TestConcurrencyNeedsPermissionToRestart(t *testing.T) {
	c := newControlTree(t, nil)
	f := c.freezer(t, nil)
	f.control.Live = true
	if _, err := f.Plan(t.Context(), FreezeConcurrency); !errors.Is(err, mta.ErrRunning) {
		t.Errorf("without permission: %v", err)
	}
	f.control.Plan = "p/1"
	if _, err := f.Plan(t.Context(), FreezeRoutes); err == nil {
		t.Error("a plan's ID may be a path")
	}
}
