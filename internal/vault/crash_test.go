package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/vault"
)

// everyFault runs a scenario with each fault at each call, until none happens
// any more.
func everyFault(t *testing.T, run func(t *testing.T, script *disktest.Script)) {
	for _, fault := range disktest.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			for n := 1; ; n++ {
				script := &disktest.Script{Fault: fault, N: n}
				run(t, script)
				if t.Failed() {
					t.Fatalf("with %s", script)
				}
				if script.Calls() < n {
					if n < 5 {
						t.Fatalf("only %d calls were made", script.Calls())
					}
					return
				}
			}
		})
	}
}

// memoryDir is a directory on a file system in memory, where there is one: what
// is tested are the calls, and thousands of them sync.
func memoryDir(t testing.TB) string {
	name, err := os.MkdirTemp("/dev/shm", "spoor-vault-") //nolint:usetesting // in memory, where thousands of syncs cost nothing
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(name)) })
	return name
}

// run does what a remedy does, and knows what it may rely on.
type run struct {
	t      *testing.T
	w      *vault.Writer
	tried  map[spoor.QueueID]*spoor.Parcel
	added  []spoor.QueueID
	refs   map[spoor.QueueID]vault.Ref
	synced map[spoor.QueueID]bool
	marked map[spoor.QueueID]vault.Fate // synced
	due    map[spoor.QueueID]vault.Fate
}

func (r *run) add(p *spoor.Parcel) {
	r.tried[p.ID] = p
	ref, err := r.w.Add(p)
	if err == nil {
		r.added = append(r.added, p.ID)
		r.refs[p.ID] = ref
	}
}

func (r *run) mark(p *spoor.Parcel, fate vault.Fate) {
	ref, ok := r.refs[p.ID]
	if ok && r.w.Mark(ref, vault.Mark{Fate: fate}) == nil {
		r.due[p.ID] = fate
	}
}

func (r *run) sync() {
	if r.w.Sync() != nil {
		return
	}
	for _, id := range r.added {
		r.synced[id] = true
	}
	for id, fate := range r.due {
		r.marked[id] = fate
	}
}

// large is a message that is written before it is complete.
func large(n int) *spoor.Parcel {
	p := letter(n)
	p.Files[0] = memory("mess", "m", noise(uint64(n), 9<<17))
	return p
}

func (r *run) plan(v *vault.Vault, messages []*spoor.Parcel) {
	var err error
	if r.w, err = v.Append("p"); err != nil {
		return
	}
	defer func() { _ = r.w.Close() }()
	r.add(messages[0])
	r.add(messages[1])
	r.sync()
	r.mark(messages[0], vault.FateRestored)
	r.add(messages[2])
	r.add(messages[3])
	r.sync()
	r.mark(messages[1], vault.FateVoid)
	r.add(messages[4])
	r.sync()
}

// check looks at what is there after a crash.
func (r *run) check(v *vault.Vault) {
	list, damaged := entries(r.t, v, "p")
	if damaged > 0 {
		r.t.Errorf("%d stretches are damaged", damaged)
	}
	seen := map[spoor.QueueID]vault.Fate{}
	for _, entry := range list {
		if _, twice := seen[entry.ID]; twice {
			r.t.Errorf("%s is there twice", entry.ID)
		}
		seen[entry.ID] = entry.Mark.Fate
		p, err := v.Parcel(entry)
		must(r.t, err)
		same(r.t, p, r.tried[entry.ID])
	}
	for id := range r.synced {
		if _, ok := seen[id]; !ok {
			r.t.Errorf("%s was synced and is not there", id)
		}
	}
	for id, fate := range r.marked {
		if seen[id] != fate {
			r.t.Errorf("%s is %s, and was marked %s", id, seen[id], fate)
		}
	}
}

// resume stores what is missing, as a plan does that is resumed.
func (r *run) resume(v *vault.Vault, messages []*spoor.Parcel) {
	void := map[spoor.QueueID]bool{} // these stay in the queue
	list, _ := entries(r.t, v, "p")
	for _, entry := range list {
		void[entry.ID] = entry.Mark.Fate == vault.FateVoid
	}
	w, err := v.Append("p")
	must(r.t, err)
	for _, p := range messages {
		r.tried[p.ID] = p
		if _, ok := w.Find(p.ID, p.Arrived); ok || void[p.ID] {
			continue
		}
		_, err := w.Add(p)
		must(r.t, err)
	}
	must(r.t, w.Sync())
	must(r.t, w.Close())
	for _, p := range messages {
		r.synced[p.ID] = true
	}
	r.check(v)
}

func TestWhatWasSyncedSurvivesEveryFault(t *testing.T) {
	messages := []*spoor.Parcel{letter(0), letter(1), letter(2), large(3), letter(4)}
	everyFault(t, func(t *testing.T, script *disktest.Script) {
		name, err := os.MkdirTemp(memoryDir(t), "") //nolint:usetesting // in memory, where thousands of syncs cost nothing
		must(t, err)
		defer func() { must(t, os.RemoveAll(name)) }()
		dir, err := disk.Open(name, nil)
		must(t, err)
		defer func() { must(t, dir.Close()) }()
		faulty, err := disk.Open(name, script.Seam)
		if err == nil {
			defer func() { must(t, faulty.Close()) }()
		}
		r := &run{
			t: t, tried: map[spoor.QueueID]*spoor.Parcel{}, refs: map[spoor.QueueID]vault.Ref{},
			synced: map[spoor.QueueID]bool{}, marked: map[spoor.QueueID]vault.Fate{}, due: map[spoor.QueueID]vault.Fate{},
		}
		if err == nil {
			v, err := vault.Open(faulty)
			must(t, err)
			r.plan(v, messages)
		}
		v, err := vault.Open(dir)
		must(t, err)
		w, err := v.Append("p")
		must(t, err)
		must(t, w.Close())
		r.check(v)
		r.resume(v, messages)
	})
}

func TestAPurgeIsAllOrNothing(t *testing.T) {
	model := t.TempDir()
	v := open(t, model, nil)
	messages := []*spoor.Parcel{letter(0), letter(1), large(2), letter(3), letter(4), letter(5)}
	refs := store(t, v, "p", messages...)
	w, err := v.Append("p")
	must(t, err)
	must(t, w.Mark(refs[2], vault.Mark{Fate: vault.FateRestoring}))
	must(t, w.Mark(refs[2], vault.Mark{Fate: vault.FateRestored, NewID: "9"}))
	must(t, w.Mark(refs[5], vault.Mark{Fate: vault.FateRestored, NewID: "8"}))
	must(t, w.Sync())
	must(t, w.Close())
	image, err := os.ReadFile(container(model, "p"))
	must(t, err)
	keep := func(e vault.Entry) bool { return e.Sequence%2 == 1 }

	everyFault(t, func(t *testing.T, script *disktest.Script) {
		name, err := os.MkdirTemp(memoryDir(t), "") //nolint:usetesting // in memory, where thousands of syncs cost nothing
		must(t, err)
		defer func() { must(t, os.RemoveAll(name)) }()
		must(t, os.WriteFile(container(name, "p"), image, 0o600))
		dir, err := disk.Open(name, nil)
		must(t, err)
		defer func() { must(t, dir.Close()) }()
		failed := errors.New("never begun")
		if faulty, err := disk.Open(name, script.Seam); err == nil {
			v, err := vault.Open(faulty)
			must(t, err)
			_, failed = v.Purge("p", keep)
			must(t, faulty.Close())
		}
		now, err := os.ReadFile(container(name, "p"))
		must(t, err)
		if failed == nil && bytes.Equal(now, image) {
			t.Error("nothing was purged, and no error told")
		}
		v, err := vault.Open(dir)
		must(t, err)
		if !bytes.Equal(now, image) {
			purged(t, v, messages)
		}
		_, err = v.Purge("p", keep)
		must(t, err)
		purged(t, v, messages)
		names, err := dir.Names()
		must(t, err)
		if len(names) != 1 {
			t.Errorf("the vault holds %v", names)
		}
	})
}

// purged is what every second message looks like after the purge of the others.
func purged(t *testing.T, v *vault.Vault, messages []*spoor.Parcel) {
	t.Helper()
	list, damaged := entries(t, v, "p")
	if len(list) != 3 || damaged != 0 {
		t.Fatalf("%d messages and %d stretches of damage are left", len(list), damaged)
	}
	for i, entry := range list {
		if entry.Sequence != uint64(2*i+1) {
			t.Errorf("message %d has the sequence %d", i, entry.Sequence)
		}
		p, err := v.Parcel(entry)
		must(t, err)
		same(t, p, messages[2*i])
	}
	if list[1].Mark.NewID != "9" || list[1].Mark.Fate != vault.FateRestored || list[0].Mark.Fate != vault.FateStored {
		t.Errorf("marks are %+v and %+v", list[0].Mark, list[1].Mark)
	}
}

// TestATornTailIsCut lets a power failure keep any part of what was not synced:
// the beginning of it, or all of its length with the end in zeros.
func TestATornTailIsCut(t *testing.T) {
	name := memoryDir(t)
	v := open(t, name, nil)
	w, err := v.Append("p")
	must(t, err)
	var sizes []int64
	messages := []*spoor.Parcel{letter(0), letter(1), letter(2)}
	for _, p := range messages {
		_, err := w.Add(p)
		must(t, err)
		must(t, w.Sync())
		st, err := v.Stat("p")
		must(t, err)
		sizes = append(sizes, st.SizeBytes)
	}
	must(t, w.Close())
	image, err := os.ReadFile(container(name, "p"))
	must(t, err)
	whole := func(cut int) int {
		n := 1
		for n < 3 && int64(cut) >= sizes[n]-48 { // the frame of a sync is no part of a message
			n++
		}
		return n
	}
	for cut := int(sizes[0]); cut < len(image); cut += 1 + cut%7 {
		for _, zeros := range []bool{false, true} {
			torn := bytes.Clone(image[:cut])
			if zeros {
				torn = append(torn, make([]byte, len(image)-cut)...)
			}
			must(t, os.WriteFile(container(name, "p"), torn, 0o600))
			w, err := v.Append("p")
			must(t, err)
			must(t, w.Close())
			list, damaged := entries(t, v, "p")
			if len(list) != whole(cut) || damaged != 0 {
				t.Fatalf("cut at %d of %d (zeros: %v), %d messages are left, want %d; %d stretches are damaged", cut, len(image), zeros, len(list), whole(cut), damaged)
			}
			for i, entry := range list {
				p, err := v.Parcel(entry)
				must(t, err)
				same(t, p, messages[i])
			}
		}
	}
}

// TestPagesThatDidNotReachTheDiskMakeAMessageVoid has the metadata of a message
// written and its content not: the kernel writes pages in any order.
func TestPagesThatDidNotReachTheDiskMakeAMessageVoid(t *testing.T) {
	name := t.TempDir()
	v := open(t, name, nil)
	store(t, v, "p", letter(0))
	st, err := v.Stat("p")
	must(t, err)
	start := st.SizeBytes
	w, err := v.Append("p")
	must(t, err)
	for n := range 3 {
		_, err := w.Add(letter(n + 1))
		must(t, err)
	}
	must(t, w.Close()) // without Sync
	f, err := os.OpenFile(container(name, "p"), os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 100), start+60)
	must(t, err)
	must(t, f.Close())
	for range 2 {
		w, err = v.Append("p")
		must(t, err)
		for n, want := range []bool{true, false, true, true} {
			p := letter(n)
			if _, ok := w.Find(p.ID, p.Arrived); ok != want {
				t.Errorf("Find of message %d is %v", n, ok)
			}
		}
		must(t, w.Close())
	}
	ref := store(t, v, "p", letter(1))
	if fmt.Sprint(ref[0].Sequence) != "5" {
		t.Errorf("it was stored as %+v", ref)
	}
}
