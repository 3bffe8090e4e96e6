package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/vault"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a vault in a directory, with a seam or nil.
func open(t testing.TB, name string, seam disk.Seam) *vault.Vault { //nolint:unparam // as the tests of crashes open theirs
	t.Helper()
	dir, err := disk.Open(name, seam)
	must(t, err)
	t.Cleanup(func() { must(t, dir.Close()) })
	v, err := vault.Open(dir)
	must(t, err)
	return v
}

// memory makes a file of a parcel whose content is in memory.
func memory(role, name string, content []byte) spoor.PackedFile {
	return spoor.PackedFile{
		Role: role, Name: name, Mode: 0o640, UID: 2522, GID: 2520,
		Accessed: time.Unix(1700000001, 1).UTC(), Modified: time.Unix(1700000002, 987654321).UTC(),
		SizeBytes: int64(len(content)),
		Open:      func() (spoor.Content, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// noise is text that is hard to pack, the same for the same seed.
func noise(seed uint64, size int) []byte {
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	text := make([]byte, size)
	_, _ = source.Read(text)
	return text
}

// letter is a small message of three files, as qmail has them.
func letter(n int) *spoor.Parcel {
	id := spoor.QueueID(fmt.Sprint(1000 + n))
	body := fmt.Appendf(nil, "Received: (qmail %d invoked by uid 10003)\nSubject: offer %d\n\n%x\n", n, n, noise(uint64(n), 300))
	return &spoor.Parcel{
		Target: spoor.Target{
			ID: id, Folder: "var/qmail/queue/mess/7", Arrived: time.Unix(1700000000+int64(n), 5).UTC(),
			SizeBytes: int64(len(body)), Inode: uint64(1000 + n), State: spoor.StateRemote, Sender: "info@shop.example",
			Recipients: 2, Done: 1, Subject: fmt.Sprintf("offer %d", n),
			Source: spoor.Source{Kind: spoor.KindSite, Name: "shop.example"}, Class: spoor.Spam, Confidence: 0.987,
		},
		MTA: "qmail", CallerUID: 10003, StoredTime: time.Unix(1700001000+int64(n), 0).UTC(),
		Envelope: []spoor.Recipient{
			{Address: "a@there.example", Channel: spoor.ChannelRemote},
			{Address: "b@there.example", Channel: spoor.ChannelRemote, Done: true},
		},
		Files: []spoor.PackedFile{
			memory("mess", "var/qmail/queue/mess/7/"+string(id), body),
			memory("info", "var/qmail/queue/info/7/"+string(id), []byte("Finfo@shop.example\x00")),
			memory("remote", "var/qmail/queue/remote/7/"+string(id), []byte("Ta@there.example\x00Db@there.example\x00")),
		},
	}
}

// content reads a file of a parcel.
func content(t testing.TB, f *spoor.PackedFile) []byte {
	t.Helper()
	in, err := f.Open()
	must(t, err)
	text, err := io.ReadAll(in)
	must(t, err)
	must(t, in.Close())
	return text
}

// same compares a parcel with the one that was stored.
func same(t testing.TB, got, want *spoor.Parcel) {
	t.Helper()
	g, w := *got, *want
	g.Files, w.Files = nil, nil
	if !reflect.DeepEqual(g, w) {
		t.Fatalf("parcel\n%+v\nwant\n%+v", g, w)
	}
	if len(got.Files) != len(want.Files) {
		t.Fatalf("%d files, want %d", len(got.Files), len(want.Files))
	}
	for i := range got.Files {
		g, w := got.Files[i], want.Files[i]
		if !bytes.Equal(content(t, &g), content(t, &w)) {
			t.Fatalf("the content of %s is not what was stored", w.Name)
		}
		g.Open, w.Open = nil, nil
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("file\n%+v\nwant\n%+v", g, w)
		}
	}
}

// store adds parcels to a plan and syncs.
func store(t testing.TB, v *vault.Vault, plan string, parcels ...*spoor.Parcel) []vault.Ref {
	t.Helper()
	w, err := v.Append(plan)
	must(t, err)
	var refs []vault.Ref
	for _, p := range parcels {
		ref, err := w.Add(p)
		must(t, err)
		refs = append(refs, ref)
	}
	must(t, w.Sync())
	must(t, w.Close())
	return refs
}

// entries lists a plan, and how many stretches are damaged.
func entries(t testing.TB, v *vault.Vault, plan string) (list []vault.Entry, damaged int) {
	t.Helper()
	for entry, err := range v.Entries(plan) {
		var damage *vault.Damage
		switch {
		case errors.As(err, &damage):
			damaged++
		case err != nil:
			t.Fatal(err)
		default:
			list = append(list, entry)
		}
	}
	return list, damaged
}

func container(dir, plan string) string { return filepath.Join(dir, plan+".spoorvault") }

// odd is a message of everything that is hard to write down.
func odd() *spoor.Parcel {
	p := letter(77)
	p.ID, p.Suffix, p.Held = "1abcDE-0000-\\n", "-H", true
	p.Sender, p.Subject = "\"a b\\\"@x \n", "=?utf-8?\xff\x00\r\n line\\s two "
	p.Source = spoor.Source{Kind: spoor.KindScript, Name: "/var/www/a b\n/mailer.php"}
	p.CallerUID, p.Arrived = -1, time.Unix(-5, 7).UTC()
	p.Envelope = append(p.Envelope, spoor.Recipient{Address: "with space\nand line@x", Channel: spoor.ChannelLocal}, spoor.Recipient{Address: "u@x"})
	p.Uncertain = []string{"under way@x", "?@x"}
	p.Files[1].Role, p.Files[1].Name = "in fo", "var/spool/a b\\n/\xfe"
	p.Files[1].Modified = time.Time{}
	p.Files[2].Mode, p.Files[2].Accessed = 0o7777, time.Date(2446, 1, 1, 0, 0, 0, 9, time.UTC)
	return p
}

func TestAParcelComesBackAsItWas(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir, nil)
	large := letter(1)
	large.Files[0] = memory("mess", "m", noise(1, 3<<20+17))
	large.Files[2] = memory("remote", "r", noise(2, 1<<20))
	full := letter(2)
	full.Files = []spoor.PackedFile{memory("a", "a", noise(3, 1<<20)), memory("b", "b", nil)}
	full.Envelope = nil
	bare := &spoor.Parcel{Target: spoor.Target{ID: "x"}, CallerUID: -1}
	parcels := []*spoor.Parcel{letter(0), large, full, odd(), bare, letter(3)}
	refs := store(t, v, "p-1", parcels...)

	list, damaged := entries(t, open(t, dir, nil), "p-1")
	if len(list) != len(parcels) || damaged != 0 {
		t.Fatalf("%d entries and %d stretches of damage, want %d and 0", len(list), damaged, len(parcels))
	}
	for i, entry := range list {
		if entry.Ref != refs[i] {
			t.Errorf("entry %d is %+v, was stored as %+v", i, entry.Ref, refs[i])
		}
		if !reflect.DeepEqual(entry.Target, parcels[i].Target) {
			t.Errorf("entry %d is\n%+v\nwant\n%+v", i, entry.Target, parcels[i].Target)
		}
		got, err := v.Parcel(entry)
		must(t, err)
		same(t, got, parcels[i])
	}
	st, err := os.Stat(container(dir, "p-1"))
	must(t, err)
	if st.Mode() != 0o600 {
		t.Errorf("the container has mode %v", st.Mode())
	}
}

func TestTheLastMarkCounts(t *testing.T) {
	v := open(t, t.TempDir(), nil)
	refs := store(t, v, "p", letter(0), letter(1), letter(2), letter(3), letter(4))
	now := time.Unix(1700009999, 123).UTC()
	prepared := spoor.Prepared{Tag: "1a", OldID: "1001", NewID: "20 01", Folder: "var/x", Inode: 77, Undone: 3}
	marks := []vault.Mark{
		{},
		{Fate: vault.FateRestoring, Time: now, Prepared: prepared},
		{Fate: vault.FateRestored, Time: now, NewID: "2002"},
		{Fate: vault.FateVoid, Time: now},
		{Fate: vault.FatePurged, Time: now},
	}
	w, err := v.Append("p")
	must(t, err)
	must(t, w.Mark(refs[2], vault.Mark{Fate: vault.FateRestoring, Prepared: prepared}))
	for i, m := range marks[1:] {
		must(t, w.Mark(refs[i+1], m))
	}
	found := func(n int) bool {
		p := letter(n)
		_, ok := w.Find(p.ID, p.Arrived)
		return ok
	}
	for n, want := range []bool{true, true, true, false, false, false} {
		if got := found(n); got != want {
			t.Errorf("Find of message %d is %v, want %v", n, got, want)
		}
	}
	if entry, _ := w.Find("1001", letter(1).Arrived); entry.Mark != marks[1] || entry.Ref != refs[1] {
		t.Errorf("Find gives %+v", entry)
	}
	must(t, w.Sync())
	must(t, w.Close())
	list, _ := entries(t, v, "p")
	for i, entry := range list {
		if entry.Mark != marks[i] {
			t.Errorf("message %d has the mark\n%+v\nwant\n%+v", i, entry.Mark, marks[i])
		}
	}
	for _, ref := range []vault.Ref{{Plan: "p", Sequence: 0}, {Plan: "p", Sequence: 6}, {Plan: "q", Sequence: 1}} {
		w, err := v.Append("p")
		must(t, err)
		if w.Mark(ref, vault.Mark{}) == nil {
			t.Errorf("%+v was marked", ref)
		}
		must(t, w.Close())
	}
}

func TestAResumedPlanFindsWhatItHasStored(t *testing.T) {
	dir := t.TempDir()
	store(t, open(t, dir, nil), "p", letter(0), letter(1))
	w, err := open(t, dir, nil).Append("p")
	must(t, err)
	if ref, err := w.Add(letter(1)); !errors.Is(err, vault.ErrStored) || ref.Sequence != 2 {
		t.Errorf("Add of a stored message gives %+v, %v", ref, err)
	}
	other := letter(1)
	other.Arrived = other.Arrived.Add(1)
	if _, ok := w.Find(other.ID, other.Arrived); ok {
		t.Error("a message that arrived a nanosecond later was found")
	}
	ref, err := w.Add(other)
	must(t, err)
	if entry, ok := w.Find(other.ID, other.Arrived); !ok || entry.Ref != ref || ref.Sequence != 3 {
		t.Errorf("Find gives %+v, %v; Add gave %+v", entry.Ref, ok, ref)
	}
	must(t, w.Close())
}
