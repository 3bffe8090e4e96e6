package qmailgen

import "strconv"

// appendRecord appends one record of an envelope or channel file: a letter, the
// text, a NUL.
func appendRecord(buf []byte, kind byte, text string) []byte {
	buf = append(buf, kind)
	buf = append(buf, text...)
	return append(buf, 0)
}

func appendNumber(buf []byte, kind byte, n int) []byte {
	buf = append(buf, kind)
	buf = strconv.AppendInt(buf, int64(n), 10)
	return append(buf, 0)
}
