package shim

import (
	"strconv"
	"strings"
	"syscall"
	"time"
)

// recorder is the way to the recorder. Where there is none its descriptor is -1,
// and nothing that is done with it fails.
type recorder struct{ fd int }

// How the wait for the recorder is shared out: for a place in its queue, for its
// answer. The rest of MaxWait is for the spool.
const (
	greetWait  = 10 * time.Millisecond
	answerWait = 30 * time.Millisecond
	storeWait  = 30 * time.Second // a message that is kept is synced first
)

// greet asks the recorder for an ID, and does not wait for it. From then on the
// recorder looks at this process.
func greet(socket string, wait time.Duration) *recorder {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return &recorder{fd: -1}
	}
	r := &recorder{fd: fd}
	if wait > 0 {
		r.wait(wait, wait)
	} else {
		r.wait(greetWait, answerWait)
	}
	if syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket}) != nil || !r.send([]byte{PacketHello, Version[0]}) {
		r.close()
	}
	return r
}

// wait sets how long sending and receiving may take.
func (r *recorder) wait(send, receive time.Duration) {
	for option, limit := range map[int]time.Duration{syscall.SO_SNDTIMEO: send, syscall.SO_RCVTIMEO: receive} {
		t := syscall.NsecToTimeval(limit.Nanoseconds())
		_ = syscall.SetsockoptTimeval(r.fd, syscall.SOL_SOCKET, option, &t)
	}
}

// send sends one packet. Nobody must be told by a signal that nobody listens.
func (r *recorder) send(packet []byte) bool {
	if r.fd < 0 {
		return false
	}
	for {
		err := syscall.Sendto(r.fd, packet, syscall.MSG_NOSIGNAL, nil)
		if err != syscall.EINTR {
			return err == nil
		}
	}
}

func (r *recorder) close() {
	if r.fd >= 0 {
		_ = syscall.Close(r.fd)
		r.fd = -1
	}
}

// verdict is what the recorder says of a message.
type verdict struct {
	kind   byte
	status int    // of the shim, where the real sendmail is not called
	text   string // the ID, or why the message is refused
}

// The kinds of a verdict: none is for no answer, in time or that is understood.
const (
	replyNone   = 0
	replyPass   = PacketPass
	replyHold   = PacketHold
	replyRefuse = PacketRefuse
)

// verdict waits for the answer.
func (r *recorder) verdict() verdict {
	buf := make([]byte, 512)
	n := r.receive(buf)
	v, ok := parseVerdict(buf[:n])
	if !ok {
		r.close()
	}
	return v
}

func (r *recorder) receive(buf []byte) int {
	if r.fd < 0 {
		return 0
	}
	n, err := read(r.fd, buf)
	if err != nil {
		return 0
	}
	return n
}

// parseVerdict reads an answer. An ID goes into a header: it has nothing but
// letters, digits, dots, hyphens and underscores.
func parseVerdict(packet []byte) (v verdict, ok bool) {
	if len(packet) < 2 {
		return verdict{}, false
	}
	v = verdict{kind: packet[0], text: string(packet[1:])}
	switch v.kind {
	case replyPass:
	case replyHold, replyRefuse:
		number, text, found := strings.Cut(v.text, "\x00")
		status, err := strconv.Atoi(number)
		if !found || err != nil || status < 0 || status > 125 {
			return verdict{}, false
		}
		v.status, v.text = status, text
	default:
		return verdict{}, false
	}
	if v.kind != replyRefuse && !isID(v.text) {
		return verdict{}, false
	}
	return v, true
}

// maxID is how long an ID may be, in bytes.
const maxID = 120

func isID(text string) bool {
	for _, c := range []byte(text) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return text != "" && len(text) <= maxID
}

// details are what is told of a message.
func details(c *call, m *message) Details {
	s := m.summary()
	return Details{
		Name: c.name, HasSender: c.hasSender, Sender: c.sender, Recipients: c.recipients, FromTop: c.fromTop,
		To: s.to, Cc: s.cc, Bcc: s.bcc, MessageID: s.messageID,
		SizeBytes: m.bytes, Partial: !m.whole, Marked: m.field != "",
	}
}

// tell adds to the record what was read of the message.
func (r *recorder) tell(c *call, m *message) {
	if r.fd >= 0 {
		d := details(c, m)
		r.send(d.Append(nil))
	}
}

// store hands the message over to be kept, and waits until it is. The real
// arguments go with it: it may be released.
func (r *recorder) store(c *call, m *message, args []string) bool {
	r.wait(storeWait, storeWait)
	for _, arg := range args {
		if len(arg) >= MaxPacket || !r.send(append([]byte{PacketArg}, arg...)) {
			return false
		}
	}
	for _, piece := range m.pieces() {
		if !r.sendMessage(piece) {
			return false
		}
	}
	buf := make([]byte, MaxPacket)
	for !m.whole {
		n, err := m.rest(buf)
		if !r.sendMessage(buf[:n]) || err != nil && !m.whole {
			return false
		}
	}
	r.tell(c, m)
	return r.send([]byte{PacketEnd}) && r.stored()
}

// stored waits for the word that the message is on disk. Where none comes in time, none
// can come any more: the recorder learns so when it tries, and keeps nothing that is
// passed on here.
func (r *recorder) stored() bool {
	answer := make([]byte, 1)
	if r.receive(answer) != 1 {
		_ = syscall.Shutdown(r.fd, syscall.SHUT_RD)
		if r.receive(answer) != 1 {
			return false
		}
	}
	return answer[0] == PacketStored
}

// sendMessage sends a part of the message in packets.
func (r *recorder) sendMessage(data []byte) bool {
	packet := make([]byte, 0, MaxPacket)
	for len(data) > 0 {
		n := min(len(data), MaxPacket-1)
		packet = append(append(packet[:0], PacketMessage), data[:n]...)
		if !r.send(packet) {
			return false
		}
		data = data[n:]
	}
	return true
}
