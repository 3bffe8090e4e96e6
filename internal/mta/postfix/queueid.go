package postfix

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A queue ID is short, five or more hexadecimal digits of microseconds and the
// inode; or long, the seconds in base 52, four digits of microseconds in base
// 52, z, and the inode in base 51 (mail_queue.h).

// maxID is the longest name that is taken for a queue ID, in bytes.
const maxID = 100

// isQueueID reports whether a file name may be a queue ID: mail_queue_id_ok() of
// mail_queue.c.
func isQueueID(name []byte) bool {
	if len(name) == 0 || len(name) > maxID {
		return false
	}
	for _, c := range name {
		if !isAlnum(c) {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

const base52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"

// base52Digits are what each byte counts, plus 1; 0 is no digit.
var base52Digits = func() (digits [256]uint8) {
	for i := range len(base52) {
		digits[base52[i]] = uint8(i + 1)
	}
	return digits
}()

const (
	minSecondDigits = 6
	microDigits     = 4 // of a long one
	hexMicroDigits  = 5 // of a short one
)

// idTime returns the time in a long queue ID; ok is false for a short one, which
// has none.
func idTime[T string | []byte](id T) (t time.Time, ok bool) {
	end := strings.LastIndexByte(string(id), 'z')
	if end < minSecondDigits+microDigits {
		return time.Time{}, false
	}
	seconds, ok := decode52(id[:end-microDigits])
	if !ok || seconds > 1<<40 {
		return time.Time{}, false
	}
	micros, ok := decode52(id[end-microDigits : end])
	if !ok || micros >= 1e6 {
		return time.Time{}, false
	}
	return time.Unix(seconds, micros*1000).UTC(), true
}

// renumbered is the queue ID that postsuper(1) -s would give a file of that inode
// in place of the one it has: the digits of the time stay (fix_queue_id() of
// postsuper.c). A long ID becomes a short one where long ones are switched off.
func renumbered(id string, inode uint64, long bool) string {
	t, isLong := idTime(id)
	switch {
	case isLong && long:
		return id[:strings.LastIndexByte(id, 'z')+1] + encode51(inode)
	case isLong:
		return fmt.Sprintf("%05X%X", t.Nanosecond()/1000, inode)
	}
	return fmt.Sprintf("%s%X", id[:min(len(id), hexMicroDigits)], inode)
}

// encode51 uses the digits without z, which separates.
func encode51(n uint64) string {
	digits := []byte{base52[n%51]}
	for n /= 51; n > 0; n /= 51 {
		digits = append(digits, base52[n%51])
	}
	slices.Reverse(digits)
	return string(digits)
}

func decode52[T string | []byte](digits T) (n int64, ok bool) {
	if len(digits) > 10 {
		return 0, false
	}
	for i := range len(digits) {
		d := base52Digits[digits[i]]
		if d == 0 {
			return 0, false
		}
		n = n*52 + int64(d-1)
	}
	return n, true
}
