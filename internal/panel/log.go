package panel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"

	"spoor"
)

// Budget bounds how much of the logs is read. It is used by one goroutine at a
// time.
type Budget struct {
	PerFile int64 // bytes
	Left    int64 // bytes, of all files together
}

// of returns how much of the next file may be read.
func (b *Budget) of() int64 { return max(0, min(b.PerFile, b.Left)) }

const (
	// probeBytes is read at each step of the search for the start of a window.
	// It holds enough lines for a few that were logged late to do no harm.
	probeBytes = 64 << 10
	// lineBytes is how much of a line is looked at. What comes later in an
	// over-long line is only skipped.
	lineBytes = 64 << 10
	// quoteBytes is how much of a line is kept as evidence.
	quoteBytes = 512
	// lateness is how long after its own time a line may be logged: web servers
	// log a request with the time of its start, when it has ended.
	lateness = 5 * time.Minute
)

// Log is one log file whose lines are in order of time, give or take lateness,
// and may be many GB. It is read only where a window of time needs it.
type Log struct {
	Folder Folder // that the log must lie in
	Name   string // path below the root, with a leading slash
	Budget *Budget
	Gaps   *spoor.Gaps // gets what was not read, and why
}

// stampFunc finds the time of a line; it reports false where there is none.
type stampFunc func(line []byte) (time.Time, bool)

// timedLine is a line without its end. Its text is overwritten by the next one.
type timedLine struct {
	text   []byte
	time   time.Time // zero where the line has none
	number int       // from 1; 0 where the log was entered in its middle
}

// lines yields every line from about the start of the window to about its end.
// The caller looks at each one's own time. A log that is not there has none.
func (l Log) lines(w Window, stamp stampFunc) iter.Seq[timedLine] {
	return func(yield func(timedLine) bool) {
		file, err := l.Folder.OpenFile(l.Name)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			l.Gaps.Add(l.Name, "log could not be read: "+Cause(err))
			return
		}
		defer func() { _ = file.Close() }()
		info, err := file.Stat()
		if err == nil {
			err = l.scan(timedLog{file: file, size: info.Size(), stamp: stamp}, w, yield)
		}
		if errors.Is(err, errBudget) {
			l.Gaps.Add(l.Name, fmt.Sprintf("log is too long for the time in question: at most %d MB of it were read", l.Budget.PerFile>>20))
		} else if err != nil {
			l.Gaps.Add(l.Name, "log could not be read: "+Cause(err))
		}
	}
}

// errBudget says that the budget ended before the window.
var errBudget = errors.New("more than may be read")

func (l Log) scan(log timedLog, w Window, yield func(timedLine) bool) error {
	start, err := log.start(w.From)
	if err != nil {
		return err
	}
	reader := bufio.NewReaderSize(io.NewSectionReader(log.file, start, l.Budget.of()), lineBytes)
	read, number := int64(0), 0
	defer func() { l.Budget.Left -= read }()
	for {
		text, length, err := nextLine(reader)
		read += length
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case err != nil && start+read < log.size:
			return errBudget
		case length == 0:
			return nil
		}
		if start == 0 {
			number++
		}
		stamp, ok := log.stamp(text)
		if ok && stamp.After(w.Until.Add(lateness)) {
			return nil
		}
		if !yield(timedLine{text: text, time: stamp, number: number}) {
			return nil
		}
	}
}

// place quotes the start of a line.
func (l Log) place(what string, line timedLine) spoor.Evidence {
	return spoor.Evidence{What: what, File: l.Name, Line: line.number, Text: string(line.text[:min(len(line.text), quoteBytes)])}
}

// Cause is the innermost reason of an error, without the paths that differ from
// file to file: gaps are counted by their reason.
func Cause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

// nextLine returns the next line, at most lineBytes of it, and its whole length
// with its end. At the end of the log the length is 0.
func nextLine(reader *bufio.Reader) ([]byte, int64, error) {
	line, err := reader.ReadSlice('\n')
	length := int64(len(line))
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			var rest []byte
			rest, err = reader.ReadSlice('\n')
			length += int64(len(rest))
		}
	}
	return bytes.TrimRight(line, "\r\n"), length, err
}

// timedLog is what the search for the start of a window needs of a Log.
type timedLog struct {
	file  io.ReaderAt
	size  int64 // bytes
	stamp stampFunc
}

// start searches the offset of a line before which every line is older than
// from. A place without any time counts as not older, so that nothing is
// missed.
func (l timedLog) start(from time.Time) (int64, error) {
	buf := make([]byte, probeBytes)
	low, high := int64(0), l.size
	for high-low > probeBytes {
		middle := low + (high-low)/2
		older, err := l.olderAt(middle, from, buf)
		if err != nil {
			return 0, err
		}
		if older {
			low = middle
		} else {
			high = middle
		}
	}
	if low == 0 {
		return 0, nil
	}
	n, err := l.file.ReadAt(buf, low)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return low + int64(bytes.IndexByte(buf[:n], '\n')+1), nil
}

// olderAt reports whether all lines in the probe at offset are older than from.
// One late line does not decide: its neighbours were logged in time.
func (l timedLog) olderAt(offset int64, from time.Time, buf []byte) (bool, error) {
	n, err := l.file.ReadAt(buf, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	probe, stamped := buf[:n], false
	for line := range bytes.Lines(probe[bytes.IndexByte(probe, '\n')+1:]) {
		stamp, ok := l.stamp(line)
		if ok && !stamp.Before(from) {
			return false, nil
		}
		stamped = stamped || ok
	}
	return stamped, nil
}
