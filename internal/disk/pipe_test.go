package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"spoor/internal/disk"
)

func TestAPipeIsWrittenToOnlyWhereSomebodyReads(t *testing.T) {
	d, name := open(t, nil)
	must(t, d.MakeFIFO("pipe", 0o622))
	if err := d.WritePipe("pipe", nil); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("without a reader: %v, want ENXIO", err)
	}
	fd, err := syscall.Open(filepath.Join(name, "pipe"), syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	must(t, err)
	defer func() { must(t, syscall.Close(fd)) }()
	must(t, d.WritePipe("pipe", []byte("x")))
	buf := make([]byte, 2)
	if n, err := syscall.Read(fd, buf); n != 1 || err != nil {
		t.Errorf("the reader got %d bytes, %v", n, err)
	}
	write(t, d, "file", "kept")
	if err := d.WritePipe("file", []byte("x")); !errors.Is(err, disk.ErrNotPipe) {
		t.Errorf("a file: %v, want ErrNotPipe", err)
	}
	got, err := os.ReadFile(filepath.Join(name, "file"))
	must(t, err)
	if string(got) != "kept" {
		t.Errorf("the file holds %q now", got)
	}
}
