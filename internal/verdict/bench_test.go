package verdict

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
)

// sized cuts bodies to one size, in bytes.
func sized(write writer, size int) writer {
	return func(n int) string { return strings.Repeat(write(n)+"\n", size/1000+1)[:size] }
}

func BenchmarkSign(b *testing.B) {
	for _, size := range []int{2 << 10, maxBody} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			body := []byte(sized(soup(1), size)(0))
			s := newSigner()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s.sign(body)
			}
		})
	}
}

func BenchmarkCluster(b *testing.B) {
	for name, write := range map[string]writer{"alike": letter(1), "different": soup(1)} {
		for _, n := range []int{200, 4000} {
			b.Run(fmt.Sprintf("%s/messages=%d", name, n), func(b *testing.B) {
				signatures := signed(b, write, n)
				for b.Loop() {
					cluster(signatures)
				}
			})
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	s := newStage(4000, 40000)
	for i := range 20 {
		write := letter(uint64(i))
		s.add(forgedBy(source(spoor.KindSite, fmt.Sprintf("site%d.example", i), 200, 10)), sized(write, 2<<10))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Judge(b.Context(), s.queue); err != nil {
			b.Fatal(err)
		}
	}
}
