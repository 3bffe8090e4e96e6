// Package floor measures the least that any tool can spend on a qmail queue:
// to open, read one block of and close the content and the envelope of every
// message. A queue goes in, counts and times come out; what was read is thrown
// away.
package floor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Count is what was read, and how long it took.
type Count struct {
	Mess    int // files of content
	Info    int // files of envelopes; messages in todo have none
	Gone    int // listed, and removed before they were read
	Bytes   int64
	Listing time.Duration // of the directories
	Reading time.Duration // of the files
}

// PerMessage is the time for one message, listing included.
func (c Count) PerMessage() time.Duration {
	if c.Mess == 0 {
		return 0
	}
	return (c.Listing + c.Reading) / time.Duration(c.Mess)
}

// Measure reads the queue, the directory with mess and info in it, with that
// many goroutines.
func Measure(queue string, workers int) (Count, error) {
	start := time.Now()
	list, err := openQueue(queue)
	defer list.close()
	if err != nil {
		return Count{}, fmt.Errorf("list queue: %w", err)
	}
	listed := time.Now()
	count, err := list.read(workers)
	count.Listing, count.Reading = listed.Sub(start), time.Since(listed)
	return count, err
}

// chunkFiles is how many files a goroutine takes at a time: many enough that
// taking costs nothing, few enough that all goroutines end together.
const chunkFiles = 1024

// listing is a queue whose directories are open and listed.
type listing struct {
	folders []*os.File
	chunks  []chunk
}

// chunk is a piece of one directory.
type chunk struct {
	folder int // descriptor
	ids    []uint64
	info   bool
}

func openQueue(queue string) (*listing, error) {
	l := &listing{}
	for _, kind := range []string{"mess", "info"} {
		parts, err := os.ReadDir(filepath.Join(queue, kind))
		if err != nil {
			return l, err
		}
		for _, part := range parts {
			if err := l.add(filepath.Join(queue, kind, part.Name()), kind == "info"); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}

func (l *listing) add(folder string, info bool) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	l.folders = append(l.folders, f)
	names, err := f.Readdirnames(0)
	if err != nil {
		return err
	}
	ids := make([]uint64, 0, len(names))
	for _, name := range names {
		if id, err := strconv.ParseUint(name, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	fd := int(f.Fd())
	for part := range slices.Chunk(ids, chunkFiles) {
		l.chunks = append(l.chunks, chunk{folder: fd, ids: part, info: info})
	}
	return nil
}

func (l *listing) close() {
	for _, f := range l.folders {
		_ = f.Close()
	}
}

func (l *listing) read(workers int) (Count, error) {
	counts := make([]Count, workers)
	errs := make([]error, workers)
	var next atomic.Int64
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() { counts[i], errs[i] = l.work(&next) })
	}
	wait.Wait()
	total := Count{}
	for _, c := range counts {
		total.Mess += c.Mess
		total.Info += c.Info
		total.Gone += c.Gone
		total.Bytes += c.Bytes
	}
	return total, errors.Join(errs...)
}

func (l *listing) work(next *atomic.Int64) (Count, error) {
	count := Count{}
	r := reader{}
	for {
		i := next.Add(1) - 1
		if i >= int64(len(l.chunks)) {
			return count, nil
		}
		if err := l.chunks[i].read(&r, &count); err != nil {
			return count, err
		}
	}
}

func (c chunk) read(r *reader, count *Count) error {
	for _, id := range c.ids {
		n, err := r.read(c.folder, id)
		switch {
		case errors.Is(err, os.ErrNotExist):
			count.Gone++
			continue
		case err != nil:
			return fmt.Errorf("read file %d: %w", id, err)
		case c.info:
			count.Info++
		default:
			count.Mess++
		}
		count.Bytes += int64(n)
	}
	return nil
}
