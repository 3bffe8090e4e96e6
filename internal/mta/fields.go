package mta

import (
	"strings"

	"spoor"
)

// FieldName is a header field that tells of a message's way, or describes it.
type FieldName uint8

// The known fields.
const (
	FieldOther FieldName = iota
	FieldReceived
	FieldDeliveredTo
	FieldMailingList
	FieldListID
	FieldListUnsubscribe
	FieldSubject
	FieldMessageID
	FieldContentType
	FieldPHPOriginatingScript // PHP's mail.add_x_header: UID:basename
	FieldPHPScript            // hosting patches: host/path for address
	FieldAdditionalHeader     // Plesk's wrapper: the working directory
	FieldPPPVhost             // Plesk Premium Email: the domain
	FieldSource               // cPanel: the login
	FieldSourceDir            // cPanel: site:/directory
	FieldSourceArgs           // cPanel: the command line
	FieldOriginatingIP        // webmails: the browser's address
	FieldAuthenticatedSender
	FieldSpoorOrigin // spoor's sendmail shim: an ID, which its recorder has signed
)

var fieldNames = [...]string{
	"", "Received", "Delivered-To", "Mailing-List", "List-Id", "List-Unsubscribe", "Subject", "Message-ID", "Content-Type",
	"X-PHP-Originating-Script", "X-PHP-Script", "X-Additional-Header", "X-PPP-Vhost", "X-Source", "X-Source-Dir", "X-Source-Args",
	"X-Originating-IP", "X-Authenticated-Sender",
	"X-Spoor-Origin",
}

// String returns the canonical spelling.
func (f FieldName) String() string { return fieldNames[f] }

// Claims reports whether the field names a source without proving it.
func (f FieldName) Claims() bool { return f >= FieldPHPOriginatingScript }

// KnownField looks a name up, whatever its case (RFC 5322 §1.2.2).
func KnownField(name []byte) FieldName {
	for i := 1; i < len(fieldNames); i++ {
		if len(name) == len(fieldNames[i]) && equalFold(name, fieldNames[i]) {
			return FieldName(i)
		}
	}
	return FieldOther
}

func equalFold(name []byte, known string) bool {
	for i, c := range name {
		if lower(c) != lower(known[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Describe keeps a field that describes a message or claims a source. value is
// kept as it is; line is that of the field in the header.
func Describe(m *spoor.Message, known FieldName, value string, line int) {
	Claim(m, known, value, line)
	switch {
	case known == FieldSubject && m.Subject == "":
		m.Subject = strings.TrimSpace(value)
	case known == FieldMessageID && m.MessageID == "":
		m.MessageID = strings.TrimSpace(value)
	case known == FieldListID, known == FieldListUnsubscribe, known == FieldMailingList:
		m.Bulk = true
	}
}

// Claim keeps a field that claims a source, and passes over all others.
func Claim(m *spoor.Message, known FieldName, value string, line int) {
	if known.Claims() && len(m.Trail.Claims) < spoor.MaxForgeable {
		m.Trail.Claims = append(m.Trail.Claims, spoor.Claim{Field: known.String(), Value: strings.TrimSpace(value), Line: line})
	}
}

// Forgeable keeps a Received field below the entry.
func Forgeable(m *spoor.Message, value string, line int) {
	if len(m.Trail.Forgeable) < spoor.MaxForgeable {
		m.Trail.Forgeable = append(m.Trail.Forgeable, spoor.Claim{Field: FieldReceived.String(), Value: strings.TrimSpace(value), Line: line})
	}
}
