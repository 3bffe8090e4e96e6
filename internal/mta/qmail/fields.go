package qmail

// fieldName is a header field that the walk knows.
type fieldName uint8

const (
	fieldOther fieldName = iota
	fieldReceived
	fieldDeliveredTo
	fieldMailingList
	fieldListID
	fieldListUnsubscribe
	fieldSubject
	fieldMessageID
	fieldPHPOriginatingScript // PHP's mail.add_x_header: UID:basename
	fieldPHPScript            // hosting patches: host/path for address
	fieldAdditionalHeader     // Plesk's wrapper: the working directory
	fieldPPPVhost             // Plesk Premium Email: the domain
	fieldSource               // cPanel: the login
	fieldSourceDir            // cPanel: site:/directory
	fieldSourceArgs           // cPanel: the command line
	fieldOriginatingIP        // webmails: the browser's address
	fieldAuthenticatedSender
)

var fieldNames = [...]string{
	"", "Received", "Delivered-To", "Mailing-List", "List-Id", "List-Unsubscribe", "Subject", "Message-ID",
	"X-PHP-Originating-Script", "X-PHP-Script", "X-Additional-Header", "X-PPP-Vhost", "X-Source", "X-Source-Dir", "X-Source-Args",
	"X-Originating-IP", "X-Authenticated-Sender",
}

// String returns the canonical spelling.
func (f fieldName) String() string { return fieldNames[f] }

// claims reports whether the field names a source without proving it.
func (f fieldName) claims() bool { return f >= fieldPHPOriginatingScript }

// knownField looks a name up, whatever its case (RFC 5322 §1.2.2).
func knownField(name []byte) fieldName {
	for i := 1; i < len(fieldNames); i++ {
		if len(name) == len(fieldNames[i]) && equalFold(name, fieldNames[i]) {
			return fieldName(i)
		}
	}
	return fieldOther
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
