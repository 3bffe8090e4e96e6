package exim

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

// openRoot opens the spool of a root.
func openRoot(t testing.TB, root *host.Root) *Queue {
	t.Helper()
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := Open(root, ReadConfig(root, passwd, &spoor.Gaps{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func openCapture(t testing.TB, name string) *Queue {
	t.Helper()
	root, err := host.Open(hosttest.Unpack(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return openRoot(t, root)
}

// scanAll reads every message of a spool.
func scanAll(t testing.TB, q *Queue) (messages map[spoor.QueueID]*spoor.Message, scan *mta.Scan) {
	t.Helper()
	scan, err := q.Scan(t.Context(), mta.Want{Addresses: true})
	if err != nil {
		t.Fatal(err)
	}
	messages = map[spoor.QueueID]*spoor.Message{}
	for _, part := range scan.Parts {
		for m, err := range part {
			if err != nil {
				t.Fatal(err)
			}
			messages[m.ID] = m.Clone()
		}
	}
	return messages, scan
}

// captured are the captured servers, with the second in which exim -bp ran.
func captured() map[string]int64 {
	return map[string]int64{"exim": 1795430290, "exim499": 1795431430, "exim-odd": 1795674106}
}

// TestParityWithEximBP compares with what exim -bp printed on the captured
// server, byte for byte.
func TestParityWithEximBP(t *testing.T) {
	for name, second := range captured() {
		q := openCapture(t, name)
		q.now = func() time.Time { return time.Unix(second, 0) }
		var out bytes.Buffer
		if err := writeBP(q, &out); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(hosttest.Capture(t, name), "exim-bp.txt"))
		if err != nil {
			t.Fatal(err)
		}
		if out.String() == string(want) {
			continue
		}
		got := strings.Split(out.String(), "\n")
		for i, line := range strings.Split(string(want), "\n") {
			if i >= len(got) || got[i] != line {
				t.Errorf("%s: line %d is %q, exim prints %q", name, i+1, got[min(i, len(got)-1)], line)
				break
			}
		}
	}
}

func TestOddMessages(t *testing.T) {
	q := openCapture(t, "exim-odd")
	messages, scan := scanAll(t, q)
	bySender := map[string]*spoor.Message{}
	for _, m := range messages {
		bySender[m.Sender] = m
	}
	if m := bySender["e14@b.test"]; m.Recipients.Done() != 1 {
		t.Errorf("%d done: the last line of the journal is half written, and does not count", m.Recipients.Done())
	}
	if m := bySender["e20@b.test"]; m.Recipients.Done() != 1 {
		t.Errorf("%d done by the tree of a finished attempt", m.Recipients.Done())
	}
	if m := bySender["e18@b.test"]; m.Recipients.Len() != 2 {
		t.Errorf("%d recipients", m.Recipients.Len())
	}
	if m := bySender["e16@b.test"]; !m.HasEnvelope || m.Recipients.Len() != 2 {
		t.Errorf("variables that hold line ends spoil the message: %+v", m)
	}
	content, err := q.Content(bySender["e15@b.test"].ID)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(content)
	_ = content.Close()
	if err != nil || !strings.HasSuffix(string(text), "\n\nbody edit15\n") {
		t.Errorf("a body that lies with CRLF is read as %q, %v", text, err)
	}
	if n := len(scan.Gaps.List()); n != 7 || !scan.Complete {
		t.Errorf("%d gaps, want one for each damaged message: %v", n, scan.Gaps.List())
	}
}
