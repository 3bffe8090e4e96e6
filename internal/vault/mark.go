package vault

import (
	"fmt"
	"strconv"
	"strings"

	"spoor"
)

// appendMark appends the lines of a mark.
func appendMark(dst []byte, m *Mark) []byte {
	dst = appendText(dst, "fate", m.Fate.String())
	dst = appendWhen(dst, "time", m.Time)
	switch m.Fate {
	case FateRestoring:
		p := &m.Prepared
		dst = appendText(dst, "tag", p.Tag)
		dst = appendText(dst, "old", string(p.OldID))
		dst = appendText(dst, "new", string(p.NewID))
		dst = appendText(dst, "folder", p.Folder)
		dst = append(strconv.AppendUint(append(dst, "inode "...), p.Inode, 10), '\n')
		dst = appendNumber(dst, "undone", int64(p.Undone))
		dst = appendText(dst, "by", m.By)
	case FateRestored:
		dst = appendText(dst, "new", string(m.NewID))
	default:
	}
	return dst
}

// parseMark is the inverse of appendMark. Words that it does not know are
// skipped.
func parseMark(text []byte) (m Mark, err error) {
	for line := range strings.Lines(string(text)) {
		word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		plain, err := unescape(value)
		if err == nil {
			err = m.set(word, plain)
		}
		if err != nil {
			return m, fmt.Errorf("the line %q: %w", line, err)
		}
	}
	return m, nil
}

func (m *Mark) set(word, value string) (err error) {
	switch word {
	case "fate":
		fate, ok := ParseFate(value)
		if !ok {
			return errRecord
		}
		m.Fate = fate
	case "time":
		m.Time, err = parseTime(value)
	case "tag":
		m.Prepared.Tag = value
	case "old":
		m.Prepared.OldID = spoor.QueueID(value)
	case "new":
		m.setNew(spoor.QueueID(value))
	case "folder":
		m.Prepared.Folder = value
	case "by":
		m.By = value
	case "inode":
		m.Prepared.Inode, err = strconv.ParseUint(value, 10, 64)
	case "undone":
		m.Prepared.Undone, err = strconv.Atoi(value)
	}
	return err
}

func (m *Mark) setNew(id spoor.QueueID) {
	if m.Fate == FateRestored {
		m.NewID = id
		return
	}
	m.Prepared.NewID = id
}
