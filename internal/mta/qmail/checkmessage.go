package qmail

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/cespare/xxhash/v2"

	"spoor/internal/disk"
)

// stage is how far a message is, by the files that it has (INTERNALS).
type stage uint8

const (
	stageLost     stage = iota // files without a content
	stagePartial               // S2, S3: being written, left by a crash, or nearly removed
	stageTodo                  // S4
	stageQueued                // S5
	stageBeheaded              // recipients, content, no sender: somebody removed info
)

// queueMessage is the files of one name.
type queueMessage struct {
	id    uint64
	file  [pieces]*queueFile // those that count; nil where there is none
	extra []*queueFile       // more files of the same piece, in other folders

	undone, done int    // recipients
	flaw         flaw   // of the envelope
	envelope     uint64 // hash of what is copied of it

	foreignOwner bool // its content is not qmailq's
	twin         bool // its content is that of another message too
}

// flaw is what is wrong with an envelope.
type flaw uint8

const (
	flawNone    flaw = iota
	flawUnknown      // a record of a type that qmail does not know
	flawCut          // the last record has no end
	flawSender       // no sender record
	flawNobody       // queued for nobody
)

// hopeless reports whether qmail can do nothing with the message: what would
// become of it is not what its sender wanted.
func (m *queueMessage) hopeless() bool {
	return m.flaw == flawSender || m.stage() == stageTodo && (m.flaw == flawCut || m.flaw == flawNobody)
}

func (m *queueMessage) has(p piece) bool { return m.file[p] != nil }

func (m *queueMessage) stage() stage {
	switch {
	case !m.has(pieceMess):
		return stageLost
	case m.has(pieceTodo):
		return stageTodo
	case m.has(pieceInfo):
		return stageQueued
	case m.has(pieceLocal) || m.has(pieceRemote):
		return stageBeheaded
	}
	return stagePartial
}

// messages groups the files by name. Of several files of one piece the one where
// qmail looks for it counts, else the first.
func (c *census) messages() []queueMessage {
	var list []queueMessage
	for i := range c.files {
		f := &c.files[i]
		if len(list) == 0 || list[len(list)-1].id != f.id {
			list = append(list, queueMessage{id: f.id})
		}
		m := &list[len(list)-1]
		switch known := m.file[f.piece]; {
		case known == nil:
			m.file[f.piece] = f
		case f.folder == c.layout.folder(f.piece, f.id):
			m.file[f.piece] = f
			m.extra = append(m.extra, known)
		default:
			m.extra = append(m.extra, f)
		}
	}
	return list
}

// dirCache opens directories of a queue by piece and folder, and keeps some of
// them open. One goroutine uses it.
type dirCache struct {
	top  *disk.Dir
	open map[shelfKey]*disk.Dir
	last shelfKey // that was asked for
}

type shelfKey struct {
	piece  piece
	folder int32
}

// maxOpen bounds the directories that are kept open.
const maxOpen = 240

func newDirCache(top *disk.Dir) *dirCache { return &dirCache{top: top, open: map[shelfKey]*disk.Dir{}} }

// dir is the directory of a piece. It is valid until the next call but one: two
// may be used together.
func (s *dirCache) dir(p piece, folder int32) (*disk.Dir, error) {
	key := shelfKey{p, folder}
	defer func() { s.last = key }()
	if d, ok := s.open[key]; ok {
		return d, nil
	}
	if len(s.open) >= maxOpen {
		s.closeOthers()
	}
	name := shelfRules()[p].name
	if folder != flat {
		name += "/" + placeName(flat, uint64(folder))
	}
	d, err := s.top.OpenDir(name)
	if err != nil {
		return nil, err
	}
	s.open[key] = d
	return d, nil
}

// closeOthers closes all but the directory that was asked for last.
func (s *dirCache) closeOthers() {
	for key, d := range s.open {
		if key != s.last {
			_ = d.Close()
			delete(s.open, key)
		}
	}
}

func (s *dirCache) close() {
	for _, d := range s.open {
		_ = d.Close()
	}
	clear(s.open)
}

// read returns the content of a file into a buffer that it may replace.
func (s *dirCache) read(f *queueFile, buf []byte) ([]byte, error) {
	dir, err := s.dir(f.piece, f.folder)
	if err != nil {
		return buf[:0], err
	}
	file, err := dir.Open(placeName(flat, f.id))
	if err != nil {
		return buf[:0], err
	}
	defer func() { _ = file.Close() }()
	return readWhole(file, buf)
}

// readWhole reads an envelope file.
func readWhole(file *disk.File, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for {
		if cap(buf)-len(buf) < 512 {
			buf = append(buf, make([]byte, max(4096, len(buf)))...)[:len(buf)]
		}
		n, err := file.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		case len(buf) > envelopeBytes:
			return buf, errEnvelopeSize
		}
	}
}

// readEnvelopes reads what the envelopes of all messages hold, by several
// goroutines. A file that has gone meanwhile is as if it were empty.
func (c *census) readEnvelopes(list []queueMessage, workers int) error {
	all := make([]*queueMessage, 0, len(list))
	for i := range list {
		all = append(all, &list[i])
	}
	return c.readEnvelopesOf(all, workers)
}

func (c *census) readEnvelopesOf(list []*queueMessage, workers int) error {
	return inShares(list, workers, func(share []*queueMessage) error {
		from := newDirCache(c.top)
		defer from.close()
		var buf []byte
		for i := range share {
			var err error
			if buf, err = share[i].readEnvelope(from, buf); err != nil {
				return err
			}
		}
		return nil
	})
}

// inShares calls f with parts of list, one for each worker.
func inShares(list []*queueMessage, workers int, f func(share []*queueMessage) error) error {
	workers = max(1, workers)
	errs := make([]error, workers)
	var group sync.WaitGroup
	for i := range workers {
		share := list[len(list)*i/workers : len(list)*(i+1)/workers]
		if len(share) == 0 {
			continue
		}
		group.Go(func() { errs[i] = f(share) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// copied are the pieces of a message of a stage that a rebuild copies, in the
// order in which they are written: the last one makes it visible.
func copied(s stage) []piece {
	switch s {
	case stageTodo:
		return []piece{pieceTodo}
	case stageQueued:
		return []piece{pieceBounce, pieceLocal, pieceRemote, pieceInfo}
	case stageLost, stagePartial, stageBeheaded:
	}
	return nil
}

func (m *queueMessage) readEnvelope(from *dirCache, buf []byte) ([]byte, error) {
	hash := xxhash.New()
	m.undone, m.done, m.flaw = 0, 0, flawNone
	for _, p := range copied(m.stage()) {
		if !m.has(p) {
			continue
		}
		data, err := from.read(m.file[p], buf)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
		buf = data
		_, _ = hash.Write([]byte{byte(p)})
		_, _ = hash.Write(data)
		m.judge(p, data)
	}
	m.envelope = hash.Sum64()
	return buf, nil
}

// judge counts the recipients in one file of an envelope and notes what is wrong
// with it.
func (m *queueMessage) judge(p piece, data []byte) {
	if p == pieceBounce {
		return // text
	}
	sender, recipients, cut := false, 0, false
	for len(data) > 0 {
		letter, _, rest, ok := cutRecord(data)
		if !ok {
			cut = true
			break
		}
		data = rest
		switch {
		case letter == 'F' && p != pieceLocal && p != pieceRemote:
			sender = true
		case letter == 'T' && p != pieceInfo:
			recipients++
			m.undone++
		case letter == 'D' && (p == pieceLocal || p == pieceRemote):
			m.done++
		case (letter == 'u' || letter == 'p') && p == pieceTodo:
		default:
			m.flaw = max(m.flaw, flawUnknown)
		}
	}
	if cut {
		m.flaw = max(m.flaw, flawCut)
	}
	if !sender && (p == pieceInfo || p == pieceTodo) {
		m.flaw = flawSender
	}
	if p == pieceTodo && sender && recipients == 0 {
		m.flaw = max(m.flaw, flawNobody)
	}
}
