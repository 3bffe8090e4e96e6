package postfix

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
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
	"spoor/internal/host"
	"spoor/internal/mta"
)

const spoolDir = "var/spool/postfix"

// tree is a server whose queue has a message in each place that a message can be.
type tree struct {
	testing.TB
	dir  string
	root *host.Root
	ids  map[string]string // by what they are
}

// ownerUID is mail_owner's, or the test's own where it may not give files away.
func ownerUID() int {
	if os.Geteuid() != 0 {
		return os.Geteuid()
	}
	return 102
}

func newTree(t testing.TB) *tree {
	t.Helper()
	w := newSmallTree(t)
	w.message("long", "deferred", 0o710, true, halfDone(), "defer", "trace")
	w.message("flat", "deferred/", 0o700, false, halfDone())
	w.message("incoming", "incoming", 0o700, false, halfDone())
	w.message("corrupt", "corrupt", 0o400, true, halfDone())
	return w
}

func halfDone() string {
	return from("a@x.test", "one@y.test") + record(recDone, "two@y.test") + record(recRecipient, "three@y.test")
}

// newSmallTree has fewer messages: a test that makes thousands of trees takes a
// quarter of the time.
func newSmallTree(t testing.TB) *tree {
	t.Helper()
	w := &tree{TB: t, dir: memory(t), ids: map[string]string{}}
	for _, name := range []string{"active", "bounce", "corrupt", "defer", "deferred", "hold", "incoming", "maildrop", "pid", "trace"} {
		w.ok(os.MkdirAll(filepath.Join(w.dir, spoolDir, name), 0o700))
		w.own(filepath.Join(w.dir, spoolDir, name))
	}
	w.write("etc/postfix/main.cf", "myhostname = mx1.example.com\nenable_long_queue_ids = yes\n")
	w.write("etc/passwd", fmt.Sprintf("postfix:x:%d:%d::/var/spool/postfix:/bin/false\n", ownerUID(), ownerUID()))
	w.write(spoolDir+"/pid/master.pid", "")

	half := halfDone()
	w.message("deferred", "deferred", 0o700, false, half, "defer")
	w.message("active", "active", 0o700, false, half, "bounce", "defer")
	w.message("held", "hold", 0o700, false, half, "defer")
	w.message("maildrop", "maildrop", 0o700, false, half)
	w.message("bystander", "deferred", 0o700, false, half, "defer", "bounce")
	var err error
	w.root, err = host.Open(w.dir)
	w.ok(err)
	return w
}

// memory is a temporary folder in memory where there is such a thing: syncfs(2) of
// a disk that others write to takes long.
func memory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "spoor") //nolint:usetesting // in memory, where thousands of syncs cost nothing
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// close is called where many trees are made in one test.
func (w *tree) close() {
	w.ok(w.root.Close())
	w.ok(os.RemoveAll(w.dir))
}

func (w *tree) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *tree) own(name string) {
	w.Helper()
	w.ok(os.Lchown(name, ownerUID(), ownerUID()))
}

func (w *tree) write(name, text string) {
	w.Helper()
	full := filepath.Join(w.dir, name)
	w.ok(os.MkdirAll(filepath.Dir(full), 0o700))
	w.ok(os.WriteFile(full, []byte(text), 0o600))
}

// message writes a queue file with the name of its inode, and logs. A queue with a
// slash at its end is used without hashing.
func (w *tree) message(what, queue string, mode uint32, long bool, envelope string, logs ...string) {
	w.Helper()
	temporary := filepath.Join(w.dir, spoolDir, "new")
	w.ok(os.WriteFile(temporary, []byte(queueFile(envelope+record(recAttribute, "note="+what), userReceived+tail, "")), 0o600))
	info, err := os.Stat(temporary)
	w.ok(err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		w.Fatal("no inode is told")
	}
	inode := stat.Ino
	id := fmt.Sprintf("%05X%X", 702965, inode)
	if long {
		id = "4jY1nY4zyYz" + encode51(inode)
	}
	w.ids[what] = id
	folder := queue
	if queue == "deferred" {
		folder = "deferred/A"
	}
	name := filepath.Join(w.dir, spoolDir, folder, id)
	w.folder(filepath.Dir(name))
	w.own(temporary)
	w.ok(unix.Chmod(temporary, mode))
	w.ok(os.Chtimes(temporary, time.Unix(1795420000, 123), time.Unix(1795421000, 456)))
	w.ok(os.Rename(temporary, name))
	for _, log := range logs {
		folder := log
		if log == "defer" {
			folder = "defer/A"
		}
		name := filepath.Join(w.dir, spoolDir, folder, id)
		w.folder(filepath.Dir(name))
		w.ok(os.WriteFile(name, []byte("<one@y.test>: "+log+" of "+what+"\n"), 0o600))
		w.own(name)
		w.ok(os.Chtimes(name, time.Unix(1795422000, 789), time.Unix(1795423000, 12)))
	}
}

func (w *tree) folder(name string) {
	w.Helper()
	if _, err := os.Stat(name); err == nil {
		return
	}
	w.ok(os.MkdirAll(name, 0o700))
	w.own(name)
}

// open opens the queue to change it, as remedy does.
func (w *tree) open(seam disk.Seam) (mta.Controller, error) {
	w.Helper()
	passwd, err := w.root.Passwd(&spoor.Gaps{})
	w.ok(err)
	top, err := disk.Open(w.dir, seam)
	if err != nil {
		return nil, err
	}
	w.Cleanup(func() { _ = top.Close() })
	server := &mta.Server{Root: w.root, Passwd: passwd, Gaps: &spoor.Gaps{}}
	return Adapter().Control(server, mta.Control{Top: top, Plan: "p1"})
}

func (w *tree) mustOpen() mta.Controller {
	w.Helper()
	c, err := w.open(nil)
	w.ok(err)
	return c
}

// targets are all messages but the bystander, in the order of their IDs.
func (w *tree) targets() []spoor.Target {
	w.Helper()
	q := openRoot(w.TB, w.root)
	messages, _ := scanAll(w.TB, q)
	w.ok(q.Close())
	var batch []spoor.Target
	for _, id := range slices.Sorted(maps.Keys(messages)) {
		if string(id) != w.ids["bystander"] {
			batch = append(batch, spoor.TargetOf(messages[id]))
		}
	}
	return batch
}

// entry is what a file is.
type entry struct {
	Text               string
	Mode               uint32
	UID, GID           uint32
	Accessed, Modified int64
	inode              uint64
}

// files are all files below a folder of the tree, and folders, by path below it.
func (w *tree) files(below string) map[string]entry {
	w.Helper()
	all := map[string]entry{}
	top := filepath.Join(w.dir, below)
	w.ok(filepath.WalkDir(top, func(name string, at fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		e := entry{Mode: st.Mode, UID: st.Uid, GID: st.Gid, inode: st.Ino}
		rel, _ := filepath.Rel(top, name)
		if at.Type().IsRegular() {
			e.Accessed, e.Modified = st.Atim.Nano(), st.Mtim.Nano()
			fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NOATIME, 0)
			if err != nil {
				return err
			}
			f := os.NewFile(uintptr(fd), name)
			data, err := io.ReadAll(f)
			_ = f.Close()
			if err != nil {
				return err
			}
			e.Text = string(data)
		}
		all[rel] = e
		return nil
	}))
	return all
}

// same compares two states of a queue, but for the inodes.
func (w *tree) same(what string, got, want map[string]entry) {
	w.Helper()
	for name, e := range want {
		e.inode = got[name].inode
		if g, ok := got[name]; !ok {
			w.Errorf("%s: %s is missing", what, name)
		} else if g != e {
			w.Errorf("%s: %s is\n%+v, want\n%+v", what, name, g, e)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			w.Errorf("%s: %s should not be there", what, name)
		}
	}
}

// stored is a vault in memory.
type stored map[spoor.QueueID]*spoor.Parcel

// pack stores a message as the vault does: with the content of all its files.
func (v stored) pack(c mta.Controller, t *spoor.Target) error {
	if v[t.ID] != nil {
		return nil
	}
	p, err := c.Pack(t)
	if err != nil {
		return err
	}
	for i := range p.Files {
		content, err := p.Files[i].Open()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(content)
		_ = content.Close()
		if err != nil {
			return err
		}
		if int64(len(data)) != p.Files[i].SizeBytes {
			return fmt.Errorf("%s: %d bytes, said to be %d", p.Files[i].Name, len(data), p.Files[i].SizeBytes)
		}
		p.Files[i].Open = func() (spoor.Content, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	}
	v[t.ID] = p
	return nil
}

// remove is what remedy does, up to the first error that stops it.
func (v stored) remove(w *tree, c mta.Controller, batch []spoor.Target) (complete bool) {
	outcomes, err := c.Take(w.Context(), batch)
	if err != nil {
		return false
	}
	complete = true
	var discard []spoor.Target
	for i := range batch {
		gone := outcomes[i].Result == spoor.ResultGone && v[batch[i].ID] != nil // discarded by a run before
		if !gone && (outcomes[i].Result != spoor.ResultDone || v.pack(c, &batch[i]) != nil) {
			complete = false
			continue
		}
		discard = append(discard, batch[i])
	}
	if c.Settle() != nil {
		return false
	}
	outcomes, err = c.Discard(w.Context(), discard)
	return complete && err == nil && allDone(outcomes)
}

func allDone(outcomes []spoor.Outcome) bool {
	return !slices.ContainsFunc(outcomes, func(o spoor.Outcome) bool { return o.Result != spoor.ResultDone })
}

// restore is what remedy does from the start.
func (v stored) restore(w *tree, c mta.Controller, batch []spoor.Target) ([]spoor.Prepared, bool) {
	var ready []spoor.Prepared
	for i := range batch {
		p, err := c.Prepare(w.Context(), fmt.Sprintf("m%d", i), v[batch[i].ID])
		if err != nil {
			return nil, false
		}
		ready = append(ready, p)
	}
	if c.Settle() != nil {
		return nil, false
	}
	return ready, v.publish(w, c, ready)
}

func (v stored) publish(w *tree, c mta.Controller, ready []spoor.Prepared) bool {
	outcomes, err := c.Publish(w.Context(), ready)
	return err == nil && allDone(outcomes)
}

// messagesOf are the paths of files that hold a note, below the queue directory.
func messagesOf(files map[string]entry, what string) []string {
	var names []string
	for name, e := range files {
		if strings.Contains(e.Text, "note="+what) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
