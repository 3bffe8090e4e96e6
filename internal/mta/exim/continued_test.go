package exim

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestLinesOfRejectlogContinueAnEntry(t *testing.T) {
	for _, line := range []string{
		"", "Envelope-from: <eva@example.net>", "Envelope-to: <a@example.com>", "    <b@example.com>", "    ...", "P Received: from x", "\t(envelope-from <x@y>)",
		"F From: eva@example.net", "F From    : userx", "* Subject: old", "  Date: Mon, 23 Nov 2026 10:38:00 +0000", "  X-Odd : 1", "*** truncated ***", "-----------------",
	} {
		if !NewParser().Continues([]byte(line)) {
			t.Errorf("%q is said to be damaged", line)
		}
	}
	for _, line := range []string{"ir/)", "Envelope-from: ", "PP Received: x", "P Received", "P : x", "p Received: x", "----", "1vMabc-0007n3-1A Completed", "P Odd name: x"} {
		if NewParser().Continues([]byte(line)) {
			t.Errorf("%q is said to continue an entry", line)
		}
	}
}

func TestRejectlogsOfEximsOwnTestsAreKnown(t *testing.T) {
	names, err := filepath.Glob("../../../../shared/corpus/logs/exim-testsuite/rejectlog/*")
	if err != nil || len(names) == 0 {
		t.Skip("the corpus is not here")
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			line = bytes.TrimRight(line, "\n")
			if stamped := len(line) > 19 && line[4] == '-' && line[10] == ' '; stamped || bytes.HasPrefix(line, []byte("********")) { // the suite's own mark
				continue
			}
			if !NewParser().Continues(line) {
				t.Errorf("%s: %q is said to be damaged", filepath.Base(name), line)
			}
		}
	}
}

func FuzzContinues(f *testing.F) {
	f.Add([]byte("P Received: x"))
	f.Add([]byte("*"))
	f.Fuzz(func(_ *testing.T, text []byte) { NewParser().Continues(text) })
}
