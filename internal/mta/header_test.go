package mta

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestFieldsAreFoundInMalformedHeaders(t *testing.T) {
	finds := func(name, block, want string, body int) {
		t.Helper()
		var got []string
		for f := range Fields([]byte(block)) {
			got = append(got, fmt.Sprintf("%d %s=%q", f.Line, f.Name, f.Value))
			if !bytes.Equal([]byte(block)[f.At:f.At+len(f.Value)], f.Value) {
				t.Errorf("%s: value of %s is not at %d", name, f.Name, f.At)
			}
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s: %s\nwant %s", name, text, want)
		}
		if at, _ := BodyStart([]byte(block)); at != body {
			t.Errorf("%s: body at %d, want %d", name, at, body)
		}
	}
	finds("plain", "A: 1\nB: 2\n\nC: 3\n", `1 A=" 1", 2 B=" 2"`, 11)
	finds("folded", "A: 1\n\t2\n  3\nB:\n\n", `1 A=" 1\n\t2\n  3", 4 B=""`, 16)
	finds("carriage returns", "A: 1\r\n 2\r\nB: 3\r\n\r\nx", `1 A=" 1\r\n 2", 3 B=" 3"`, 18)
	finds("blanks before the colon", "A \t: 1\n\n", `1 A=" 1"`, 8)
	finds("lines that are no field", "From x\nA: 1\n: 2\nB C: 3\nD: 4\n\n", `2 A=" 1", 5 D=" 4"`, 29)
	finds("a continuation without a field", " x: 1\nA: 2\n\n", `2 A=" 2"`, 12)
	finds("no end of the header", "A: 1\nB: 2", `1 A=" 1", 2 B=" 2"`, 9)
	finds("no header", "\nA: 1\n", ``, 1)
	finds("nothing", "", ``, 0)
	finds("controls and NULs", "A\x00: 1\nB: \x00\xff\n\n", `2 B=" \x00\xff"`, 13)
}

func FuzzFields(f *testing.F) {
	f.Add([]byte("A: 1\n\tfolded\r\nB:2\n\nbody"))
	f.Add([]byte("\n"))
	f.Add([]byte("A:\n \n\t\nB"))
	f.Fuzz(func(t *testing.T, block []byte) {
		last := 0
		body, _ := BodyStart(block)
		for field := range Fields(block) {
			if field.At < last || field.At+len(field.Value) > body {
				t.Fatalf("value at %d to %d, after %d, body at %d", field.At, field.At+len(field.Value), last, body)
			}
			last = field.At + len(field.Value)
			if lines := 1 + bytes.Count(block[:field.At], []byte("\n")); lines != field.Line {
				t.Fatalf("line %d, counted %d", field.Line, lines)
			}
		}
	})
}
