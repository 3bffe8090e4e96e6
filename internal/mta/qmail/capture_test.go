package qmail

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

// openQueue opens the queue below dir.
func openQueue(t testing.TB, dir string) *Queue {
	t.Helper()
	root, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	q, err := Open(root, passwd, Options{})
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

// scanAll reads every message of a queue.
func scanAll(t testing.TB, q *Queue) (messages map[string]*spoor.Message, scan *mta.Scan) {
	t.Helper()
	scan, err := q.Scan(t.Context(), mta.Want{Addresses: true, Routed: true})
	if err != nil {
		t.Fatal(err)
	}
	messages = map[string]*spoor.Message{}
	last := uint64(0)
	for _, part := range scan.Parts {
		for m, err := range part {
			if err != nil {
				t.Fatal(err)
			}
			if _, twice := messages[string(m.ID)]; twice {
				t.Errorf("message %s is listed twice", m.ID)
			}
			if id, _ := parseID([]byte(m.ID)); id <= last {
				t.Errorf("message %s comes after %d", m.ID, last)
			} else {
				last = id
			}
			messages[string(m.ID)] = m.Clone()
		}
	}
	return messages, scan
}

// captures are the captured servers with what qmail-qstat counted.
func captures() map[string]struct{ messages, unprocessed, split int } {
	return map[string]struct{ messages, unprocessed, split int }{"qmail": {117, 13, 23}, "qmail-forged": {307, 21, 17}}
}

// states translates the states of truth.tsv.
func states(truth string) []spoor.State {
	if state, ok := spoor.ParseState(truth); ok {
		return []spoor.State{state}
	}
	switch truth {
	case "S4-todo":
		return []spoor.State{spoor.StateTodo}
	case "S2-orphan", "S3-orphan":
		return []spoor.State{spoor.StateIncomplete}
	}
	return []spoor.State{spoor.StateLocal, spoor.StateRemote, spoor.StateBoth, spoor.StateDone}
}

func TestEveryMessageOfACaptureIsReadAsItWas(t *testing.T) {
	for name := range captures() {
		t.Run(name, func(t *testing.T) { testCapture(t, name) })
	}
}

func testCapture(t *testing.T, name string) {
	q := openQueue(t, hosttest.Unpack(t, name))
	messages, scan := scanAll(t, q)
	want := captures()[name]
	if listed, todo := scan.Count(); listed != want.messages || todo != want.unprocessed || q.Split() != want.split || q.BigTodo() {
		t.Errorf("counted %d and %d, split %d; want %+v", listed, todo, q.Split(), want)
	}
	if gaps := scan.Gaps.List(); len(gaps) > 0 || !scan.Complete || scan.Unreadable() != 0 {
		t.Errorf("gaps in a sound queue: %v", gaps)
	}
	for id, truth := range hosttest.ReadTruth(t, name) {
		m, ok := messages[id]
		if ok != truth.Queued {
			t.Errorf("message %s listed: %v, truth %v", id, ok, truth.Queued)
		}
		if !ok {
			continue
		}
		delete(messages, id)
		if !slices.Contains(states(truth.State), m.State) {
			t.Errorf("message %s is %s, truth %s", id, m.State, truth.State)
		}
		if m.Recipients.Len() != truth.Recipients || m.Recipients.Done() != truth.Done {
			t.Errorf("message %s has %d recipients, %d done; truth %d, %d", id, m.Recipients.Len(), m.Recipients.Done(), truth.Recipients, truth.Done)
		}
		if m.HasEnvelope && m.Sender != truth.Sender && !strings.Contains(truth.Sender, `\`) {
			t.Errorf("message %s is from %q, truth %q", id, m.Sender, truth.Sender)
		}
		if m.HasEnvelope == (m.State == spoor.StateIncomplete) {
			t.Errorf("message %s has an envelope: %v, truth %s", id, m.HasEnvelope, truth.State)
		}
		if entry := m.Trail.Entry(); truth.Client != "" && entry.Client.String() != truth.Client {
			t.Errorf("message %s came from %s, truth %s", id, entry.Client, truth.Client)
		}
		if bouncing := strings.Contains(truth.Note, "bouncing"); m.Bouncing != bouncing {
			t.Errorf("message %s bouncing: %v, truth %v", id, m.Bouncing, bouncing)
		}
		if m.Trail.Broken != "" && name == "qmail" {
			t.Errorf("message %s: %s", id, m.Trail.Broken)
		}
	}
	for id := range messages {
		t.Errorf("message %s is listed and not in truth.tsv", id)
	}
}

func TestFindGivesWhatTheScanGave(t *testing.T) {
	q := openQueue(t, hosttest.Unpack(t, "qmail"))
	messages, _ := scanAll(t, q)
	for id, scanned := range messages {
		found, err := q.Find(t.Context(), spoor.QueueID(id))
		if err != nil {
			t.Fatalf("Find(%s): %v", id, err)
		}
		if found.Key() != scanned.Key() || found.State != scanned.State || found.Bouncing != scanned.Bouncing ||
			found.Path() != scanned.Path() || !slices.Equal(slices.Collect(found.Recipients.All()), slices.Collect(scanned.Recipients.All())) {
			t.Errorf("Find(%s) = %+v\nscan gave %+v", id, found, scanned)
		}
	}
}

// TestParityWithTheOriginals compares with what qmail-qread and qmail-qstat
// printed on the captured server. The order of messages may differ.
func TestParityWithTheOriginals(t *testing.T) {
	for name := range captures() {
		t.Run(name, func(t *testing.T) { testParity(t, name) })
	}
}

func testParity(t *testing.T, capture string) {
	q := openQueue(t, hosttest.Unpack(t, capture))
	var qread, qstat bytes.Buffer
	if err := q.WriteQread(&qread); err != nil {
		t.Fatal(err)
	}
	if err := q.WriteQstat(&qstat); err != nil {
		t.Fatal(err)
	}
	original := func(name string) string {
		data, err := os.ReadFile(filepath.Join(hosttest.Capture(t, capture), name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if got, want := qstat.String(), original("qmail-qstat.txt"); got != want {
		t.Errorf("qmail-qstat prints\n%swe print\n%s", want, got)
	}
	got, want := stanzas(qread.String()), stanzas(original("qmail-qread.txt"))
	if !slices.Equal(got, want) {
		t.Errorf("%d messages, qmail-qread prints %d, or they differ", len(got), len(want))
	}
}

// stanzas cuts the output of qmail-qread into messages and sorts them.
func stanzas(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line[0] == '\t' || line[0] == ' ' {
			list[len(list)-1] += line
			continue
		}
		list = append(list, line)
	}
	slices.Sort(list)
	return list
}

// openError returns the error of opening a queue below dir.
func openError(t testing.TB, dir string) error {
	t.Helper()
	root, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	_, err = Open(root, &host.Passwd{}, Options{})
	return err
}
