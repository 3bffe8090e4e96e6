package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"spoor/internal/store"
)

func TestRecipientsAreKeptUntilThePlanIsForgotten(t *testing.T) {
	ctx := context.Background()
	x := open(t, filepath.Join(t.TempDir(), "index.db"))
	want := map[uint64][]byte{1: []byte("r- a@b\n"), 2: {}, 3: {0, 0xff}}
	has := func(plan string, want bool) {
		t.Helper()
		got, err := x.HasEnvelopes(ctx, plan)
		if must(t, err); got != want {
			t.Errorf("the index has the recipients of %s: %v", plan, got)
		}
	}
	for _, plan := range []string{"p", "q"} {
		must(t, x.SetKnown(ctx, plan, store.Stamp{SizeBytes: 1}))
		has(plan, false)
		must(t, x.PutEnvelopes(ctx, plan, []store.Envelope{{Sequence: 1, Text: want[1]}, {Sequence: 2}, {Sequence: 3, Text: want[3]}}))
		has(plan, true)
	}
	must(t, x.Forget(ctx, "q"))
	has("q", false)
	got, err := x.Envelopes(ctx, "p")
	if must(t, err); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the recipients are %v, want %v", got, want)
	}
	if got, err := x.Envelopes(ctx, "q"); err != nil || len(got) != 0 {
		t.Errorf("of a plan that was forgotten there are %v, %v", got, err)
	}
	must(t, x.SetKnown(ctx, "p", store.Stamp{SizeBytes: 2}))
	has("p", false) // the container has changed
}
