package exim

import "testing"

func TestLinesOfRejectlogContinueAnEntry(t *testing.T) {
	for _, line := range []string{
		"", "Envelope-from: <eva@example.net>", "Envelope-to: <a@example.com>", "    <b@example.com>", "    ...", "P Received: from x", "\t(envelope-from <x@y>)",
		"F From: eva@example.net", "* Subject: old", "  Date: Mon, 23 Nov 2026 10:38:00 +0000", "  X-Odd : 1", "*** truncated ***", "-----------------",
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

func FuzzContinues(f *testing.F) {
	f.Add([]byte("P Received: x"))
	f.Add([]byte("*"))
	f.Fuzz(func(_ *testing.T, text []byte) { NewParser().Continues(text) })
}
