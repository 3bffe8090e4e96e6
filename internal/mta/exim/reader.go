package exim

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strings"
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

// walk reads the header: first what the -H file records of the origin, then the
// lines that go with it.
func (r *reader) walk(s slot) {
	m, h := &r.message, &r.header
	if h.received.IsZero() {
		m.Trail.Broken = brokenDamaged
		return
	}
	var err error
	r.text, err = h.appendHeader(r.text)
	r.badHeader = r.badHeader || err != nil && r.damaged == nil
	m.SizeBytes += int64(len(r.text)) + 1 // the empty line
	text := string(r.text)
	hop := r.origin()
	contentType := ""
	first := true
	line := bytes.Count(r.file[:h.headerStart], []byte{'\n'})
	for field := range mta.Fields(r.text) {
		known := mta.KnownField(field.Name)
		value := text[field.At:][:len(field.Value)]
		switch known {
		case mta.FieldReceived:
			if got, ok := parseReceived(value); first && ok && got.id == s.id {
				hop.Text, hop.Line = got.hop.Text, line+field.Line
			} else {
				mta.Forgeable(m, value, line+field.Line)
			}
			first = false
		case mta.FieldContentType:
			contentType = value
			mta.Describe(m, known, value, line+field.Line)
		default:
			mta.Describe(m, known, value, line+field.Line)
		}
	}
	if hop.Via == spoor.ViaNetwork && !hop.Authenticated && m.Inbound && !m.Outbound {
		r.forwarded(s)
	}
	m.Trail.Hops = append(m.Trail.Hops, hop)
	if hop.Via == spoor.ViaBounce {
		r.followBounce(contentType)
	}
}

// origin is the hop that the -H file itself records. For a message from the
// network the UID is Exim's own and tells nothing; -auth_id of a local message
// is the login of the submitter, of one with -host_auth it is the SMTP login.
func (r *reader) origin() spoor.Hop {
	h, m := &r.header, &r.message
	hop := spoor.Hop{UID: -1, PID: -1}
	switch {
	case h.localError:
		hop.Via, hop.Record = spoor.ViaBounce, "-localerror: Exim made this message"
	case h.local || len(h.hostAddress) == 0:
		hop.Via, hop.UID = spoor.ViaUID, h.uid
		hop.Record = "submitted by " + string(h.login) + ", uid " + uidText(h.uid)
		m.CallerUID = h.uid
	default:
		hop.Via, hop.Client = spoor.ViaNetwork, hostAddress(string(h.hostAddress))
		hop.HELO, hop.ReverseName = string(h.helo), string(h.hostName)
		hop.Record = "-host_address " + string(h.hostAddress)
		if len(h.hostAuth) > 0 {
			hop.Account, hop.Authenticated = string(h.authID), true
			hop.Record = "-host_auth " + string(h.hostAuth) + ", -auth_id " + string(h.authID) + ", " + hop.Record
		}
	}
	return hop
}

// forwarded adds the alias that sends on what came from outside. The spool keeps
// the address that was written; where it went to stands in the message's log:
//
//	2026-11-23 10:38:03 owner@bigmail.test <admin@shop.example.com> R=rest T=to_defer defer (-44) …
func (r *reader) forwarded(s slot) {
	for _, name := range [...]string{"msglog/" + s.id, "msglog/" + s.id[secondLen-1:secondLen] + "/" + s.id} {
		data, err := r.queue.root.ReadFile(path.Join(r.queue.spool, name), msglogBytes)
		if err != nil && len(data) == 0 {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if from, ok := r.forwarder(line); ok {
				r.message.Trail.Hops = append(r.message.Trail.Hops, spoor.Hop{
					Via: spoor.ViaForward, UID: -1, PID: -1, Address: r.conf.nameOf(from), Record: strings.TrimSpace(line)[:min(len(strings.TrimSpace(line)), mta.MaxReason)],
				})
				return
			}
		}
		return
	}
}

// forwarder finds in a line an address elsewhere with the address here that it
// was made from.
func (r *reader) forwarder(line string) (from string, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return "", false
	}
	fields = fields[2:]
	switch fields[0] {
	case "=>", "->", "**", "==":
		fields = fields[1:]
	}
	to, parent := fields[0], fields[1]
	if !strings.Contains(to, "@") || !strings.HasPrefix(parent, "<") || !strings.HasSuffix(parent, ">") {
		return "", false
	}
	parent = strings.Trim(parent, "<>")
	return parent, !r.serves([]byte(to)) && r.serves([]byte(parent)) && r.receives(parent)
}

// receives reports whether an address is on the envelope.
func (r *reader) receives(address string) bool {
	for _, one := range r.header.recipients {
		if strings.EqualFold(string(one), address) {
			return true
		}
	}
	return false
}

// followBounce reads which recipient failed, why, and the header of the message
// behind it.
func (r *reader) followBounce(contentType string) {
	m := &r.message
	hop := m.Trail.Entry()
	n := mta.ReadNotification(contentType, r.body)
	hop.Address, hop.Reason = n.Recipient, n.Reason
	if n.Original == nil {
		m.Trail.Broken = brokenNoCopy
		return
	}
	text := string(n.Original)
	for field := range mta.Fields(n.Original) {
		known := mta.KnownField(field.Name)
		value := text[field.At:][:len(field.Value)]
		if known != mta.FieldReceived {
			mta.Claim(m, known, value, 0)
			continue
		}
		got, ok := parseReceived(value)
		if len(m.Trail.Hops) == 1 && ok && got.id != "" && (r.conf.Hostname == "" || strings.EqualFold(got.host, r.conf.Hostname)) {
			m.Earlier = spoor.QueueID(got.id)
			if got.hop.Via == spoor.ViaUID {
				got.hop.UID = r.conf.uidOf(loginOf(value))
			}
			m.Trail.Hops = append(m.Trail.Hops, got.hop)
			continue
		}
		mta.Forgeable(m, value, 0)
	}
}

// loginOf is the login in "from LOGIN by …".
func loginOf(value string) string {
	login, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(value), "from "), " ")
	return login
}

// TakeUnreadable implements mta.SlotReader.
func (r *reader) TakeUnreadable() int {
	n := r.unreadable
	r.unreadable = 0
	return n
}
