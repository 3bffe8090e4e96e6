package mta

import (
	"bytes"
	"strings"
)

// Notification is what a delivery status notification (RFC 3464) of an MTA says
// of the message behind it.
type Notification struct {
	Recipient string // the first that failed
	Reason    string // the first diagnostic, at most MaxReason bytes
	Action    string // what became of the first recipient, in lower case; "" if it is no word of RFC 3464 §2.3.3
	Parent    string // X-Postfix-Queue-ID, or ""
	Original  []byte // header and maybe body of the message, as it was; nil if it is not there
}

// MaxReason bounds how much of an answer is kept, in bytes.
const MaxReason = 400

// ReadNotification reads a multipart/report (RFC 6522). contentType is the value
// of that field; body may be cut.
func ReadNotification(contentType string, body []byte) (n Notification) {
	boundary := boundaryOf(contentType)
	if boundary == "" {
		return n
	}
	var status []byte
	body = append([]byte{'\n'}, body...)
	for part := range bytes.SplitSeq(body, []byte("\n--"+boundary+"\n")) {
		start, _ := BodyStart(part)
		switch partType(part[:start]) {
		case "message/delivery-status", "message/global-delivery-status", "message/disposition-notification": // RFC 8098 has the field of the recipient too
			if status == nil { // groups of fields, with blank lines between
				status = bytes.ReplaceAll(part[start:], []byte("\n\n"), []byte{'\n'})
			}
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
			if n.Original == nil {
				n.Original = part[start:]
			}
		}
	}
	for field := range Fields(bytes.TrimLeft(status, "\n")) {
		value := strings.TrimSpace(string(field.Value))
		_, typed, _ := strings.Cut(value, ";")
		switch strings.ToLower(string(field.Name)) {
		case "x-postfix-queue-id":
			n.Parent = value
		case "final-recipient":
			if n.Recipient == "" {
				n.Recipient = strings.TrimSpace(typed)
			}
		case "action":
			if n.Action == "" {
				n.Action = actionOf(value)
			}
		case "diagnostic-code":
			if n.Reason == "" {
				n.Reason = value[:min(len(value), MaxReason)]
			}
		}
	}
	return n
}

// actionOf is the word of an Action field.
func actionOf(value string) string {
	for _, action := range [...]string{"failed", "delayed", "delivered", "relayed", "expanded"} {
		if strings.EqualFold(value, action) {
			return action
		}
	}
	return ""
}

func boundaryOf(contentType string) string {
	const name = "boundary="
	at := 0
	for at+len(name) <= len(contentType) && !strings.EqualFold(contentType[at:at+len(name)], name) {
		at++ // not by strings.ToLower: bytes that are no UTF-8 become more there
	}
	if at+len(name) > len(contentType) {
		return ""
	}
	text := contentType[at+len(name):]
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		boundary, _, _ := strings.Cut(quoted, `"`)
		return boundary
	}
	end := strings.IndexAny(text, "; \t\r\n")
	if end >= 0 {
		text = text[:end]
	}
	return text
}

func partType(header []byte) string {
	for field := range Fields(header) {
		if KnownField(field.Name) == FieldContentType {
			kind, _, _ := strings.Cut(string(field.Value), ";")
			return strings.ToLower(strings.TrimSpace(kind))
		}
	}
	return ""
}
