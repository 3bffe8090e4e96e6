package qmail

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

// The messages of the small queue: one of each kind.
const (
	idBouncing = "967284" // remote, some done, a bounce is due
	idLocal    = "967260"
	idBoth     = "967263"
	idTodo     = "967312"
	idStray    = "967310" // todo, and an info and a local file left from a crash
	idDone     = "967265" // nothing left but a bounce
	idMisfiled = "967197"
	idOrphan   = "967333" // never queued
	idOther    = "967245" // is left alone, as is
	idWaiting  = "967316"
)

var targetIDs = []string{idBouncing, idLocal, idBoth, idTodo, idStray, idDone, idMisfiled, idOrphan}

const queueName = "var/qmail/queue"

// smallQueue makes a server with those messages from a captured one.
func smallQueue(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("files of other users can only be made by root")
	}
	root := hosttest.Unpack(t, "qmail")
	q := filepath.Join(root, queueName)
	keep := append([]string{idOther, idWaiting}, targetIDs...)
	must(t, filepath.Walk(q, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || strings.Contains(name, "/lock/") || slices.Contains(keep, filepath.Base(name)) {
			return err
		}
		return os.Remove(name)
	}))
	must(t, os.RemoveAll(filepath.Join(root, "usr")))
	resplit(t, q)
	users := map[string]int{"queue": 10993, "send": 10995}
	put := func(name, content string, uid int) {
		name = filepath.Join(q, name)
		must(t, os.WriteFile(name, []byte(content), 0o600))
		must(t, os.Chown(name, uid, 10990))
		must(t, os.Chtimes(name, time.Unix(1795430000, 7), time.Unix(1795430001, 9)))
	}
	split := func(id string) string { n, _ := strconv.Atoi(id); return strconv.Itoa(n%smallSplit) + "/" + id }
	put("remote/"+split(idBoth), "Tone@far.example\x00Dtwo@far.example\x00", users["send"])
	put("info/"+split(idStray), "Fold@site1.example\x00", users["send"])
	put("local/"+split(idStray), "Tsomebody@local.example\x00", users["send"])
	must(t, os.Remove(filepath.Join(q, "remote", split(idDone))))
	put("bounce/"+idDone, "<x@y.example>:\nno\n\n", users["send"])
	must(t, os.Rename(filepath.Join(q, "mess", split(idMisfiled)), filepath.Join(q, "mess/1", idMisfiled)))
	return root
}

// smallSplit is the split of the small queue: with fewer folders the tests that
// copy it thousands of times are faster.
const smallSplit = 3

func resplit(t *testing.T, q string) {
	t.Helper()
	for _, shelf := range []string{"mess", "info", "local", "remote"} {
		for folder := range 23 {
			dir := filepath.Join(q, shelf, strconv.Itoa(folder))
			entries, err := os.ReadDir(dir)
			must(t, err)
			for _, entry := range entries {
				n, err := strconv.Atoi(entry.Name())
				must(t, err)
				must(t, os.Rename(filepath.Join(dir, entry.Name()), filepath.Join(q, shelf, strconv.Itoa(n%smallSplit), entry.Name())))
			}
			if folder >= smallSplit {
				must(t, os.Remove(dir))
			}
		}
	}
}

// tempDir is a folder in memory where that is possible: what is tested does not
// depend on the file system, and its speed does.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "spoor-qmail") //nolint:usetesting // in memory, where thousands of syncs cost nothing
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// orphanNow is a time at which the orphan is old.
func orphanNow() time.Time { return time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC) }

// fileState is what must survive of a file.
type fileState struct {
	Content  string
	Mode     os.FileMode
	UID, GID uint32
	Modified int64
	Links    uint64
}

// state reads a tree with plain calls.
func state(t *testing.T, dir string) map[string]fileState {
	t.Helper()
	all := map[string]fileState{}
	must(t, filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("no stat")
		}
		s := fileState{Mode: info.Mode(), UID: st.Uid, GID: st.Gid}
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			s.Content, s.Modified, s.Links = string(data), info.ModTime().UnixNano(), st.Nlink
		}
		rel, err := filepath.Rel(dir, name)
		all[rel] = s
		return err
	}))
	return all
}

// differences tells how two trees differ.
func differences(was, is map[string]fileState) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if got, ok := is[name]; !ok {
			fmt.Fprintf(&text, "%s is missing\n", name)
		} else if got != was[name] {
			fmt.Fprintf(&text, "%s is %+v, was %+v\n", name, got, was[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if _, ok := was[name]; !ok {
			fmt.Fprintf(&text, "%s is new\n", name)
		}
	}
	return text.String()
}

// copyTree copies a queue with all that a fileState has.
func copyTree(t testing.TB, from string) string {
	t.Helper()
	to := tempDir(t)
	inodes := map[uint64]string{}
	times := map[string]os.FileInfo{}
	must(t, filepath.Walk(from, func(name string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(name, from))
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("no stat")
		}
		mode := uint32(info.Mode().Perm())
		switch {
		case info.IsDir():
			if err := os.MkdirAll(target, 0o700); err != nil {
				return err
			}
		case info.Mode()&os.ModeNamedPipe != 0:
			if err := syscall.Mkfifo(target, mode); err != nil {
				return err
			}
		case st.Nlink > 1 && inodes[st.Ino] != "":
			return os.Link(inodes[st.Ino], target)
		default:
			inodes[st.Ino] = target
			data, err := os.ReadFile(name)
			if err == nil {
				err = os.WriteFile(target, data, 0o600)
			}
			if err != nil {
				return err
			}
		}
		times[target] = info
		return errors.Join(os.Chown(target, int(st.Uid), int(st.Gid)), syscall.Chmod(target, mode))
	}))
	for name, info := range times {
		must(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
	}
	return to
}

// stand is a server on which a controller works.
type stand struct {
	t      *testing.T
	dir    string
	script *disktest.Script // asked once the controller is open; nil is no fault
	armed  bool
	live   bool
	real   bool // with the clock and the patience of the program
}

func (s *stand) seam(op disk.Op) error {
	if !s.armed || s.script == nil {
		return nil
	}
	return s.script.Seam(op)
}

// with opens a controller of one plan and closes it again.
func (s *stand) with(do func(c *controller)) {
	s.t.Helper()
	must(s.t, s.try("plan-1", do))
}

func (s *stand) try(plan string, do func(c *controller)) error {
	root, err := host.Open(s.dir)
	must(s.t, err)
	defer func() { must(s.t, root.Close()) }()
	top, err := disk.Open(s.dir, s.seam)
	must(s.t, err)
	defer func() { must(s.t, top.Close()) }()
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	must(s.t, err)
	ctl, err := Adapter().Control(&mta.Server{Root: root, Passwd: passwd, Gaps: &gaps}, mta.Control{Top: top, Live: s.live, Plan: plan})
	if err != nil {
		return err
	}
	c, ok := ctl.(*controller)
	if !ok {
		s.t.Fatal("not our controller")
	}
	if !s.real {
		c.now = orphanNow
		c.patience = patience{pause: time.Millisecond, preprocess: 5 * time.Millisecond}
	}
	s.armed = true
	do(c)
	err = c.Close()
	s.armed = false
	if s.script != nil {
		return nil
	}
	return err
}

// targets reads the messages as the command line does.
func (s *stand) targets(ids ...string) []spoor.Target {
	s.t.Helper()
	root, err := host.Open(s.dir)
	must(s.t, err)
	defer func() { must(s.t, root.Close()) }()
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	must(s.t, err)
	q, err := Open(root, passwd, Options{})
	must(s.t, err)
	defer func() { must(s.t, q.Close()) }()
	var list []spoor.Target
	for _, id := range ids {
		m, err := q.Find(s.t.Context(), spoor.QueueID(id))
		must(s.t, err)
		if m.Inode == 0 {
			s.t.Fatalf("message %s has no inode", id)
		}
		list = append(list, spoor.TargetOf(m))
	}
	return list
}

// allDone fails unless each outcome is ResultDone.
func allDone(t *testing.T, what string, out []spoor.Outcome, err error) {
	t.Helper()
	must(t, err)
	for i, one := range out {
		if one.Result != spoor.ResultDone || one.Err != nil {
			t.Fatalf("%s: outcome %d is %v: %v", what, i, one.Result, one.Err)
		}
	}
}

// stored is a parcel in the memory of the test, which stands for the vault.
func stored(t *testing.T, p *spoor.Parcel) *spoor.Parcel {
	t.Helper()
	kept := *p
	kept.Files = slices.Clone(p.Files)
	for i, f := range kept.Files {
		content, err := f.Open()
		must(t, err)
		data, err := io.ReadAll(content)
		must(t, err)
		must(t, content.Close())
		if int64(len(data)) != f.SizeBytes {
			t.Fatalf("%s of %s has %d bytes, its parcel says %d", f.Role, p.ID, len(data), f.SizeBytes)
		}
		kept.Files[i].Open = func() (spoor.Content, error) { return io.NopCloser(strings.NewReader(string(data))), nil }
	}
	return &kept
}

func packAll(t *testing.T, c *controller, batch []spoor.Target) []*spoor.Parcel {
	t.Helper()
	var all []*spoor.Parcel
	for i := range batch {
		p, err := c.Pack(&batch[i])
		must(t, err)
		all = append(all, stored(t, p))
	}
	return all
}

// holds checks that parcels have every file of the messages, as they were.
func holds(t *testing.T, was map[string]fileState, parcels []*spoor.Parcel) {
	t.Helper()
	want, got := map[string]fileState{}, map[string]fileState{}
	for _, p := range parcels {
		for name, s := range was {
			if filepath.Base(name) == string(p.ID) {
				s.Links = 0
				want[name] = s
			}
		}
		for _, f := range p.Files {
			content, err := f.Open()
			must(t, err)
			data, err := io.ReadAll(content)
			must(t, err)
			rel, err := filepath.Rel("/"+queueName, f.Name)
			must(t, err)
			got[rel] = fileState{
				Content: string(data), Mode: os.FileMode(f.Mode), UID: uint32(f.UID), GID: uint32(f.GID), Modified: f.Modified.UnixNano(),
			}
		}
	}
	if diff := differences(want, got); diff != "" {
		t.Fatalf("parcels differ from the queue:\n%s", diff)
	}
}
