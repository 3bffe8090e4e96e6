package measure

import (
	"bytes"
	"testing"

	"spoor"
)

// FuzzLineChanges makes changes to any content and takes them back: on what nobody
// has touched since, that is the identity; on what
// somebody has touched, nothing else than spoor's lines goes.
func FuzzLineChanges(f *testing.F) {
	f.Add([]byte("myhostname = mx\nmynetworks = 127.0.0.0/8"), "mynetworks = 127.0.0.0/8", "mynetworks =", []byte("# by hand"))
	f.Add([]byte("a\nb\nc\n"), "b", "", []byte("d"))
	f.Add([]byte(""), "", "info@shop.test REJECT", []byte("x"))
	f.Add([]byte("x\ny\n"), "x", "x\nb", []byte(""))
	f.Add([]byte("Y\nx"), "Y", "x\nx", []byte(""))
	f.Fuzz(func(t *testing.T, content []byte, from, to string, theirs []byte) {
		if from == "" && to == "" || bytes.Contains(content, []byte(to)) && to != "" || bytes.Contains(theirs, []byte("\n")) ||
			bytes.HasSuffix([]byte(from), []byte("\n")) || bytes.HasSuffix([]byte(to), []byte("\n")) || bytes.HasPrefix([]byte(to), []byte("\n")) || bytes.HasPrefix([]byte(from), []byte("\n")) {
			return
		}
		changes := []spoor.LineChange{{Old: from, New: to}}
		after, err := apply(content, changes)
		if err != nil {
			return
		}
		back, err := takeBack(after, content, changes)
		if err != nil {
			t.Fatalf("%q became %q, which cannot be taken back: %v", content, after, err)
		}
		if !bytes.Equal(back, content) {
			t.Fatalf("%q became %q, and then %q", content, after, back)
		}
		edited := append(endedLines(after), theirs...)
		if _, times := find(edited, to); to != "" && times != 1 {
			return
		}
		back, err = takeBack(edited, content, changes)
		if err == nil && len(theirs) > 0 && !bytes.Contains(back, theirs) {
			t.Fatalf("%q is lost: %q", theirs, back)
		}
	})
}
