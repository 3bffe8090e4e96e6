package mta

import (
	"net/netip"
	"testing"

	"spoor"
)

func TestNoFirewallKeepsTheMachineFromItself(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	for name, refused := range map[string]bool{
		"198.51.100.7": false, "198.51.100.0/24": false, "2001:db8:1::/48": false,
		"127.0.0.1": true, "::1": true, "0.0.0.0/0": true, "126.0.0.0/7": true, "::/0": true, "192.0.2.1": true, "192.0.2.0/24": true, "2001:db8::/48": true,
	} {
		m := BarNetwork(&spoor.Culprit{Source: spoor.Source{Kind: spoor.KindNetwork, Name: name}, Live: true, Addresses: own})
		if (len(m.Refused) > 0) != refused || (len(m.Steps) == 0) != refused {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
