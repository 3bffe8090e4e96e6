package mta

import "bytes"

// KeepsMailboxes knows programs that put mail into mailboxes, and hand nothing back by
// SMTP. command is a command line, or the name of a program.
func KeepsMailboxes(command []byte) bool {
	program, _, _ := bytes.Cut(bytes.TrimPrefix(command, []byte("exec ")), []byte{' '})
	switch string(program[bytes.LastIndexByte(program, '/')+1:]) {
	case "dovecot", "dovecot-lda", "deliver", "maildrop", "cyrus", "old-cyrus", "cyrdeliver", "procmail", "procmail-wrapper", "plesk_virtual":
		return true
	}
	return false
}

// IsStored reports whether a server has said that mail is in a mailbox: Dovecot's LMTP,
// and Cyrus'.
func IsStored(answer []byte) bool {
	return bytes.Contains(answer, []byte(" Saved")) || bytes.Contains(answer, []byte("SESSIONID="))
}
