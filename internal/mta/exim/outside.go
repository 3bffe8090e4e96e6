package exim

import (
	"bufio"
	"errors"
	"strings"

	"github.com/cespare/xxhash/v2"

	"spoor"
	"spoor/internal/mta"
)

const brokenOutside = "the header does not begin with a line of this Exim"

// headerText returns the header of a message and the empty line behind it. It
// belongs to the reader, and is overwritten by the next.
func (r *reader) headerText(s slot) ([]byte, error) {
	r.reset(s)
	file, err := s.folder.dir.Open(r.fileName(s.id, 'H'))
	if err != nil {
		return nil, errors.Join(mta.ErrGone, err)
	}
	defer file.Close()
	text, err := readAll(file, &r.file, headerBytes)
	if err != nil {
		return nil, err
	}
	if err := r.header.parse(text, s.id); err != nil && !errors.Is(err, errHeaders) {
		return nil, err
	}
	header, _ := r.header.appendHeader(r.text) // what was read before a damage is shown
	r.text = append(header, '\n')
	return r.text, nil
}

// wireReader gives a body that lies as it came over the network
// (spool_file_wireformat) with LF for CRLF.
type wireReader struct{ from *bufio.Reader }

// Read implements io.Reader.
func (w wireReader) Read(buf []byte) (n int, err error) {
	for n < len(buf) {
		c, err := w.from.ReadByte()
		if err != nil {
			return n, err
		}
		if c == '\r' {
			if next, _ := w.from.Peek(1); len(next) == 1 && next[0] == '\n' {
				continue
			}
		}
		buf[n] = c
		n++
	}
	return n, nil
}

// outside reads a message by its header alone.
func (r *reader) outside(block []byte) {
	m := &r.message
	start, _ := mta.BodyStart(block)
	m.ContentHash, m.ContentBytes = xxhash.Sum64(block[start:]), len(block)-start
	text := string(block[:start])
	r.body = block[start:]
	contentType := ""
	for field := range mta.Fields(block[:start]) {
		known := mta.KnownField(field.Name)
		value := text[field.At:][:len(field.Value)]
		switch known {
		case mta.FieldReceived:
			r.outsideReceived(value, field.Line)
			continue
		case mta.FieldContentType:
			contentType = value
		default:
		}
		mta.Describe(m, known, value, field.Line)
	}
	hop := m.Trail.Entry()
	switch {
	case hop == nil:
		m.Trail.Broken = brokenOutside
	case hop.Via == spoor.ViaBounce:
		r.followBounce(contentType)
	}
}

// outsideReceived takes the first Received field as the entry, if it is Exim's.
// A bounce is submitted by Exim's own user.
func (r *reader) outsideReceived(value string, line int) {
	m := &r.message
	got, ok := parseReceived(value)
	if !ok || len(m.Trail.Hops) > 0 || len(m.Trail.Forgeable) > 0 || r.conf.Hostname != "" && !strings.EqualFold(got.host, r.conf.Hostname) {
		mta.Forgeable(m, value, line)
		return
	}
	got.hop.Line = line
	if got.hop.Via == spoor.ViaUID {
		got.hop.UID = r.conf.uidOf(loginOf(value))
		if got.hop.UID == r.conf.UserUID && r.conf.UserUID >= 0 {
			got.hop.Via, got.hop.UID = spoor.ViaBounce, -1
		}
	}
	m.Trail.Hops = append(m.Trail.Hops, got.hop)
}
