package cli

import (
	"bytes"
	"encoding/json"
	"testing"

	"spoor/internal/host/hosttest"
)

// TestEveryLoggedMessageIsAttributedRight compares what the log tells of messages
// that had left the queue before the capture with what was staged. MTAs whose log
// names the message in each line leave no doubt.
func TestEveryLoggedMessageIsAttributedRight(t *testing.T) {
	for name, least := range map[string]int{"postfix": 16, "exim": 23, "exim499": 23} {
		t.Run(name, func(t *testing.T) {
			root := hosttest.Unpack(t, name)
			left := 0
			for id, truth := range hosttest.ReadTruth(t, name) {
				if truth.Queued {
					continue
				}
				left++
				if got := tracedSource(t, root, id); !truth.Accepts(got) {
					t.Errorf("message %s came from %s, truth %v (%s)", id, got, truth.Accept, truth.Note)
				}
			}
			if left < least {
				t.Errorf("%d messages had left, want %d", left, least)
			}
		})
	}
}

// tracedSource is the source of the first message that trace lists for an ID.
func tracedSource(t *testing.T, root, id string) string {
	t.Helper()
	var out, problems bytes.Buffer
	if status := Main([]string{"--root", root, "trace", id, "--json"}, testEnvironment(&out, &problems)); status != exitDone {
		t.Errorf("trace %s: status %d\n%s", id, status, problems.String())
		return ""
	}
	var document struct {
		Lives []struct{ ID, Source string }
	}
	if err := json.Unmarshal(out.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Lives) == 0 || document.Lives[0].ID != id {
		t.Errorf("trace %s lists %v", id, document.Lives)
		return ""
	}
	return document.Lives[0].Source
}
