package cli

import (
	"slices"
	"testing"
)

func TestWhatIsMadeBeforehandComesInOrderAndEndsWithItsReader(t *testing.T) {
	made := 0
	numbers := func(yield func(int) bool) {
		for made = range 100 {
			if !yield(made) {
				return
			}
		}
	}
	if got := slices.Collect(beforehand(numbers)); len(got) != 100 || !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
	for n := range beforehand(numbers) {
		if n == 3 {
			break
		}
	}
	if made > 5 {
		t.Errorf("%d were made for a reader that stopped at the fourth", made)
	}
}

func TestBatchesAreKept(t *testing.T) {
	kept := slices.Collect(batches(slices.Values([]int{1, 2, 3, 4, 5}), 2))
	if !slices.EqualFunc(kept, [][]int{{1, 2}, {3, 4}, {5}}, slices.Equal) {
		t.Errorf("%v", kept)
	}
}
