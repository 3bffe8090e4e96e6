package vault_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"spoor/internal/vault"
)

// TestWhatIsPackedBesideIsWhatAddStores compares the containers: but for marker and
// checksums of heads, which hold it, they are the same bytes.
func TestWhatIsPackedBesideIsWhatAddStores(t *testing.T) {
	folder := t.TempDir()
	v := open(t, folder, nil)
	one, err := v.Append("one")
	must(t, err)
	two, err := v.Append("two")
	must(t, err)
	packers := [2]*vault.Packer{}
	for i := range packers {
		packers[i], err = vault.NewPacker()
		must(t, err)
	}
	for i := range 50 {
		p := letter(i)
		p.Files = append(p.Files, memory("more", "more", noise(uint64(i), 2000*i)))
		want, err := one.Add(p)
		must(t, err)
		packed, err := packers[i%2].Pack(p)
		must(t, err)
		got, err := two.AddPacked(packed)
		must(t, err)
		if got.Sequence != want.Sequence || got.Offset != want.Offset {
			t.Errorf("message %d is at %+v, want %+v", i, got, want)
		}
		if _, err := two.AddPacked(packed); !errors.Is(err, vault.ErrStored) {
			t.Errorf("the second time gives %v", err)
		}
	}
	must(t, errors.Join(packers[0].Close(), packers[1].Close(), one.Sync(), two.Sync(), one.Close(), two.Close()))
	want, err := os.ReadFile(filepath.Join(folder, "one.spoorvault"))
	must(t, err)
	got, err := os.ReadFile(filepath.Join(folder, "two.spoorvault"))
	must(t, err)
	if got, want := withoutMarkers(got), withoutMarkers(want); !bytes.Equal(got, want) {
		t.Errorf("the containers differ: %d and %d bytes", len(got), len(want))
	}
	for entry, err := range v.Entries("two") {
		must(t, err)
		parcel, err := v.Parcel(entry)
		must(t, err)
		for i := range parcel.Files {
			content(t, &parcel.Files[i])
		}
	}
}

// withoutMarkers blanks what differs by chance from container to container.
func withoutMarkers(container []byte) []byte {
	marker := bytes.Clone(container[16:24])
	clear(container[24:32])
	for at := 0; ; {
		next := bytes.Index(container[at:], marker)
		if next < 0 {
			return container
		}
		at += next
		clear(container[at : at+8])
		if end := at + 48; at >= 32 && end <= len(container) {
			clear(container[end-8 : end])
		}
		at += 8
	}
}

func TestAPackerRefusesWhatItWouldHold(t *testing.T) {
	v := open(t, t.TempDir(), nil)
	w, err := v.Append("p")
	must(t, err)
	k, err := vault.NewPacker()
	must(t, err)
	large := letter(1)
	large.Files[0] = memory("mess", "m", noise(7, 3<<20))
	if _, err := k.Pack(large); !errors.Is(err, vault.ErrLarge) {
		t.Errorf("a large message gives %v", err)
	}
	short := letter(2)
	short.Files[0].SizeBytes++
	if _, err := k.Pack(short); !errors.Is(err, vault.ErrSource) || !errors.Is(err, vault.ErrSize) {
		t.Errorf("a short file gives %v", err)
	}
	packed, err := k.Pack(letter(3))
	must(t, err)
	_, err = w.Add(large)
	must(t, err)
	_, err = w.AddPacked(packed)
	must(t, err)
	must(t, errors.Join(w.Sync(), w.Close(), k.Close()))
	n := 0
	for entry, err := range v.Entries("p") {
		must(t, err)
		parcel, err := v.Parcel(entry)
		must(t, err)
		for i := range parcel.Files {
			content(t, &parcel.Files[i])
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d messages are stored, want 2", n)
	}
}
