package logs

import (
	"context"
	"errors"
	"io/fs"

	"spoor"
)

// fileScan is one file while it is read.
type fileScan struct {
	File
	index int   // of the file in the scan
	head  clock // as known at its head; set before the first chunk is out
	own   bool  // one program writes it, not syslog; set like head
	out   chan *chunk
	err   error // that ended the reading; set before out is closed
	short bool  // it became shorter while it was read
	kept  *kept // the text of a journal; set before out is closed

	clock clock // after the last chunk that was handed on
	begun bool
	forms stampForms
}

// feed hands on the chunks of one stream, in the order of its files.
type feed struct {
	scan    *scan
	files   []*fileScan
	started int
	current int
	pools   []chan *chunk // of free chunks, nil for one that is to be made; file i uses pool i modulo their number
	held    *chunk        // handed on last, and in the caller's hands
	at      int           // of the next event of held that is merged
}

func newFeed(s *scan, files []*fileScan) *feed {
	f := &feed{scan: s, files: files}
	for range min(len(files), s.ahead) {
		pool := make(chan *chunk, s.chunks)
		for range s.chunks {
			pool <- nil
		}
		f.pools = append(f.pools, pool)
	}
	return f
}

// next returns the next chunk that has events, and nil at the end. It takes the
// chunk before back.
func (f *feed) next(ctx context.Context) (*chunk, error) {
	f.release()
	for f.current < len(f.files) {
		f.start(ctx)
		c, err := f.receive(ctx)
		if err != nil {
			return nil, err
		}
		if c == nil {
			f.scan.finishFile(f.files[f.current])
			f.current++
			continue
		}
		f.held, f.at = c, 0
		f.scan.finish(c)
		if len(c.events) > 0 {
			return c, nil
		}
		f.release()
	}
	return nil, nil
}

// release gives the chunk that is held back to its pool.
func (f *feed) release() {
	if f.held != nil {
		f.pool(f.current) <- f.held
		f.held = nil
	}
}

func (f *feed) pool(file int) chan *chunk { return f.pools[file%len(f.pools)] }

// start starts readers for the current file and some after it: what is
// compressed takes its time.
func (f *feed) start(ctx context.Context) {
	for f.started < min(len(f.files), f.current+len(f.pools)) {
		file, pool := f.files[f.started], f.pool(f.started)
		f.scan.readers.Go(func() { f.scan.read(ctx, file, pool) })
		f.started++
	}
}

// receive waits for the next chunk of the current file and for what is in it;
// nil at the end of the file.
func (f *feed) receive(ctx context.Context) (*chunk, error) {
	var c *chunk
	select {
	case c = <-f.files[f.current].out:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c == nil {
		return nil, ctx.Err()
	}
	select {
	case <-c.done:
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// read cuts a file into chunks and gives them to the workers.
func (s *scan) read(ctx context.Context, f *fileScan, pool chan *chunk) {
	defer close(f.out)
	src, err := s.open(ctx, f)
	if err != nil {
		f.err = err
		return
	}
	defer src.Close()
	head := readHead(src)
	f.head, f.own = s.headClock(src, head.head), ownLog(head.head)
	cut := cutter{r: head, chop: src.grew}
	told := int64(0)
	for {
		var c *chunk
		select {
		case c = <-pool:
		case <-ctx.Done():
			return
		}
		if c == nil {
			c = newChunk(s.blockBytes)
		}
		if !cut.next(c, s.blockBytes) {
			pool <- c
			break
		}
		c.file, c.disk, told = f, src.disk.read-told, src.disk.read
		f.out <- c // it has room for the whole pool
		select {
		case s.work <- c:
		case <-ctx.Done():
			return
		}
	}
	f.err, f.short, f.kept = cut.err(), src.shrank(), src.kept
}

func (s *scan) open(ctx context.Context, f *fileScan) (*source, error) {
	if f.Webmail {
		return openWebmail(s.root, f.Path)
	}
	return openSource(ctx, s.root, f.Path)
}

// finish puts a chunk into its place: it gives times to the events before the
// first that proves the clock, and counts.
func (s *scan) finish(c *chunk) {
	f := c.file
	if !f.begun {
		f.clock, f.begun = f.head, true
	}
	report := &s.coverage.Files[f.index]
	first := f.clock.timeOf(c.first)
	for i := range c.lead {
		f.clock.resolve(&c.events[i])
	}
	if c.clock.proof == proofStamp {
		f.clock = c.clock
	}
	f.forms.add(c.forms)
	last := f.clock.timeOf(c.last)
	if report.First.IsZero() {
		report.First = first.Time()
	}
	if last != 0 {
		report.Last = last.Time()
	}
	c.events = s.window(c.events)
	c.block = spoor.Block{File: f.index, Offset: c.base, FirstLine: report.Lines + 1, Events: c.events}
	s.count(c, report)
	if s.options.Progress != nil {
		s.options.Progress(c.disk)
	}
}

// timeOf is the time of a header, without learning from it.
func (c clock) timeOf(m mark) spoor.Stamp {
	if m.local() {
		return stampOf(c.utcOf(m))
	}
	return spoor.Stamp(m)
}

// window leaves out the events that the caller did not ask for.
func (s *scan) window(events []spoor.Event) []spoor.Event {
	if s.since == 0 && s.until == 0 {
		return events
	}
	kept := events[:0]
	for i := range events {
		if t := events[i].Time; t >= s.since && (s.until == 0 || t < s.until) {
			if len(kept) < i {
				kept = append(kept, events[i])
			} else {
				kept = kept[:i+1]
			}
		}
	}
	return kept
}

func (s *scan) count(c *chunk, report *spoor.LogFile) {
	v := s.coverage
	s.shapes.merge(c.shapes, report.Path, report.Lines+1, &v.Shapes)
	report.Lines += c.lines
	report.Events += int64(len(c.events))
	v.Lines += c.lines
	v.Foreign += c.foreign
	v.Known += c.known
	v.Events += int64(len(c.events))
	v.Unknown += c.unknown
	v.Damaged += c.damaged
}

// finishFile says what became of a file.
func (s *scan) finishFile(f *fileScan) {
	v, report := s.coverage, &s.coverage.Files[f.index]
	report.Complete = f.err == nil && !f.short
	if f.kept != nil {
		report.Text = f.kept
	}
	stamped := !report.First.IsZero()
	report.Proved = stamped && (f.clock.proved() || !f.forms.local)
	switch {
	case f.short:
		s.gap(f.Path, "the file became shorter while it was read")
	case f.err != nil && !f.begun:
		s.gap(f.Path, "could not be read: "+cause(f.err))
	case f.err != nil:
		s.gap(f.Path, "could not be read to its end: "+cause(f.err))
	}
	if f.begun {
		report.Clock = "no line has a stamp"
		if stamped {
			report.Clock = f.clock.words(f.forms)
		}
		if stamped && !report.Proved {
			v.Assumed = append(v.Assumed, f.Path+": "+report.Clock)
		}
		if v.First.IsZero() || !report.First.IsZero() && report.First.Before(v.First) {
			v.First = report.First
		}
		if report.Last.After(v.Last) {
			v.Last = report.Last
		}
	}
}

func (s *scan) gap(path, reason string) {
	s.coverage.NotRead = append(s.coverage.NotRead, spoor.Gap{File: path, Reason: reason, Count: 1})
}

// cause is the innermost reason of an error, without the path.
func cause(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "it is gone"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
