package shim

import (
	"strconv"
	"strings"
)

// The packets between shim and recorder, on a socket that keeps their bounds
// (SOCK_SEQPACKET). The first byte says what it is. All that a shim tells was
// written by whoever may run a program as that user: the recorder takes it as a
// claim, and looks up for itself what it can.
const (
	PacketHello   = 'H' // version of this protocol; the recorder answers
	PacketDetails = 'D' // what the shim read of the message: Details
	PacketArg     = 'A' // one argument of a message that is kept, in their order
	PacketMessage = 'M' // a piece of it
	PacketEnd     = 'E' // that was all of it; the recorder answers

	PacketPass   = 'P' // the ID
	PacketHold   = 'K' // the exit status, a NUL, the ID: send the message here
	PacketRefuse = 'R' // the exit status, a NUL, why
	PacketStored = 'S' // the message is on disk
)

// Version is what Hello has.
const Version = "1"

// MaxPacket is how long a packet may be, in bytes.
const MaxPacket = 32 << 10

// Details are what a shim tells of a message.
type Details struct {
	Name        string // sendmail, or what the link to it is called
	HasSender   bool
	Sender      string // envelope sender of the command line
	Recipients  int    // on the command line
	FromTop     bool   // -t
	To, Cc, Bcc int    // addresses in the header
	MessageID   string
	SizeBytes   int64 // as it was read; at least that much if Partial
	Partial     bool
	Marked      bool // it has the field
}

// appendPair appends a key with its value. A value has no NUL.
func appendPair(dst []byte, key, value string) []byte {
	dst = append(append(dst, key...), '=')
	dst = append(dst, strings.ReplaceAll(value, "\x00", "")...)
	return append(dst, 0)
}

// Append appends the packet of some details.
func (d *Details) Append(dst []byte) []byte {
	dst = append(dst, PacketDetails)
	dst = appendPair(dst, "name", cut(d.Name))
	if d.HasSender {
		dst = appendPair(dst, "sender", cut(d.Sender))
	}
	dst = appendPair(dst, "recipients", strconv.Itoa(d.Recipients))
	for _, n := range []struct {
		key   string
		value int
	}{{"to", d.To}, {"cc", d.Cc}, {"bcc", d.Bcc}} {
		if n.value > 0 {
			dst = appendPair(dst, n.key, strconv.Itoa(n.value))
		}
	}
	if d.MessageID != "" {
		dst = appendPair(dst, "id", cut(d.MessageID))
	}
	dst = appendPair(dst, "size", strconv.FormatInt(d.SizeBytes, 10))
	for _, flag := range []struct {
		key string
		set bool
	}{{"top", d.FromTop}, {"partial", d.Partial}, {"marked", d.Marked}} {
		if flag.set {
			dst = appendPair(dst, flag.key, "1")
		}
	}
	return dst
}

// maxValue is how long a value in Details may be, in bytes.
const maxValue = 1000

func cut(text string) string { return text[:min(len(text), maxValue)] }

// ParseDetails reads a packet without its first byte. What it does not know it
// passes over; ok is false for what is no list of pairs.
func ParseDetails(packet []byte) (d Details, ok bool) {
	for text := string(packet); text != ""; {
		pair, rest, whole := strings.Cut(text, "\x00")
		key, value, found := strings.Cut(pair, "=")
		if !whole || !found || len(value) > maxValue || !d.set(key, value) {
			return Details{}, false
		}
		text = rest
	}
	return d, true
}

func (d *Details) set(key, value string) bool {
	var err error
	switch key {
	case "name":
		d.Name = value
	case "sender":
		d.Sender, d.HasSender = value, true
	case "id":
		d.MessageID = value
	case "recipients":
		d.Recipients, err = count(value)
	case "to":
		d.To, err = count(value)
	case "cc":
		d.Cc, err = count(value)
	case "bcc":
		d.Bcc, err = count(value)
	case "size":
		var n uint64
		n, err = strconv.ParseUint(value, 10, 62)
		d.SizeBytes = int64(n)
	case "top":
		d.FromTop = true
	case "partial":
		d.Partial = true
	case "marked":
		d.Marked = true
	}
	return err == nil
}

func count(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	return int(n), err
}
