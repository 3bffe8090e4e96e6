package measure

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"spoor"
)

// mailPorts are where mail is handed over.
func mailPorts() []uint16 { return []uint16{25, 465, 587} }

func comment(words string) []byte { return userdata.AppendString(nil, userdata.TypeComment, words) }

// ports makes the set of ports of one rule.
func (t *table) ports() (*nftables.Set, error) {
	set := &nftables.Set{Table: t.table, Anonymous: true, Constant: true, KeyType: nftables.TypeInetService}
	var elements []nftables.SetElement
	for _, port := range mailPorts() {
		elements = append(elements, nftables.SetElement{Key: binary.BigEndian.AppendUint16(nil, port)})
	}
	return set, t.conn.AddSet(set, elements)
}

// toPorts are the expressions "tcp dport { … } reject with tcp reset".
func toPorts(ports *nftables.Set) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: 1, SetName: ports.Name, SetID: ports.ID},
		&expr.Reject{Type: unix.NFT_REJECT_TCP_RST},
	}
}

// ofUser is "meta skuid UID [oifname != "lo"] tcp dport { … } reject with tcp reset".
func ofUser(spec *spoor.Firewall, ports *nftables.Set) []expr.Any {
	exprs := []expr.Any{
		&expr.Meta{Key: expr.MetaKeySKUID, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(uint32(spec.UID))},
	}
	if !spec.Loopback {
		name := make([]byte, unix.IFNAMSIZ)
		copy(name, "lo")
		exprs = append(exprs, &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: name})
	}
	return append(exprs, toPorts(ports)...)
}

// source loads the client's address into a register, of packets of this family.
func source(family int) []expr.Any {
	protocol, address := byte(unix.NFPROTO_IPV4), &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
	if family == 1 {
		protocol, address = unix.NFPROTO_IPV6, &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 8, Len: 16}
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		address,
	}
}

// fromNetworks is "ip saddr @networks4 tcp dport { … } reject with tcp reset", and
// the same for IPv6.
func fromNetworks(family int, set, ports *nftables.Set) []expr.Any {
	exprs := append(source(family), &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID})
	return append(exprs, toPorts(ports)...)
}

// fromNetwork is "ip saddr 192.0.2.0/24 tcp dport { … } reject with tcp reset", and the
// same for IPv6.
func fromNetwork(p netip.Prefix, ports *nftables.Set) []expr.Any {
	family := 0
	if p.Addr().Is6() {
		family = 1
	}
	first := p.Masked().Addr().AsSlice()
	mask := make([]byte, len(first))
	for bit := range p.Bits() {
		mask[bit/8] |= 0x80 >> (bit % 8)
	}
	exprs := append(source(family),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: uint32(len(first)), Mask: mask, Xor: make([]byte, len(first))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: first})
	return append(exprs, toPorts(ports)...)
}

// interval is a network as elements of a set of intervals: its first address, and
// the first one behind it.
func interval(p netip.Prefix, left time.Duration) []nftables.SetElement {
	first, behind := bounds(p)
	elements := []nftables.SetElement{{Key: first, Timeout: left}}
	if len(behind) > 0 {
		elements = append(elements, nftables.SetElement{Key: behind, IntervalEnd: true})
	}
	return elements
}

// bounds are the first address of a network and the first one behind it; nil if
// there is none.
func bounds(p netip.Prefix) (first, behind []byte) {
	p = p.Masked()
	first = p.Addr().AsSlice()
	behind = p.Addr().AsSlice()
	for bit := p.Bits() - 1; bit >= 0; bit-- {
		mask := byte(0x80) >> (bit % 8)
		if behind[bit/8]&mask == 0 {
			behind[bit/8] |= mask
			return first, behind
		}
		behind[bit/8] &^= mask
	}
	return first, nil
}
