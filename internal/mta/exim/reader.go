package exim

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"syscall"

	"github.com/cespare/xxhash/v2"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

const (
	headBytes    = 16 << 10 // of a -H file that is read at first
	headerBytes  = 64 << 20 // longest -H file
	bodyBytes    = 8 << 10  // of each -D file that a scan reads
	bounceBytes  = 64 << 10 // of the body of a bounce
	journalBytes = 64 << 20
	msglogBytes  = 16 << 10
)

const (
	gapNoData     = "the -D file is missing: the message has no body, and Exim does not deliver it"
	brokenDamaged = "the -H file is damaged: nothing is known of where the message came from"
	brokenNoCopy  = "the bounced message is not in the part that was read"
)

// reader reads one message at a time. It belongs to one goroutine.
type reader struct {
	queue *Queue
	conf  *Config
	gaps  *spoor.Gaps

	message    spoor.Message
	header     spoolHeader
	file       []byte // the -H file
	body       []byte // the start of the -D file, without its first line
	text       []byte // header lines as they are sent
	name       []byte
	done       map[string]bool
	domain     []byte
	served     bool
	damaged    error
	badHeader  bool  // the envelope is sound, and the header lines are not
	hasData    bool  // there is a -D file
	bodySize   int64 // of the body, bytes
	fileSize   int64 // of the -H file, bytes
	unreadable int
}

func newReader(q *Queue, want mta.Want, gaps *spoor.Gaps) *reader {
	r := &reader{queue: q, conf: &q.conf, gaps: gaps, file: make([]byte, headBytes), body: make([]byte, bodyBytes), done: map[string]bool{}}
	r.message.Recipients.CountOnly = !want.Addresses
	return r
}

func (r *reader) fileName(id string, kind byte) []byte {
	r.name = append(append(r.name[:0], id...), '-', kind)
	return r.name
}

// Read reads the message of a slot. ok is false for one that is gone or cannot
// be read.
func (r *reader) Read(s slot) (m *spoor.Message, ok bool) {
	r.reset(s)
	file, err := s.folder.dir.Open(r.fileName(s.id, 'H'))
	if err != nil {
		r.fail(err)
		return nil, false
	}
	defer file.Close()
	text, err := readAll(file, &r.file, headerBytes)
	if err != nil {
		r.fail(err)
		return nil, false
	}
	st, err := file.Stat()
	if err != nil || st.Links == 0 {
		return nil, false
	}
	if !st.Regular {
		r.gaps.Add(r.message.Path(), "not a regular file: not read")
		return nil, false
	}
	r.fileSize = st.SizeBytes
	r.damaged = r.header.parse(text, s.id)
	if r.badHeader = errors.Is(r.damaged, errHeaders); r.badHeader {
		r.damaged = nil
	}
	r.readBody(s)
	r.envelope(s)
	r.walk(s)
	r.tellDamage()
	return &r.message, true
}

// tellDamage adds one gap, whatever is damaged.
func (r *reader) tellDamage() {
	switch {
	case r.damaged != nil:
		r.gaps.Add(r.message.Path(), r.damaged.Error())
	case r.badHeader:
		r.gaps.Add(r.message.Path(), errHeaders.Error())
	}
}

// readAll reads a file into a buffer, which grows as needed up to a limit.
func readAll(file host.File, buffer *[]byte, limit int) ([]byte, error) {
	got := 0
	for {
		n, err := file.Read((*buffer)[got:])
		got += n
		if err != nil || got < len(*buffer) || got >= limit {
			return (*buffer)[:got], err
		}
		larger := make([]byte, min(limit, 4*len(*buffer)))
		copy(larger, *buffer)
		*buffer = larger
	}
}

func (r *reader) fail(err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return // delivered or removed meanwhile
	}
	r.unreadable++
	reason := "file could not be read: " + cause(err)
	if errors.Is(err, syscall.ELOOP) {
		reason = "symbolic link: not followed"
	}
	r.gaps.Add(r.message.Path(), reason)
}

func (r *reader) reset(s slot) {
	m := &r.message
	m.Recipients.Reset()
	m.Trail.Reset()
	*m = spoor.Message{
		ID: spoor.QueueID(s.id), Suffix: "-H", State: spoor.StateQueued, Folder: s.folder.dir.Name(),
		CallerUID: -1, CallerGID: -1, Recipients: m.Recipients, Trail: m.Trail, Arrived: idTime(s.id),
	}
	r.text = r.text[:0]
	r.badHeader, r.hasData = false, false
	clear(r.done)
}

// readBody reads the start of the body and adds its size.
func (r *reader) readBody(s slot) {
	m := &r.message
	m.SizeBytes = 0
	start := int64(len(s.id) + len("-D\n"))
	file, err := s.folder.dir.Open(r.fileName(s.id, 'D'))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.fail(err)
		} else if r.damaged == nil {
			r.gaps.Add(m.Path(), gapNoData)
		}
		r.body = r.body[:0]
		return
	}
	defer file.Close()
	if st, err := file.Stat(); err == nil {
		r.bodySize, r.hasData = st.SizeBytes-start, true
		m.SizeBytes = max(0, r.bodySize)
	}
	size := bodyBytes
	if r.header.localError {
		size = bounceBytes
	}
	if cap(r.body) < size {
		r.body = make([]byte, size)
	}
	n, err := file.ReadAt(r.body[:size], start)
	if err != nil {
		r.fail(err)
	}
	r.body = r.body[:n]
	m.ContentHash, m.ContentBytes = xxhash.Sum64(r.body), n
}

// envelope fills in what the -H and -J files say.
func (r *reader) envelope(s slot) {
	m, h := &r.message, &r.header
	if h.received.IsZero() {
		return
	}
	m.Arrived = h.received
	m.Sender, m.HasEnvelope = string(h.sender), true
	m.State, m.Held = h.state(), h.frozen
	for _, address := range h.done {
		r.done[string(address)] = true
	}
	if s.journal {
		r.readJournal(s)
	}
	for _, address := range h.recipients {
		channel := spoor.ChannelRemote
		if r.serves(address) {
			channel, m.Inbound = spoor.ChannelLocal, true
		} else {
			m.Outbound = true
		}
		done := len(r.done) > 0 && r.done[string(address)]
		if bytes.IndexByte(address, 0) >= 0 {
			address = bytes.ReplaceAll(address, []byte{0}, []byte{'?'})
		}
		m.Recipients.Add(channel, done, address)
	}
}

// readJournal adds the addresses that were done in a delivery which still runs
// or was interrupted.
func (r *reader) readJournal(s slot) {
	data, err := r.queue.root.ReadFile(path.Join(s.folder.dir.Name(), s.id+"-J"), journalBytes)
	if err != nil {
		return
	}
	for line := range bytes.Lines(data) {
		if address, whole := bytes.CutSuffix(line, []byte{'\n'}); whole { // the last one may be half written
			r.done[string(address)] = true
		}
	}
}

// serves asks for the domain of an address, and remembers the last answer.
func (r *reader) serves(address []byte) bool {
	at := bytes.LastIndexByte(address, '@')
	if at < 0 {
		return true
	}
	domain := address[at+1:]
	if !bytes.Equal(domain, r.domain) {
		r.domain = append(r.domain[:0], domain...)
		r.served = r.conf.Serves(string(domain))
	}
	return r.served
}

// TakeUnreadable implements mta.SlotReader.
func (r *reader) TakeUnreadable() int {
	n := r.unreadable
	r.unreadable = 0
	return n
}
