package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// auditState is what the kernel's audit is set to: what is asked for, never
// changed.
type auditState struct {
	enabled bool
	lost    uint32   // records that the kernel itself had no room for, since it was started
	execve  bool     // a rule tells of execs
	narrow  []string // why it may not tell of all, in words
}

// Why audit cannot be used.
var (
	errAuditOff     = errors.New("audit is not enabled on this server (auditctl -s)")
	errAuditNoRule  = errors.New("audit has no rule for execve (auditctl -l), and spoor adds none")
	errAuditNarrow  = errors.New("the execve rules of audit leave processes out")
	errAuditNetwork = errors.New("spoor is not in the network namespace that audit tells of its records")
)

// askAudit asks the kernel for the status of audit and for its rules. It takes
// CAP_AUDIT_CONTROL.
func askAudit() (auditState, error) {
	var state auditState
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		return state, err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}); err != nil {
		return state, err
	}
	err = auditRequest(fd, unix.AUDIT_GET, func(text []byte) bool {
		const enabledAt, lostAt, size = 4, 24, 32 // struct audit_status of linux/audit.h
		if len(text) >= size {
			state.enabled, state.lost = binary.NativeEndian.Uint32(text[enabledAt:]) != 0, binary.NativeEndian.Uint32(text[lostAt:])
		}
		return false
	})
	if err != nil {
		return state, fmt.Errorf("ask for its status: %w", err)
	}
	err = auditRequest(fd, unix.AUDIT_LIST_RULES, func(text []byte) bool {
		if rule, ok := parseAuditRule(text); ok {
			state.add(rule)
		}
		return true
	})
	if err != nil {
		return state, fmt.Errorf("ask for its rules: %w", err)
	}
	return state, nil
}

// usable says why it cannot be used; nil if it can.
func (s *auditState) usable() error {
	switch {
	case !s.enabled:
		return errAuditOff
	case !s.execve:
		return errAuditNoRule
	}
	return nil
}

// maxAuditMessage is more than a record or a rule has, in bytes:
// MAX_AUDIT_MESSAGE_LENGTH of linux/audit.h is 8970.
const maxAuditMessage = 16 << 10

// auditRequest asks a question without content, and hands the answers on until one
// says that it was the last, or more says so.
func auditRequest(fd int, question uint16, more func(text []byte) bool) error {
	request := make([]byte, unix.NLMSG_HDRLEN)
	binary.NativeEndian.PutUint32(request, unix.NLMSG_HDRLEN)
	binary.NativeEndian.PutUint16(request[4:], question)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, maxAuditMessage)
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		kind, text, ok := auditMessage(buf[:n], from)
		switch {
		case !ok:
		case kind == unix.NLMSG_ERROR:
			if len(text) < 4 {
				return unix.EPROTO
			}
			if errno := -int32(binary.NativeEndian.Uint32(text)); errno != 0 {
				return unix.Errno(errno)
			}
		case kind == unix.NLMSG_DONE, kind == question && !more(text):
			return nil
		}
	}
}

// auditMessage takes the head off a message of the kernel; what a process sent is
// none. The length in the head is not that of the message in all kernels: a
// datagram holds one message.
func auditMessage(buf []byte, from unix.Sockaddr) (kind uint16, text []byte, ok bool) {
	sender, isNetlink := from.(*unix.SockaddrNetlink)
	if !isNetlink || sender.Pid != 0 || len(buf) < unix.NLMSG_HDRLEN {
		return 0, nil, false
	}
	return binary.NativeEndian.Uint16(buf[4:]), buf[unix.NLMSG_HDRLEN:], true
}

// auditRule is what is used of a rule.
type auditRule struct {
	list, action uint32
	execve       bool // its system calls are all, or execve among others
	native       bool // it holds for programs of this machine's own kind
	fields       []uint32
	types        []uint32 // of records, in the list of what is left out
}

// parseAuditRule reads struct audit_rule_data of linux/audit.h.
func parseAuditRule(text []byte) (auditRule, bool) {
	const (
		countAt  = 8
		maskAt   = countAt + 4
		fieldsAt = maskAt + unix.AUDIT_BITMASK_SIZE*4
		valuesAt = fieldsAt + unix.AUDIT_MAX_FIELDS*4
		flagsAt  = valuesAt + unix.AUDIT_MAX_FIELDS*4
		size     = flagsAt + unix.AUDIT_MAX_FIELDS*4
	)
	if len(text) < size {
		return auditRule{}, false
	}
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(text[at:]) }
	rule := auditRule{list: word(0) &^ unix.AUDIT_FILTER_PREPEND, action: word(4), native: true}
	rule.execve = word(maskAt+unix.SYS_EXECVE/32*4)&(1<<(unix.SYS_EXECVE%32)) != 0
	for i := range int(min(word(countAt), unix.AUDIT_MAX_FIELDS)) {
		field, value, equal := word(fieldsAt+4*i), word(valuesAt+4*i), word(flagsAt+4*i) == unix.AUDIT_EQUAL
		switch {
		case field == unix.AUDIT_FILTERKEY:
		case field == unix.AUDIT_ARCH && equal:
			rule.native = rule.native && value == nativeArch()
		case field == unix.AUDIT_MSGTYPE && equal:
			rule.types = append(rule.types, value)
		default:
			rule.fields = append(rule.fields, field)
		}
	}
	return rule, true
}

// nativeArch is AUDIT_ARCH of a program that is made for this machine; 0 where it
// is not known here: then no rule that names one is its own.
func nativeArch() uint32 {
	switch runtime.GOARCH {
	case "amd64":
		return unix.AUDIT_ARCH_X86_64
	case "arm64":
		return unix.AUDIT_ARCH_AARCH64
	default:
		return 0
	}
}

// add takes a rule into account.
func (s *auditState) add(r auditRule) {
	switch {
	case r.list == unix.AUDIT_FILTER_EXIT && r.action == unix.AUDIT_ALWAYS && r.execve && r.native:
		s.always(r)
	case r.list == unix.AUDIT_FILTER_EXIT && r.action == unix.AUDIT_NEVER && r.execve && r.native:
		s.narrower("a rule \"never,exit\"")
	case r.list == unix.AUDIT_FILTER_TASK && r.action == unix.AUDIT_NEVER:
		s.narrower("a rule \"never,task\"")
	case r.list == unix.AUDIT_FILTER_EXCLUDE && r.hides():
		s.narrower("a rule \"exclude\"")
	}
}

// always takes a rule into account that tells of execs: those of every process,
// or, with more fields, those of some.
func (s *auditState) always(r auditRule) {
	switch {
	case slices.Contains(r.fields, unix.AUDIT_WATCH), slices.Contains(r.fields, unix.AUDIT_DIR):
		// It tells of one file, which need not be one that is watched.
	case len(r.fields) > 0 && !s.execve:
		s.execve, s.narrow = true, append([]string{someProcesses}, s.narrow...)
	case len(r.fields) == 0:
		s.execve = true
		s.narrow = slices.DeleteFunc(s.narrow, func(why string) bool { return why == someProcesses })
	}
}

// someProcesses is the reason where all rules name a user, a login or the like.
const someProcesses = "each rule names which processes it holds for"

func (s *auditState) narrower(why string) {
	if !slices.Contains(s.narrow, why) {
		s.narrow = append(s.narrow, why)
	}
}

// hides reports whether a rule leaves records out that an exec is known by.
func (r *auditRule) hides() bool {
	for _, kind := range []uint32{unix.AUDIT_SYSCALL, unix.AUDIT_EXECVE, unix.AUDIT_PATH} {
		if len(r.types) == 0 || slices.Contains(r.types, kind) {
			return true
		}
	}
	return false
}

// narrowed says in words what the rules leave out, or "".
func (s *auditState) narrowed() string { return strings.Join(s.narrow, ", ") }

// inFirstNetwork reports whether this process is in the network namespace of the
// machine itself: records are told in no other one.
func inFirstNetwork() bool {
	mine, errMine := os.Readlink("/proc/self/ns/net")
	first, errFirst := os.Readlink("/proc/1/ns/net")
	return errMine != nil || errFirst != nil || mine == first
}
