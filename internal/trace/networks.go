package trace

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"spoor"
)

// networks are the pages of clients that did not authenticate. There may be
// hundreds of thousands, nearly all with addresses of IPv4.
type networks struct {
	v4    table[*book] // by number4
	v6    map[netip.Addr]*book
	slabs [][]book // of slabBooks, where the pages are, one beside the other
}

const slabBooks = 64

func (n *networks) init() {
	n.v6 = map[netip.Addr]*book{}
}

// find returns the page of a client, or nil.
func (n *networks) find(client netip.Addr) *book {
	if client.Is4() {
		return n.v4.get(number4(client))
	}
	return n.v6[client]
}

// of returns the page of a client, which it makes if there is none.
func (n *networks) of(client netip.Addr) *book {
	if b := n.find(client); b != nil {
		return b
	}
	last := len(n.slabs) - 1
	if last < 0 || len(n.slabs[last]) == slabBooks {
		n.slabs, last = append(n.slabs, make([]book, 0, slabBooks)), last+1
	}
	slab := append(n.slabs[last], book{source: spoor.Source{Kind: spoor.KindNetwork}, client: client, uid: -1, confidence: 1})
	n.slabs[last] = slab
	b := &slab[len(slab)-1]
	if client.Is4() {
		n.v4.put(number4(client), b)
	} else {
		n.v6[client] = b
	}
	return b
}

// all yields every page, in no order that means anything.
func (n *networks) all() iter.Seq[*book] {
	return func(yield func(*book) bool) {
		for _, slab := range n.slabs {
			for i := range slab {
				if !yield(&slab[i]) {
					return
				}
			}
		}
	}
}

func number4(client netip.Addr) uint64 {
	bytes := client.As4()
	return uint64(binary.BigEndian.Uint32(bytes[:]))
}

// parseClient reads the address of a client as logged. The result is invalid where
// it is none, as "unknown".
func parseClient(text []byte) netip.Addr {
	if client, ok := parse4(text); ok {
		return client
	}
	client, err := netip.ParseAddr(string(text))
	if err != nil {
		return netip.Addr{}
	}
	return client.Unmap()
}

// parse4 reads an address of IPv4 without the copy that netip.ParseAddr needs.
func parse4(text []byte) (netip.Addr, bool) {
	var address [4]byte
	n, digits, value := 0, 0, 0
	for i := 0; i <= len(text); i++ {
		switch {
		case i < len(text) && '0' <= text[i] && text[i] <= '9':
			value, digits = value*10+int(text[i]-'0'), digits+1
			if value > 255 || digits > 3 || digits > 1 && value < 10 {
				return netip.Addr{}, false
			}
		case i == len(text) || text[i] == '.':
			if digits == 0 || n == 4 {
				return netip.Addr{}, false
			}
			address[n] = byte(value)
			n, digits, value = n+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	return netip.AddrFrom4(address), n == 4
}
