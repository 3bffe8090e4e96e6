package cli

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// meter draws how far a change is, how fast, and how long it will take, on a
// terminal.
type meter struct {
	verb        string
	done, total atomic.Int64
	started     time.Time
	out         io.Writer
	quit        chan struct{}
	group       sync.WaitGroup
}

// startMeter starts a display that stop ends. Without a terminal it shows
// nothing.
func (o *options) startMeter(verb string) *meter {
	m := &meter{verb: verb, started: time.Now(), out: o.env.Err, quit: make(chan struct{})}
	if o.env.ErrTerminal {
		m.group.Go(m.run)
	}
	return m
}

func (m *meter) set(done, total int) {
	m.done.Store(int64(done))
	m.total.Store(int64(total))
}

func (m *meter) stop() {
	close(m.quit)
	m.group.Wait()
}

func (m *meter) run() {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-m.quit:
			_, _ = fmt.Fprint(m.out, "\r\x1b[K")
			return
		case now := <-ticker.C:
			if line := m.line(now.Sub(m.started)); line != "" {
				_, _ = fmt.Fprint(m.out, "\r\x1b[K"+line)
			}
		}
	}
}

// meterColumns is the length of the bar.
const meterColumns = 20

// line is the display after some time; "" while there is nothing to tell.
func (m *meter) line(passed time.Duration) string {
	done, total := m.done.Load(), m.total.Load()
	if done == 0 || total == 0 || passed <= 0 {
		return ""
	}
	rate := float64(done) / passed.Seconds()
	left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
	filled := int(done * meterColumns / total)
	bar := make([]byte, meterColumns)
	for i := range bar {
		bar[i] = '-'
		if i < filled {
			bar[i] = '#'
		}
	}
	return fmt.Sprintf("%s [%s] %d of %d messages, %.0f/s, %s left", m.verb, bar, done, total, rate, left)
}
