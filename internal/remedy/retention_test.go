package remedy

import (
	"bytes"
	"io"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/vault"
)

// TestWhatIsPastTheRetention is about two plans: one that ended at the moment at,
// another one that is not finished.
func TestWhatIsPastTheRetention(t *testing.T) {
	dir, err := disk.Open(t.TempDir(), nil)
	must(t, err)
	defer func() { must(t, dir.Close()) }()
	state, err := OpenState(dir, "state")
	must(t, err)
	defer state.Close()
	must(t, state.Lock())
	sizes := map[string]int64{}
	for _, plan := range []string{"done", "going-on"} {
		sizes[plan] = fill(t, state, plan)
		must(t, state.Journal.Write(Record{Time: at, Plan: plan, Event: EventPlanned, Action: "rm", Messages: 1}))
	}
	must(t, state.Journal.Write(Record{Time: at, Plan: "done", Event: EventFinished}))
	all := sizes["done"] + sizes["going-on"]
	for _, c := range []struct {
		retention vault.Retention
		after     time.Duration
		want      int64
	}{
		{vault.Retention{}, 1000 * time.Hour, 0},
		{vault.Retention{MaxAge: time.Hour}, 30 * time.Minute, 0},
		{vault.Retention{MaxAge: time.Hour}, 2 * time.Hour, sizes["done"]},
		{vault.Retention{MaxBytes: 100}, 0, all - 100},
		{vault.Retention{MaxBytes: 1 << 40, MaxAge: 5 * time.Hour}, time.Hour, 0},
		{vault.Retention{MaxShare: 0.99}, 0, 0},
		{vault.Retention{}, 1000 * time.Hour, 0},
	} {
		must(t, state.SetRetention(c.retention, Record{Time: at}))
		if got := state.Retention(); got != c.retention {
			t.Errorf("the retention is %+v, want %+v", got, c.retention)
		}
		got, err := state.Overdue(at.Add(c.after))
		if must(t, err); got != c.want {
			t.Errorf("%+v: %d bytes are overdue after %s, want %d", c.retention, got, c.after, c.want)
		}
	}
	state.Close()
	again, err := LookState(dir, "state")
	must(t, err)
	defer again.Close()
	if n := len(again.Journal.Plans()); n != 2+7 || again.Retention() != (vault.Retention{}) {
		t.Errorf("%d plans are in the journal, and the retention is %+v", n, again.Retention())
	}
}

// fill stores a message in the vault, and returns the size of its container.
func fill(t *testing.T, state *State, plan string) int64 {
	t.Helper()
	w, err := state.Vault.Append(plan)
	must(t, err)
	_, err = w.Add(&spoor.Parcel{
		Target: spoor.Target{ID: "7", Folder: "mess/7", Arrived: at}, MTA: "qmail",
		Files: []spoor.PackedFile{{Role: "mess", Name: "mess/7", SizeBytes: 5, Open: func() (spoor.Content, error) {
			return io.NopCloser(bytes.NewReader([]byte("hello"))), nil
		}}},
	})
	must(t, err)
	must(t, w.Sync())
	must(t, w.Close())
	st, err := state.Vault.Stat(plan)
	must(t, err)
	return st.SizeBytes
}
