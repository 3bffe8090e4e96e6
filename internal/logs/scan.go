package logs

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"spoor"
	"spoor/internal/host"
)

const (
	defaultBlockBytes = 128 << 10
	smallestBlock     = 32 << 10

	// Of one stream are read, without Since: what a disk gives in some seconds,
	// and what takes about as long to decompress.
	defaultPlainBytes  = 4 << 30
	compressedFraction = 4
)

// scan is one call of Scan.
type scan struct {
	root     *host.Root
	options  Options
	coverage *spoor.Coverage
	shapes   shapes

	since, until spoor.Stamp
	blockBytes   int
	ahead        int // files of a stream that are open at once
	chunks       int // of one open file
	work         chan *chunk
	readers      sync.WaitGroup
}

// Scan reads streams and hands every block that has events to consume, one after
// another, from the calling goroutine. The blocks of a stream come in the order
// of its files. With several streams the events come in order of time; a part of
// the log may then come in several blocks. A block and its events are overwritten
// after consume returns.
//
// It fails with the error of consume and with that of the context. Files that
// cannot be read, or were left out, are in Coverage.NotRead.
func Scan(ctx context.Context, root *host.Root, streams []Stream, o Options, consume func(*spoor.Block) error) (*spoor.Coverage, error) {
	s := &scan{
		root: root, options: o, coverage: &spoor.Coverage{},
		since: spoor.StampOf(o.Since), until: spoor.StampOf(o.Until),
	}
	workers := runtime.GOMAXPROCS(0)
	s.size(workers, len(streams))
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	for range workers {
		group.Go(s.runWorker)
	}
	defer group.Wait()
	defer func() {
		cancel()
		s.readers.Wait()
		close(s.work)
	}()
	var feeds []*feed
	for _, stream := range streams {
		s.coverage.NotRead = append(s.coverage.NotRead, stream.NotRead...)
		if files := s.choose(stream); len(files) > 0 {
			feeds = append(feeds, newFeed(s, files))
		}
	}
	if err := s.merge(ctx, feeds, consume); err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return s.coverage, nil
}

// size shares the memory for buffers, about 16 MB, among the streams.
func (s *scan) size(workers, streams int) {
	s.chunks = workers + 8 // nobody waits for long, whichever goroutine the processors are given to
	s.ahead = 3
	if streams > 1 {
		s.chunks = workers + 2
		s.ahead = 2
	}
	chunks := s.chunks * s.ahead * max(streams, 1)
	s.blockBytes = max(smallestBlock, min(defaultBlockBytes, 16<<20/chunks/4)) // events take as much again, and more
	if s.options.blockBytes > 0 {
		s.blockBytes = s.options.blockBytes
	}
	s.work = make(chan *chunk)
}

func (s *scan) runWorker() {
	w := worker{newParser: s.options.NewParser}
	for c := range s.work {
		w.run(c)
		c.done <- struct{}{}
	}
}

// choose returns the files of a stream that are to be read, and gives them their
// numbers.
func (s *scan) choose(stream Stream) []*fileScan {
	first, o := 0, &s.options
	plain, compressed := int64(defaultPlainBytes), int64(defaultPlainBytes/compressedFraction)
	if o.MaxBytes > 0 {
		plain, compressed = o.MaxBytes, o.MaxBytes/compressedFraction
	}
	unbound := o.MaxBytes == 0 && !o.Since.IsZero()
	for i := len(stream.Files) - 1; i >= 0 && first == 0; i-- {
		file, left := &stream.Files[i], &plain
		if file.Compression != Plain {
			left = &compressed
		}
		*left -= file.SizeBytes
		if *left < 0 && !unbound && i < len(stream.Files)-1 {
			first = i + 1
		}
	}
	for _, file := range stream.Files[:first] {
		s.gap(file.Path, "older than what is read by default: name a time with --since to read further back")
	}
	var files []*fileScan
	for _, file := range stream.Files[first:] {
		if !o.Since.IsZero() && file.ModTime.Before(o.Since) && file.Compression != Journal { // journald writes through its memory
			continue
		}
		files = append(files, &fileScan{File: file, index: len(s.coverage.Files), out: make(chan *chunk, s.chunks)})
		s.coverage.Files = append(s.coverage.Files, spoor.LogFile{Path: file.Path, Bytes: file.SizeBytes})
	}
	return files
}

// merge hands on the events of all streams.
func (s *scan) merge(ctx context.Context, feeds []*feed, consume func(*spoor.Block) error) error {
	open := feeds[:0]
	for _, f := range feeds {
		c, err := f.next(ctx)
		if err != nil {
			return err
		}
		if c != nil {
			open = append(open, f)
		}
	}
	for len(open) > 0 {
		i, bound := earliest(open)
		f := open[i]
		block := f.run(bound)
		if err := consume(&block); err != nil {
			return err
		}
		if f.at < len(f.held.events) {
			continue
		}
		c, err := f.next(ctx)
		if err != nil {
			return err
		}
		if c == nil {
			open = append(open[:i], open[i+1:]...)
		}
	}
	return nil
}

// earliest returns which stream is the next, and up to what time it may go.
func earliest(feeds []*feed) (int, spoor.Stamp) {
	const never = spoor.Stamp(1<<63 - 1)
	best, time, bound := 0, never, never
	for i, f := range feeds {
		switch t := f.held.events[f.at].Time; {
		case t < time:
			best, time, bound = i, t, time
		case t < bound:
			bound = t
		}
	}
	return best, bound
}

// run returns the next events of a feed up to a time, as a block.
func (f *feed) run(bound spoor.Stamp) spoor.Block {
	c, from := f.held, f.at
	f.at++
	for f.at < len(c.events) && c.events[f.at].Time <= bound {
		f.at++
	}
	block := c.block
	block.Events = c.events[from:f.at:f.at]
	return block
}
