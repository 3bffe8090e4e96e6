package trace

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"spoor"
)

func TestSourcesAreOrderedByTheirRecipients(t *testing.T) {
	for n := range 200 {
		list := make([]spoor.Traffic, n)
		for i, place := range rand.Perm(n) {
			list[i] = spoor.Traffic{
				Source: spoor.Source{Kind: spoor.KindAccount, Name: strconv.Itoa(place)}, Recipients: place % 5, Messages: place % 3,
			}
			if place%2 == 0 {
				list[i].History = &spoor.History{Recipients: place % 7}
			}
		}
		want := slices.Clone(list)
		slices.SortFunc(want, func(a, b spoor.Traffic) int {
			return cmp.Or(cmp.Compare(b.TotalRecipients(), a.TotalRecipients()), cmp.Compare(b.Messages, a.Messages), a.Source.Compare(b.Source))
		})
		sortTraffic(list)
		for i := range list {
			if list[i].Source != want[i].Source {
				t.Fatalf("of %d sources, number %d is %v, want %v", n, i, list[i].Source, want[i].Source)
			}
		}
	}
}
