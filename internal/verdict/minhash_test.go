package verdict

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSimilarityEstimatesJaccard compares with the true similarity of random
// sets. The standard error of one estimate is 1/16 at most, that of the mean of
// 200 is 0.0045.
func TestSimilarityEstimatesJaccard(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 7))
	s := newSigner()
	for _, shared := range []int{0, 10, 35, 50, 80, 100} {
		sum, worst, trials := 0.0, 0.0, 200
		want := float64(shared) / 100
		for range trials {
			a, b := emptySignature(), emptySignature()
			for i := range 300 { // members in either set: shared ones in both, the others by turns
				member := random.Uint64()
				inBoth := i < 3*shared
				if inBoth || i%2 == 0 {
					s.add(&a, member)
				}
				if inBoth || i%2 == 1 {
					s.add(&b, member)
				}
			}
			got := a.similarity(&b)
			sum += got
			worst = max(worst, math.Abs(got-want))
		}
		if mean := sum / float64(trials); math.Abs(mean-want) > 0.02 {
			t.Errorf("mean estimate of %.2f is %.3f", want, mean)
		}
		if worst > 0.25 {
			t.Errorf("worst estimate of %.2f is off by %.2f", want, worst)
		}
	}
}

// TestSignaturesStay holds the signature of one text fast: campaign IDs are to be
// the same in the next version.
func TestSignaturesStay(t *testing.T) {
	sig, ok := newSigner().sign([]byte(strings.Repeat("Dear customer, your account is limited. ", 3)))
	if got, want := sig.key(), uint64(0xa5615ad6a55e52f4); !ok || got != want {
		t.Errorf("key = %#x, %v, want %#x", got, ok, want)
	}
}

func TestShortTextHasNoSignature(t *testing.T) {
	for _, body := range []string{"", "hello", "see you at noon tomorrow then", strings.Repeat("12 34 ", 100)} {
		if _, ok := newSigner().sign([]byte(body)); ok {
			t.Errorf("%q has a signature", body)
		}
	}
}
