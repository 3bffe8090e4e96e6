package qmail

import (
	"bytes"
	"strconv"

	"spoor"
)

// A queue record is a type letter, a value and a NUL; nothing follows the last
// NUL (INTERNALS). What stands behind it is a write that was cut off.

// cutRecord splits data after its first record. ok is false when there is no
// whole record left.
func cutRecord(data []byte) (letter byte, value, rest []byte, ok bool) {
	end := bytes.IndexByte(data, 0)
	if end < 0 {
		return 0, nil, data, false
	}
	if end == 0 {
		return 0, nil, data[1:], true
	}
	return data[0], data[1:end], data[end+1:], true
}

// Reasons for gaps in envelope files.
const (
	gapNoSender      = "no sender record: the envelope is damaged"
	gapUnknownRecord = "record of unknown type"
	gapCutRecord     = "ends within a record: the last one is not counted"
)

// parseInfo reads info/ID: F, the sender and a NUL.
func parseInfo(data []byte) (sender string, reason string) {
	letter, value, rest, ok := cutRecord(data)
	switch {
	case !ok || letter != 'F':
		return "", gapNoSender
	case len(rest) > 0:
		reason = gapUnknownRecord
	}
	return string(value), reason
}

// parseChannel reads local/ID or remote/ID: T (to do) or D (done) records. It
// returns why something was passed over, or "".
func parseChannel(data []byte, channel spoor.Channel, to *spoor.Recipients) (reason string) {
	for len(data) > 0 {
		letter, value, rest, ok := cutRecord(data)
		if !ok {
			return gapCutRecord
		}
		data = rest
		switch letter {
		case 'T', 'D':
			to.Add(channel, letter == 'D', value)
		default:
			reason = gapUnknownRecord
		}
	}
	return reason
}

// todoRecord is the part of an unpreprocessed envelope besides its recipients.
type todoRecord struct {
	uid, pid  int // of the caller and of qmail-queue; -1 where there is no record
	sender    string
	hasSender bool
}

// parseTodo reads todo/ID: u (uid), p (pid), F (sender) and T (recipient)
// records, as qmail-queue.c writes them.
// seen is called with each recipient's address.
func parseTodo(data []byte, to *spoor.Recipients, seen func(address []byte)) (record todoRecord, reason string) {
	record = todoRecord{uid: -1, pid: -1}
	for len(data) > 0 {
		letter, value, rest, ok := cutRecord(data)
		if !ok {
			return record, gapCutRecord
		}
		data = rest
		switch letter {
		case 'u':
			record.uid = number(value)
		case 'p':
			record.pid = number(value)
		case 'F':
			record.sender, record.hasSender = string(value), true
		case 'T':
			to.Add(spoor.ChannelUndecided, false, value)
			seen(value)
		default:
			reason = gapUnknownRecord
		}
	}
	if !record.hasSender {
		reason = gapNoSender
	}
	return record, reason
}

// number returns the value of a decimal number, or -1.
func number(digits []byte) int {
	n, err := strconv.ParseUint(string(digits), 10, 32)
	if err != nil {
		return -1
	}
	return int(n)
}
