package postfix

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// Reasons for gaps.
const (
	gapCut       = "ends before its end record: the file is cut"
	gapOrder     = "records are out of order: the file is damaged"
	gapNoSizes   = "does not begin with a size record: not a queue file, or damaged"
	gapNoContent = "the content does not begin where the size record says"
	gapNoExtra   = "the records behind the content are not where the size record says: recipients of local mail are missing"
	gapCorrupt   = "Postfix set this message aside as damaged"
)

// Mode bits of a queue file (mail_queue.h).
const (
	modeOwner        = 0o700
	modeReady        = 0o700 // MAIL_QUEUE_STAT_READY; without it the file is being written, or corrupt
	modeForceExpired = 0o010 // MAIL_QUEUE_STAT_EXPIRE
)

// reader reads one message at a time. It belongs to one goroutine.
type reader struct {
	queue   *Queue
	conf    Config
	gaps    *spoor.Gaps
	bounces map[string]bool // nil: look for the file

	message    spoor.Message
	cursor     cursor
	sizes      sizes
	attributes attributes
	text       []byte // values of attributes, of this message
	content    []byte // start of the content as lines
	original   []byte // of the next recipient
	silent     bool   // nobody is told of the fate of the next recipient
	requested  bool   // a client has written the next recipient, or what it stands for
	named      bool   // a recipient that is no copy of a policy's
	copiedIn   bool   // such a copy goes to a mailbox here
	copiedOut  bool   // such a copy goes elsewhere
	redirect   []byte // a policy sends the message there instead
	asWritten  bool   // whatever a policy says of that
	alias      string // the first address here that was replaced by one elsewhere
	direct     bool   // a recipient elsewhere that was written as such
	domain     []byte
	served     bool
	outside    bool // a message that is not in the queue: there are no attributes
	expired    bool // an operator let it expire
	unreadable int
}

func newReader(q *Queue, want mta.Want, gaps *spoor.Gaps) *reader {
	r := &reader{queue: q, conf: q.conf, gaps: gaps}
	r.message.Recipients.CountOnly = !want.Addresses
	return r
}

// Read reads the message of a slot. ok is false for one that is gone, still
// being written, or cannot be read.
func (r *reader) Read(s slot) (m *spoor.Message, ok bool) {
	file, err := s.folder.dir.Open([]byte(s.id))
	if errors.Is(err, fs.ErrNotExist) { // it moved on
		var moved *folder
		if file, moved, ok = r.queue.find(s.id, s.folder.queue); !ok {
			return nil, false
		}
		s.folder, err = moved, nil
	}
	if err != nil {
		r.fail(s.folder.dir.Name(), err)
		return nil, false
	}
	defer file.Close()
	return r.readFile(s, file)
}

func (r *reader) fail(name string, err error) {
	r.unreadable++
	reason := "file could not be read: " + cause(err)
	if errors.Is(err, syscall.ELOOP) {
		reason = "symbolic link: not followed"
	}
	r.gaps.Add(name, reason)
}

func (r *reader) reset(s slot) {
	m := &r.message
	r.clear(s.folder.state)
	m.ID, m.Folder = spoor.QueueID(s.id), s.folder.dir.Name()
	m.Held = s.folder.state == spoor.StateHold
	m.Unprocessed = s.folder.state == spoor.StateMaildrop || s.folder.state == spoor.StateIncoming
	m.Bouncing = r.bounces[s.id]
}

// clear forgets the message before.
func (r *reader) clear(state spoor.State) {
	m := &r.message
	m.Recipients.Reset()
	m.Trail.Reset()
	*m = spoor.Message{State: state, CallerUID: -1, CallerGID: -1, Recipients: m.Recipients, Trail: m.Trail}
	r.attributes.reset()
	r.sizes = sizes{}
	r.text, r.content, r.original = r.text[:0], r.content[:0], r.original[:0]
	r.redirect = r.redirect[:0]
	r.alias, r.direct, r.silent, r.requested = "", false, false, false
	r.named, r.copiedIn, r.copiedOut = false, false, false
}

func (r *reader) readFile(s slot, file host.File) (*spoor.Message, bool) {
	r.reset(s)
	st, err := file.Stat()
	switch {
	case err != nil:
		r.fail(s.folder.dir.Name(), err)
		return nil, false
	case !st.Regular:
		r.gap("not a regular file: not read")
		return nil, false
	case st.Links == 0:
		return nil, false
	}
	m := &r.message
	r.expired = st.Mode&modeForceExpired != 0
	corrupt := m.State == spoor.StateCorrupt
	if st.Mode&modeOwner != modeReady && !corrupt {
		return nil, false // still being written
	}
	if err := r.cursor.start(file, st.SizeBytes); err != nil {
		r.fail(s.folder.dir.Name(), err)
		return nil, false
	}
	if m.State == spoor.StateMaildrop {
		m.CallerUID = st.UID
	}
	m.SizeBytes, m.Inode = st.SizeBytes, st.Inode
	if reason := r.records(); corrupt {
		r.gap(gapCorrupt)
	} else if reason != "" {
		r.gap(reason)
	}
	r.finish(st)
	return m, true
}

func (r *reader) gap(reason string) {
	r.gaps.Add(r.message.Path(), reason)
}

// records reads the whole file but the end of the content. It returns what is
// wrong with it, or "".
func (r *reader) records() (reason string) {
	c := &r.cursor
	kind, value, err := c.next()
	if err != nil {
		return err.Error()
	}
	known := false
	if kind == recSize {
		r.sizes, known = parseSizes(value)
	}
	if known {
		r.message.SizeBytes = r.sizes.content
	} else if r.message.State != spoor.StateMaildrop {
		if kind == 0 {
			return gapCut
		}
		return gapNoSizes
	} else {
		c.seek(0)
	}
	if reason = r.envelope(recMessage); reason != "" {
		return reason
	}
	end, reason := r.lines()
	if reason != "" {
		return reason
	}
	if known {
		c.seek(r.sizes.dataOffset + r.sizes.content)
		kind, _, err := c.next()
		if err != nil || kind != recExtracted {
			return gapNoExtra
		}
	} else if end != recExtracted {
		return r.skipLines()
	}
	return r.envelope(recEnd)
}

// lines reads the start of the content into r.content. It returns the kind of
// the record that ended it, or 0 where it went on.
func (r *reader) lines() (end byte, reason string) {
	for len(r.content) < headBytes {
		kind, value, err := r.cursor.next()
		switch {
		case err != nil:
			return 0, err.Error()
		case kind == 0:
			return 0, gapCut
		case kind == recLine:
			r.content = append(r.content, value...)
			r.content = append(r.content, '\n')
		case kind == recPartLine:
			r.content = append(r.content, value...)
		case kind == recPadding, kind == recTime:
		case kind == recExtracted:
			return kind, ""
		default:
			return 0, gapOrder
		}
	}
	return 0, ""
}

// skipLines reads on to the end of a content whose length is not recorded, and
// what follows it.
func (r *reader) skipLines() (reason string) {
	for {
		kind, _, err := r.cursor.next()
		switch {
		case err != nil:
			return err.Error()
		case kind == 0:
			return gapCut
		case kind == recExtracted:
			return r.envelope(recEnd)
		}
	}
}

// finish draws conclusions from what was read.
func (r *reader) finish(st host.Stat) {
	m := &r.message
	if m.Arrived.IsZero() {
		if t, ok := idTime(string(m.ID)); ok {
			m.Arrived = t
		} else {
			m.Arrived = time.Unix(0, st.Modified).UTC()
		}
	}
	if r.bounces == nil {
		m.Bouncing = r.queue.hasBounce(string(m.ID))
	}
	if !r.named { // sendmail(1) writes all recipients like that for -N never
		m.Inbound, m.Outbound, r.direct = r.copiedIn, r.copiedOut, r.copiedOut
	}
	r.header()
}

// header reads what the start of the content tells.
func (r *reader) header() {
	body, _ := mta.BodyStart(r.content)
	m := &r.message
	m.ContentHash, m.ContentBytes = xxhash.Sum64(r.content[body:]), len(r.content)-body
	text := string(r.content[:body])
	w := walker{reader: r, message: m, text: text, block: r.content[:body]}
	w.walk()
	switch hop := m.Trail.Entry(); {
	case hop == nil:
	case hop.Via == spoor.ViaBounce:
		w.followBounce(r.content[body:])
	case hop.Via == spoor.ViaReply:
		w.rejected(r.content[body:])
	}
}

// asOutside reads a message that has no envelope.
func (r *reader) asOutside() {
	r.outside, r.attributes = true, attributes{}
	r.header()
}

// nameOf is the alias that a forwarded address belongs to.
func (r *reader) nameOf(address string) string {
	if r.conf.Alias == nil {
		return address
	}
	if name := r.conf.Alias(strings.ToLower(address)); name != "" {
		return name
	}
	return address
}

// TakeUnreadable implements mta.SlotReader.
func (r *reader) TakeUnreadable() int {
	n := r.unreadable
	r.unreadable = 0
	return n
}
