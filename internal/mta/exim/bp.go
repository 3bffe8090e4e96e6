package exim

import (
	"bufio"
	"fmt"
	"io"

	"spoor"
	"spoor/internal/mta"
)

// writeBP writes what exim -bp prints (queue_list() of queue.c).
func writeBP(queue mta.Queue, w io.Writer) error {
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
	for _, s := range l.slots {
		if m, ok := r.read(s); ok {
			q.writeMessage(out, r, m)
		}
	}
	return out.Flush()
}

func (q *Queue) writeMessage(out *bufio.Writer, r *reader, m *spoor.Message) {
	if r.damaged != nil {
		fmt.Fprintf(out, "      %s\n", m.ID)
		fmt.Fprintf(out, "    *** spool format error: size=%d ***\n\n", r.fileSize)
		return
	}
	sender := m.Sender
	fmt.Fprintf(out, "%s %s %s <%s>", q.age(m), sizeText(m.SizeBytes), m.ID, sender)
	if r.header.frozen {
		_, _ = out.WriteString(" *** frozen ***")
	}
	_ = out.WriteByte('\n')
	for one := range m.Recipients.All() {
		mark := byte(' ')
		if one.Done {
			mark = 'D'
		}
		fmt.Fprintf(out, "        %c %s\n", mark, one.Address)
	}
	_ = out.WriteByte('\n')
}

// age writes how long a message has been in the queue: minutes up to 90, hours
// up to 72, then days up to 99.
func (q *Queue) age(m *spoor.Message) string {
	n := (q.now().Unix() - m.Arrived.Unix()) / 60
	unit := byte('m')
	if n > 90 {
		n, unit = (n+30)/60, 'h'
		if n > 72 {
			n, unit = min((n+12)/24, 99), 'd'
		}
	}
	return fmt.Sprintf("%2d%c", n, unit)
}

// sizeText is string_format_size() of string.c.
func sizeText(n int64) string {
	const k, m = 1 << 10, 1 << 20
	switch {
	case n == 0:
		return "     "
	case n < k:
		return fmt.Sprintf("%5d", n)
	case n < 10*k:
		return fmt.Sprintf("%4.1fK", float64(n)/k)
	case n < m:
		return fmt.Sprintf("%4dK", (n+k/2)/k)
	case n < 10*m:
		return fmt.Sprintf("%4.1fM", float64(n)/m)
	}
	return fmt.Sprintf("%4dM", (n+m/2)/m)
}
