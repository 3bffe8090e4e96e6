package exim

import (
	"time"
)

// A message ID is six digits in base 62 of the seconds since 1970, the PID, and
// a fraction of a second, with hyphens between: 6-6-2 digits up to 4.96, 6-11-4
// since 4.97 (ChangeLog JH/29).
const (
	oldID     = 16
	newID     = 23
	secondLen = 6
)

// isID reports whether a name has the form of a message ID, of either length.
func isID[T string | []byte](name T) bool {
	switch len(name) {
	case oldID:
		return name[6] == '-' && name[13] == '-' && alnum(name[:6]) && alnum(name[7:13]) && alnum(name[14:])
	case newID:
		return name[6] == '-' && name[18] == '-' && alnum(name[:6]) && alnum(name[7:18]) && alnum(name[19:])
	}
	return false
}

func alnum[T string | []byte](text T) bool {
	for i := range len(text) {
		if digit62(text[i]) < 0 {
			return false
		}
	}
	return true
}

// digit62 is the value of a digit: 0 to 9, A to Z, a to z; -1 for any other
// byte.
func digit62(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 36
	}
	return -1
}

// idTime is the second in a message ID. Systems whose file names ignore case
// count in base 36, which cannot be told: this is for the others.
func idTime[T string | []byte](id T) time.Time {
	n := int64(0)
	for i := range secondLen {
		n = n*62 + int64(digit62(id[i]))
	}
	return time.Unix(n, 0).UTC()
}
