package cli

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/trace"
)

// survey is one walk through the whole queue, summed up by source.
type survey struct {
	scan    *mta.Scan
	count   spoor.QueueCount
	traffic []spoor.Traffic
}

// complete is false if a part of the queue could not be read.
func (s *survey) complete() bool { return s.scan.Complete && s.count.Unreadable == 0 }

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
	bar := o.startProgress(scan.Messages)
	defer bar.stop()

	ledger := s.tracer.NewLedger()
	var merging sync.Mutex
	err = eachPart(scan, func(parts func() (int, bool)) error {
		own := s.tracer.NewLedger()
		if err := bookParts(scan, parts, own, w, bar); err != nil {
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
	result := &survey{scan: scan, count: ledger.Count(), traffic: ledger.Traffic()}
	result.count.Messages, result.count.Unprocessed = scan.Messages, scan.Unprocessed
	result.count.Unreadable = scan.Unreadable()
	return result, nil
}

func bookParts(scan *mta.Scan, parts func() (int, bool), ledger *trace.Ledger, w window, bar *progress) error {
	for i, ok := parts(); ok; i, ok = parts() {
		read := 0
		for m, err := range scan.Parts[i] {
			if err != nil {
				return err
			}
			if w.contains(m.Arrived) {
				ledger.Add(m)
			}
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
	workers := min(runtime.NumCPU(), max(1, len(scan.Parts)))
	// Readers hold their processor while they wait for a disk (host.File):
	// leave some for signals, progress and the garbage collector.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), workers+2)))
	errs := make([]error, workers)
	var group sync.WaitGroup
	for n := range workers {
		group.Go(func() { errs[n] = work(parts) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
