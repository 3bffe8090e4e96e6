//go:build e2e

package postfix

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"spoor/e2e/mailtest"
	"spoor/internal/probe"
)

// TestWhetherPostfixRelaysIsTried offers a real Postfix mail for somebody elsewhere,
// as a client that may relay and as one that may not.
func TestWhetherPostfixRelaysIsTried(t *testing.T) {
	for networks, accepted := range map[string]bool{"127.0.0.1/32": true, "192.0.2.0/24": false} {
		root := mailtest.New(t, "postfix")
		s := startWith(root, root.Sinks(), "mynetworks = "+networks+"\n")
		port, err := strconv.ParseUint(s.SMTP, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		test, err := probe.Relay(t.Context(), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)))
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(test.Lines, "\n"))
		}
		if test.Accepted != accepted {
			t.Errorf("mynetworks %s: accepted %v, want %v\n%s", networks, test.Accepted, accepted, strings.Join(test.Lines, "\n"))
		}
	}
}
