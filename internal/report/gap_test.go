package report

import (
	"slices"
	"testing"

	"spoor"
)

func TestGapsAreListedOnce(t *testing.T) {
	got := mergeGaps([]spoor.Gap{
		{File: "(more)", Reason: "a", Count: 5},
		{File: "/x", Reason: "a", Count: 1},
		{File: "/x", Reason: "b", Count: 1},
		{File: "/x", Reason: "a", Count: 2},
		{File: "(more)", Reason: "a", Count: 1},
	})
	want := []spoor.Gap{
		{File: "(more)", Reason: "a", Count: 6}, {File: "/x", Reason: "a", Count: 3}, {File: "/x", Reason: "b", Count: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
