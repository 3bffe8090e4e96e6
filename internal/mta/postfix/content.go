package postfix

import (
	"bytes"
	"errors"
	"io"

	"spoor"
	"spoor/internal/host"
)

// contentReader gives header and body of a queue file as lines with LF.
type contentReader struct {
	file   host.File
	cursor cursor
	rest   []byte
	ended  bool
}

var errNoContent = errors.New(gapNoContent)

// start goes to the first record of the content.
func (r *contentReader) start(maildrop bool) error {
	st, err := r.file.Stat()
	if err != nil {
		return err
	}
	if err := r.cursor.start(r.file, st.SizeBytes); err != nil {
		return err
	}
	return r.toContent(maildrop)
}

// toContent leaves the cursor at the first record of the content.
func (r *contentReader) toContent(maildrop bool) error {
	if !maildrop {
		kind, value, err := r.cursor.next()
		if s, ok := parseSizes(value); err == nil && kind == recSize && ok {
			r.cursor.seek(s.dataOffset)
			return nil
		}
		r.cursor.seek(0)
	}
	for {
		kind, _, err := r.cursor.next()
		switch {
		case err != nil:
			return err
		case kind == 0:
			return errNoContent
		case kind == recMessage:
			return nil
		}
	}
}

// Read implements io.Reader. A damaged record ends it with an error.
func (r *contentReader) Read(buf []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		kind, value, err := r.cursor.next()
		switch {
		case err != nil:
			return 0, err
		case kind == 0:
			return 0, io.ErrUnexpectedEOF
		case kind == recExtracted:
			r.ended = true
		case kind == recPartLine:
			r.rest = append(r.rest[:0], value...)
		case kind == recLine:
			r.rest = append(append(r.rest[:0], value...), '\n')
		}
	}
	n := copy(buf, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close closes the file.
func (r *contentReader) Close() error {
	r.file.Close()
	return nil
}

// packedReader is the content of a file that is not in a queue.
type packedReader struct {
	contentReader
	from spoor.Content
}

// Close closes the file.
func (r *packedReader) Close() error { return r.from.Close() }

// openPacked reads a whole file of so many bytes into memory, unless it can be
// read at any place: records may point forwards and back.
func openPacked(from spoor.Content, size int64, maildrop bool) (*packedReader, error) {
	at, ok := from.(io.ReaderAt)
	if !ok {
		data, err := io.ReadAll(io.LimitReader(from, size))
		if err != nil {
			return nil, err
		}
		at = bytes.NewReader(data)
	}
	r := &packedReader{from: from}
	if err := r.cursor.startPacked(at, size); err != nil {
		return nil, err
	}
	return r, r.toContent(maildrop)
}
