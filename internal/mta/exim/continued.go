package exim

import "bytes"

// Continues reports whether a line without a stamp belongs to the entry above it:
// the envelope and the header of a rejected message, in rejectlog (log_write() of
// log.c).
//
//	Envelope-from: <eva@example.net>
//	P Received: from [192.0.2.7] (helo=x) by mx1.example.com with smtp (Exim 4.96)
//		(envelope-from <eva@example.net>)
//	F From: eva@example.net
//	  Date: Mon, 23 Nov 2026 10:38:00 +0000
func (p *Parser) Continues(text []byte) bool {
	if len(text) == 0 || text[0] == ' ' || text[0] == '\t' || string(text) == "*** truncated ***" {
		return true
	}
	for _, word := range [...]string{"Envelope-from: <", "Envelope-to: <"} {
		if len(text) > len(word) && string(text[:len(word)]) == word {
			return true
		}
	}
	return isHeaderLine(text) || isRule(text)
}

// isHeaderLine knows a header line behind its type: a capital letter, or an
// asterisk for one that was rewritten.
func isHeaderLine(text []byte) bool {
	if len(text) < 4 || text[1] != ' ' || text[0] != '*' && (text[0] < 'A' || text[0] > 'Z') {
		return false
	}
	name := text[2:]
	if end := bytes.IndexByte(name, ':'); end > 0 {
		name = bytes.TrimRight(name[:end], " \t") // blanks before the colon are of old (RFC 5322 §4.5)
	} else {
		return false
	}
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(name) > 0
}

// isRule knows the line of hyphens between entries.
func isRule(text []byte) bool {
	for _, c := range text {
		if c != '-' {
			return false
		}
	}
	return len(text) > 4
}
