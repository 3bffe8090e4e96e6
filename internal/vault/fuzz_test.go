package vault_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"spoor"
	"spoor/internal/vault"
)

// FuzzContainer takes any bytes for a container: nothing panics, nothing grows
// beyond what is there, and what a reader has shown stays after a writer.
func FuzzContainer(f *testing.F) {
	name := f.TempDir()
	v := open(f, name, nil)
	refs := store(f, v, "p", letter(0), odd(), letter(2))
	w, err := v.Append("p")
	must(f, err)
	must(f, w.Mark(refs[0], vault.Mark{Fate: vault.FateRestoring, Prepared: spoor.Prepared{Tag: "1", NewID: "2"}}))
	must(f, w.Mark(refs[1], vault.Mark{Fate: vault.FateRestored, NewID: "3"}))
	must(f, w.Close())
	image, err := os.ReadFile(container(name, "p"))
	must(f, err)
	f.Add(image)
	f.Add(image[:len(image)-70])
	f.Add(image[:32])
	f.Add(append(image[:40:40], image[60:]...))
	f.Add(append(image[:len(image):len(image)], 0)) // to be mended
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		if len(data) > 0 && data[len(data)-1]%2 == 0 {
			vault.Mend(data)
		}
		name := memoryDir(t)
		must(t, os.WriteFile(container(name, "p"), data, 0o600))
		v := open(t, name, nil)
		seen := 0
		before := allocated()
		for entry, err := range v.Entries("p") {
			if err == nil {
				seen++
				readHostile(t, v, entry)
			}
		}
		// A frame has 48 bytes and unpacks to a megabyte at most.
		if used := allocated() - before; used > uint64(len(data)/48+2)*(3<<20) {
			t.Errorf("%d bytes of container made spoor allocate %d", len(data), used)
		}
		writeHostile(t, v)
		after := 0
		for _, err := range v.Entries("p") {
			if err == nil {
				after++
			}
		}
		if after < seen {
			t.Errorf("%d messages were there, and %d after a writer", seen, after)
		}
	})
}

func readHostile(t *testing.T, v *vault.Vault, entry vault.Entry) {
	p, err := v.Parcel(entry)
	if err != nil {
		return
	}
	for i := range p.Files {
		in, err := p.Files[i].Open()
		if err != nil {
			continue
		}
		n, err := io.Copy(io.Discard, in)
		if err == nil && n != p.Files[i].SizeBytes {
			t.Errorf("%d bytes of %d were read without an error", n, p.Files[i].SizeBytes)
		}
		must(t, in.Close())
	}
}

func writeHostile(t *testing.T, v *vault.Vault) {
	w, err := v.Append("p")
	if err != nil {
		return
	}
	p := letter(50)
	ref, err := w.Add(p)
	if err != nil && !errors.Is(err, vault.ErrStored) {
		t.Fatal(err)
	}
	must(t, w.Sync())
	must(t, w.Close())
	for entry, err := range v.Entries("p") {
		if err == nil && entry.Ref == ref {
			got, err := v.Parcel(entry)
			must(t, err)
			same(t, got, p)
			return
		}
	}
	t.Errorf("%+v was stored and is not there", ref)
}
