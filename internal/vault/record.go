package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"spoor"
)

// digest is the SHA-256 of a piece of content.
type digest [sha256.Size]byte

// record is the metadata of one message: lines of a word and its values, which
// docs/vault.md lists.
type record struct {
	Entry
	parts         uint32 // frames of content
	contentBytes  int64  // in the container: the frames of content, which end where the message's frame begins
	envelopeBytes int64  // of the envelope, which comes before the files in the content
	envelopeSum   digest
	files         []storedFile
}

// storedFile is a file of a message, whose content follows that of the file before.
type storedFile struct {
	spoor.PackedFile
	sum digest
}

// maxSubject is how much of a subject is kept beside the message, in bytes. The
// message itself has all of it.
const maxSubject = 4096

// appendRecord appends the lines of a record.
func appendRecord(dst []byte, r *record) []byte {
	dst = appendText(dst, "id", string(r.ID))
	dst = appendText(dst, "mta", r.MTA)
	dst = appendText(dst, "folder", r.Folder)
	dst = appendText(dst, "suffix", r.Suffix)
	dst = appendText(dst, "state", r.State.String())
	dst = appendText(dst, "sender", r.Sender)
	dst = appendText(dst, "subject", r.Subject[:min(len(r.Subject), maxSubject)])
	dst = append(append(append(dst, "source "...), r.Source.Kind.String()...), ' ')
	dst = append(appendEscaped(dst, r.Source.Name), '\n')
	dst = appendText(dst, "class", r.Class.String())
	dst = append(dst, "confidence "...)
	dst = append(strconv.AppendFloat(dst, r.Confidence, 'g', -1, 64), '\n')
	dst = appendWhen(dst, "arrived", r.Arrived)
	dst = appendWhen(dst, "stored", r.Stored)
	dst = appendNumber(dst, "size", r.SizeBytes)
	dst = append(strconv.AppendUint(append(dst, "inode "...), r.Inode, 10), '\n')
	dst = appendNumber(dst, "recipients", int64(r.Recipients))
	dst = appendNumber(dst, "done", int64(r.Done))
	dst = appendNumber(dst, "caller", int64(r.CallerUID))
	if r.Held {
		dst = append(dst, "held 1\n"...)
	}
	dst = appendNumber(dst, "parts", int64(r.parts))
	dst = appendNumber(dst, "content", r.contentBytes)
	dst = strconv.AppendInt(append(dst, "envelope "...), r.envelopeBytes, 10)
	dst = append(hex.AppendEncode(append(dst, ' '), r.envelopeSum[:]), '\n')
	for i := range r.files {
		dst = appendFile(dst, &r.files[i])
	}
	return dst
}

func appendFile(dst []byte, f *storedFile) []byte {
	dst = strconv.AppendInt(append(dst, "file "...), f.SizeBytes, 10)
	dst = strconv.AppendUint(append(dst, ' '), uint64(f.Mode), 8)
	dst = strconv.AppendInt(append(dst, ' '), int64(f.UID), 10)
	dst = strconv.AppendInt(append(dst, ' '), int64(f.GID), 10)
	dst = appendTime(append(dst, ' '), f.Accessed)
	dst = appendTime(append(dst, ' '), f.Modified)
	dst = hex.AppendEncode(append(dst, ' '), f.sum[:])
	dst = appendEscaped(append(dst, ' '), f.Role)
	return append(appendEscaped(append(dst, ' '), f.Name), '\n')
}

// appendText appends a line, or nothing for an empty value.
func appendText(dst []byte, word, value string) []byte {
	if value == "" {
		return dst
	}
	return append(appendEscaped(append(append(dst, word...), ' '), value), '\n')
}

func appendNumber(dst []byte, word string, n int64) []byte {
	return append(strconv.AppendInt(append(append(dst, word...), ' '), n, 10), '\n')
}

func appendWhen(dst []byte, word string, t time.Time) []byte {
	return append(appendTime(append(append(dst, word...), ' '), t), '\n')
}

// appendTime appends seconds since the Unix epoch with nine decimals, or "-" for
// the zero time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, '-')
	}
	dst = append(strconv.AppendInt(dst, t.Unix(), 10), '.')
	var nine [9]byte
	n := t.Nanosecond()
	for i := range nine {
		nine[8-i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, nine[:]...)
}

// appendEscaped appends a value so that it holds no line end and no space.
func appendEscaped(dst []byte, value string) []byte {
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\':
			dst = append(dst, '\\', '\\')
		case '\n':
			dst = append(dst, '\\', 'n')
		case ' ':
			dst = append(dst, '\\', 's')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
