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
	least := int8(0)
	for i := range len(text) {
		least |= values62[text[i]] // no branch: IDs are as good as random
	}
	return least >= 0
}

// digit62 is the value of a digit: 0 to 9, A to Z, a to z; -1 for any other
// byte.
func digit62(c byte) int { return int(values62[c]) }

var values62 = func() (values [256]int8) {
	for c := range values {
		switch {
		case c >= '0' && c <= '9':
			values[c] = int8(c - '0')
		case c >= 'A' && c <= 'Z':
			values[c] = int8(c - 'A' + 10)
		case c >= 'a' && c <= 'z':
			values[c] = int8(c - 'a' + 36)
		default:
			values[c] = -1
		}
	}
	return values
}()

// idTime is the second in a message ID. Systems whose file names ignore case
// count in base 36, which cannot be told: this is for the others.
func idTime[T string | []byte](id T) time.Time {
	n := int64(0)
	for i := range secondLen {
		n = n*62 + int64(digit62(id[i]))
	}
	return time.Unix(n, 0).UTC()
}
