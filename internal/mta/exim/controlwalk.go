package exim

import (
	"context"
	"runtime"
	"sync"

	"spoor"
)

// togetherFrom is how many messages are worth several goroutines.
const togetherFrom = 64

// each handles the elements of a batch one after another. It goes on behind one
// that fails, and ends where nothing more can succeed.
func each[T any](ctx context.Context, batch []T, do func(*T) spoor.Outcome) ([]spoor.Outcome, error) {
	w := newWalk(ctx, len(batch))
	share(w, batch, do, func(*T) bool { return true })
	return w.end()
}

// together is each, in several goroutines where there are many: one for the
// messages of some folders, since two would wait for each other in one.
func together(ctx context.Context, batch []spoor.Target, do func(*spoor.Target) spoor.Outcome) ([]spoor.Outcome, error) {
	shares := runtime.GOMAXPROCS(0)
	if len(batch) < togetherFrom || shares == 1 {
		return each(ctx, batch, do)
	}
	w := newWalk(ctx, len(batch))
	var group sync.WaitGroup
	for n := range shares {
		group.Go(func() {
			share(w, batch, do, func(t *spoor.Target) bool { return shareOf(t, shares) == n })
		})
	}
	group.Wait()
	return w.end()
}

func shareOf(t *spoor.Target, shares int) int {
	if t.Folder == "" {
		return 0
	}
	return int(t.Folder[len(t.Folder)-1]) % shares
}

// walk is one walk over a batch.
type walk struct {
	ctx      context.Context //nolint:containedctx // it lives as long as one call
	outcomes []spoor.Outcome
	reached  []bool

	mu      sync.Mutex
	stopped error
}

func newWalk(ctx context.Context, n int) *walk {
	return &walk{ctx: ctx, outcomes: make([]spoor.Outcome, n), reached: make([]bool, n)}
}

// share handles those elements that are mine.
func share[T any](w *walk, batch []T, do func(*T) spoor.Outcome, mine func(*T) bool) {
	for i := range batch {
		if !mine(&batch[i]) {
			continue
		}
		if w.stop(w.ctx.Err()) {
			return
		}
		w.outcomes[i] = do(&batch[i])
		w.reached[i] = true
		if err := w.outcomes[i].Err; hopeless(err) && w.stop(err) {
			return
		}
	}
}

// stop remembers the first error that stops all, and reports whether there is one.
func (w *walk) stop(err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped == nil {
		w.stopped = err
	}
	return w.stopped != nil
}

// end says of what was not reached why.
func (w *walk) end() ([]spoor.Outcome, error) {
	for i := range w.outcomes {
		if !w.reached[i] {
			w.outcomes[i] = failed(w.stopped)
		}
	}
	return w.outcomes, w.stopped
}
