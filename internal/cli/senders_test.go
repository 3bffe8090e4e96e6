package cli

import (
	"encoding/json"
	"testing"

	"spoor/internal/host/hosttest"
)

// An account may use its own address though its domain is not served here. The log
// counts that as the queue does: also when the queue has been cleared.
func TestQueueAndLogAgreeOnWhoseASenderIs(t *testing.T) {
	root := hosttest.Unpack(t, "postfix")
	reason := func() string {
		var document struct {
			Sources []struct {
				Source  string
				Reasons []struct{ Symbol, Text string }
			}
		}
		if err := json.Unmarshal([]byte(spoorPrints(t, "--root", root, "--json")), &document); err != nil {
			t.Fatal(err)
		}
		for _, s := range document.Sources {
			if s.Source != "account:anna@example.com" {
				continue
			}
			for _, r := range s.Reasons {
				if r.Symbol == "FOREIGN_SENDERS" {
					return r.Text
				}
			}
		}
		return ""
	}
	before := reason()
	spoorPrints(t, "--root", root, "queue", "rm", "account:anna@example.com", "--yes", "--reason", "spam")
	after := reason()
	const want = "17 of 32 messages (53%) have a sender whose domain is not served here; 15 different senders in all"
	const logged = "17 of 33 messages (52%) have a sender whose domain is not served here; 15 different senders in all, in the log"
	if before != want || after != logged {
		t.Errorf("queue: %s\nlog:   %s", before, after)
	}
}
