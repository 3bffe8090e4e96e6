package exim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk/disktest"
)

const (
	crashSplit = "1xVRQq-0007Zw-2b"        // in a folder of its own, with all four files
	crashFlat  = "1xVRjF-000000001Gg-05Rm" // in input itself, with two recipients that are done
	crashBare  = "1xVRQr-0007Zx-2b"        // without a body
	crashOther = "1xVRQq-0007Zy-2b"        // that nobody asks for
)

// crashTree is a spool with three messages to be acted on and one that is not.
func crashTree(t *testing.T) server {
	t.Helper()
	s := server{t, inMemory(t)}
	h := func(id string) string {
		return spoolFile(id, asUser, "NN done@d.test\n", []string{"done@d.test", "c@d.test", "e@d.test"}, headerLine('F', "From: a@b.test"))
	}
	at := func(dir, id string) string { return spoolDir + "/" + dir + "/" + id }
	for name, content := range map[string]string{
		"etc/exim4/exim4.conf":            "primary_hostname = mx1.example.com\nspool_directory = /" + spoolDir + "\n",
		"etc/passwd":                      "Debian-exim:x:103:103::/:/bin/false\n",
		at("input/q", crashSplit+"-H"):    h(crashSplit),
		at("input/q", crashSplit+"-D"):    crashSplit + "-D\nbody of the first\n",
		at("input/q", crashSplit+"-J"):    "c@d.test\ne@d",
		at("msglog/q", crashSplit):        "received\n",
		at("input", crashFlat+"-H"):       h(crashFlat),
		at("input", crashFlat+"-D"):       crashFlat + "-D\nbody of the second\n",
		at("input/r", crashBare+"-H"):     h(crashBare),
		at("msglog/r", crashBare):         "received\n",
		at("input/q", crashOther+"-H"):    h(crashOther),
		at("input/q", crashOther+"-D"):    crashOther + "-D\nbody of the other\n",
		at("input/q", "hdr."+crashOther):  "being written",
		at("msglog/q", crashOther):        "received\n",
		at("db", "wait-remote_smtp"):      "hints",
		at("input/q", crashOther+"-nope"): "no file of Exim's",
	} {
		s.write(name, content)
	}
	return s
}

// inMemory is a new folder on a file system in memory, where there is one: a thousand
// trees are written, and synced.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "exim") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// write writes a file with owner, mode and times that are easily lost.
func (s server) write(name, content string) {
	s.t.Helper()
	full := filepath.Join(s.dir, name)
	must(s.t, os.MkdirAll(filepath.Dir(full), 0o750))
	must(s.t, os.WriteFile(full, []byte(content), 0o600))
	must(s.t, os.Chmod(full, 0o640))
	if os.Geteuid() == 0 {
		must(s.t, os.Lchown(full, 103, 106))
	}
	must(s.t, os.Chtimes(full, time.Unix(1_795_000_000, 123_456_789), time.Unix(1_795_000_001, int64(len(content)))))
}

// crashBatch is what the actions are about.
func (s server) crashBatch() []spoor.Target {
	s.t.Helper()
	return slices.DeleteFunc(s.targets(), func(t spoor.Target) bool { return t.ID == crashOther })
}

// scenario is an action as remedy does it: run again after a crash with the same
// plan, it does the rest.
type scenario struct {
	name string
	// before is done without faults.
	before func(s server, v vault)
	// run is what the fault happens in. It ends at the first error.
	run func(k *Controller, r *receipt) error
	// want changes the files of the untouched tree to what must be there at the end.
	want func(files map[string]fact)
}

// receipt is what remedy keeps in journal and vault.
type receipt struct {
	batch    []spoor.Target
	vault    vault
	prepared []spoor.Prepared
	marked   bool                   // all were prepared and settled
	refused  map[spoor.QueueID]bool // could not be taken by the first run
}

func remove(k *Controller, r *receipt) error {
	ctx := context.Background()
	outcomes, err := k.Take(ctx, r.batch)
	for i := range outcomes {
		// One that an earlier run has discarded is in the vault, and nowhere else.
		if outcomes[i].Result == spoor.ResultGone && r.vault[r.batch[i].ID] != nil {
			outcomes[i] = done()
		}
	}
	if r.refused == nil {
		r.refused = map[spoor.QueueID]bool{}
		for i := range outcomes {
			r.refused[r.batch[i].ID] = outcomes[i].Result == spoor.ResultFailed
		}
	}
	if err := all(outcomes, err); err != nil {
		return err
	}
	if err := r.vault.pack(k, r.batch); err != nil {
		return err
	}
	if err := k.Settle(); err != nil {
		return err
	}
	return all(k.Discard(ctx, r.batch))
}

func restore(k *Controller, r *receipt) error {
	ctx := context.Background()
	for i, id := range r.vault.ids() {
		if r.marked {
			break
		}
		p, err := k.Prepare(ctx, fmt.Sprint("m", i), r.vault[id])
		if err != nil {
			return err
		}
		r.prepared = append(r.prepared[:i], p)
	}
	if err := k.Settle(); err != nil {
		return err
	}
	r.marked = true
	return all(k.Publish(ctx, r.prepared))
}

func scenarios() []scenario {
	ctx := context.Background()
	gone := func(files map[string]fact) {
		maps.DeleteFunc(files, func(name string, _ fact) bool {
			return !strings.Contains(name, crashOther) && !strings.HasPrefix(name, "db/")
		})
	}
	same := func(map[string]fact) {}
	return []scenario{
		{name: "remove", run: remove, want: gone},
		{name: "put back", run: func(k *Controller, r *receipt) error {
			if err := all(k.Take(ctx, r.batch)); err != nil {
				return err
			}
			return all(k.PutBack(ctx, r.batch))
		}, want: same},
		{name: "restore", before: func(s server, v vault) {
			k := s.control("plan-0", nil)
			must(s.t, remove(k, &receipt{batch: s.crashBatch(), vault: v}))
			must(s.t, k.Close())
			must(s.t, os.Remove(filepath.Join(s.dir, spoolDir, "input/r"))) // as Exim does with an empty one
		}, run: restore, want: same},
		{name: "withdraw", before: func(s server, v vault) {
			k := s.control("plan-0", nil)
			must(s.t, remove(k, &receipt{batch: s.crashBatch(), vault: v}))
			must(s.t, k.Close())
		}, run: func(k *Controller, r *receipt) error {
			for i, id := range r.vault.ids() {
				p, err := k.Prepare(ctx, fmt.Sprint("m", i), r.vault[id])
				if err != nil {
					return err
				}
				if err := k.Withdraw(ctx, []spoor.Prepared{p}); err != nil {
					return err
				}
			}
			return nil
		}, want: gone},
		{name: "hold and release", run: func(k *Controller, r *receipt) error {
			if err := all(k.Hold(ctx, r.batch)); err != nil {
				return err
			}
			return all(k.Release(ctx, r.batch))
		}, want: same},
	}
}

// TestNothingIsLostAtAnyCall lets each fault happen at each call of each action,
// looks at the files, runs the action again, and looks at the end.
func TestNothingIsLostAtAnyCall(t *testing.T) {
	for _, sc := range scenarios() {
		for _, fault := range disktest.Faults() {
			t.Run(sc.name+"/"+fault.Name, func(t *testing.T) {
				n := 1
				for ; sc.survives(t, &disktest.Script{Fault: fault, N: n}); n++ {
					if n > 1000 {
						t.Fatal("the action has no end")
					}
				}
				if n < 20 {
					t.Errorf("the action ends after %d calls", n)
				}
			})
		}
	}
}

// survives runs the scenario with a fault and then without. It returns false if
// the fault did not happen any more.
func (sc *scenario) survives(t *testing.T, script *disktest.Script) bool {
	s := crashTree(t)
	defer func() { must(t, os.RemoveAll(s.dir)) }()
	want := s.files(spoolDir)
	sc.want(want)
	r := &receipt{batch: s.crashBatch(), vault: vault{}}
	if sc.before != nil {
		sc.before(s, r.vault)
	}
	k, err := s.tryControl("plan-1", script.Seam)
	if err == nil {
		k.now = func() time.Time { return time.Unix(1_795_000_009, 0) }
		err = sc.run(k, r)
		err = errors.Join(err, k.Close())
	}
	happened := script.Calls() >= script.N
	s.once(script, r)
	k = s.control("plan-1", nil)
	if err := sc.run(k, r); err != nil {
		t.Errorf("%v, after which it ended with %v: run again: %v", script, err, err)
	}
	must(t, k.Close())
	if list := differences(sc.blurred(s.files(spoolDir)), sc.blurred(want)); len(list) > 0 {
		t.Errorf("%v, after which it ended with %v: at the end\n%s", script, err, strings.Join(list, "\n"))
	}
	_, err = os.Lstat(filepath.Join(s.dir, spoolDir, holding))
	if err == nil {
		t.Errorf("%v: the holding place is still there", script)
	}
	return happened && !t.Failed()
}

// blurred leaves out the time of a -H file that was written anew.
func (sc *scenario) blurred(files map[string]fact) map[string]fact {
	for name, one := range files {
		if strings.HasPrefix(sc.name, "hold") && strings.HasSuffix(name, "-H") {
			one.accessed, one.modified = 0, 0
			files[name] = one
		}
	}
	return files
}

// once wants each message to be in one place: in the spool or the holding place,
// with all its files, or in the vault; and never in the spool twice.
func (s server) once(script *disktest.Script, r *receipt) {
	s.t.Helper()
	files := s.files(spoolDir)
	for _, target := range r.batch {
		var places []string
		for name := range files {
			if path := strings.TrimSuffix(name, string(target.ID)+"-H"); path != name && !strings.HasPrefix(filepath.Base(name), "hdr.") {
				places = append(places, path)
			}
		}
		queued := slices.DeleteFunc(slices.Clone(places), func(p string) bool { return strings.HasPrefix(p, holding+"/") })
		switch {
		case len(places) > 1 || len(places) == 0 && r.vault[target.ID] == nil:
			s.t.Errorf("%v: %s is in %q", script, target.ID, places)
		case len(places) == 1 && target.ID != crashBare && r.vault[target.ID] == nil:
			if _, ok := files[places[0]+string(target.ID)+"-D"]; !ok {
				s.t.Errorf("%v: in %s is -H without -D", script, places[0])
			}
		}
		if r.refused[target.ID] && len(queued) == 0 {
			s.t.Errorf("%v: %s is not in the spool, though it was not taken", script, target.ID)
		}
		if len(queued) == 1 && target.ID == crashSplit {
			if _, ok := files[queued[0]+crashSplit+"-J"]; !ok {
				s.t.Errorf("%v: in the spool is -H without -J: done recipients would get a second copy", script)
			}
		}
	}
}
