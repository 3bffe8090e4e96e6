package vault_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"spoor"
	"spoor/internal/vault"
)

// TestATornMarkGivesWayToTheOneBefore lets the disk lose the payload of marks that
// were never synced, while marks behind them reached it.
func TestATornMarkGivesWayToTheOneBefore(t *testing.T) {
	name := t.TempDir()
	v := open(t, name, nil)
	refs := store(t, v, "p", letter(0), letter(1), letter(2))
	restoring := func(n int, tag string) vault.Mark {
		return vault.Mark{Fate: vault.FateRestoring, Time: time.Unix(1700000000, 0).UTC(), By: "back", Prepared: spoor.Prepared{Tag: tag, OldID: letter(n).ID, NewID: "77", Folder: "f", Inode: 7, Undone: 1}}
	}
	w, err := v.Append("p")
	must(t, err)
	must(t, w.Mark(refs[1], restoring(1, "durable")))
	must(t, w.Sync())
	must(t, w.Mark(refs[0], restoring(0, "torn0")))
	must(t, w.Mark(refs[1], vault.Mark{Fate: vault.FateRestored, NewID: "tornid"}))
	must(t, w.Mark(refs[2], restoring(2, "whole")))
	must(t, w.Close())
	image, err := os.ReadFile(container(name, "p"))
	must(t, err)
	for _, word := range []string{"torn0", "tornid"} {
		at := bytes.LastIndex(image, []byte(word))
		clear(image[at : at+len(word)])
	}
	must(t, os.WriteFile(container(name, "p"), image, 0o600))
	for range 2 { // what was repaired stays so
		w, err = v.Append("p")
		must(t, err)
		for n, want := range []vault.Mark{{Fate: vault.FateStored}, restoring(1, "durable"), restoring(2, "whole")} {
			entry, ok, err := w.Look(letter(n).ID, letter(n).Arrived)
			must(t, err)
			if !ok || entry.Mark != want {
				t.Errorf("message %d is marked %+v, want %+v", n, entry.Mark, want)
			}
		}
		must(t, w.Close())
	}
	for entry, err := range v.Entries("p") {
		if err != nil {
			t.Errorf("message %d: %v", entry.Sequence, err)
		}
	}
}
