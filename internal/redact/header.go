package redact

import (
	"bytes"
	"strings"
)

// structural are the fields that say how a message travelled. Their words stay,
// but for the names in them.
var structural = words("received", "return-path", "delivered-to", "envelope-to", "message-id", "in-reply-to", "references", "date", "mime-version",
	"content-type", "content-transfer-encoding", "content-disposition", "precedence", "auto-submitted", "x-mailer", "user-agent", "x-php-originating-script",
	"x-php-script", "x-originating-ip", "x-ppp-vhost", "list-id", "list-unsubscribe", "received-spf", "authentication-results", "x-spam-status",
	"x-spam-flag", "x-source", "x-source-args", "x-source-dir", "x-failed-recipients", "reporting-mta", "final-recipient", "original-recipient",
	"action", "status", "diagnostic-code", "remote-mta", "arrival-date", "x-postfix-queue-id", "x-postfix-sender", "errors-to", "x-spoor-origin", "resent-message-id",
	"content-description", "x-actual-recipient", "x-loop", "x-priority")

// Line replaces the names in one line of a message. For a line of a header, field
// is the field's name, also where the line goes on with an earlier one; of the
// body it is "".
func (n *Names) Line(field string, line []byte) {
	if structural[strings.ToLower(field)] {
		n.Text(line)
		return
	}
	rest := line
	if field != "" {
		if head := len(field) + 1; len(line) > head && strings.EqualFold(string(line[:head]), field+":") {
			rest = line[head:]
		}
	}
	if cut := bytes.Index(rest, []byte(": ")); field == "" && cut > 0 && structural[strings.ToLower(string(rest[:cut]))] || isReportLine(rest) && field == "" {
		n.Text(rest) // of a bounce
		return
	}
	n.prose(rest)
}

// isReportLine recognises what MTAs write into bounces (qmail's QSBMF, RFC 3464).
func isReportLine(line []byte) bool {
	for _, start := range [...]string{"Hi. This is the ", "I'm afraid I wasn't able", "This is a permanent error", "--- ", "Remote host said:", "This is the mail system", "This message was created automatically", "A message that you sent"} {
		if bytes.HasPrefix(line, []byte(start)) {
			return true
		}
	}
	return len(line) > 1 && line[0] == '<' && bytes.Contains(line, []byte(">:"))
}

// prose replaces names as Text does, and every other word too.
func (n *Names) prose(b []byte) {
	at := 0
	for at < len(b) {
		end := at
		for end < len(b) && isToken(b[end]) == isToken(b[at]) {
			end++
		}
		piece := b[at:end]
		if bytes.IndexByte(piece, '@') > 0 || isDomainName(bytes.Trim(piece, ".")) {
			n.Text(piece)
		} else {
			n.Words(piece)
		}
		at = end
	}
}

// Field is the name of the header field that a line begins, or of the field that
// it goes on with.
func Field(line []byte, before string) string {
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		return before
	}
	name, _, found := bytes.Cut(line, []byte{':'})
	if !found {
		return before
	}
	return strings.TrimRight(string(name), " \t")
}
