package logs

import "bytes"

// Continuer is implemented by parsers of a log whose entries may go on in lines
// without a header, as those of Exim's rejectlog do.
type Continuer interface {
	// Continues reports whether a line without a header belongs to the entry
	// before it. It is asked of a log that the program writes itself; in one of
	// syslog's, such a line is a damaged one.
	Continues(text []byte) bool
}

// ownLog reports whether the first line with a stamp shows a log that one program
// writes itself, with date and time and without a host.
func ownLog(head []byte) bool {
	for text := range bytes.Lines(head) {
		text = trimLine(bytes.TrimLeft(text, "\x00"))
		if len(text) >= 20 && text[10] == ' ' {
			if _, ok := isoSeconds(text[:19]); ok {
				return true
			}
		}
		if _, length := bsdStamp(text); length > 0 {
			return false
		}
	}
	return false
}

// continues reports whether a line without a header is no damage.
func (w *worker) continues(text []byte) bool {
	if !w.chunk.file.own {
		return false
	}
	p, ok := w.parser.(Continuer)
	return ok && p.Continues(text)
}

// isJournalNote knows what journalctl writes between entries:
//
//	-- Boot 5d3a1c7bd5e14e6e9b8d6a0b3f0c2f11 --
//	-- Journal begins at Mon 2026-11-23 10:06:13 UTC, ends at Mon 2026-11-23 12:06:13 UTC. --
func isJournalNote(text []byte) bool {
	if !bytes.HasPrefix(text, []byte("-- ")) || !bytes.HasSuffix(text, []byte(" --")) {
		return false
	}
	for _, word := range [...]string{"Boot ", "Reboot ", "Journal begins ", "Logs begin ", "No entries "} {
		if bytes.HasPrefix(text[len("-- "):], []byte(word)) {
			return true
		}
	}
	return false
}
