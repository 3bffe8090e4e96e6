package qmail

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// doubt is damage that a message may show for a moment while it moves: it is
// told if a second look finds the same files.
type doubt struct {
	check, example string
	message        *queueMessage
}

const (
	orphanYoung = time.Hour
	ossified    = 129600 * time.Second // OSSIFIED of qmail-send.c: 36 hours since the last access
	cleanup     = 76431 * time.Second  // SLEEP_CLEANUP of qmail-send.c
)

// message checks what the files of one name make together.
func (k *checker) message(m *queueMessage) {
	doubt := func(check string, f *queueFile, what string) {
		example := f.path()
		if what != "" {
			example = named(example, what)
		}
		k.doubts = append(k.doubts, doubt{check, example, m})
	}
	switch m.stage() {
	case stageLost:
		k.lost(m, doubt)
	case stagePartial:
		k.partial(m, doubt)
	case stageBeheaded:
		doubt("beheaded", m.file[pieceMess], "")
	case stageTodo:
		if m.has(pieceBounce) {
			doubt("stale-bounce", m.file[pieceBounce], "")
		}
		if m.flaw != flawNone {
			doubt("todo-damaged", m.file[pieceTodo], m.flaw.String())
		}
	case stageQueued:
		k.queued(m, doubt)
	}
	if s := m.stage(); (s == stageTodo || s == stageQueued) && m.file[pieceMess].size == 0 {
		doubt("empty-content", m.file[pieceMess], "")
	}
}

type doubtFunc func(check string, f *queueFile, what string)

// lost tells of files without a content.
func (k *checker) lost(m *queueMessage, doubt doubtFunc) {
	for p := piece(0); p < pieces; p++ {
		switch {
		case !m.has(p):
		case p == pieceBounce:
			doubt("stale-bounce", m.file[p], "")
		case p == pieceIntd:
			doubt("stray-envelope", m.file[p], "")
		default:
			doubt("no-content", m.file[p], "")
		}
	}
}

// partial tells of messages that were never queued whole.
func (k *checker) partial(m *queueMessage, doubt doubtFunc) {
	f := m.file[pieceMess]
	if m.has(pieceBounce) {
		doubt("stale-bounce", m.file[pieceBounce], "")
	}
	age := k.now.Sub(time.Unix(0, f.modified))
	switch accessed := k.now.Sub(time.Unix(0, f.accessed)); {
	case age < orphanYoung:
	case accessed > ossified+cleanup:
		doubt("orphan-old", f, "last access "+hours(accessed)+" ago")
	default:
		doubt("orphan", f, "written "+hours(age)+" ago")
	}
}

func hours(d time.Duration) string { return fmt.Sprintf("%d h", d/time.Hour) }

func (k *checker) queued(m *queueMessage, doubt doubtFunc) {
	switch m.flaw {
	case flawSender:
		doubt("info-damaged", m.file[pieceInfo], "")
	case flawCut, flawUnknown:
		f := m.file[pieceRemote]
		if f == nil {
			f = m.file[pieceLocal]
		}
		if f != nil {
			doubt("recipients-damaged", f, m.flaw.String())
		}
	case flawNone, flawNobody:
	}
}

// String names the flaw for people.
func (f flaw) String() string {
	return [...]string{"sound", "a record of unknown type", "the last record is cut off", "no sender", "no recipient"}[f]
}

// confirm looks again at the messages in doubt.
func (k *checker) confirm() error {
	look := newDirCache(k.census.top)
	defer look.close()
	for _, d := range k.doubts {
		same, err := look.same(k.census.layout, d.message)
		if err != nil {
			return err
		}
		if same {
			k.add(d.check, d.example)
		}
	}
	return nil
}

// same reports whether a message has the files that it had.
func (s *dirCache) same(l layout, m *queueMessage) (bool, error) {
	for p := piece(0); p < pieces; p++ {
		f, folder := m.file[p], l.folder(p, m.id)
		if f != nil {
			folder = f.folder
		}
		inode, err := s.inode(p, folder, m.id)
		if err != nil {
			return false, err
		}
		if f == nil && inode != 0 || f != nil && inode != f.inode {
			return false, nil
		}
	}
	return true, nil
}

// inode is that of a file, 0 where there is none.
func (s *dirCache) inode(p piece, folder int32, id uint64) (uint64, error) {
	dir, err := s.dir(p, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	st, err := dir.Stat(placeName(flat, id))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return st.Inode, err
}
