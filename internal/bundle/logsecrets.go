package bundle

import "bytes"

// logSecrets are the words behind which programs write passwords into logs. What ends
// one with an end is the last of it in the line, since a password may hold it too; the
// others are one word.
var logSecrets = [...]struct{ mark, end string }{
	{"(pass: '", "')"},          // vpopmail, of a wrong one
	{"(given password: ", ")"},  // Dovecot, auth_verbose_passwords
	{"resp=", ""},               // Dovecot, auth_debug_passwords: SASL's, in base64
	{"AUTH PLAIN ", ""},         // servers that log each command
	{"AUTH LOGIN ", ""},         // the same
	{"AUTHENTICATE PLAIN ", ""}, // the same, IMAP
}

// hideInLog overwrites passwords in lines of a log with x. Nothing moves.
func hideInLog(block []byte) {
	for line := range bytes.Lines(block) {
		for _, secret := range logSecrets {
			at := bytes.Index(line, []byte(secret.mark))
			if at < 0 {
				continue
			}
			text := bytes.TrimRight(line[at+len(secret.mark):], "\r\n")
			if secret.end == "" {
				blankTo(text, " \t,;\"')>")
				continue
			}
			if end := bytes.LastIndex(text, []byte(secret.end)); end >= 0 {
				text = text[:end]
			}
			blankTo(text, "")
		}
	}
}
