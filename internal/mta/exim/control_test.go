package exim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

// server is a root whose spool is changed by a test.
type server struct {
	t   *testing.T
	dir string
}

const spoolDir = "var/spool/exim4"

// control opens the spool to change it. It is closed when the test ends, if not
// before.
func (s server) control(plan string, seam disk.Seam) *Controller { //nolint:unparam // tests to come let calls fail
	s.t.Helper()
	k, err := s.tryControl(plan, seam)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

func (s server) tryControl(plan string, seam disk.Seam) (*Controller, error) {
	s.t.Helper()
	root, err := host.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil {
		s.t.Fatal(err)
	}
	top, err := disk.Open(s.dir, seam)
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(func() { _ = top.Close() })
	k, err := Adapter().Control(&mta.Server{Root: root, Passwd: passwd, Gaps: &spoor.Gaps{}}, mta.Control{Top: top, Plan: plan})
	if err != nil {
		return nil, err
	}
	control, ok := k.(*Controller)
	if !ok {
		s.t.Fatalf("the controller is a %T", k)
	}
	return control, nil
}

// targets are all messages of the spool, in the order of their IDs.
func (s server) targets() []spoor.Target {
	s.t.Helper()
	root, err := host.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	messages, _ := scanAll(s.t, openRoot(s.t, root))
	var list []spoor.Target
	for _, m := range messages {
		list = append(list, spoor.TargetOf(m))
	}
	slices.SortFunc(list, func(a, b spoor.Target) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list
}

// fact is what is compared of a file.
type fact struct {
	mode               os.FileMode
	uid, gid           uint32
	accessed, modified int64 // nanoseconds
	content            string
}

// files are the regular files below a folder of the server, read by plain calls.
func (s server) files(folder string) map[string]fact {
	s.t.Helper()
	list := map[string]fact{}
	top := filepath.Join(s.dir, folder)
	err := filepath.WalkDir(top, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		st, _ := info.Sys().(*syscall.Stat_t)
		one := fact{info.Mode(), st.Uid, st.Gid, st.Atim.Nano(), st.Mtim.Nano(), ""}
		if entry.Type().IsRegular() {
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			one.content = string(content)
			_ = os.Chtimes(name, time.Unix(0, one.accessed), time.Unix(0, one.modified))
		}
		list[strings.TrimPrefix(name, top+"/")] = one
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// differences names the files that two listings do not share.
func differences(got, want map[string]fact) []string {
	var list []string
	for name, one := range got {
		switch old, ok := want[name]; {
		case !ok:
			list = append(list, "+"+name)
		case old != one:
			one.content, old.content = fmt.Sprint(one.content == old.content), ""
			list = append(list, fmt.Sprintf("%s: %+v, was %+v", name, one, old))
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			list = append(list, "-"+name)
		}
	}
	slices.Sort(list)
	return list
}

// vault keeps parcels as a vault does: by value.
type vault map[spoor.QueueID]*spoor.Parcel

// store copies the content of the files.
func (v vault) store(p *spoor.Parcel) error {
	kept := *p
	kept.Files = slices.Clone(p.Files)
	for i := range kept.Files {
		f := &kept.Files[i]
		open, err := f.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(open)
		_ = open.Close()
		if err != nil {
			return err
		}
		if int64(len(content)) != f.SizeBytes {
			return fmt.Errorf("%s: %d bytes, want %d", f.Name, len(content), f.SizeBytes)
		}
		f.Open = func() (spoor.Content, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	}
	v[p.ID] = &kept
	return nil
}

// pack packs what is not packed yet.
func (v vault) pack(k *Controller, batch []spoor.Target) error {
	for i := range batch {
		if v[batch[i].ID] != nil {
			continue
		}
		p, err := k.Pack(&batch[i])
		if err != nil {
			return err
		}
		if err := v.store(p); err != nil {
			return err
		}
	}
	return nil
}

// restore prepares and publishes what is in the vault.
func (v vault) restore(k *Controller) error {
	var batch []spoor.Prepared
	for i, id := range v.ids() {
		p, err := k.Prepare(context.Background(), fmt.Sprint("m", i), v[id])
		if err != nil {
			return err
		}
		batch = append(batch, p)
	}
	return all(k.Publish(context.Background(), batch))
}

func (v vault) ids() []spoor.QueueID {
	var list []spoor.QueueID
	for id := range v {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// all wants each outcome to be ResultDone. Beside it may be an error, of tidying.
func all(outcomes []spoor.Outcome, err error) error {
	for i, out := range outcomes {
		if err == nil && out.Result != spoor.ResultDone {
			err = fmt.Errorf("element %d: %v: %w", i, out.Result, out.Err)
		}
	}
	return err
}

// TestTakingAndPuttingBackIsTheIdentity does it to every message of the captured
// servers, of both forms of ID and with every damage.
func TestTakingAndPuttingBackIsTheIdentity(t *testing.T) {
	for name := range captured() {
		s := server{t, hosttest.Unpack(t, name)}
		before, batch := s.files("var/spool"), s.targets()
		k := s.control("plan-1", nil)
		must(t, all(k.Take(t.Context(), batch)))
		for file := range s.files("var/spool") {
			if strings.HasSuffix(file, "-H") && !strings.Contains(file, "/"+holding+"/") {
				t.Errorf("%s: %s is still in the spool", name, file)
			}
		}
		must(t, all(k.Take(t.Context(), batch)))
		must(t, all(k.PutBack(t.Context(), batch)))
		must(t, all(k.PutBack(t.Context(), batch)))
		must(t, k.Close())
		if list := differences(s.files("var/spool"), before); len(list) > 0 {
			t.Errorf("%s: %d messages: %s", name, len(batch), strings.Join(list, "\n"))
		}
	}
}

func TestRemovingAndRestoringIsTheIdentity(t *testing.T) {
	for name := range captured() {
		s := server{t, hosttest.Unpack(t, name)}
		before, batch, v := s.files("var/spool"), s.targets(), vault{}
		k := s.control("plan-1", nil)
		must(t, all(k.Take(t.Context(), batch)))
		must(t, v.pack(k, batch))
		must(t, all(k.Discard(t.Context(), batch)))
		must(t, all(k.Discard(t.Context(), batch)))
		must(t, k.Close())
		if _, err := os.Lstat(filepath.Join(k.spool.Name(), holding)); err == nil {
			t.Errorf("%s: the empty holding place is still there", name)
		}
		if left := s.targets(); len(left) > 0 {
			t.Errorf("%s: %v are left", name, left)
		}
		k = s.control("plan-2", nil)
		must(t, v.restore(k))
		must(t, k.Settle())
		must(t, k.Close())
		if list := differences(s.files("var/spool"), before); len(list) > 0 {
			t.Errorf("%s: %d messages: %s", name, len(batch), strings.Join(list, "\n"))
		}
		if after := s.targets(); !reflect.DeepEqual(after, batch) {
			t.Errorf("%s: a scan reads %d messages, and they are not the same %d", name, len(after), len(batch))
		}
	}
}

// TestParcelsTellWhatAScanTells compares envelope and content of each parcel with
// what the reader of the queue had said.
func TestParcelsTellWhatAScanTells(t *testing.T) {
	for name := range captured() {
		s := server{t, hosttest.Unpack(t, name)}
		root, err := host.Open(s.dir)
		must(t, err)
		q := openRoot(t, root)
		messages, _ := scanAll(t, q)
		contents := map[spoor.QueueID]string{}
		for id := range messages {
			if text, ok := readContent(t, q, id); ok {
				contents[id] = text
			}
		}
		must(t, root.Close())
		k := s.control("plan-1", nil)
		batch := s.targets()
		must(t, all(k.Take(t.Context(), batch)))
		for i := range batch {
			p, err := k.Pack(&batch[i])
			must(t, err)
			m := messages[p.ID]
			if p.Path() != m.Path() || p.CallerUID != m.CallerUID || p.Sender != m.Sender || p.Done != m.Recipients.Done() {
				t.Errorf("%s: parcel %+v, message %+v", name, p.Target, m)
			}
			if want := slices.Collect(m.Recipients.All()); !slices.Equal(p.Envelope, want) {
				t.Errorf("%s: %s is for %v, want %v", name, p.ID, p.Envelope, want)
			}
			message, err := Adapter().Message(p)
			must(t, err)
			text, err := io.ReadAll(message)
			must(t, err)
			must(t, message.Close())
			if want, ok := contents[p.ID]; ok && string(text) != want {
				t.Errorf("%s: the message in %s is %q, want %q", name, p.ID, text, want)
			}
		}
		must(t, all(k.PutBack(t.Context(), batch)))
		must(t, k.Close())
	}
}

// readContent reads a message of the queue; of one that is damaged it has nothing.
func readContent(t *testing.T, q *Queue, id spoor.QueueID) (text string, ok bool) {
	t.Helper()
	content, err := q.Content(id)
	if errors.Is(err, errEnvelope) || errors.Is(err, errRecipients) || errors.Is(err, errFirstLine) {
		return "", false
	}
	must(t, err)
	all, err := io.ReadAll(content)
	must(t, err)
	must(t, content.Close())
	return string(all), true
}
