package verdict

import (
	"slices"
	"testing"
)

// signed returns the signatures of n bodies.
func signed(t testing.TB, write writer, n int) []signature {
	t.Helper()
	s := newSigner()
	signatures := make([]signature, n)
	for i := range signatures {
		var ok bool
		if signatures[i], ok = s.sign([]byte(write(i))); !ok {
			t.Fatalf("body %d has no signature", i)
		}
	}
	return signatures
}

func TestLettersOfOneTextAreOneCluster(t *testing.T) {
	roots := cluster(signed(t, letter(1), 100))
	if got := len(slices.Compact(slices.Sorted(slices.Values(roots)))); got != 1 {
		t.Errorf("%d clusters, want 1", got)
	}
}

func TestRandomTextsAreNoCluster(t *testing.T) {
	roots := cluster(signed(t, soup(1), 100))
	if got := len(slices.Compact(slices.Sorted(slices.Values(roots)))); got != 100 {
		t.Errorf("%d clusters, want 100", got)
	}
}

func TestClustersOfTwoTexts(t *testing.T) {
	signatures := slices.Concat(signed(t, letter(1), 30), signed(t, letter(2), 20), signed(t, soup(3), 10))
	sizes := map[int]int{}
	for i, root := range cluster(signatures) {
		if root > i {
			t.Errorf("root of %d is %d", i, root)
		}
		sizes[root]++
	}
	if len(sizes) != 12 || sizes[0] != 30 || sizes[30] != 20 {
		t.Errorf("sizes = %v", sizes)
	}
}

func TestSetsKeepTheSmallest(t *testing.T) {
	s := newSets(6)
	s.union(4, 5)
	s.union(2, 4)
	s.union(5, 1)
	want := []int{0, 1, 1, 3, 1, 1}
	for i, root := range want {
		if got := s.find(i); got != root {
			t.Errorf("find(%d) = %d, want %d", i, got, root)
		}
	}
}
