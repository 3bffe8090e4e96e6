package spoor

import "time"

// WebHit is one request to a site that may have run a script which sent mail.
type WebHit struct {
	Time   time.Time
	Site   string // domain
	Script string // path of the file below the root, where the URL names one that exists; else ""
	URL    string // path of the request, without its query
	Client string // address as logged
	Place  Evidence
}

// ScriptMail is one line of a PHP mail log: a script called mail() (the
// mail.log setting of php.ini).
type ScriptMail struct {
	Time   time.Time // zero where the line has none
	Script string    // path as PHP knows it
	Line   int       // in the script
	To     string
	// MessageID is what the script set in its headers, with its angle brackets; ""
	// where it set none, or the log has none.
	MessageID string
	Place     Evidence
}
