package postfix

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

// showqOrder is the order in which showq(8) goes through the queues.
var showqOrder = [...]spoor.State{spoor.StateMaildrop, spoor.StateActive, spoor.StateIncoming, spoor.StateDeferred, spoor.StateHold}

// writePostqueue writes what postqueue -j prints (showq.c, showq_json.c): one
// object a line, with the recipients that were put off first. Within a queue, messages come in
// the order of their IDs; showq(8) has the order of the directory.
func writePostqueue(queue mta.Queue, w io.Writer) error {
	q, ok := queue.(*Queue)
	if !ok {
		return mta.ErrNoQueue
	}
	var gaps spoor.Gaps
	q.listing.Lock()
	l := q.list(&gaps)
	q.listing.Unlock()
	out := bufio.NewWriterSize(w, 1<<16)
	r := newReader(q, mta.Want{Addresses: true}, &gaps)
	r.bounces = l.bounces
	for _, state := range showqOrder {
		for _, s := range l.slots {
			if s.folder.state != state {
				continue
			}
			if m, ok := r.read(s); ok && m.State == state {
				writeObject(out, m, q.delays(s), r.expired)
			}
		}
	}
	return out.Flush()
}

func writeObject(out *bufio.Writer, m *spoor.Message, delays []delay, expired bool) {
	fmt.Fprintf(out, `{"queue_name": %s, "queue_id": %s, "arrival_time": %d, "message_size": %d, "forced_expire": %v, "sender": %s, "recipients": [`,
		quote(m.State.String()), quote(string(m.ID)), m.Arrived.Unix(), m.SizeBytes, expired, quote(senderOf(m)))
	first := true
	write := func(address, reason string) {
		if !first {
			_, _ = out.WriteString(", ")
		}
		first = false
		fmt.Fprintf(out, `{"address": %s`, quote(address))
		if reason != "" {
			fmt.Fprintf(out, `, "delay_reason": %s`, quote(reason))
		}
		_ = out.WriteByte('}')
	}
	told := map[string]bool{}
	for _, one := range delays {
		if !told[one.address] {
			told[one.address] = true
			write(one.address, one.reason)
		}
	}
	for one := range m.Recipients.All() {
		if !one.Done && !told[one.Address] {
			write(one.Address, "")
		}
	}
	_, _ = out.WriteString("]}\n")
}

func senderOf(m *spoor.Message) string {
	if m.Sender == "" {
		return "MAILER-DAEMON"
	}
	return m.Sender
}

// quote writes a JSON string the way showq_json.c does: controls and the two
// special characters are escaped, everything else is left as it is.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if c < ' ' || c == 0x7f {
				fmt.Fprintf(&b, `\u%04X`, c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

// delay is why a recipient waits.
type delay struct{ address, reason string }

// maxDelays bounds a file of the defer queue that is read, in bytes.
const maxDelays = 64 << 20

// delays reads why a message waits (bounce_append_service.c): groups of lines
// name=value, with blank lines between.
func (q *Queue) delays(s slot) []delay {
	for _, hashed := range hashedPaths(s.id) {
		name := path.Join(q.dirs[s.folder.queue], "defer", hashed, s.id)
		if data, err := q.root.ReadFile(name, maxDelays); err == nil {
			return parseDelays(data)
		}
	}
	return nil
}

func parseDelays(data []byte) (list []delay) {
	var one delay
	for line := range bytes.Lines(append(data, "\n\n"...)) {
		name, value, ok := strings.Cut(string(bytes.TrimRight(line, "\n")), "=")
		switch {
		case !ok && name == "":
			if one.address != "" {
				list = append(list, one)
			}
			one = delay{}
		case name == "recipient":
			one.address = value
		case name == "reason":
			one.reason = value
		}
	}
	return list
}
