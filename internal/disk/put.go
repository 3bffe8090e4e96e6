package disk

import (
	"errors"
	"io"
	"io/fs"
)

// Put writes a whole file, over one that may be there: beside it first, then in
// its place in one step. It is durable when Put returns.
func (d *Dir) Put(name string, mode uint32, content []byte) error {
	temporary := "new-" + name
	if err := d.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.Create(temporary, mode)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	_ = f.Close()
	if err == nil {
		err = d.Replace(temporary, d, name)
	}
	if err == nil {
		return d.Sync()
	}
	return errors.Join(err, d.drop(temporary))
}

// drop removes a file that may not be there.
func (d *Dir) drop(name string) error {
	if err := d.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Get reads a whole file of at most limit bytes. It returns ErrTooLarge.
func (d *Dir) Get(name string, limit int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return f.All(limit)
}

// ErrTooLarge is returned for a file over a limit.
var ErrTooLarge = errors.New("file is too large")

// All reads the file from its start, if it has at most limit bytes. It returns
// ErrTooLarge.
func (f *File) All(limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: f.name, Err: ErrTooLarge}
	}
	return data, err
}
