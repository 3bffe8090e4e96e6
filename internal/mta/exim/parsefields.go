package exim

import (
	"bytes"
	"unicode/utf8"
)

// cutWord takes what stands before the next blank off. A blank between quotes is
// part of the word; a backslash takes the meaning from the byte after it. ok is
// false where a quote does not end.
func cutWord(b []byte) (word, rest []byte, ok bool) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++
		case ' ':
			if !quoted {
				return b[:i], b[i:], true
			}
		}
	}
	return b, nil, !quoted
}

// cutAngle takes an address in angle brackets off, of which the first is gone
// already. It holds no blank but between quotes.
func cutAngle(b []byte) (address, rest []byte, ok bool) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++
		case ' ':
			if !quoted {
				return nil, b, false
			}
		case '>':
			if !quoted {
				return b[:i], b[i+1:], true
			}
		}
	}
	return nil, b, false
}

// cutQuoted takes a text in quotes off, of which the first is gone already.
func cutQuoted(b []byte) (text, rest []byte, ok bool) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return b[:i], b[i+1:], true
		case '\\':
			i++
		}
	}
	return b, nil, false
}

// cutField takes a field off that is of no use here: a blank, then NAME=value or
// one of the words that stand alone.
//
//	X=TLS1.3:ECDHE_X25519:256 CV=no DN="CN=client.example" SNI=mail.example K
func cutField(b []byte) (rest []byte, ok bool) {
	if len(b) < 2 || b[0] != ' ' {
		return b, false
	}
	if b[1] == 'D' || b[1] == 'S' {
		if name, found := cutEither(b, ` DN="`, ` SNI="`); found { // what it holds is not escaped
			end := bytes.IndexByte(name, '"')
			return name[end+1:], end >= 0
		}
	}
	word := b[1:]
	if end := bytes.IndexByte(word, ' '); end >= 0 {
		word = word[:end]
	}
	if len(word) < len(b)-1 && bytes.HasSuffix(word, []byte{':'}) { // the text follows
		word = word[:len(word)-1]
	}
	rest = b[1+len(word):]
	name := 0
	for name < len(word) && name < 8 && isNameByte(word[name]) {
		name++
	}
	if name > 0 && name+1 < len(word) && word[name] == '=' {
		return rest, bytes.IndexByte(word, '"') < 0
	}
	switch string(word) {
	case "L", "L-", "L*", "L.", "L*-", "L.-", "K", "PRDR", "TFO", "TFO*", "DS", "ARC", "SPF", "DMARC":
		return rest, true
	}
	return b, false
}

func isNameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '*' || c == '_'
}

// hostField finds the address of a host in the text where it begins, which goes
// on behind it. A client's greeting in brackets may hold anything where junk is
// allowed (helo_accept_junk_hosts): next yields every place where it may end.
//
//	mail.example.net (greeting) [192.0.2.7]:45873 I=[198.51.100.1]:25 …
//	[192.0.2.7] …
type hostField struct {
	text  []byte
	at    int // a greeting ends here or later
	tries int
	stage hostStage

	address, rest []byte
	port          uint16 // 0 where none is logged
}

type hostStage uint8

const (
	hostUnread hostStage = iota
	hostGreeted
	hostDone
)

// maxGreetings bounds the places where a greeting may end.
const maxGreetings = 64

// next finds the next possible address, from the left to the right.
func (h *hostField) next() bool {
	if h.stage == hostUnread {
		h.stage = hostGreeted
		if h.plain() {
			h.stage = hostDone
			return h.address != nil
		}
	}
	for h.stage == hostGreeted && h.tries < maxGreetings {
		end := bytes.Index(h.text[h.at:], []byte(") ["))
		if end < 0 {
			break
		}
		h.at += end + 2
		if address, port, rest, ok := cutIPPort(h.text[h.at:]); ok {
			h.address, h.port, h.rest = address, port, rest
			h.tries++
			return true
		}
	}
	h.stage = hostDone
	return false
}

// plain reads a host that has sent no greeting, and reports whether it is one.
func (h *hostField) plain() bool {
	b := h.text
	if len(b) > 0 && b[0] != '[' && b[0] != '(' {
		space := bytes.IndexByte(b, ' ')
		if space < 0 {
			return true
		}
		b = b[space+1:]
		b = bytes.TrimPrefix(b, []byte("DS "))
	}
	if len(b) > 0 && b[0] == '(' {
		return false
	}
	if address, port, rest, ok := cutIPPort(b); ok {
		h.address, h.port, h.rest = address, port, rest
	}
	return true
}

// cutIP takes an address in square brackets off, with the port that may follow.
// In logs that were published it may be blacked out: x.x.x.x, 192.0.2.*.
func cutIP(b []byte) (address, rest []byte, ok bool) {
	address, _, rest, ok = cutIPPort(b)
	return address, rest, ok
}

// cutIPPort does the same and tells the port, or 0.
func cutIPPort(b []byte) (address []byte, number uint16, rest []byte, ok bool) {
	if len(b) < 4 || b[0] != '[' {
		return nil, 0, b, false
	}
	i, marks := 1, 0
	for i < len(b) && i < 48 && isAddressByte(b[i]) {
		if b[i] == '.' || b[i] == ':' {
			marks++
		}
		i++
	}
	if marks < 2 || i >= len(b) || b[i] != ']' {
		return nil, 0, b, false
	}
	address, rest = b[1:i], b[i+1:]
	if port, found := cut(rest, ":"); found {
		if n, after := digits(port); len(after) < len(port) {
			rest = after
			if n < 1<<16 {
				number = uint16(n)
			}
		} else if masked, found := cut(port, "PORT_"); found && len(masked) > 0 { // of Exim's test suite
			rest = bytes.TrimLeft(masked[1:], "0123456789")
		}
	}
	return address, number, bytes.TrimPrefix(rest, []byte{'*'}), true
}

func isAddressByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == ':' || c == '*'
}

// soleHost finds the host before what the function goes on accepts, and returns
// what follows the host's address. Where a greeting or another's words make a
// second place possible, the address is nil: neither is proven.
func soleHost(b []byte, goesOn func([]byte) bool) (address, rest []byte, ok bool) {
	h := hostField{text: b}
	for h.next() {
		if !goesOn(h.rest) {
			continue
		}
		if ok {
			return nil, rest, true
		}
		address, rest, ok = h.address, h.rest, true
	}
	return address, rest, ok
}

// skipFields takes all fields off that may follow a host, with the sender.
func skipFields(b []byte) []byte {
	for {
		if sender, ok := cut(b, " F=<"); ok {
			_, rest, ok := cutAngle(sender)
			if !ok {
				return b
			}
			b = rest
			continue
		}
		rest, ok := cutField(b)
		if !ok {
			return b
		}
		b = rest
	}
}

// printed gives a login the letters back that Exim has printed as numbers
// (string_printing(), print_topbitchars). What is no UTF-8 stays as it is.
//
//	j\303\266rg@example.com
func printed(login []byte) []byte {
	if bytes.IndexByte(login, '\\') < 0 {
		return login
	}
	var text []byte
	for i := 0; i < len(login); i++ {
		if c, ok := octal(login[i:]); ok {
			text = append(text, c)
			i += len(`\303`) - 1
			continue
		}
		text = append(text, login[i])
	}
	if !utf8.Valid(text) {
		return login
	}
	return text
}

// octal reads a byte above 127 as \303.
func octal(b []byte) (c byte, ok bool) {
	if len(b) < 4 || b[0] != '\\' || b[1] != '2' && b[1] != '3' || b[2] < '0' || b[2] > '7' || b[3] < '0' || b[3] > '7' {
		return 0, false
	}
	return (b[1]-'0')<<6 | (b[2]-'0')<<3 | (b[3] - '0'), true
}
