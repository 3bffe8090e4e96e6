package cli

import (
	"errors"
	"testing"

	"spoor/internal/host"
	"spoor/internal/mta"
)

// TestAFreezeMayStopQmailSend: the method that was chosen says so, and the plan.
func TestAFreezeMayStopQmailSend(t *testing.T) {
	root, err := host.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	end := errors.New("seen")
	for _, stop := range []bool{true, false} {
		s := &server{root: root, adapter: mta.Adapter{Freezer: func(_ *mta.Server, c mta.Control, method string) (mta.Freezer, error) {
			if c.Stop != stop || method != "concurrencyremote" {
				t.Errorf("the freezer of %q may stop qmail-send: %t, want %t", method, c.Stop, stop)
			}
			return nil, end
		}}}
		if _, err := s.freezer(nil, nil, "dry-run", "concurrencyremote", stop); !errors.Is(err, end) {
			t.Error(err)
		}
	}
}
