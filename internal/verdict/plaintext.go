package verdict

import (
	"bytes"
	"encoding/base64"
)

// maxBody bounds how much of a body is looked at, in bytes.
const maxBody = 16 << 10

// plaintext appends to dst what a body says, as far as that is cheap, without
// looking at its header: quoted-printable is undone wherever it seems to occur
// (RFC 2045 §6.7), lines of base64 are decoded if they hold text and dropped
// otherwise, and the boundaries and headers of MIME parts are left out. Charsets
// and HTML stay as they are. What it gets wrong, it gets wrong in each copy of a
// campaign alike.
func plaintext(dst, body []byte) []byte {
	body = body[:min(len(body), maxBody)]
	var block []byte // base64 that is not decoded yet
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		body = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if isBase64(line, len(block) > 0) {
			block = append(block, line...)
			continue
		}
		dst = appendBase64(dst, block)
		block = block[:0]
		if !isPartHeader(line) {
			dst = appendQuotedPrintable(dst, line)
		}
	}
	return appendBase64(dst, block)
}

// minBase64 is the length of a line that starts a block of base64. Encoders fill
// lines to 60, 72 or 76 characters; no word is that long.
const minBase64 = 60

// isBase64 reports whether a line is base64. One that does not continue a block
// has to be a full one.
func isBase64(line []byte, continued bool) bool {
	if len(line) == 0 || len(line)%4 != 0 || (!continued && len(line) < minBase64) {
		return false
	}
	for _, c := range line {
		if !isAlphanumeric(c) && c != '+' && c != '/' && c != '=' {
			return false
		}
	}
	return true
}

// appendBase64 appends what a block decodes to, up to its first error, and
// nothing if that is no text.
func appendBase64(dst, block []byte) []byte {
	if len(block) == 0 {
		return dst
	}
	start := len(dst)
	dst = append(dst, make([]byte, base64.StdEncoding.DecodedLen(len(block)))...)
	n, _ := base64.StdEncoding.Decode(dst[start:], block) // a block that was cut off ends in an error
	if bytes.IndexByte(dst[start:start+n], 0) >= 0 {
		return dst[:start]
	}
	return append(dst[:start+n], '\n')
}

// isPartHeader reports whether a line is a boundary, or one of the header fields
// that parts have. They say how a mailer works and not what the message says.
func isPartHeader(line []byte) bool {
	if bytes.HasPrefix(line, []byte("--")) {
		return true
	}
	const field = "content-"
	return len(line) >= len(field) && bytes.EqualFold(line[:len(field)], []byte(field))
}

// appendQuotedPrintable appends a line without its soft line break and with its
// encoded bytes decoded. A line that is not encoded loses next to nothing.
func appendQuotedPrintable(dst, line []byte) []byte {
	soft := bytes.HasSuffix(line, []byte("="))
	if soft {
		line = line[:len(line)-1]
	}
	for {
		i := bytes.IndexByte(line, '=')
		if i < 0 || i+2 >= len(line) {
			break
		}
		high, low := fromHex(line[i+1]), fromHex(line[i+2])
		if high < 0 || low < 0 {
			dst = append(dst, line[:i+1]...)
			line = line[i+1:]
			continue
		}
		dst = append(dst, line[:i]...)
		dst = append(dst, byte(high<<4|low))
		line = line[i+3:]
	}
	dst = append(dst, line...)
	if soft {
		return dst
	}
	return append(dst, '\n')
}

// fromHex returns the value of an upper-case hexadecimal digit, or -1. Encoders
// must not use lower case, and URLs do.
func fromHex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
