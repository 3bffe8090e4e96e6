package floor_test

import (
	"path/filepath"
	"testing"
	"time"

	"spoor/bench/floor"
	"spoor/bench/qmailgen"
)

func TestEveryFileIsReadOnce(t *testing.T) {
	root := t.TempDir()
	o := qmailgen.Options{Dir: root, Messages: 500, Seed: 1, Split: 3, Workers: 2, Now: time.Unix(1795435200, 0)}
	made, err := qmailgen.Generate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 2, 5} {
		got, err := floor.Measure(filepath.Join(root, "var/qmail/queue"), workers)
		if err != nil {
			t.Fatal(err)
		}
		if got.Mess != made.Messages || got.Info != made.Messages-made.Todo || got.Gone != 0 {
			t.Errorf("%d goroutines: read %+v of %+v", workers, got, made)
		}
		if got.PerMessage() <= 0 {
			t.Errorf("%d goroutines: no time passed", workers)
		}
	}
}

func TestAMissingQueueIsAnError(t *testing.T) {
	if _, err := floor.Measure(t.TempDir(), 1); err == nil {
		t.Error("no error")
	}
}
