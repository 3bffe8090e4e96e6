package qmailgen

import "time"

// letter is one message on its way into the queue. It belongs to its author,
// who overwrites it with the next one.
type letter struct {
	source     string // see TruthFile
	caller     caller
	pid        int // of qmail-queue
	sender     string
	recipients []recipient
	failures   []byte // text for bounce; empty for none
	content    []byte
	queued     time.Time
	todo       bool
}

// recipient is one envelope recipient, as the channel files hold it.
type recipient struct {
	address string
	local   bool
	done    bool
}

func (l *letter) done() int {
	n := 0
	for _, r := range l.recipients {
		if r.done {
			n++
		}
	}
	return n
}

// envelope appends the content of todo and intd.
func (l *letter) envelope(buf []byte) []byte {
	buf = appendNumber(buf, 'u', l.caller.uid)
	buf = appendNumber(buf, 'p', l.pid)
	buf = appendRecord(buf, 'F', l.sender)
	for _, r := range l.recipients {
		buf = appendRecord(buf, 'T', r.address)
	}
	return buf
}

// info appends the content of info.
func (l *letter) info(buf []byte) []byte { return appendRecord(buf, 'F', l.sender) }

// channel appends the content of local or remote; nothing for a channel
// without recipients.
func (l *letter) channel(buf []byte, local bool) []byte {
	for _, r := range l.recipients {
		if r.local != local {
			continue
		}
		if r.done {
			buf = appendRecord(buf, 'D', r.address)
		} else {
			buf = appendRecord(buf, 'T', r.address)
		}
	}
	return buf
}
