// Package exim is all knowledge of one MTA: Exim 4, as Debian, cPanel and
// DirectAdmin run it. Spool files pass through it and leave as messages with
// envelope, state and trail; lines of its log leave as events.
//
// The authority is Exim's own source: spool_in.c, spool_out.c, queue.c and
// deliver.c, and chapter "Format of spool files" of its specification.
package exim

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// Queue is the spool of one Exim. It implements mta.Queue.
type Queue struct {
	root    *host.Root
	conf    Config
	spool   string     // "" where there is none
	listing sync.Mutex // guards folders, and walks through the directories
	folders map[string]*folder
	heads   sync.Pool // of readers
	now     func() time.Time
}

// Open opens the spool. It returns mta.ErrNoQueue, or an fs.ErrPermission where
// it may not be read.
func Open(root *host.Root, conf Config) (*Queue, error) {
	if conf.Spool == "" {
		return nil, mta.ErrNoQueue
	}
	dir, err := root.OpenDir(path.Join(conf.Spool, "input"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, mta.ErrNoQueue
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", conf.Spool, err)
	}
	_ = dir.Close()
	q := LogOnly(root, conf)
	q.spool = path.Clean(conf.Spool)
	return q, nil
}

// LogOnly is for a server of which there is a log and no spool.
func LogOnly(root *host.Root, conf Config) *Queue {
	return &Queue{root: root, conf: conf, folders: map[string]*folder{}, now: time.Now}
}

// MTA returns "exim".
func (q *Queue) MTA() string { return "exim" }

// Close closes the directories of the spool.
func (q *Queue) Close() error {
	q.listing.Lock()
	defer q.listing.Unlock()
	for _, f := range q.folders {
		_ = f.dir.Close()
	}
	clear(q.folders)
	return nil
}

// Host is primary_hostname, which stands in every Received line.
func (q *Queue) Host() string { return q.conf.Hostname }

// Serves reports whether mail for a domain is taken as this server's own.
func (q *Queue) Serves(domain string) bool { return q.conf.Serves(domain) }

// IsID reports whether a word has the form of a message ID.
func (q *Queue) IsID(word string) bool { return isID(word) }

// CallerGroup returns -1: the spool records the UID itself.
func (q *Queue) CallerGroup(spoor.Via) int { return -1 }

// Via reports how mail of a UID enters: Exim logs only that of local
// submissions, which of its own user are bounces.
func (q *Queue) Via(uid int) spoor.Via {
	if q.conf.makesBounces(uid) {
		return spoor.ViaBounce
	}
	return spoor.ViaUID
}

// LocalAddress returns the alias that an address falls under.
func (q *Queue) LocalAddress(address string) string { return q.conf.nameOf(address) }

// Scan lists the spool as it is now.
func (q *Queue) Scan(ctx context.Context, want mta.Want) (*mta.Scan, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("scan spool: %w", err)
	}
	gaps := &spoor.Gaps{}
	if q.spool == "" {
		gaps.Add("queue", "there is no queue: the answer is from the log alone")
	}
	q.listing.Lock()
	l := q.list(gaps)
	q.listing.Unlock()
	scan := &mta.Scan{Listed: len(l.slots), Gaps: gaps, Complete: !l.partial}
	slots := &mta.Slots[slot]{
		List:      l.slots,
		NewReader: func() mta.SlotReader[slot] { return newReader(q, want, gaps) },
		Counts:    func(*spoor.Message) (bool, bool) { return true, false },
	}
	slots.Divide(ctx, scan)
	return scan, nil
}

func gone(id spoor.QueueID) error { return fmt.Errorf("message %s: %w", id, mta.ErrGone) }

// find looks for a message in input itself and in its folder, and then in named queues.
func (q *Queue) find(id spoor.QueueID) (slot, error) {
	if !isID(string(id)) || q.spool == "" {
		return slot{}, gone(id)
	}
	q.listing.Lock()
	defer q.listing.Unlock()
	l := listing{queue: q, gaps: &spoor.Gaps{}}
	if s, ok := l.find(id, ""); ok {
		return s, nil
	}
	for queue := range q.named() {
		if !q.root.Exists(path.Join(q.spool, queue, "input")) {
			continue
		}
		if s, ok := l.find(id, queue); ok {
			return s, nil
		}
	}
	return slot{}, gone(id)
}

func (l *listing) find(id spoor.QueueID, queue string) (slot, bool) {
	for _, name := range [...]string{"input/" + string(id[secondLen-1:secondLen]), "input"} {
		folder := path.Join(l.queue.spool, queue, name)
		f := l.open(folder, queue)
		if f == nil {
			continue
		}
		if file, err := f.dir.Open([]byte(id + "-H")); err == nil {
			file.Close()
			return slot{string(id), f, l.queue.root.Exists(path.Join(folder, string(id)+"-J"))}, true
		}
	}
	return slot{}, false
}

// Find reads one message, or returns mta.ErrGone.
func (q *Queue) Find(_ context.Context, id spoor.QueueID) (*spoor.Message, error) {
	s, err := q.find(id)
	if err != nil {
		return nil, err
	}
	var gaps spoor.Gaps
	m, ok := newReader(q, mta.Want{Addresses: true}, &gaps).Read(s)
	if !ok {
		for _, gap := range gaps.List() {
			return nil, fmt.Errorf("%s: %s", gap.File, gap.Reason)
		}
		return nil, gone(id)
	}
	return m.Clone(), nil
}

// Content opens header and body of a message, or returns mta.ErrGone.
func (q *Queue) Content(id spoor.QueueID) (io.ReadCloser, error) {
	s, err := q.find(id)
	if err != nil {
		return nil, err
	}
	r := newReader(q, mta.Want{}, &spoor.Gaps{})
	header, err := r.headerText(s)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	file, err := s.folder.dir.Open(r.fileName(s.id, 'D'))
	if err != nil {
		return io.NopCloser(bytes.NewReader(header)), nil //nolint:nilerr // the header alone is what is left
	}
	body := os.NewFile(uintptr(file), s.id+"-D")
	if _, err := body.Seek(int64(len(s.id)+len("-D\n")), io.SeekStart); err != nil {
		_ = body.Close()
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	var text io.Reader = body
	if r.header.wireFormat {
		text = wireReader{bufio.NewReader(body)}
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(header), text), body}, nil
}

// Head reads the start of a message's content into buf, or returns mta.ErrGone.
func (q *Queue) Head(m *spoor.Message, buf []byte) (int, error) {
	q.listing.Lock()
	f := q.folders[m.Folder]
	q.listing.Unlock()
	if f == nil || !isID(string(m.ID)) {
		return 0, gone(m.ID)
	}
	r, ok := q.heads.Get().(*reader)
	if !ok {
		r = newReader(q, mta.Want{}, &spoor.Gaps{})
	}
	defer q.heads.Put(r)
	header, err := r.headerText(slot{id: string(m.ID), folder: f})
	if err != nil {
		return 0, fmt.Errorf("message %s: %w", m.ID, err)
	}
	n := copy(buf, header)
	file, err := f.dir.Open(r.fileName(string(m.ID), 'D'))
	if err != nil {
		return n, nil // the header alone is what is left
	}
	defer file.Close()
	start := int64(len(m.ID) + len("-D\n"))
	if r.header.wireFormat {
		return r.wireHead(file, start, buf, n)
	}
	got, err := file.ReadAt(buf[n:], start)
	return n + got, err
}

// wireHead adds to the n bytes in buf the start of a body that lies with CRLF.
func (r *reader) wireHead(file host.File, start int64, buf []byte, n int) (int, error) {
	raw := make([]byte, 2*(len(buf)-n)+1)
	got, err := file.ReadAt(raw, start)
	if err != nil {
		return n, err
	}
	return n + copy(buf[n:], bytes.ReplaceAll(raw[:got], []byte("\r\n"), []byte("\n"))), nil
}

// Read reads a message that is not in the spool: header and start of the body.
// It has no envelope and no state.
func (q *Queue) Read(from io.Reader) (*spoor.Message, error) {
	block, err := io.ReadAll(io.LimitReader(from, outsideBytes))
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	r := newReader(q, mta.Want{Addresses: true}, &spoor.Gaps{})
	r.message = spoor.Message{CallerUID: -1, CallerGID: -1, SizeBytes: int64(len(block))}
	r.outside(block)
	return r.message.Clone(), nil
}

// outsideBytes is how much of a message outside the spool is read.
const outsideBytes = 1 << 20
