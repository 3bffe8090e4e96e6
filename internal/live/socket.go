package live

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// socket is a connection to a port of mail.
type socket struct {
	remote netip.AddrPort
	uid    int
	inode  uint64
}

// States of include/net/tcp_states.h.
const (
	tcpEstablished = 1
	tcpSynSent     = 2
)

// parseSockets reads /proc/net/tcp or tcp6 and keeps what is connected, or being
// connected, to a port of mail. A line:
//
//	1: 0100007F:9C4A 0100007F:0019 01 00000000:00000000 00:00000000 00000000  1000        0 31337 1 …
func parseSockets(text []byte) []socket {
	var list []socket
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		const remoteField, stateField, uidField, inodeField = 2, 3, 7, 9
		if len(fields) <= inodeField {
			continue
		}
		state, err := strconv.ParseUint(fields[stateField], 16, 8)
		if err != nil || state != tcpEstablished && state != tcpSynSent {
			continue
		}
		remote, ok := parseEndpoint(fields[remoteField])
		if !ok || !slices.Contains(mailPorts(), remote.Port()) {
			continue
		}
		uid, errUID := strconv.ParseUint(fields[uidField], 10, 32)
		inode, errInode := strconv.ParseUint(fields[inodeField], 10, 64)
		if errUID == nil && errInode == nil && inode != 0 {
			list = append(list, socket{remote: remote, uid: int(uid), inode: inode})
		}
	}
	return list
}

// parseEndpoint reads an address and a port: words of 32 bits in the order of
// the machine, then the port.
func parseEndpoint(text string) (netip.AddrPort, bool) {
	address, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	number, errPort := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || errPort != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), ok
}
