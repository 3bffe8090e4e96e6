package trace

import (
	"testing"

	"pgregory.net/rapid"
)

// TestATableIsAMap does at random what a map does too.
func TestATableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got table[*int]
		want := map[uint64]*int{}
		// few keys, that often want the same place
		key := rapid.Custom(func(t *rapid.T) uint64 {
			return uint64(rapid.IntRange(0, 40).Draw(t, "key")) << rapid.SampledFrom([]int{0, 54, 60}).Draw(t, "shift")
		})
		for range rapid.IntRange(0, 3000).Draw(t, "steps") {
			k := key.Draw(t, "k")
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				v := new(int)
				got.put(k, v)
				want[k] = v
			case 1:
				got.remove(k)
				delete(want, k)
			default:
				if got.get(k) != want[k] {
					t.Fatalf("%d: %p, want %p", k, got.get(k), want[k])
				}
			}
		}
		n := 0
		for k, v := range got.all() {
			if n++; want[k] != v {
				t.Fatalf("%d: %p, want %p", k, v, want[k])
			}
		}
		if n != len(want) || got.n != n {
			t.Fatalf("%d values, and %d counted, want %d", n, got.n, len(want))
		}
	})
}

func TestATableGrows(t *testing.T) {
	var got table[*uint64]
	for i := range uint64(100_000) {
		got.put(i<<32, &i)
	}
	for i := range uint64(100_000) {
		if v := got.get(i << 32); v == nil || *v != i {
			t.Fatalf("%d: %v", i, v)
		}
		if i%2 == 0 {
			got.remove(i << 32)
		}
	}
	if got.n != 50_000 || got.get(2<<32) != nil || got.get(3<<32) == nil {
		t.Errorf("%d", got.n)
	}
}
