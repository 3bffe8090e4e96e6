package cli

import (
	"net/netip"
	"slices"
	"testing"
)

// A machine often has a service address on its loopback.
func TestAddressesOfTheLoopbackAreTheMachinesOwn(t *testing.T) {
	if own := ownAddresses(); !slices.Contains(own, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("the machine's own addresses are %v", own)
	}
}
