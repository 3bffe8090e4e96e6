package qmail

import (
	"bytes"
	"errors"
	"io/fs"
	"strconv"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

const (
	headBytes     = 16 << 10  // of each message that a scan reads
	moreBytes     = 16 << 20  // where the trail does not end before: a bounce may list many recipients first
	envelopeBytes = 512 << 20 // largest envelope file that is read
	keptBytes     = 1 << 20   // larger buffers are not kept for the next message
)

// reader reads one message at a time. It belongs to one goroutine.
type reader struct {
	tree   *tree
	owner  int // UID of qmailq; -1 if unknown
	want   mta.Want
	gaps   *spoor.Gaps
	walker walker

	message    spoor.Message
	unreadable int
	name       []byte // of the files of the message
	head       []byte
	records    []byte
}

func newReader(q *Queue, want mta.Want, gaps *spoor.Gaps) *reader {
	r := &reader{
		tree: q.tree, owner: q.owners.queue, want: want, gaps: gaps,
		head: make([]byte, headBytes), records: make([]byte, 0, 4<<10),
	}
	r.walker = walker{trail: &r.message.Trail, message: &r.message, mailSystem: q.mailSystem, control: q.control}
	r.message.Recipients.CountOnly = !want.Addresses
	return r
}

// Read reads the message of a slot. The content stays open while the envelope
// is read: its inode, and so its ID, cannot be used again meanwhile, and a link
// count of zero at the end tells that qmail has removed the message. ok is
// false for a message that is gone or cannot be read.
func (r *reader) Read(s slot) (m *spoor.Message, ok bool) {
	r.reset(s)
	folder := r.tree.mess.folders[s.folder]
	if folder == nil {
		return nil, false
	}
	file, err := folder.Open(r.name)
	if err != nil {
		r.fail(folder.Name(), err)
		return nil, false
	}
	defer file.Close()
	r.message.Folder = folder.Name()
	if err := r.readHead(file); err != nil {
		r.fail(folder.Name(), err)
		return nil, false
	}
	r.readEnvelope(s)
	return &r.message, r.finish(file)
}

func (r *reader) reset(s slot) {
	r.name = strconv.AppendUint(r.name[:0], s.id, 10)
	m := &r.message
	m.Recipients.Reset()
	m.Trail.Reset()
	*m = spoor.Message{
		ID: spoor.QueueID(r.name), CallerUID: -1, CallerGID: -1,
		Recipients: m.Recipients, Trail: m.Trail,
	}
	m.Bouncing = s.seen&inBounce != 0
	if s.seen&probeAll != 0 {
		m.Bouncing = r.exists(r.tree.bounce, s.id)
	}
}

// finish takes what fstat tells and reports whether the message is still there.
func (r *reader) finish(file host.File) bool {
	st, err := file.Stat()
	if err != nil || st.Links == 0 {
		return false
	}
	if !st.Regular {
		r.gap(r.message.Folder, "not a regular file")
		return false
	}
	m := &r.message
	m.SizeBytes, m.Inode = st.SizeBytes, st.Inode
	m.Arrived = time.Unix(0, st.Modified).UTC()
	if st.UID == r.owner { // else the owners were lost when the server was captured
		m.CallerGID = st.GID // qmail-queue is setuid, not setgid: the group is the caller's
	}
	if st.SizeBytes == 0 && m.State != spoor.StateIncomplete {
		r.gap(m.Folder, "empty: the message itself is lost")
	}
	return true
}

// readHead reads the start of the content and what its header tells.
func (r *reader) readHead(file host.File) error {
	n, err := file.Read(r.head[:headBytes])
	if err != nil {
		return err
	}
	block := r.head[:n]
	r.readBlock(block)
	for len(block) == cap(block) && len(block) < moreBytes && r.cut() {
		if block, err = readMore(file, block); err != nil {
			return err
		}
		r.message.Trail.Reset()
		r.readBlock(block)
	}
	return nil
}

// cut reports whether the trail may go on behind what was read.
func (r *reader) cut() bool {
	switch r.message.Trail.Broken {
	case brokenNoOriginal, brokenNoNetworkLine, brokenBeyond:
		return true
	}
	return false
}

// readMore returns a block four times as long, or as long as the file. A block
// that is not full is the whole file.
func readMore(file host.File, have []byte) ([]byte, error) {
	block := make([]byte, min(moreBytes, 4*len(have)))
	copy(block, have)
	n, err := file.Read(block[len(have):])
	return block[:len(have)+n], err
}

// readBlock reads what the start of a message tells.
func (r *reader) readBlock(block []byte) {
	body, _ := mta.BodyStart(block)
	m := &r.message
	m.ContentHash, m.ContentBytes = xxhash.Sum64(block[body:]), len(block)-body
	text := block[:body]
	if isBounce(block) {
		text = block
	}
	r.walker.walk(text, string(text))
}

// isBounce tells by the line that qmail-queue wrote.
func isBounce(block []byte) bool {
	line, _, _ := bytes.Cut(block, []byte{'\n'})
	return bytes.Contains(line, []byte(" invoked for bounce); "))
}

// readEnvelope finds the state and reads the envelope files that go with it.
// A message moves on while it is looked at, so what is gone from where it was
// listed is looked for where it goes next.
func (r *reader) readEnvelope(s slot) {
	if s.seen&(inTodo|probeAll) != 0 && r.readTodo(s.id) {
		return
	}
	if s.seen&(inInfo|inTodo|probeAll) != 0 && r.readInfo(s.id) {
		channels := s.seen
		if s.seen&(inTodo|probeAll) != 0 {
			channels = inLocal | inRemote
		}
		r.readChannels(s.id, channels)
		return
	}
	if s.seen&(inInfo|inTodo|probeAll) == 0 && (r.readTodo(s.id) || r.readInfo(s.id)) {
		r.readChannels(s.id, inLocal|inRemote)
		return
	}
	r.message.State = spoor.StateIncomplete
	if s.seen&(inLocal|inRemote) != 0 {
		r.gap(r.tree.info.path(r.tree.info.index(s.id)), "missing: the sender is lost and qmail does not deliver the message")
	}
}

// readTodo reads an envelope that is not yet preprocessed (state S4). Files on
// the other shelves are then left from a crash: qmail-send removes them.
func (r *reader) readTodo(id uint64) bool {
	data, folder, ok := r.readFile(r.tree.todo, id, nil)
	if !ok {
		return false
	}
	m := &r.message
	record, reason := parseTodo(data, &m.Recipients, func(address []byte) {
		m.Outbound = m.Outbound || !r.walker.control.delivers(address)
	})
	if reason != "" {
		r.gap(folder, reason)
	}
	r.doubtBounce(data)
	m.State, m.Unprocessed = spoor.StateTodo, true
	m.Sender, m.HasEnvelope, m.CallerUID = record.sender, record.hasSender, record.uid
	return true
}

// readInfo reads the sender of a preprocessed message (state S5).
func (r *reader) readInfo(id uint64) bool {
	m := &r.message
	var routed *time.Time
	if r.want.Routed {
		routed = &m.Routed
	}
	data, folder, ok := r.readFile(r.tree.info, id, routed)
	if !ok {
		return false
	}
	sender, reason := parseInfo(data)
	if reason != "" {
		r.gap(folder, reason)
	}
	m.State = spoor.StateDone
	m.Sender, m.HasEnvelope = sender, reason != gapNoSender
	return true
}

// readChannels reads the recipients of a preprocessed message.
func (r *reader) readChannels(id uint64, listed presence) {
	m := &r.message
	if m.State == spoor.StateTodo {
		return
	}
	local := listed&inLocal != 0 && r.readChannel(r.tree.local, id, spoor.ChannelLocal)
	remote := listed&inRemote != 0 && r.readChannel(r.tree.remote, id, spoor.ChannelRemote)
	m.Outbound = remote
	switch {
	case local && remote:
		m.State = spoor.StateBoth
	case local:
		m.State = spoor.StateLocal
	case remote:
		m.State = spoor.StateRemote
	}
}

func (r *reader) readChannel(s *shelf, id uint64, channel spoor.Channel) bool {
	data, folder, ok := r.readFile(s, id, nil)
	if !ok {
		return false
	}
	if reason := parseChannel(data, channel, &r.message.Recipients); reason != "" {
		r.gap(folder, reason)
	}
	r.doubtBounce(data)
	return true
}

// doubtBounce forgets what a bounce says of the message behind it if the sender
// of that message, to whom the bounce goes, has a line break in its domain:
// qmail-send copied it unquoted on top of the message, where it can imitate
// anything.
func (r *reader) doubtBounce(records []byte) {
	t := &r.message.Trail
	if len(t.Hops) == 0 || t.Hops[0].Via != spoor.ViaBounce {
		return
	}
	for len(records) > 0 {
		_, address, rest, ok := cutRecord(records)
		if !ok {
			return
		}
		records = rest
		if at := bytes.LastIndexByte(address, '@'); at >= 0 && bytes.IndexByte(address[at:], '\n') >= 0 {
			t.Hops, t.Broken = t.Hops[:1], brokenReturnPath
			t.Hops[0].Address, t.Hops[0].Reason = "", ""
			return
		}
	}
}

// readFile reads an envelope file. The data is valid until the next call. ok is
// false where there is no such file, or where it cannot be read, which is a
// gap.
func (r *reader) readFile(s *shelf, id uint64, modified *time.Time) (data []byte, folder string, ok bool) {
	file, err := s.open(id, r.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", false
	}
	folder = s.folder(id).Name()
	if err != nil {
		r.gap(folder, reasonOf(err))
		return nil, folder, false
	}
	defer file.Close()
	if modified != nil {
		if st, err := file.Stat(); err == nil {
			*modified = time.Unix(0, st.Modified).UTC()
		}
	}
	data, err = r.readAll(file)
	if err != nil {
		r.gap(folder, reasonOf(err))
		return nil, folder, false
	}
	return data, folder, true
}

var errEnvelopeSize = errors.New("larger than an envelope can be")

func (r *reader) readAll(file host.File) ([]byte, error) {
	if cap(r.records) > keptBytes {
		r.records = make([]byte, 0, 4<<10)
	}
	buf := r.records[:cap(r.records)]
	have := 0
	for {
		n, err := file.Read(buf[have:])
		have += n
		if err != nil {
			return nil, err
		}
		if have < len(buf) {
			r.records = buf
			return buf[:have], nil
		}
		if len(buf) >= envelopeBytes {
			return nil, errEnvelopeSize
		}
		buf = append(buf, make([]byte, len(buf))...)
	}
}

func (r *reader) exists(s *shelf, id uint64) bool {
	file, err := s.open(id, r.name)
	if err != nil {
		return false
	}
	file.Close()
	return true
}

// fail counts a message that cannot be read. One that is gone is none.
func (r *reader) fail(folder string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	r.unreadable++
	r.gap(folder, reasonOf(err))
}

func (r *reader) gap(folder, reason string) {
	r.gaps.Add(folder+"/"+string(r.name), reason)
}

// reasonOf says in words what an error of an open file means.
func reasonOf(err error) string {
	if errors.Is(err, syscall.ELOOP) {
		return "symbolic link: not followed"
	}
	return err.Error()
}

// TakeUnreadable implements mta.SlotReader.
func (r *reader) TakeUnreadable() int {
	n := r.unreadable
	r.unreadable = 0
	return n
}
