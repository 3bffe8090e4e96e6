package postfix

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
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

// openRoot opens the queue of a root.
func openRoot(t testing.TB, root *host.Root) *Queue {
	t.Helper()
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil {
		t.Fatal(err)
	}
	conf, _ := ReadConfig(root, passwd, &spoor.Gaps{})
	conf.MailSystem = func(uid int) bool { return uid == 110 } // a filter's
	q, err := Open(root, conf)
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

// scanAll reads every message of a queue.
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

func original(t *testing.T, capture, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(hosttest.Capture(t, capture), name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestParityWithPostqueue compares with what postqueue -j printed on the captured
// server. Unpacking gives the directories another order.
func TestParityWithPostqueue(t *testing.T) {
	for _, capture := range []string{"postfix", "postfix-odd"} {
		var out bytes.Buffer
		if err := writePostqueue(openCapture(t, capture), &out); err != nil {
			t.Fatal(err)
		}
		got := slices.Sorted(strings.Lines(out.String()))
		want := slices.Sorted(strings.Lines(string(original(t, capture, "postqueue-j.json"))))
		if len(got) != len(want) {
			t.Errorf("%s: %d messages, postqueue prints %d", capture, len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("%s: postqueue prints\n%swe print\n%s", capture, want[i], got[i])
			}
		}
	}
}

// TestContentIsWhatPostcatPrints holds for messages that a milter has edited too,
// whose header and body are found through pointers.
func TestContentIsWhatPostcatPrints(t *testing.T) {
	q := openCapture(t, "postfix-odd")
	for line := range strings.Lines(string(original(t, "postfix-odd", "postcat-bh.sha256"))) {
		want, id, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := q.Content(spoor.QueueID(id))
		if err != nil {
			t.Errorf("Content(%s): %v", id, err)
			continue
		}
		hash := sha256.New()
		_, err = io.Copy(hash, bufio.NewReader(content))
		_ = content.Close()
		if got := hex.EncodeToString(hash.Sum(nil)); got != want || err != nil {
			t.Errorf("Content(%s) hashes to %s, %v; postcat printed %s", id, got, err, want)
		}
	}
}

// TestEditedMessagesHaveTheirEditedEnvelope is about what a milter did: it
// changed the sender, added a recipient and removed one.
func TestEditedMessagesHaveTheirEditedEnvelope(t *testing.T) {
	messages, _ := scanAll(t, openCapture(t, "postfix-odd"))
	m := messages["0B27898D449"]
	var got []string
	for r := range m.Recipients.All() {
		got = append(got, r.Address)
	}
	if want := []string{"x@y.test", "added@extra.test"}; !slices.Equal(got, want) || m.Sender != "newsender@changed.test" {
		t.Errorf("from %s to %v, want %v", m.Sender, got, want)
	}
	if m.Subject != "changed by milter to something quite a bit longer than before" {
		t.Errorf("subject %q", m.Subject)
	}
	if entry := m.Trail.Entry(); entry == nil || entry.Client.String() != "127.0.0.1" || entry.Line != 2 {
		t.Errorf("entry %+v, want the client in the Received line below the inserted one", entry)
	}
}

func TestStatesOfTheCapture(t *testing.T) {
	messages, scan := scanAll(t, openCapture(t, "postfix-odd"))
	count := map[spoor.State]int{}
	for _, m := range messages {
		count[m.State]++
	}
	want := map[spoor.State]int{spoor.StateMaildrop: 4, spoor.StateIncoming: 1, spoor.StateDeferred: 24, spoor.StateHold: 3, spoor.StateCorrupt: 1}
	for state, n := range want {
		if count[state] != n {
			t.Errorf("%d messages are %s, want %d", count[state], state, n)
		}
	}
	if _, ok := messages["4jZmZv3Nshz1STmG"]; ok {
		t.Error("a file of mode 0600, which is still being written, is listed")
	}
	if gaps := scan.Gaps.List(); len(gaps) != 2 {
		t.Errorf("gaps %v, want one for the cut file and one for the one set aside", gaps)
	}
}
