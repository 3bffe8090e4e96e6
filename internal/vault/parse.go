package vault

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"spoor"
)

var errRecord = errors.New("cannot be understood")

// parseRecord is the inverse of appendRecord. Words that it does not know are
// skipped.
func parseRecord(text []byte) (*record, error) {
	r := &record{Entry: Entry{CallerUID: -1}}
	for line := range strings.Lines(string(text)) {
		word, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok {
			return nil, fmt.Errorf("the line %q %w", line, errRecord)
		}
		if err := r.set(word, value); err != nil {
			return nil, fmt.Errorf("the line %q: %w", line, err)
		}
	}
	return r, r.check()
}

// set takes the value of one line.
func (r *record) set(word, value string) (err error) {
	switch word {
	case "id", "mta", "folder", "suffix", "sender", "subject":
		return r.setText(word, value)
	case "state", "class", "source":
		return r.setWord(word, value)
	case "confidence":
		r.Confidence, err = strconv.ParseFloat(value, 64)
		if math.IsNaN(r.Confidence) || math.IsInf(r.Confidence, 0) {
			return errRecord
		}
	case "arrived":
		r.Arrived, err = parseTime(value)
	case "stored":
		r.Stored, err = parseTime(value)
	case "inode":
		r.Inode, err = strconv.ParseUint(value, 10, 64)
	case "file":
		return r.setFile(value)
	case "envelope":
		return r.setEnvelope(value)
	case "size", "recipients", "done", "caller", "held", "parts", "content":
		return r.setNumber(word, value)
	}
	return err
}

func (r *record) setText(word, value string) error {
	text, err := unescape(value)
	switch word {
	case "id":
		r.ID = spoor.QueueID(text)
	case "mta":
		r.MTA = text
	case "folder":
		r.Folder = text
	case "suffix":
		r.Suffix = text
	case "sender":
		r.Sender = text
	case "subject":
		r.Subject = text
	}
	return err
}

func (r *record) setWord(word, value string) (err error) {
	ok := false
	switch word {
	case "state":
		r.State, ok = spoor.ParseState(value)
	case "class":
		for c := spoor.Normal; c <= spoor.Spam; c++ {
			if c.String() == value {
				r.Class, ok = c, true
			}
		}
	case "source":
		kind, name, cut := strings.Cut(value, " ")
		r.Source.Kind, ok = spoor.ParseKind(kind)
		ok = ok && cut
		r.Source.Name, err = unescape(name)
	}
	if !ok {
		return errRecord
	}
	return err
}

func (r *record) setNumber(word, value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < -1 || n < 0 && word != "caller" {
		return errRecord
	}
	switch word {
	case "size":
		r.SizeBytes = n
	case "recipients":
		r.Recipients = int(n)
	case "done":
		r.Done = int(n)
	case "caller":
		r.CallerUID = int(n)
	case "held":
		r.Held = n != 0
	case "parts":
		r.parts = uint32(min(n, math.MaxUint32))
	case "content":
		r.contentBytes = n
	}
	return nil
}

func (r *record) setEnvelope(value string) error {
	size, sum, _ := strings.Cut(value, " ")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 {
		return errRecord
	}
	r.envelopeBytes = n
	return r.envelopeSum.parse(sum)
}

func (r *record) setFile(value string) error {
	fields := strings.Split(value, " ")
	if len(fields) < 9 {
		return errRecord
	}
	var f storedFile
	var errs [9]error
	var mode uint64
	f.SizeBytes, errs[0] = strconv.ParseInt(fields[0], 10, 64)
	mode, errs[1] = strconv.ParseUint(fields[1], 8, 12)
	f.UID, errs[2] = strconv.Atoi(fields[2])
	f.GID, errs[3] = strconv.Atoi(fields[3])
	f.Accessed, errs[4] = parseTime(fields[4])
	f.Modified, errs[5] = parseTime(fields[5])
	errs[6] = f.sum.parse(fields[6])
	f.Role, errs[7] = unescape(fields[7])
	f.Name, errs[8] = unescape(fields[8])
	f.Mode = uint32(mode)
	r.files = append(r.files, f)
	return errors.Join(errs[:]...)
}

// check is whether the numbers of a record can be true together.
func (r *record) check() error {
	r.RawBytes = 0
	for i := range r.files {
		f := &r.files[i]
		if f.SizeBytes < 0 || r.RawBytes+f.SizeBytes < 0 {
			return fmt.Errorf("the size of %q %w", f.Name, errRecord)
		}
		if !inside(f.Name) {
			return fmt.Errorf("the name %q %w", f.Name, errRecord)
		}
		r.RawBytes += f.SizeBytes
	}
	if r.envelopeBytes > maxEnvelope {
		return fmt.Errorf("an envelope of %d bytes %w", r.envelopeBytes, errRecord)
	}
	raw := r.envelopeBytes + r.RawBytes
	if r.ID == "" || !inside(r.Folder) || raw < 0 || raw > int64(r.parts)*maxContent || r.contentBytes < int64(r.parts)*frameSize {
		return fmt.Errorf("what identifies the message %w", errRecord)
	}
	return nil
}

// inside is whether a name leads nowhere but below the root, with a leading slash
// or without.
func inside(name string) bool {
	if strings.IndexByte(name, 0) >= 0 {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

func (d *digest) parse(text string) error {
	if len(text) != 2*len(d) {
		return errRecord
	}
	_, err := hex.Decode(d[:], []byte(text))
	return err
}

func parseTime(text string) (time.Time, error) {
	if text == "-" {
		return time.Time{}, nil
	}
	whole, nine, ok := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	nanoseconds, bad := strconv.ParseUint(nine, 10, 32)
	if err != nil || bad != nil || !ok || len(nine) != 9 {
		return time.Time{}, fmt.Errorf("the time %q %w", text, errRecord)
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC(), nil
}

// unescape is the inverse of appendEscaped.
func unescape(text string) (string, error) {
	if strings.IndexByte(text, '\\') < 0 {
		return text, nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		i++
		at := -1
		if i < len(text) {
			at = strings.IndexByte(`\ns`, text[i])
		}
		if at < 0 {
			return "", errRecord
		}
		out = append(out, "\\\n "[at])
	}
	return string(out), nil
}
