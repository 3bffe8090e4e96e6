package cli

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// progress draws how far a scan is, on a terminal and only once it has taken
// longer than progressDelay.
type progress struct {
	done  atomic.Int64
	total int
	out   io.Writer
	quit  chan struct{}
	group sync.WaitGroup
}

const (
	progressDelay = time.Second
	progressEvery = 200 * time.Millisecond
)

// startProgress starts a display that stop ends. Without a terminal it shows
// nothing.
func (o *options) startProgress(total int) *progress {
	p := &progress{total: total, out: o.env.Err, quit: make(chan struct{})}
	if o.env.ErrTerminal {
		p.group.Go(p.run)
	}
	return p
}

func (p *progress) add(n int) { p.done.Add(int64(n)) }

func (p *progress) run() {
	timer := time.NewTimer(progressDelay)
	defer timer.Stop()
	drawn := false
	for {
		select {
		case <-p.quit:
			if drawn {
				_, _ = fmt.Fprint(p.out, "\r\x1b[K")
			}
			return
		case <-timer.C:
			_, _ = fmt.Fprintf(p.out, "\r\x1b[Kreading the queue: %d of %d messages", p.done.Load(), p.total)
			drawn = true
			timer.Reset(progressEvery)
		}
	}
}

func (p *progress) stop() {
	close(p.quit)
	p.group.Wait()
}
