package maillog

import (
	"container/heap"
	"fmt"
	"time"
)

// box is one instance of an MTA on one host. Instances number their files and
// processes by themselves.
type box struct {
	host, name string
	pid        int
	inode      int
	free       inodes
}

func newBox(host, name string) *box { return &box{host: host, name: name, pid: 4000, inode: 0x21000} }

func (b *box) nextPID() int {
	if b.pid++; b.pid > 32000 {
		b.pid = 4000
	}
	return b.pid
}

// inodes orders freed inodes by time.
type inodes []freed

func (q inodes) Len() int           { return len(q) }
func (q inodes) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q inodes) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is for container/heap.
func (q *inodes) Push(x any) {
	if f, ok := x.(freed); ok {
		*q = append(*q, f)
	}
}

// Pop is for container/heap.
func (q *inodes) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// take gives an inode that is free at a moment, as file systems do.
func (b *box) take(at time.Time) int {
	if len(b.free) > 0 && b.free[0].at.Before(at) {
		if f, ok := heap.Pop(&b.free).(freed); ok {
			return f.id
		}
	}
	b.inode++
	return b.inode
}

func (b *box) release(at time.Time, inode int) { heap.Push(&b.free, freed{at, inode}) }

// micros are those that short IDs have: few, so that IDs are used again often.
const micros = 62500

// name gives a message an ID of Postfix (mail_queue.h), and returns when that
// was.
func (b *box) identify(at time.Time, l *letter, short bool) {
	l.box, l.inode = b, b.take(at)
	if short {
		l.id = fmt.Sprintf("%05X%X", at.Nanosecond()/1000/micros*micros, l.inode)
		return
	}
	l.id = digits(b52[:52], at.Unix(), 6) + digits(b52[:52], int64(at.Nanosecond()/1000), 4) + "z" + digits(b52[:51], int64(l.inode), 1)
}

const (
	b52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
	b62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// digits writes a number in the base of an alphabet.
func digits(alphabet string, n int64, least int) string {
	var text [16]byte
	i, base := len(text), int64(len(alphabet))
	for n > 0 || len(text)-i < least {
		i--
		text[i] = alphabet[n%base]
		n /= base
	}
	return string(text[i:])
}
