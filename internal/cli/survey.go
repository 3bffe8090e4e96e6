package cli

import (
	"context"
	"iter"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// survey is one walk through the whole queue, summed up by source.
type survey struct {
	scan    *mta.Scan
	count   spoor.QueueCount
	traffic []spoor.Traffic
	partial bool // more than the queue could not be read

	leftovers int // messages that were never queued whole, and should have been removed long ago
}

// complete is false if a part of the queue, or what its reading rests on, could
// not be read.
func (s *survey) complete() bool { return s.scan.Complete && s.count.Unreadable == 0 && !s.partial }

// survey reads the queue on all processors. Only messages in the window are
// booked.
func (s *server) survey(ctx context.Context, o *options) (*survey, error) {
	w, err := o.window()
	if err != nil {
		return nil, err
	}
	scan, err := s.queue.Scan(ctx, mta.Want{})
	if err != nil {
		return nil, err
	}
	roomFor(scan.Listed, s.log != nil)
	bar := o.startProgress(scan.Listed)
	defer bar.stop()

	ledger := s.tracer.NewLedger()
	var merging sync.Mutex
	var leftovers atomic.Int64
	isLeftover := func(m *spoor.Message) bool {
		return m.State == spoor.StateIncomplete && s.root.Live() && o.env.Now().Sub(m.Arrived) > leftoverAge
	}
	err = eachPart(scan, func(parts func() (int, bool)) error {
		own := s.tracer.NewLedger()
		err := bookParts(scan, parts, bar, func(m *spoor.Message) {
			if isLeftover(m) {
				leftovers.Add(1)
			}
			if w.contains(m.Arrived) {
				own.Add(m)
			}
		})
		if err != nil {
			return err
		}
		merging.Lock()
		defer merging.Unlock()
		ledger.Merge(own)
		return nil
	})
	if err != nil {
		return nil, err
	}
	result := &survey{scan: scan, partial: s.partial, count: ledger.Count(), traffic: ledger.Join()}
	result.leftovers = int(leftovers.Load())
	result.count.Messages, result.count.Unprocessed = scan.Count()
	result.count.Unreadable = scan.Unreadable()
	return result, nil
}

// Memory that a survey may take before garbage is collected, in bytes: what the
// program needs at least, and for each message. A queue of 300,000 messages then
// stays below 300 MB and costs a tenth less time than with the usual collection.
const (
	memoryBase    = 24 << 20
	memoryMessage = 800
)

func roomFor(messages int, logRead bool) {
	limit := memoryBase + memoryMessage*int64(messages)
	if logRead {
		limit += logMemory
	}
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(-1)
}

// leftoverAge is the age at which qmail-send removes what was never queued whole:
// OSSIFIED in qmail-send.c.
const leftoverAge = 36 * time.Hour

func bookParts(scan *mta.Scan, parts func() (int, bool), bar *progress, book func(*spoor.Message)) error {
	for i, ok := parts(); ok; i, ok = parts() {
		read := 0
		for m, err := range scan.Parts[i] {
			if err != nil {
				return err
			}
			book(m)
			read++
		}
		bar.add(read)
	}
	return nil
}

// eachPart runs work on every processor. The function that each is given hands
// out the numbers of the parts that are left.
func eachPart(scan *mta.Scan, work func(parts func() (int, bool)) error) error {
	var next atomic.Int64
	parts := func() (int, bool) {
		i := int(next.Add(1)) - 1
		return i, i < len(scan.Parts)
	}
	errs := make([]error, readers(scan))
	defer spareProcessors(len(errs))()
	var group sync.WaitGroup
	for n := range errs {
		group.Go(func() {
			host.OwnDescriptors()
			errs[n] = work(parts)
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readers is how many goroutines read a scan.
func readers(scan *mta.Scan) int { return max(1, min(runtime.NumCPU(), len(scan.Parts))) }

// spareProcessors makes room beside readers, which hold their processor while
// they wait for a disk (host.File), for signals, progress and the garbage
// collector. The function that it returns takes the room back.
func spareProcessors(readers int) func() {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(before, readers+2))
	return func() { runtime.GOMAXPROCS(before) }
}

// ahead is how many parts inOrder reads before they can be written.
const ahead = 16

// inOrder reads the parts of a scan on every processor and hands what read
// returned to write, in the order of the parts. It ends at the first error.
func inOrder[T any](scan *mta.Scan, read func(iter.Seq2[*spoor.Message, error]) (T, error), write func(T) error) error {
	type outcome struct {
		value T
		err   error
	}
	outcomes := make([]chan outcome, len(scan.Parts))
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	room := make(chan struct{}, ahead)
	quit := make(chan struct{})
	var next atomic.Int64
	var group sync.WaitGroup
	defer spareProcessors(readers(scan))()
	defer group.Wait()
	defer close(quit)
	for range readers(scan) {
		group.Go(func() {
			host.OwnDescriptors()
			for {
				select {
				case room <- struct{}{}:
				case <-quit:
					return
				}
				i := int(next.Add(1)) - 1
				if i >= len(scan.Parts) {
					return
				}
				value, err := read(scan.Parts[i])
				outcomes[i] <- outcome{value, err}
			}
		})
	}
	for i := range outcomes {
		done := <-outcomes[i]
		<-room
		if done.err != nil {
			return done.err
		}
		if err := write(done.value); err != nil {
			return err
		}
	}
	return nil
}
