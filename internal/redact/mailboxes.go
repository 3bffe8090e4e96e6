package redact

import (
	"io"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mailboxFields are the fields whose value is a list of mailboxes, each perhaps with
// the name of who has it (RFC 5322 §3.6.2, §3.6.3 and §3.6.6, RFC 8098 §2.1, and those
// that programs have added).
var mailboxFields = words("from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-sender", "resent-reply-to", "resent-to", "resent-cc",
	"resent-bcc", "return-path", "errors-to", "disposition-notification-to", "return-receipt-to", "apparently-to", "mail-followup-to", "mail-reply-to",
	"delivered-to", "envelope-to", "x-original-to", "x-envelope-to", "x-envelope-from", "x-sender", "x-from", "x-rcpt-to", "x-receiver", "x-apparently-to",
	"x-confirm-reading-to", "x-original-from", "x-forwarded-to", "x-forwarded-for", "original-from", "abuse-reports-to", "x-report-abuse-to")

// Header masks what Addresses masks in a header, or in any text, and also the names of
// people: of each mailbox of From, To and their like, the display name and comments
// but for the first letter, unless keep accepts its address. Names that are encoded
// (RFC 2047) are masked too, and addresses in encoded words of other fields, such as
// Subject; such a field is written decoded. In lines of a log, fields that Postfix'
// header_checks(5) and PHP's mail.log quote are masked likewise.
func Header(text string, keep func(address string) bool) string {
	if keep == nil {
		keep = func(string) bool { return false }
	}
	var out strings.Builder
	for text != "" {
		field, rest := cutField(text)
		out.WriteString(maskedField(field, keep))
		text = rest
	}
	return out.String()
}

// cutField cuts the first field off, with the lines that continue it (RFC 5322 §2.2.3)
// and its last line end.
func cutField(text string) (field, rest string) {
	end := 0
	for {
		i := strings.IndexByte(text[end:], '\n')
		if i < 0 {
			return text, ""
		}
		end += i + 1
		if end == len(text) || text[end] != ' ' && text[end] != '\t' {
			return text[:end], text[end:]
		}
	}
}

func maskedField(field string, keep func(string) bool) string {
	name, value, found := strings.Cut(field, ":")
	switch {
	case found && mailboxFields[strings.ToLower(strings.TrimRight(name, " \t"))]:
		return name + ":" + Mailboxes(value, keep)
	case strings.Contains(field, "=?"):
		return maskedWords(field, keep)
	default:
		return Addresses(quotedFields(field, keep), keep)
	}
}

// maskedWords masks a text with encoded words. It is written decoded where an
// address is in what they say.
func maskedWords(text string, keep func(string) bool) string {
	said := decoded(text)
	if masked := Addresses(said, keep); masked != said {
		end := text[len(strings.TrimRight(text, "\r\n")):]
		return strings.TrimRight(masked, "\r\n") + end
	}
	return Addresses(text, keep)
}

// decoded is a text with its encoded words decoded. Of a charset that is not known
// here the bytes are taken as they are: most have ASCII in them.
func decoded(text string) string {
	unfolded := strings.NewReplacer("\r\n ", " ", "\n ", " ", "\r\n\t", " ", "\n\t", " ").Replace(text)
	decoder := mime.WordDecoder{CharsetReader: func(_ string, in io.Reader) (io.Reader, error) { return in, nil }}
	said, err := decoder.DecodeHeader(unfolded)
	if err != nil {
		return unfolded
	}
	return said
}

// quotedFields masks the mailboxes of fields that a line of a log quotes: Postfix
// writes "header From: … from host[…]; from=<…>" (header_checks(5)), PHP "mail() on
// [FILE:LINE]: To: … -- Headers: From: … X: …" (mail.log).
func quotedFields(line string, keep func(string) bool) string {
	if i := strings.Index(line, ": header "); i >= 0 {
		begin := i + len(": header ")
		name, value, found := strings.Cut(line[begin:], ": ")
		end := strings.LastIndex(value, " from ")
		if found && mailboxFields[strings.ToLower(name)] && end >= 0 {
			return line[:begin] + name + ": " + Mailboxes(value[:end], keep) + value[end:]
		}
		return line
	}
	begin := strings.Index(line, "mail() on [")
	if begin < 0 {
		return line
	}
	var out strings.Builder
	value, field := 0, ""
	flush := func(end int) {
		if mailboxFields[strings.ToLower(field)] {
			out.WriteString(Mailboxes(line[value:end], keep))
		} else {
			out.WriteString(line[value:end])
		}
		value = end
	}
	for at := begin; at < len(line); at++ {
		if line[at] != ' ' {
			continue
		}
		if name := fieldName(line[at+1:]); name != "" {
			flush(at)
			end := at + 1 + len(name) + 1
			out.WriteString(line[at:end])
			value, field = end, name
		} else if strings.HasPrefix(line[at:], " -- ") {
			flush(at)
			field = ""
		}
	}
	flush(len(line))
	return out.String()
}

// fieldName is the name of a field that a text begins with, before its colon and a
// space; "" if it begins with none.
func fieldName(text string) string {
	end := 0
	for end < len(text) && (text[end] == '-' || text[end]|0x20 >= 'a' && text[end]|0x20 <= 'z') {
		end++
	}
	if end == 0 || !strings.HasPrefix(text[end:], ": ") {
		return ""
	}
	return text[:end]
}

// Mailboxes masks the mailboxes of a list (RFC 5322 §3.4, and what mail has in place
// of that): of each whose address keep does not accept the local part, the display
// name and the comments but for their first characters.
func Mailboxes(list string, keep func(address string) bool) string {
	var out strings.Builder
	start := 0
	pieces := piecesOf(list)
	for i := range pieces {
		if p := &pieces[i]; p.kind == separatorPiece {
			out.WriteString(mailbox(pieces[start:i], p.text, keep))
			start = i + 1
		}
	}
	out.WriteString(mailbox(pieces[start:], "", keep))
	return out.String()
}

// pieceKind is what a piece of a list of mailboxes is.
type pieceKind uint8

const (
	wordPiece      pieceKind = iota // an atom, an encoded word, or an address; also with quoted strings in it
	quotedPiece                     // a quoted string by itself, with its quotes
	blankPiece                      // white space, with line ends
	commentPiece                    // a comment, with its parentheses
	anglePiece                      // what stands in angle brackets, with these
	separatorPiece                  // a comma or semicolon, or the colon behind the name of a group
)

type piece struct {
	kind pieceKind
	text string
}

// piecesOf parts a list. What is not closed goes on to its end.
func piecesOf(list string) []piece {
	var pieces []piece
	for at := 0; at < len(list); {
		kind, end := pieceAt(list, at)
		pieces = append(pieces, piece{kind, list[at:end]})
		at = end
	}
	return pieces
}

func pieceAt(list string, at int) (kind pieceKind, end int) {
	switch c := list[at]; {
	case isBlank(c):
		for at < len(list) && isBlank(list[at]) {
			at++
		}
		return blankPiece, at
	case c == '(':
		return commentPiece, commentEnd(list, at)
	case c == '<':
		return anglePiece, angleEnd(list, at)
	case c == ',' || c == ';' || c == ':':
		return separatorPiece, at + 1
	}
	kind = wordPiece
	begin := at
	for at < len(list) && !isBlank(list[at]) && strings.IndexByte("(<,;:", list[at]) < 0 {
		if literal := strings.IndexByte(list[at:], ']'); list[at] == '[' && literal > 0 {
			at += literal + 1 // an address literal (RFC 5321 §4.1.3)
			continue
		}
		if list[at] != '"' {
			at++
			continue
		}
		end := quoteEnd(list, at)
		if at == begin && (end == len(list) || isBlank(list[end]) || strings.IndexByte("(<,;:", list[end]) >= 0) {
			return quotedPiece, end
		}
		at = end
	}
	return kind, at
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func quoteEnd(text string, at int) int {
	for i := at + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func commentEnd(text string, at int) int {
	depth := 0
	for i := at; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// angleEnd is where angle brackets end. A quoted local part may hold one.
func angleEnd(text string, at int) int {
	for i := at + 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			if end := quoteEnd(text, i); end < len(text) {
				i = end - 1
			}
		case '>':
			return i + 1
		}
	}
	return len(text)
}

// mailbox masks one mailbox, or the name of a group, which a colon follows.
func mailbox(pieces []piece, separator string, keep func(string) bool) string {
	address, angle := addressOf(pieces)
	if address != "" && keep(address) {
		return maskedWords(joined(pieces), keep) + separator
	}
	var out, name strings.Builder
	held := "" // blanks behind a part of a name
	flush := func() {
		if name.Len() > 0 {
			out.WriteString(maskedName(name.String(), separator == ":"))
			name.Reset()
		}
		out.WriteString(held)
		held = ""
	}
	for _, p := range pieces {
		isAddress := p.kind == anglePiece || p.kind == wordPiece && !angle && strings.Contains(p.text, "@")
		switch {
		case p.kind == blankPiece && name.Len() > 0:
			held += p.text
		case p.kind == blankPiece:
			out.WriteString(p.text)
		case p.kind == commentPiece:
			flush()
			out.WriteString("(" + maskedName(strings.Trim(p.text, "()"), false) + ")")
		case isAddress:
			flush()
			out.WriteString(maskedAddress(p.text, keep))
		default:
			if held != "" {
				name.WriteByte(' ')
				held = ""
			}
			name.WriteString(p.text)
		}
	}
	flush()
	return out.String() + separator
}

func joined(pieces []piece) string {
	var out strings.Builder
	for _, p := range pieces {
		out.WriteString(p.text)
	}
	return out.String()
}

// maskedAddress is an address, in angle brackets or not, or what stands in its place.
func maskedAddress(text string, keep func(string) bool) string {
	if masked := Addresses(text, keep); masked != text || text == "<>" {
		return masked
	}
	name := strings.Trim(text, "<>")
	if name == text {
		return maskedName(text, false)
	}
	return "<" + maskedName(name, false) + ">"
}

// addressOf is the address of a mailbox: what stands in its last angle brackets, or
// else its first word with an @. angle is set where there are such brackets.
func addressOf(pieces []piece) (address string, angle bool) {
	for _, p := range pieces {
		switch {
		case p.kind == anglePiece:
			address, angle = strings.Trim(p.text, "<> \t\r\n"), true
		case p.kind == wordPiece && address == "" && strings.Contains(p.text, "@"):
			address = p.text
		}
	}
	return address, angle
}

// maskedName is a name of which the first letter is left. That of the group without
// members by which mail programs hide its recipients stays.
func maskedName(name string, group bool) string {
	said := decoded(strings.Join(strings.Fields(name), " "))
	if group && strings.Contains(strings.ToLower(said), "undisclosed") && len(said) < len("(undisclosed recipients)")+1 {
		return name
	}
	said = strings.TrimLeft(said, "\"'`([{ \t\\")
	if first, size := utf8.DecodeRuneInString(said); unicode.IsLetter(first) && size < len(said) || unicode.IsDigit(first) && size < len(said) {
		return said[:size] + hidden
	}
	if strings.TrimSpace(name) == "" {
		return name
	}
	return hidden
}
