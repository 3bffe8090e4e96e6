package cli

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"spoor"
)

// A machine often has a service address on its loopback.
func TestAddressesOfTheLoopbackAreTheMachinesOwn(t *testing.T) {
	if own := ownAddresses(); !slices.Contains(own, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("the machine's own addresses are %v", own)
	}
}

// Debian's configuration of Exim is made anew, and then read again.
func TestWhatIsToBeDoneByHandIsInOrder(t *testing.T) {
	m := spoor.Measures{
		Steps:  []spoor.Step{{Kind: spoor.StepCommand, Command: &spoor.Command{Do: []string{"/usr/sbin/update-exim4.conf"}}}},
		ByHand: []string{"service exim4 reload"},
	}
	if got, want := strings.Join(onlyPossible(m, false).ByHand, "; "), "/usr/sbin/update-exim4.conf; service exim4 reload"; got != want {
		t.Errorf("by hand: %s, want %s", got, want)
	}
}
