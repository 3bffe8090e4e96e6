package postfix

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// showqOrder is the order in which showq(8) goes through the queues.
var showqOrder = [...]spoor.State{spoor.StateMaildrop, spoor.StateActive, spoor.StateIncoming, spoor.StateDeferred, spoor.StateHold}

// filterLimit is duplicate_filter_limit of postconf(5): of a longer log of
// delays, showq(8) tells the recipients behind the first thousand twice.
const filterLimit = 1000

// writePostqueue writes what postqueue -j prints (showq.c, showq_json.c): one
// object a line, with the recipients that were put off first, in the order of
// the directories.
func writePostqueue(queue mta.Queue, w io.Writer) error {
	q, ok := queue.(*Queue)
	if !ok {
		return mta.ErrNoQueue
	}
	var gaps spoor.Gaps
	out := bufio.NewWriterSize(w, 1<<16)
	r := newReader(q, mta.Want{Addresses: true}, &gaps)
	r.bounces, r.asWritten = map[string]bool{}, true
	for i, dir := range q.dirs {
		for _, state := range showqOrder {
			l := &listing{queue: q, gaps: &gaps}
			q.listing.Lock()
			l.walkAsFound(path.Join(dir, state.String()), i, state, 0)
			q.listing.Unlock()
			for _, s := range l.slots {
				if m, ok := r.Read(s); ok && m.State == state && m.HasEnvelope {
					writeObject(out, m, q.delays(s), r.expired)
				}
			}
		}
	}
	return out.Flush()
}

// walkAsFound lists a folder in the order of mail_scan_dir_next(): into a
// subdirectory where it is found. maildrop has none.
func (l *listing) walkAsFound(name string, queue int, state spoor.State, depth int) {
	f := l.open(name, queue, state)
	if f == nil {
		return
	}
	for entry, err := range f.dir.Entries() {
		switch {
		case err != nil:
			l.gaps.Add(name, "folder could not be listed to its end: "+cause(err))
		case len(entry.Name) == 1 && state != spoor.StateMaildrop && depth < maxDepth:
			l.walkAsFound(name+"/"+string(entry.Name), queue, state, depth+1)
		case entry.Type == host.TypeRegular && isQueueID(entry.Name):
			l.slots = append(l.slots, slot{string(entry.Name), f})
		}
	}
}

func writeObject(out *bufio.Writer, m *spoor.Message, delays []delay, expired bool) {
	fmt.Fprintf(out, `{"queue_name": %s, "queue_id": %s, "arrival_time": %d, "message_size": %d, "forced_expire": %v, "sender": %s, "recipients": [`,
		quote(m.State.String()), quote(string(m.ID)), m.Arrived.Unix(), m.SizeBytes, expired, quote(showqAddress(m.Sender)))
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
	told := make(map[string]bool, len(delays))
	for _, one := range delays {
		write(one.address, one.reason)
		if len(told) < filterLimit {
			told[one.address] = true
		}
	}
	for one := range m.Recipients.All() {
		if address := showqAddress(one.Address); !one.Done && !told[address] {
			write(address, "")
		}
	}
	_, _ = out.WriteString("]}\n")
}

// showqAddress writes an address as showq(8) tells it: MAILER-DAEMON for none
// (empty_address_recipient), its local part in quotes where RFC 822 wants them
// (quote_822_local.c), and what does not print as a question mark.
func showqAddress(address string) string {
	if address == "" {
		return "MAILER-DAEMON"
	}
	route := 0
	if colon := strings.IndexByte(address, ':'); address[0] == '@' && colon > 0 {
		route = colon + 1
	}
	end := strings.LastIndexByte(address, '@')
	if end < route {
		end = len(address)
	}
	if local := address[route:end]; !isDotString(local) {
		local = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "\\\r").Replace(local)
		address = address[:route] + `"` + local + `"` + address[end:]
	}
	return printable(address)
}

func isDotString(local string) bool {
	if local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for i := range len(local) {
		if c := local[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`()<>@,;:\"[]`, c) >= 0 {
			return false
		}
	}
	return true
}

// printable replaces what is neither printable ASCII nor in the form of UTF-8
// (printable.c).
func printable(text string) string {
	plain := 0
	for plain < len(text) && text[plain] >= ' ' && text[plain] < 0x7f {
		plain++
	}
	if plain == len(text) {
		return text
	}
	out := []byte(text)
	for i := plain; i < len(out); i++ {
		switch c := out[i]; {
		case c >= ' ' && c < 0x7f:
		case c >= 194 && c <= 254 && isContinuation(out, i+1):
			for isContinuation(out, i+1) {
				i++
			}
		default:
			out[i] = '?'
		}
	}
	return string(out)
}

func isContinuation(text []byte, at int) bool { return at < len(text) && text[at]&0xc0 == 0x80 }

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

// delays reads why a message waits.
func (q *Queue) delays(s slot) []delay {
	q.listing.Lock()
	defer q.listing.Unlock()
	l := &listing{queue: q, gaps: &spoor.Gaps{}}
	for _, hashed := range hashedPaths(s.id) {
		f := l.open(path.Join(q.dirs[s.folder.queue], "defer", hashed), s.folder.queue, spoor.StateDeferred)
		if f == nil {
			break // there are none further down either
		}
		if file, err := f.dir.Open([]byte(s.id)); err == nil {
			defer file.Close()
			return readDelays(file)
		}
	}
	return nil
}

func readDelays(file host.File) []delay {
	st, err := file.Stat()
	if err != nil || !st.Regular || st.SizeBytes > maxDelays {
		return nil
	}
	data := make([]byte, st.SizeBytes)
	n, err := file.Read(data)
	if err != nil {
		return nil
	}
	return parseDelays(data[:n])
}

// parseDelays reads a log of delays (bounce_log.c): blocks with an empty line
// behind each. The first line is the form of old versions; what follows counts.
//
//	<chen2349@mailbox.test>: host 127.0.0.1[127.0.0.1] said: 450 4.2.1 …
//	recipient=chen2349@mailbox.test
//	offset=560
//	reason=host 127.0.0.1[127.0.0.1] said: 450 4.2.1 …
func parseDelays(data []byte) (list []delay) {
	const noAddress, noReason = "(recipient address unavailable)", "(description unavailable)"
	one, found := delay{noAddress, noReason}, false
	for line := range strings.Lines(string(data)) {
		line = printable(strings.TrimRight(line, "\n"))
		if line == "" {
			if found {
				list = append(list, one)
			}
			one, found = delay{noAddress, noReason}, false
			continue
		}
		found = true
		one.set(line)
	}
	if found {
		list = append(list, one)
	}
	return list
}

func (d *delay) set(line string) {
	if old, ok := strings.CutPrefix(line, "<"); ok {
		if address, reason, ok := strings.Cut(old, ">: "); ok {
			d.address, d.reason = cmp.Or(address, "(MAILER-DAEMON)"), strings.TrimSpace(reason)
		}
		return
	}
	name, value, _ := strings.Cut(line, "=")
	value = strings.TrimSpace(value)
	switch strings.TrimSpace(name) {
	case "recipient":
		d.address = cmp.Or(value, "(MAILER-DAEMON)")
	case "reason":
		d.reason = cmp.Or(value, "unknown reason")
	}
}
