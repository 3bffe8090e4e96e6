package live

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
)

// decoded is a record of the eBPF programs, taken apart. Its slices alias the
// record.
type decoded struct {
	kind    uint32
	at      time.Duration // since boot
	process spoor.Process
	exe     identity
	parents []decodedParent
	args    []byte
	argsAll int // bytes of arguments there were
	env     []byte
	missed  uint32
	remote  netip.AddrPort
	files   []decodedFile
}

// decodedParent is a process that it descends from.
type decodedParent struct {
	process spoor.Process
	exe     identity
}

// decodedFile is a regular file that was open.
type decodedFile struct {
	fd       int
	id       identity
	path     string // from the root of the mounts
	readonly bool
}

// modeWrite is FMODE_WRITE, include/linux/fs.h.
const modeWrite = 0x2

// decodeRecord reads a record. The kernel's program wrote it, and other processes
// chose what names and arguments it holds. It reports false for what is no
// record.
func decodeRecord(r []byte) (decoded, bool) {
	if len(r) < atText {
		return decoded{}, false
	}
	word := func(at int) int { return int(binary.NativeEndian.Uint32(r[at:])) }
	d := decoded{
		kind: uint32(word(atKind)), at: span(r[atTime:]), exe: identityAt(r[atExe:]), missed: uint32(word(atMissed)),
		process: spoor.Process{PID: word(atPID), UID: word(atUID), GID: word(atGID), Start: span(r[atStart:]), Comm: textAt(r[atComm : atComm+16])},
		parents: parentsAt(r[atParents:atOpen]), argsAll: word(atArgsAll),
	}
	if d.kind != recordExec && d.kind != recordConnect {
		return decoded{}, false
	}
	if d.kind == recordConnect {
		d.remote = remoteAt(r)
	}
	rest := r[atText:]
	d.args, rest = cut(rest, word(atArgs))
	d.env, rest = cut(rest, word(atEnv))
	d.process.Dir, rest = pathAt(rest)
	d.process.Exe, rest = pathAt(rest)
	for i := range maxExes {
		var exe string
		if exe, rest = pathAt(rest); i < len(d.parents) {
			d.parents[i].process.Exe = exe
		}
	}
	for i := range min(word(atFiles), maxOpen) {
		entry := r[atOpen+i*openBytes:]
		file := decodedFile{
			fd: int(binary.NativeEndian.Uint32(entry[openFD:])), id: identityAt(entry[openFile:]),
			readonly: binary.NativeEndian.Uint32(entry[openMode:])&modeWrite == 0,
		}
		file.path, rest = pathAt(rest)
		d.files = append(d.files, file)
	}
	return d, true
}

func span(r []byte) time.Duration { return time.Duration(binary.NativeEndian.Uint64(r)) }

func identityAt(r []byte) identity {
	return identity{
		inode:  binary.NativeEndian.Uint64(r[identityInode:]),
		device: binary.NativeEndian.Uint32(r[identityDevice:]),
	}
}

// textAt is a C string in a field of fixed size.
func textAt(field []byte) string {
	text, _, _ := bytes.Cut(field, []byte{0})
	return string(text)
}

func parentsAt(r []byte) []decodedParent {
	var parents []decodedParent
	for ; len(r) >= parentBytes; r = r[parentBytes:] {
		pid := int(binary.NativeEndian.Uint32(r[parentPID:]))
		if pid == 0 {
			break
		}
		parents = append(parents, decodedParent{exe: identityAt(r[parentExe:]), process: spoor.Process{
			PID: pid, UID: int(binary.NativeEndian.Uint32(r[parentUID:])), GID: -1, Start: span(r[parentStart:]),
			Comm: textAt(r[parentComm : parentComm+16]),
		}})
	}
	return parents
}

// remoteAt is the address that a connection is opened to.
func remoteAt(r []byte) netip.AddrPort {
	port := uint16(binary.NativeEndian.Uint32(r[atPort:]))
	if binary.NativeEndian.Uint32(r[atFamily:]) == unix.AF_INET6 {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(r[atAddr:atAddr+16])).Unmap(), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(r[atAddr:atAddr+4])), port)
}

// cut returns the first n bytes, or what there is, and the rest.
func cut(r []byte, n int) (first, rest []byte) {
	n = min(max(n, 0), len(r))
	return r[:n], r[n:]
}

// pathAt puts a path together from its names, the last of which comes first, and
// returns what follows it. One that was not followed to its end is not known: "".
func pathAt(r []byte) (string, []byte) {
	var names []string
	for {
		name, rest, ok := bytes.Cut(r, []byte{0})
		if !ok || len(names) > maxDepth {
			return "", nil
		}
		r = rest
		if len(name) == 0 {
			break
		}
		names = append(names, string(name))
	}
	slices.Reverse(names)
	if len(names) > 0 && names[0] == "/" {
		return "", r
	}
	return "/" + strings.Join(names, "/"), r
}
