package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTheManPagesAreThoseOfTheCommands fails until make docs has been run.
func TestTheManPagesAreThoseOfTheCommands(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*.8"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob("../../man/*.8")
	if err != nil {
		t.Fatal(err)
	}
	if len(made) < 10 || len(made) != len(kept) {
		t.Errorf("%d pages are made, %d are in man", len(made), len(kept))
	}
	for _, name := range made {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../../man", filepath.Base(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		if string(got) != string(want) {
			t.Errorf("%s is out of date: run make docs", filepath.Base(name))
		}
	}
}
