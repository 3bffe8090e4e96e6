package exim

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"spoor"
)

// spoolHeader is what a -H file says (spool_in.c, and "Format of the -H file" in
// the specification). Its slices alias the file's text.
type spoolHeader struct {
	login       []byte
	uid         int
	sender      []byte
	received    time.Time
	frozen      bool
	local       bool // -local: submitted by a process, not over the network
	localError  bool // -localerror: made by Exim
	untrusted   bool // -sender_set_untrusted: a user chose the sender
	hostAuth    []byte
	authID      []byte
	hostAddress []byte
	hostName    []byte
	helo        []byte
	ident       []byte
	protocol    []byte
	wireFormat  bool // of the -D file: CRLF
	done        [][]byte
	recipients  [][]byte // without the parents of errors_to and DSN data
	parents     []int    // by recipient: the index of the one it was made from; -1
	headers     []byte   // the rest: length, flag, text
	headerStart int      // offset of headers in the file
	counted     int64    // bytes of header lines as Exim adds them up: to the first that is damaged
}

var (
	errFirstLine  = errors.New("does not begin with its own name: damaged")
	errEnvelope   = errors.New("envelope is cut or damaged: Exim does not deliver the message")
	errRecipients = errors.New("list of recipients is cut or damaged: Exim does not deliver the message")
	errHeaders    = errors.New("header lines are cut or damaged")
)

// maxRecipients bounds a count that a damaged file claims.
const maxRecipients = 1 << 22

// lines takes lines off a text.
type lines struct {
	text []byte
	at   int
}

func (l *lines) next() (line []byte, ok bool) {
	rest := l.text[l.at:]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		return nil, false
	}
	l.at += end + 1
	return rest[:end], true
}

// parse reads a -H file. id is its message ID. What was read before an error
// stands.
func (h *spoolHeader) parse(text []byte, id string) error {
	*h = spoolHeader{uid: -1, done: h.done[:0], recipients: h.recipients[:0], parents: h.parents[:0]}
	l := lines{text: text}
	first, ok := l.next()
	if !ok || len(first) != len(id)+2 || string(first[:len(id)]) != id || string(first[len(id):]) != "-H" {
		return errFirstLine
	}
	if err := h.envelope(&l); err != nil {
		return err
	}
	if err := h.variables(&l); err != nil {
		return err
	}
	if err := h.addresses(&l); err != nil {
		return err
	}
	h.headerStart = l.at
	if line, ok := l.next(); !ok || len(line) != 0 {
		return errHeaders
	}
	h.headers, h.headerStart = text[l.at:], l.at
	return nil
}

// envelope reads "login uid gid", "<sender>" and "seconds warnings".
func (h *spoolHeader) envelope(l *lines) error {
	user, ok1 := l.next()
	sender, ok2 := l.next()
	stamp, ok3 := l.next()
	if !ok1 || !ok2 || !ok3 || len(sender) < 2 || sender[0] != '<' || sender[len(sender)-1] != '>' {
		return errEnvelope
	}
	gid := bytes.LastIndexByte(user, ' ')
	uid := bytes.LastIndexByte(user[:max(gid, 0)], ' ')
	if uid < 0 {
		return errEnvelope
	}
	n, err := strconv.ParseUint(string(user[uid+1:gid]), 10, 32)
	if err != nil {
		return errEnvelope
	}
	h.login, h.uid, h.sender = user[:uid], int(n), sender[1:len(sender)-1]
	seconds, _, _ := bytes.Cut(stamp, []byte{' '})
	at, err := strconv.ParseInt(string(seconds), 10, 64)
	if err != nil || at < 0 || at > 1<<40 {
		return errEnvelope
	}
	h.received = time.Unix(at, 0).UTC()
	return nil
}

// variables reads the lines that begin with a hyphen. Two hyphens mark a value
// that came from outside, which may have a remark in brackets before its name.
// Those that are not known are passed over, as by Exim itself.
func (h *spoolHeader) variables(l *lines) error {
	for {
		start := l.at
		line, ok := l.next()
		if !ok {
			return errEnvelope
		}
		if len(line) == 0 || line[0] != '-' {
			l.at = start
			return nil
		}
		line = line[1:]
		if len(line) > 0 && line[0] == '-' {
			line = line[1:]
			if len(line) > 0 && line[0] == '(' {
				end := bytes.IndexByte(line, ')')
				if end < 0 {
					return errEnvelope
				}
				line = line[end+1:]
			}
		}
		name, value, _ := bytes.Cut(line, []byte{' '})
		if isRaw(name) {
			if !l.skipRaw(value) {
				return errEnvelope
			}
			continue
		}
		h.variable(name, value)
	}
}

// isRaw reports whether the value is "number length" or "name length", and so
// many bytes and a line end follow, which may hold anything.
func isRaw(name []byte) bool {
	switch string(name) {
	case "acl", "aclc", "aclm":
		return true
	}
	return false
}

func (l *lines) skipRaw(value []byte) bool {
	space := bytes.LastIndexByte(value, ' ')
	n, err := strconv.Atoi(string(value[space+1:]))
	if err != nil || n < 0 || l.at+n >= len(l.text) || l.text[l.at+n] != '\n' {
		return false
	}
	l.at += n + 1
	return true
}

func (h *spoolHeader) variable(name, value []byte) {
	switch string(name) {
	case "received_time_usec":
		if micros, err := strconv.ParseUint(string(bytes.TrimPrefix(value, []byte{'.'})), 10, 32); err == nil && micros < 1e6 {
			h.received = h.received.Add(time.Duration(micros) * time.Microsecond)
		}
	case "frozen":
		h.frozen = true
	case "local":
		h.local = true
	case "sender_set_untrusted":
		h.untrusted = true
	case "localerror":
		h.localError = true
	case "host_auth":
		h.hostAuth = value
	case "auth_id":
		h.authID = value
	case "host_address":
		h.hostAddress = value
	case "host_name":
		h.hostName = value
	case "helo_name":
		h.helo = value
	case "ident":
		h.ident = value
	case "received_protocol":
		h.protocol = value
	case "spool_file_wireformat":
		h.wireFormat = true
	}
}

// addresses reads the tree of those that are done, then the recipients.
func (h *spoolHeader) addresses(l *lines) error {
	if err := h.tree(l); err != nil {
		return err
	}
	line, ok := l.next()
	count, err := strconv.Atoi(string(line))
	if !ok || err != nil || count < 0 || count > maxRecipients {
		return errRecipients
	}
	for range count {
		line, ok := l.next()
		if !ok {
			return errRecipients
		}
		address, parent := cutRecipient(line)
		h.recipients = append(h.recipients, address)
		h.parents = append(h.parents, parent)
	}
	return nil
}

// tree reads the balanced tree of addresses that need no more: XX where there is
// none, else each node before its branches, with Y or N for either branch.
func (h *spoolHeader) tree(l *lines) error {
	start := l.at
	line, ok := l.next()
	switch {
	case !ok:
		return errRecipients
	case string(line) == "XX":
		return nil
	case len(line) < 3 || line[2] != ' ' || !isBranch(line[0]) || !isBranch(line[1]):
		l.at = start // written before any delivery, by old versions
		return nil
	}
	l.at = start
	for open := 1; open > 0; open-- {
		line, ok := l.next()
		if !ok || len(line) < 3 || line[2] != ' ' || !isBranch(line[0]) || !isBranch(line[1]) {
			return errRecipients
		}
		h.done = append(h.done, line[3:])
		for _, branch := range line[:2] {
			if branch == 'Y' {
				open++
			}
		}
	}
	return nil
}

func isBranch(c byte) bool { return c == 'Y' || c == 'N' }

// cutRecipient reads "address", or with what the specification calls the current
// form, "address orcpt len,flags errors_to len,parent#3", or the older
// "address errors_to len,parent#1". It is read from the end: an address may hold
// blanks. parent is -1 where there is none.
func cutRecipient(line []byte) (address []byte, parent int) {
	end := len(line)
	if end < 2 || line[end-2] != '#' {
		return line, -1
	}
	mode := line[end-1]
	if mode != '1' && mode != '3' {
		return line, -1
	}
	rest, parent, ok := cutLength(line[:end-2])
	if ok && mode == '3' {
		rest, _, ok = cutLength(rest)
	}
	if !ok {
		return line, -1
	}
	return rest, parent
}

// cutLength takes " text len,number" off the end.
func cutLength(line []byte) (rest []byte, number int, ok bool) {
	comma := bytes.LastIndexByte(line, ',')
	space := bytes.LastIndexByte(line[:max(comma, 0)], ' ')
	if comma < 0 || space < 0 {
		return nil, 0, false
	}
	length, err1 := strconv.Atoi(string(line[space+1 : comma]))
	number, err2 := strconv.Atoi(string(line[comma+1:]))
	end := space - length
	if err1 != nil || err2 != nil || length < 0 || end < 1 || line[end-1] != ' ' && length > 0 {
		return nil, 0, false
	}
	if length > 0 {
		end--
	}
	return bytes.TrimRight(line[:end], " "), number, true
}

// appendHeader appends the header as it is sent: "034F text" has a length of at
// least three digits, a flag, a blank, and so many bytes. Lines that Exim has
// rewritten or removed have the flag *. It goes on behind a NUL, where Exim does
// not, and ends at a length that cannot be.
func (h *spoolHeader) appendHeader(text []byte) (header []byte, err error) {
	h.counted = 0
	rest := h.headers
	for len(rest) > 0 {
		n, digits := headerLength(rest)
		if digits < 3 || len(rest) < digits+2 || rest[digits+1] != ' ' {
			return text, errHeaders
		}
		sent := rest[digits] != '*'
		if sent && err == nil {
			h.counted += int64(n)
		}
		rest = rest[digits+2:]
		line := rest[:min(n, len(rest))]
		if len(line) < n || bytes.IndexByte(line, 0) >= 0 {
			err = errHeaders
		}
		if sent {
			text = append(text, line...)
			if len(line) == 0 || line[len(line)-1] != '\n' {
				text = append(text, '\n')
			}
		}
		rest = rest[len(line):]
	}
	return text, err
}

func headerLength(text []byte) (n, digits int) {
	for digits < len(text) && digits < 9 && text[digits] >= '0' && text[digits] <= '9' {
		n = n*10 + int(text[digits]-'0')
		digits++
	}
	return n, digits
}

// state tells whether deliveries are tried.
func (h *spoolHeader) state() spoor.State {
	if h.frozen {
		return spoor.StateFrozen
	}
	return spoor.StateQueued
}
