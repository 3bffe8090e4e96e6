package live

import (
	"bytes"
	"encoding/hex"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// auditStamp is which event a record belongs to, and when that was.
type auditStamp struct {
	serial uint64
	at     time.Time // by a clock that stands still for up to 10 ms
}

// parseAuditStamp takes off what each record begins with:
//
//	audit(1700000000.123:456): arch=c000003e syscall=59 success=yes …
func parseAuditStamp(text []byte) (stamp auditStamp, rest []byte, ok bool) {
	text, ok = bytes.CutPrefix(text, []byte("audit("))
	head, rest, found := bytes.Cut(text, []byte("):"))
	when, serial, foundSerial := bytes.Cut(head, []byte{':'})
	seconds, millis, foundMillis := bytes.Cut(when, []byte{'.'})
	if !ok || !found || !foundSerial || !foundMillis {
		return stamp, nil, false
	}
	s, errSeconds := strconv.ParseInt(string(seconds), 10, 40)
	ms, errMillis := strconv.ParseUint(string(millis), 10, 10)
	stamp.serial, ok = auditNumber(serial, 64)
	stamp.at = time.Unix(s, int64(ms)*int64(time.Millisecond))
	return stamp, rest, ok && errSeconds == nil && errMillis == nil
}

// auditNumber is a decimal number.
func auditNumber(text []byte, bits int) (uint64, bool) {
	n, err := strconv.ParseUint(string(text), 10, bits)
	return n, err == nil
}

// auditFields yields what a record says, key=value. The values alias text. A value
// that somebody else chose is in quotes, or in hexadecimal digits if it holds
// anything that could end it: audit_log_untrustedstring() of kernel/audit.c.
func auditFields(text []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(text) > 0 {
			var key, value []byte
			var found bool
			text = bytes.TrimLeft(text, " ")
			if key, text, found = bytes.Cut(text, []byte{'='}); !found {
				return
			}
			value, text = auditValue(text)
			if !yield(string(key[bytes.LastIndexByte(key, ' ')+1:]), value) {
				return
			}
		}
	}
}

// auditValue takes a value off, its quotes included.
func auditValue(text []byte) (value, rest []byte) {
	if len(text) > 0 && text[0] == '"' {
		if end := bytes.IndexByte(text[1:], '"'); end >= 0 {
			return text[:end+2], text[end+2:]
		}
	}
	end := bytes.IndexByte(text, ' ')
	if end < 0 {
		return text, nil
	}
	return text[:end], text[end:]
}

// auditString is the text that a value stands for.
func auditString(value []byte) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return string(value[1 : len(value)-1])
	}
	decoded := make([]byte, hex.DecodedLen(len(value)))
	if n, err := hex.Decode(decoded, value); err == nil {
		return string(decoded[:n])
	}
	return "" // (null), <no_memory>, <too_long>
}

// auditSyscall is what is used of a SYSCALL record.
type auditSyscall struct {
	success   bool
	pid, ppid int
	uid, gid  int // the real ones
	comm, exe string
}

// parseAuditSyscall reads a SYSCALL record, which without its PID is none.
func parseAuditSyscall(text []byte) (auditSyscall, bool) {
	s := auditSyscall{uid: -1, gid: -1}
	for key, value := range auditFields(text) {
		switch key {
		case "success":
			s.success = string(value) == "yes"
		case "pid":
			s.pid = auditID(value)
		case "ppid":
			s.ppid = max(auditID(value), 0)
		case "uid":
			s.uid = auditID(value)
		case "gid":
			s.gid = auditID(value)
		case "comm":
			s.comm = auditString(value)
		case "exe":
			s.exe = auditString(value)
		}
	}
	return s, s.pid > 0
}

// auditID is the number of a process, a user or a group, or -1.
func auditID(value []byte) int {
	n, ok := auditNumber(value, 32)
	if !ok || n == 1<<32-1 {
		return -1
	}
	return int(n)
}

// auditPath is one file that an event is about.
type auditPath struct {
	item int
	name string // as the process named it
	id   identity
}

// parseAuditPath reads a PATH record. One without an inode is that of a file which
// there is not.
//
//	item=0 name="/bin/true" inode=247849 dev=fe:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL …
func parseAuditPath(text []byte) (auditPath, bool) {
	p := auditPath{item: -1}
	var inode, device bool
	for key, value := range auditFields(text) {
		switch key {
		case "item":
			p.item = auditID(value)
		case "name":
			p.name = auditString(value)
		case "inode":
			p.id.inode, inode = auditNumber(value, 64)
		case "dev":
			p.id.device, device = auditDevice(string(value))
		}
	}
	return p, p.item >= 0 && inode && device
}

// auditDevice reads "fe:00".
func auditDevice(text string) (uint32, bool) {
	major, minor, _ := strings.Cut(text, ":")
	a, errMajor := strconv.ParseUint(major, 16, 12)
	b, errMinor := strconv.ParseUint(minor, 16, 20)
	return uint32(a)<<20 | uint32(b), errMajor == nil && errMinor == nil
}

// auditArgs are the arguments of an EXECVE event, which may come in several
// records, and a long one in several pieces:
//
//	argc=3 a0="sendmail" a1="-f" a2=6120621B
//	argc=4 a0="sendmail" a1_len=18000 a1[0]=7878…
type auditArgs map[int]string

// add reads a record. What is over the bounds is left out, as of /proc.
func (a auditArgs) add(text []byte) {
	for key, value := range auditFields(text) {
		number, ok := strings.CutPrefix(key, "a")
		if i := strings.IndexByte(number, '['); i >= 0 {
			number = number[:i]
		}
		n, err := strconv.ParseUint(number, 10, 16)
		if !ok || err != nil || n >= maxArguments || len(a[int(n)]) >= maxArgument {
			continue
		}
		whole := a[int(n)] + auditString(value)
		a[int(n)] = whole[:min(len(whole), maxArgument)]
	}
}

// list is all up to the first that is not known.
func (a auditArgs) list() []string {
	var args []string
	for n := range maxArguments {
		arg, ok := a[n]
		if !ok {
			break
		}
		args = append(args, arg)
	}
	return args
}

// ofScript are the arguments that a script was run with, where the kernel has put
// its interpreter before them: items are the names of the files of that exec.
func ofScript(args []string, script, interpreter string) []string {
	if interpreter == "" || len(args) < 2 || args[0] != interpreter {
		return args
	}
	const most = 3 // interpreter, one argument of it, script
	if i := slices.Index(args[:min(len(args), most)], script); i > 0 {
		return args[i:]
	}
	return args
}
