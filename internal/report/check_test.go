package report

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"spoor"
)

func TestCheckLine(t *testing.T) {
	suspect := sampleWho()
	suspect.Sources = suspect.Sources[1:]
	partialSpam := sampleWho()
	partialSpam.Complete = false
	f := func(who *Who, want Status) {
		t.Helper()
		t.Run(want.String(), func(t *testing.T) {
			got, err := who.Check(io.Discard)
			if err != nil || got != want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	f(sampleWho(), StatusCritical)
	f(partialSpam, StatusCritical)
	f(suspect, StatusWarning)
	f(partialWho(), StatusUnknown)
	f(cleanWho(), StatusOK)
	f(emptyWho(), StatusOK)
	golden(t, "check", func(out io.Writer) error {
		for _, who := range []*Who{sampleWho(), partialSpam, suspect, partialWho(), cleanWho(), emptyWho()} {
			if _, err := who.Check(out); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestEveryStatusHasAWord(t *testing.T) {
	words := []string{"OK", "WARNING", "CRITICAL", "UNKNOWN", "status(4)"}
	for status, want := range words {
		if got := Status(status).String(); got != want {
			t.Errorf("status %d is %q", status, got)
		}
	}
	if got := Status(-1).String(); got != "status(-1)" {
		t.Errorf("got %q", got)
	}
}

func TestProblem(t *testing.T) {
	problem := &spoor.Problem{
		What: "cannot read /var/qmail/queue/mess/3/2996948: permission denied",
		So:   "1,204 of 27,645 messages are not counted; the ranking below may be wrong",
		Try:  "sudo spoor",
	}
	f := func(err error, want string) {
		t.Helper()
		var got bytes.Buffer
		if err := Problem(&got, err); err != nil || got.String() != want {
			t.Errorf("got %q, %v, want %q", got.String(), err, want)
		}
	}
	f(problem, "spoor: cannot read /var/qmail/queue/mess/3/2996948: permission denied\n"+
		"  so:  1,204 of 27,645 messages are not counted; the ranking below may be wrong\n"+
		"  try: sudo spoor\n")
	f(fmt.Errorf("server 2: %w", problem), "spoor: server 2: cannot read /var/qmail/queue/mess/3/2996948: permission denied\n"+
		"  so:  1,204 of 27,645 messages are not counted; the ranking below may be wrong\n"+
		"  try: sudo spoor\n")
	f(&spoor.Problem{What: "x", Try: "rm $(x)"}, "spoor: x\n")
	f(io.ErrUnexpectedEOF, "spoor: unexpected EOF\n")
}
