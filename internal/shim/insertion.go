package shim

import "bytes"

// Field is the header field that a message gets.
const Field = "X-Spoor-Origin"

// place is where the field goes, and how the line ends that it stands on.
type place struct {
	at      int
	lineEnd string
	ok      bool // false: there is no place where it would change nothing else
}

// findPlace looks for the place in the beginning of a message: at its top, behind
// the lines that a mailbox puts before it.
//
// There is none in a message that is empty; in one that begins with a blank, since
// that line would become a part of the field; and behind a line that begins with
// "From " and that MTAs do not agree on: Postfix passes over every such line, Exim
// only over one with a time.
func findPlace(head []byte) place {
	p := place{ok: true}
	for {
		line, end := lineAt(head, p.at)
		switch {
		case len(line) == 0 && end == p.at: // nothing is left
			p.ok = false
			return p
		case isFrom(line):
			if !isMailboxLine(line) || end == len(head) {
				p.ok = false
				return p
			}
			p.at = end
			continue
		case line[0] == ' ' || line[0] == '\t':
			p.ok = false
		}
		p.lineEnd = "\n"
		if bytes.HasSuffix(line, []byte("\r\n")) {
			p.lineEnd = "\r\n"
		}
		return p
	}
}

// lineAt returns a line with its end, and the offset behind it.
func lineAt(data []byte, start int) (line []byte, end int) {
	i := bytes.IndexByte(data[start:], '\n')
	if i < 0 {
		return data[start:], len(data)
	}
	return data[start : start+i+1], start + i + 1
}

// isFrom knows the line before a message in a mailbox, which is quoted where
// mailboxes are nested.
func isFrom(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From "))
}

// isMailboxLine knows the line that mailboxes have, from its time:
//
//	From web1@shop.example Thu Nov 26 10:15:00 2026
func isMailboxLine(line []byte) bool {
	if line[0] == '>' {
		return false
	}
	for i := 0; i+5 <= len(line); i++ {
		if digit(line[i]) && digit(line[i+1]) && line[i+2] == ':' && digit(line[i+3]) && digit(line[i+4]) {
			return true
		}
	}
	return false
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// headEnd returns where the header ends, and whether data shows it: at an empty
// line, or before the first line that is none of a header.
func headEnd(data []byte) (end int, seen bool) {
	first := true
	for at := 0; at < len(data); {
		line, next := lineAt(data, at)
		if line[len(line)-1] != '\n' {
			return at, false
		}
		if !isHeaderLine(line, first) && (!first || !isFrom(line)) {
			return at, true
		}
		first = first && isFrom(line)
		at = next
	}
	return len(data), false
}

func isHeaderLine(line []byte, first bool) bool {
	if line[0] == ' ' || line[0] == '\t' {
		return !first
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return false
	}
	for _, c := range bytes.TrimRight(line[:colon], " \t") {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
