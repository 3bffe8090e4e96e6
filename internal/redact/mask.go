// Package redact takes out of text what is nobody else's business. Log lines,
// header fields and queue files come in; the same text leaves, with addresses
// masked for a reader, or with every name replaced for an archive.
package redact

import (
	"strings"
	"unicode/utf8"
)

// hidden stands for the rest of a masked local part.
const hidden = "***"

// Addresses masks the local part of every e-mail address in text but its first
// character, so that a reader can still tell different recipients apart. Message
// identifiers are no addresses and stay, and so does every address that keep
// accepts; keep may be nil. Bytes that are no address are returned as they are.
func Addresses(text string, keep func(address string) bool) string {
	var out strings.Builder
	done := 0
	for at := range len(text) {
		if text[at] != '@' || at < done {
			continue
		}
		a, ok := addressAt(text, done, at)
		if !ok || keep != nil && keep(text[a.start:a.end]) || identifies(text[:a.start]) {
			continue
		}
		out.WriteString(text[done:a.start])
		out.WriteString(masked(text[a.start:at]))
		done = at
	}
	out.WriteString(text[done:])
	return out.String()
}

// masked is a local part of which the first character is left, unless it is the
// whole of it.
func masked(local string) string {
	local = strings.Trim(local, `"`)
	_, first := utf8.DecodeRuneInString(local)
	if first == len(local) {
		return hidden
	}
	return local[:first] + hidden
}

// span is where an address is in a text.
type span struct{ start, end int }

// addressAt is the address around the @ at a place, not before from. A local part
// may be quoted (RFC 5321 §4.1.2) and both parts may be UTF-8 (RFC 6531).
func addressAt(text string, from, at int) (span, bool) {
	start := localStart(text, from, at)
	end := domainEnd(text, at+1)
	return span{start, end}, start < at && end > at+1
}

func localStart(text string, from, at int) int {
	if at > from && text[at-1] == '"' {
		for i := at - 2; i >= from; i-- {
			if text[i] == '"' && (i == 0 || text[i-1] != '\\') {
				return i
			}
		}
	}
	start := at
	for start > from && isLocal(text[start-1]) {
		start--
	}
	return start + keyLength(text[start:at])
}

// keyLength is the length of a word of a log that stands before an address, as in
// sasl_username=info@shop.test. An equals sign may be part of an address too: of
// one that holds another (VERP, SRS).
func keyLength(local string) int {
	key, _, found := strings.Cut(local, "=")
	if !found {
		return 0
	}
	switch key {
	case "to", "from", "orig_to", "user", "sasl_username", "sasl_sender", "ruser", "luser", "id", "message-id", "resent-message-id",
		"F", "T", "P", "A", "U", "S", "R", "username", "sender", "recipient", "rcpt", "auth":
		return len(key) + 1
	}
	return 0
}

func domainEnd(text string, start int) int {
	if start < len(text) && text[start] == '[' {
		if i := strings.IndexByte(text[start:], ']'); i > 0 {
			return start + i + 1
		}
	}
	end := start
	for end < len(text) && isDomain(text[end]) {
		end++
	}
	return end
}

// isLocal reports whether a byte may stand in a local part that is not quoted
// (RFC 5321 §4.1.2, RFC 6531 §3.3).
func isLocal(c byte) bool {
	return isDomain(c) || strings.IndexByte("!#$%&'*+/=?^`{|}~", c) >= 0
}

func isDomain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' || c >= 0x80
}

// identifies reports whether what follows is the identifier of a message: it
// stands behind the name of such a field, or of such a word of a log.
func identifies(before string) bool {
	line := strings.ToLower(before[strings.LastIndexByte(before, '\n')+1:])
	line = strings.TrimRight(line, "< \t")
	for _, sign := range [...]string{"message-id:", "message-id=", " id=", "in-reply-to:", "references:", "content-id:"} {
		if strings.HasSuffix(line, sign) {
			return true
		}
	}
	return strings.HasPrefix(line, "references:") || strings.HasPrefix(line, "in-reply-to:")
}
