package exim

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

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
	slices.SortStableFunc(l.slots, func(a, b slot) int { return compareBP(a.id, b.id) })
	out := bufio.NewWriterSize(w, 1<<16)
	r := newReader(q, mta.Want{Addresses: true}, &gaps)
	for _, s := range l.slots {
		if s.folder.queue != "" { // exim -bp lists these with -qGNAME alone
			continue
		}
		if m, ok := r.Read(s); ok {
			q.writeMessage(out, r, m)
		}
	}
	return out.Flush()
}

// compareBP orders messages by second and fraction of a second, and not by PID
// (merge_queue_lists() of queue.c). Where both are the same, Exim has the order
// of the directory.
func compareBP(a, b string) int {
	return cmp.Or(strings.Compare(a[:secondLen], b[:secondLen]), strings.Compare(fraction(a), fraction(b)))
}

func fraction(id string) string { return id[strings.LastIndexByte(id, '-'):] }

func (q *Queue) writeMessage(out *bufio.Writer, r *reader, m *spoor.Message) {
	if r.damaged != nil {
		fmt.Fprintf(out, "%s %s\n    *** spool format error: size=%d ***\n\n", sizeText(0), m.ID, r.fileSize)
		return
	}
	size := int64(0)
	if r.hasData {
		size = r.bodySize + r.header.counted + 1 // the empty line
	}
	fmt.Fprintf(out, "%s %s %s <%s>", q.age(m), sizeText(size), m.ID, m.Sender)
	if r.header.untrusted {
		fmt.Fprintf(out, " (%s)", r.header.login)
	}
	if r.badHeader {
		fmt.Fprintf(out, "\n    *** spool format error: size=%d ***", r.fileSize)
	}
	if r.header.frozen {
		_, _ = out.WriteString(" *** frozen ***")
	}
	_ = out.WriteByte('\n')
	if m.Recipients.Len() == 0 {
		return
	}
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
// up to 72, then days.
func (q *Queue) age(m *spoor.Message) string {
	n := (q.now().Unix() - m.Arrived.Unix()) / 60
	unit := byte('m')
	if n > 90 {
		n, unit = (n+30)/60, 'h'
		if n > 72 {
			n, unit = (n+12)/24, 'd'
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
