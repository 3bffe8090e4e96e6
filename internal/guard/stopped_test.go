package guard

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
)

func record(what string) Stopped {
	return Stopped{
		What: what, Start: []string{"/usr/bin/svc", "-u", "/service/" + what}, Plan: "p1",
		Time: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC),
	}
}

func TestWhatIsStoppedIsRecorded(t *testing.T) {
	name := t.TempDir()
	dir, err := disk.Open(name, nil)
	must(t, err)
	defer func() { must(t, dir.Close()) }()
	if _, found, err := ReadStopped(dir); found || err != nil {
		t.Errorf("an empty directory has a record: %v", err)
	}
	must(t, WriteStopped(dir, record("first")))
	must(t, WriteStopped(dir, record("second")))
	got, found, err := ReadStopped(dir)
	must(t, err)
	if !found || !reflect.DeepEqual(got, record("second")) {
		t.Errorf("read %+v", got)
	}
	must(t, RemoveStopped(dir))
	must(t, RemoveStopped(dir))
	names, err := dir.Names()
	must(t, err)
	if len(names) != 0 {
		t.Errorf("left: %q", names)
	}
}

func TestARecordOfOthersIsNotBelieved(t *testing.T) {
	name := t.TempDir()
	dir, err := disk.Open(name, nil)
	must(t, err)
	defer func() { must(t, dir.Close()) }()
	must(t, WriteStopped(dir, record("x")))
	must(t, dir.Chmod(stoppedName, 0o620))
	if s, found, err := ReadStopped(dir); found || !errors.Is(err, ErrUntrusted) || s.Start != nil {
		t.Errorf("a record that a group can write gives %+v, %v", s, err)
	}
	must(t, os.Remove(filepath.Join(name, stoppedName)))
	must(t, os.Symlink("/etc/passwd", filepath.Join(name, stoppedName)))
	if _, found, err := ReadStopped(dir); found || err == nil {
		t.Error("a link is followed")
	}
}

// TestARecordSurvivesEveryFault: after any fault there is the old record or the
// new one, whole, and the next attempt succeeds.
func TestARecordSurvivesEveryFault(t *testing.T) {
	for _, fault := range disktest.Faults() {
		for n := 1; ; n++ {
			script := &disktest.Script{Fault: fault, N: n}
			name := t.TempDir()
			dir, err := disk.Open(name, nil)
			must(t, err)
			must(t, WriteStopped(dir, record("old")))
			faulty, err := disk.Open(name, script.Seam)
			if err == nil {
				err = WriteStopped(faulty, record("new"))
				must(t, faulty.Close())
			}
			got, found, readErr := ReadStopped(dir)
			must(t, readErr)
			if !found || (got.What != "old" && got.What != "new") || (err == nil && got.What != "new") {
				t.Errorf("%s: %v, and the record is %+v", script, err, got)
			}
			must(t, WriteStopped(dir, record("new")))
			if got, _, err = ReadStopped(dir); err != nil || got.What != "new" {
				t.Errorf("%s: after another attempt %+v, %v", script, got, err)
			}
			must(t, dir.Close())
			if script.Calls() < n {
				break
			}
		}
	}
}
