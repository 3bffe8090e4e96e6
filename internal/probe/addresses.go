package probe

import (
	"net"
	"net/netip"
)

// Addresses are this machine's own: one of the loopback first, then those that
// other machines can reach it by.
func Addresses() ([]netip.Addr, error) {
	list := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	all, err := net.InterfaceAddrs()
	for _, one := range all {
		prefix, err := netip.ParsePrefix(one.String())
		if err != nil {
			continue
		}
		if addr := prefix.Addr().Unmap(); addr.IsGlobalUnicast() {
			list = append(list, addr)
		}
	}
	return list, err
}

// Public reports whether an address is one that a blocklist can have.
func Public(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !carrier.Contains(addr)
}

// carrier is the space that providers share among customers (RFC 6598).
var carrier = netip.MustParsePrefix("100.64.0.0/10")
