package remedy

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
)

func samplePlan() *spoor.Plan {
	return &spoor.Plan{
		Action: spoor.ActionRemove, Time: at, Host: "mx", Root: "/", MTA: "qmail", By: "root", Reason: "spam", Selector: []string{"site:shop.test"},
		QueueMessages: 12,
		Targets: []spoor.Target{
			{
				ID: "2996948", Folder: "/var/qmail/queue/mess/3", Arrived: at.Add(-time.Hour).Add(123), SizeBytes: 9, Inode: 2996948, State: spoor.StateRemote,
				Sender: "a\x1b[31m<&\"@x.test", Recipients: 3, Done: 1, Subject: "Re: \u2028", Source: spoor.Source{Kind: spoor.KindSite, Name: "shop.test"},
				Class: spoor.Spam, Confidence: 0.99,
			},
			{ID: "3", Folder: "/q", Arrived: at, Vault: "20261126T090000-rm"},
		},
	}
}

// stateIn opens a state folder, or returns the error of a fault.
func stateIn(name string, seam disk.Seam) (*State, func(), error) {
	parent, err := disk.Open(name, seam)
	if err != nil {
		return nil, nil, err
	}
	s, err := OpenState(parent, "var/lib/spoor")
	if err != nil {
		_ = parent.Close()
		return nil, nil, err
	}
	return s, func() {
		s.Close()
		_ = parent.Close()
	}, nil
}

func TestAPlanIsReadAsItWasWritten(t *testing.T) {
	s, done, err := stateIn(t.TempDir(), nil)
	must(t, err)
	defer done()
	must(t, s.Lock())
	w := &Work{State: s, Now: func() time.Time { return at }}
	first, second := samplePlan(), samplePlan()
	must(t, w.Propose(first))
	must(t, w.Propose(second))
	if first.ID != "20261126T100000-rm" || second.ID != first.ID+"-2" {
		t.Errorf("IDs are %s and %s", first.ID, second.ID)
	}
	got, err := s.Plan(first.ID)
	must(t, err)
	if !reflect.DeepEqual(got, first) {
		t.Errorf("read\n%+v\nwant\n%+v", got, first)
	}
	for _, id := range []string{"", "../journal", "20261126T100000-rm/x", "nothing-here", "-x"} {
		if _, err := s.Plan(id); !errors.Is(err, ErrNoPlan) {
			t.Errorf("plan %q gives %v, want ErrNoPlan", id, err)
		}
	}
}

func TestAPlanIsWholeOrNotThere(t *testing.T) {
	for _, fault := range disktest.Faults() {
		for n := 1; ; n++ {
			name := t.TempDir()
			script := &disktest.Script{Fault: fault, N: n}
			id, promised := propose(name, script.Seam)
			s, done, err := stateIn(name, nil)
			if err != nil {
				t.Fatalf("%s: %v", script, err)
			}
			p, err := s.Plan("20261126T100000-rm")
			switch {
			case promised && (err != nil || p.ID != id):
				t.Fatalf("%s: the plan was promised and reading it gives %v", script, err)
			case err == nil && len(p.Targets) != 2:
				t.Fatalf("%s: the plan has %d targets", script, len(p.Targets))
			case err != nil && !errors.Is(err, ErrNoPlan):
				t.Fatalf("%s: %v", script, err)
			}
			done()
			if script.Calls() < n {
				break
			}
		}
	}
}

func propose(name string, seam disk.Seam) (id string, ok bool) {
	s, done, err := stateIn(name, seam)
	if err != nil {
		return "", false
	}
	defer done()
	p := samplePlan()
	err = (&Work{State: s}).Propose(p)
	return p.ID, err == nil
}

func TestADamagedPlanIsRefused(t *testing.T) {
	name := t.TempDir()
	id, ok := propose(name, nil)
	if !ok {
		t.Fatal("no plan")
	}
	path := filepath.Join(name, "var/lib/spoor", plansName, id+planSuffix)
	data, err := os.ReadFile(path)
	must(t, err)
	for _, broken := range [][]byte{data[:len(data)/2], append([]byte("{}"), data...), {}} {
		must(t, os.WriteFile(path, broken, 0o600))
		s, done, err := stateIn(name, nil)
		must(t, err)
		if _, err := s.Plan(id); !errors.Is(err, ErrPlanDamaged) {
			t.Errorf("a damaged plan gives %v", err)
		}
		done()
	}
}

func TestOneSpoorAtATime(t *testing.T) {
	name := t.TempDir()
	first, doneFirst, err := stateIn(name, nil)
	must(t, err)
	must(t, first.Lock())
	second, doneSecond, err := stateIn(name, nil)
	must(t, err)
	defer doneSecond()
	if err := second.Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock gives %v, want ErrLocked", err)
	}
	doneFirst()
	must(t, second.Lock())
}

func TestAForeignStateFolderIsRefused(t *testing.T) {
	name := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(name, "var/lib/spoor"), 0o755))
	must(t, os.Chmod(filepath.Join(name, "var/lib/spoor"), 0o777))
	if _, _, err := stateIn(name, nil); !errors.Is(err, ErrNotOurs) {
		t.Errorf("a folder that all may write to gives %v", err)
	}
	other := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(other, "var/lib"), 0o755))
	must(t, os.Symlink(t.TempDir(), filepath.Join(other, "var/lib/spoor")))
	if _, _, err := stateIn(other, nil); err == nil {
		t.Error("a symlink is followed")
	}
}
