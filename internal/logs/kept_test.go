package logs

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

func TestKeptTextIsReadAnywhere(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 3*segmentBytes+segmentBytes/2)
	for i := range text {
		text[i] = byte('a' + random.IntN(20))
	}
	k, err := newKept()
	if err != nil {
		t.Fatal(err)
	}
	for rest := text; len(rest) > 0; {
		n, err := k.Write(rest[:min(len(rest), 1+random.IntN(100_000))])
		if err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	buf := make([]byte, 1000)
	for range 200 {
		at := random.IntN(len(text))
		n, err := k.ReadAt(buf, int64(at))
		if want := text[at:min(at+len(buf), len(text))]; !bytes.Equal(buf[:n], want) || (err != nil) != (n < len(buf)) {
			t.Fatalf("at %d: %d bytes, %v", at, n, err)
		}
	}
	if n, err := k.ReadAt(buf, 10*segmentBytes); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %d bytes, %v", n, err)
	}
}
