package mta

import (
	"bytes"
	"errors"
	"io"

	"spoor"
	"spoor/internal/disk"
)

// smallFile is up to which size, in bytes, a file is read at once with its
// description.
const smallFile = 64 << 10

// PackFile describes a file of a message for its parcel; role and name are the
// caller's to fill in. A small file is read at once: its content is returned, not
// to be changed, and in the parcel is what was read. Larger ones are opened anew
// when they are wanted, and their content is nil here. check, if any, is asked first
// whether the open file is fit to be packed.
func PackFile(d *disk.Dir, file string, check func(f *disk.File) error) (packed spoor.PackedFile, content []byte, err error) {
	f, st, err := d.OpenStat(file)
	if err == nil && check != nil {
		if err = check(f); err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		return packed, nil, err
	}
	packed = spoor.PackedFile{
		Mode: st.Mode, UID: st.UID, GID: st.GID, Accessed: st.Accessed, Modified: st.Modified, SizeBytes: st.SizeBytes,
		Open: func() (spoor.Content, error) { return d.Open(file) },
	}
	if st.SizeBytes <= smallFile {
		content, err = readSmall(f, st.SizeBytes)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return packed, nil, err
	}
	if content != nil {
		packed.Open = func() (spoor.Content, error) { return &inMemory{*bytes.NewReader(content)}, nil }
	}
	return packed, content, nil
}

// readSmall reads a file of so many bytes. It returns nil for one that has another
// size by now.
func readSmall(f *disk.File, size int64) ([]byte, error) {
	content := make([]byte, size+1)
	n, err := f.Read(content) // a regular file gives all that it has
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if int64(n) != size {
		return nil, nil
	}
	return content[:n], nil
}

// inMemory is content that was read.
type inMemory struct{ bytes.Reader }

func (*inMemory) Close() error { return nil }
