package logs

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/sys/unix"

	"spoor/internal/host"
)

const (
	// maxWindow bounds the memory that a file may ask of its decompressor.
	maxWindow = 64 << 20 // bytes
	// maxExpanded bounds what one compressed file may become: a bomb ends here.
	maxExpanded = 64 << 30 // bytes
)

var errTooLong = errors.New("it holds more text than a log does")

// source is an open file of a log. Read gives its text.
type source struct {
	io.Reader
	file  *os.File
	size  int64 // on disk, when it was opened
	kind  Compression
	disk  diskReader
	close func()
	made  bool  // the text is made of an export of the journal
	kept  *kept // the text of a journal; else nil
}

// diskReader counts what is read of a file.
type diskReader struct {
	r    io.Reader
	read int64 // bytes on disk
}

func (d *diskReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.read += int64(n)
	return n, err
}

// Open opens a file of a log, or a folder of the journal, as text: decompressed,
// or written as lines by journalctl. The caller closes it.
func Open(ctx context.Context, root *host.Root, name string) (io.ReadCloser, error) {
	s, err := openSource(ctx, root, name)
	if err != nil {
		return nil, err
	}
	return &opened{s}, nil
}

type opened struct{ *source }

func (o *opened) Close() error {
	o.source.Close()
	return nil
}

// openSource opens a file of a log and its decompressor. Of a plain file it gives
// what was there at this moment. A folder is one of the journal, which journalctl
// reads, as it does files of the journal; it ends with the context.
func openSource(ctx context.Context, root *host.Root, name string) (*source, error) {
	if info, err := root.Stat(name); err == nil && info.IsDir() {
		return openJournal(ctx, root, name)
	}
	file, err := root.OpenFile(name)
	if err != nil {
		return nil, err
	}
	if isJournalFile(file) {
		return runJournalctl(ctx, file, "--file="+handedOver)
	}
	return openFile(file)
}

// openFile makes a source of an open file, which is the source's then.
func openFile(file *os.File) (*source, error) {
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_SEQUENTIAL)
	s := &source{file: file, size: info.Size(), kind: compressionOf(file), close: func() {}}
	s.disk.r = io.NewSectionReader(file, 0, s.size)
	if err := s.decompress(); err != nil {
		s.Close()
		return nil, err
	}
	s.convert()
	return s, nil
}

// convert makes lines of an export of the journal.
func (s *source) convert() {
	if s.kind == Plain {
		var head [exportHead]byte
		n, _ := s.file.ReadAt(head[:], 0)
		s.made = isExport(head[:n])
	} else {
		reader := bufio.NewReaderSize(s.Reader, exportHead)
		head, _ := reader.Peek(exportHead)
		s.Reader, s.made = reader, isExport(head)
	}
	if s.made {
		s.Reader = newExportReader(s.Reader)
	}
}

// decompress puts the decompressor between disk and reader.
func (s *source) decompress() error {
	switch s.kind {
	case Gzip:
		r, err := gzip.NewReader(&s.disk) // it goes on to concatenated members
		if err != nil {
			return err
		}
		s.Reader = r
	case Bzip2:
		s.Reader = bzip2.NewReader(&s.disk)
	case XZ:
		r, err := xz.NewReader(&s.disk)
		if err != nil {
			return err
		}
		s.Reader = r
	case Zstd:
		r, err := zstd.NewReader(&s.disk, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		s.Reader, s.close = r, r.Close
	default:
		s.Reader = &s.disk
		return nil
	}
	s.Reader = &expanded{r: s.Reader, left: maxExpanded}
	return nil
}

// expanded ends a text that is too long with errTooLong.
type expanded struct {
	r    io.Reader
	left int64
}

func (e *expanded) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, errTooLong
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	return n, err
}

// Close releases the file.
func (s *source) Close() {
	s.close()
	s.closeFile()
}

func (s *source) closeFile() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// grew reports whether a plain file got longer since it was opened, and shrank
// whether less of it is left.
func (s *source) grew() bool {
	info, err := s.file.Stat()
	return err == nil && s.kind == Plain && info.Size() > s.size
}

func (s *source) shrank() bool { return s.kind == Plain && s.disk.read < s.size }

// seekable reports whether the text is what the file holds.
func (s *source) seekable() bool { return s.kind == Plain && !s.made }

var magics = []struct {
	kind  Compression
	bytes string
}{
	{Gzip, "\x1f\x8b"},
	{Bzip2, "BZh"},
	{XZ, "\xfd7zXZ\x00"},
	{Zstd, "\x28\xb5\x2f\xfd"},
}

// compressionOf looks at what a file begins with: names lie.
func compressionOf(file io.ReaderAt) Compression {
	var head [6]byte
	n, _ := file.ReadAt(head[:], 0)
	for _, magic := range magics {
		if bytes.HasPrefix(head[:n], []byte(magic.bytes)) {
			return magic.kind
		}
	}
	return Plain
}
