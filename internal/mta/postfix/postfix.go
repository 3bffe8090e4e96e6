// Package postfix is all knowledge of one MTA: Postfix 2.3 and later. Queue
// files pass through it and leave as messages with envelope, state and trail;
// lines of its log leave as events.
//
// The authority is Postfix' own source: rec_type.h, record.c, mail_queue.[ch]
// and deliver_completed.c of src/global, and postsuper.c, showq.c and cleanup.c.
package postfix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// Config is what the reading of a queue needs of Postfix' configuration.
type Config struct {
	Dirs     []string // queue_directory of each instance, below the root
	Hostname string   // myhostname; "" if unknown: then every Received line of Postfix' form is believed
	Realm    string   // smtpd_sasl_local_domain: added to a login without a domain
	Copies   []string // addresses that get copies of mail: always_bcc, and those of tables that are texts
	OwnerUID int      // of mail_owner; -1 if unknown
	// MailSystem reports whether a UID belongs to a part of the mail system; nil if
	// not known.
	MailSystem func(uid int) bool
	Filters    map[int]bool // UIDs of the content filters that pipe(8) runs
	// Serves reports whether mail for a domain is taken as this server's own.
	Serves func(domain string) bool
	// Alias names the entry of the alias maps that an address in lower case falls
	// under: itself or, for a catch-all, "@domain". nil if not known.
	Alias func(address string) string
	Logs  []string // maillog_file of each instance that writes its log itself
	// Mains is the configuration of each instance, for MailPolicy.
	Mains []*MainCF
}

// Queue is the queue of one server, of all its instances. It implements
// mta.Queue.
type Queue struct {
	root    *host.Root
	conf    Config
	dirs    []string
	listing sync.Mutex // guards folders, and walks through the directories
	folders map[string]*folder
}

// Open opens the queues. It returns mta.ErrNoQueue, or an fs.ErrPermission where
// one may not be read.
func Open(root *host.Root, conf Config) (*Queue, error) {
	q := LogOnly(root, conf)
	for _, dir := range conf.Dirs {
		switch _, err := root.Stat(path.Join(dir, "active")); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		d, err := root.OpenDir(path.Join(dir, "active"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		_ = d.Close()
		q.dirs = append(q.dirs, path.Clean(dir))
	}
	if len(q.dirs) == 0 {
		return nil, mta.ErrNoQueue
	}
	return q, nil
}

// LogOnly is for a server of which there is a log and no queue.
func LogOnly(root *host.Root, conf Config) *Queue {
	return &Queue{root: root, conf: conf, folders: map[string]*folder{}}
}

// MTA returns "postfix".
func (q *Queue) MTA() string { return "postfix" }

// Close closes the directories of the queue.
func (q *Queue) Close() error {
	q.listing.Lock()
	defer q.listing.Unlock()
	for _, f := range q.folders {
		_ = f.dir.Close()
	}
	clear(q.folders)
	return nil
}

// Host is myhostname, which stands in every Received line.
func (q *Queue) Host() string { return q.conf.Hostname }

// Serves reports whether mail for a domain is taken as this server's own.
func (q *Queue) Serves(domain string) bool { return q.conf.Serves(domain) }

// IsID reports whether a word has the form of a queue ID: a long one, or a short
// one of the digits 0 to 9 and A to F.
func (q *Queue) IsID(word string) bool {
	if _, ok := idTime(word); ok && isQueueID([]byte(word)) {
		return true
	}
	return len(word) > microDigits && len(word) <= maxShortID && strings.Trim(word, "0123456789ABCDEF") == ""
}

// maxShortID is five digits of microseconds and those of a 64-bit inode.
const maxShortID = 21

// CallerGroup returns -1: Postfix keeps no group.
func (q *Queue) CallerGroup(spoor.Via) int { return -1 }

// Via reports how mail of a UID enters: what mail_owner itself submits was
// requeued, and tells nothing.
func (q *Queue) Via(uid int) spoor.Via {
	if uid == q.conf.OwnerUID {
		return spoor.ViaUnknown
	}
	return spoor.ViaUID
}

// Realm is the domain that smtpd adds to a login without one (postconf(5),
// smtpd_sasl_local_domain).
func (q *Queue) Realm() string { return q.conf.Realm }

// Copies are the addresses that get copies of mail.
func (q *Queue) Copies() []string { return q.conf.Copies }

// LocalAddress returns the alias that an address falls under.
func (q *Queue) LocalAddress(address string) string {
	r := reader{conf: q.conf}
	return r.nameOf(address)
}

// Scan lists the queue as it is now.
func (q *Queue) Scan(ctx context.Context, want mta.Want) (*mta.Scan, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("scan queue: %w", err)
	}
	gaps := &spoor.Gaps{}
	if len(q.dirs) == 0 {
		gaps.Add("queue", "there is no queue: the answer is from the log alone")
	}
	q.listing.Lock()
	l := q.list(gaps)
	q.listing.Unlock()
	scan := &mta.Scan{Listed: len(l.slots), Gaps: gaps, Complete: !l.partial}
	slots := &mta.Slots[slot]{List: l.slots, Counts: counts, NewReader: func() mta.SlotReader[slot] {
		r := newReader(q, want, gaps)
		r.bounces = l.bounces
		return r
	}}
	slots.Divide(ctx, scan)
	return scan, nil
}

// counts does so the way postqueue(1) does: messages set aside as corrupt, and those
// without a sender that can be read, are not in the queue.
func counts(m *spoor.Message) (message, unprocessed bool) {
	return m.State != spoor.StateCorrupt && m.HasEnvelope, m.Unprocessed
}

func gone(id spoor.QueueID) error { return fmt.Errorf("message %s: %w", id, mta.ErrGone) }

// open finds the file of a message.
func (q *Queue) open(id spoor.QueueID) (host.File, *folder, error) {
	if !isQueueID([]byte(id)) {
		return -1, nil, gone(id)
	}
	file, f, ok := q.find(string(id), -1)
	if !ok {
		return -1, nil, gone(id)
	}
	return file, f, nil
}

// Find reads one message, or returns mta.ErrGone.
func (q *Queue) Find(_ context.Context, id spoor.QueueID) (*spoor.Message, error) {
	file, f, err := q.open(id)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var gaps spoor.Gaps
	r := newReader(q, mta.Want{Addresses: true}, &gaps)
	m, ok := r.readFile(slot{string(id), f}, file)
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
	file, f, err := q.open(id)
	if err != nil {
		return nil, err
	}
	r := &contentReader{file: file}
	if err := r.start(f.state == spoor.StateMaildrop); err != nil {
		file.Close()
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	return r, nil
}

// Head reads the start of a message's content into buf, or returns mta.ErrGone.
func (q *Queue) Head(m *spoor.Message, buf []byte) (int, error) {
	q.listing.Lock()
	f := q.folders[m.Folder]
	q.listing.Unlock()
	if f == nil {
		return 0, gone(m.ID)
	}
	file, err := f.dir.Open([]byte(m.ID))
	if err != nil {
		return 0, fmt.Errorf("message %s: %w: %w", m.ID, mta.ErrGone, err)
	}
	defer file.Close()
	r := &contentReader{file: file}
	if err := r.start(f.state == spoor.StateMaildrop); err != nil {
		return 0, fmt.Errorf("message %s: %w", m.ID, err)
	}
	n, err := io.ReadFull(r, buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

// Read reads a message that is not in the queue: header and start of the body.
// It has no envelope and no state; its header is read as if it lay in the queue.
func (q *Queue) Read(from io.Reader) (*spoor.Message, error) {
	block, err := io.ReadAll(io.LimitReader(from, recordBytes))
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	r := newReader(q, mta.Want{Addresses: true}, &spoor.Gaps{})
	r.message = spoor.Message{CallerUID: -1, CallerGID: -1, SizeBytes: int64(len(block))}
	r.content = block
	r.asOutside()
	return r.message.Clone(), nil
}

// hasBounce reports whether a recipient of a message failed.
func (q *Queue) hasBounce(id string) bool {
	for _, dir := range q.dirs {
		for _, hashed := range hashedPaths(id) {
			if q.root.Exists(path.Join(dir, "bounce", hashed, id)) {
				return true
			}
		}
	}
	return false
}

// used is when the queue was last written to.
func used(root *host.Root, dirs []string) (newest time.Time, ok bool) {
	for _, dir := range dirs {
		for _, name := range [...]string{"active", "incoming", "maildrop", "deferred"} {
			info, err := root.Stat(path.Join(dir, name))
			if err == nil {
				ok = ok || name == "active"
				if info.ModTime().After(newest) {
					newest = info.ModTime()
				}
			} else if errors.Is(err, fs.ErrPermission) {
				ok = true
			}
		}
	}
	return newest, ok
}
