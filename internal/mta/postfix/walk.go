package postfix

import (
	"context"
	"runtime"
	"sync"

	"spoor"
)

// togetherFrom is how many messages are worth several goroutines.
const togetherFrom = 64

// oneByOne is an act that handles each message for itself.
func oneByOne(do func(s *spool, t *spoor.Target) error) act {
	return func(ctx context.Context, s *spool, tasks []task) error {
		return eachTask(ctx, tasks, func(t task) error {
			err := do(s, t.Target)
			t.failed(err)
			return err
		})
	}
}

// eachTask does something with each task, in several goroutines if they are many.
// What is of one folder is left to one goroutine: two would wait for each other.
// An error that the next task would meet too ends it, and is returned.
func eachTask(ctx context.Context, tasks []task, do func(t task) error) error {
	w := &walk{ctx: ctx, do: do}
	shares := 1
	if len(tasks) >= togetherFrom {
		shares = runtime.GOMAXPROCS(0)
	}
	if shares == 1 {
		w.share(tasks)
		return w.stopped
	}
	var group sync.WaitGroup
	for _, part := range divide(tasks, shares) {
		group.Go(func() { w.share(part) })
	}
	group.Wait()
	return w.stopped
}

// divide divides tasks by their folders.
func divide(tasks []task, shares int) [][]task {
	parts := make([][]task, shares)
	for _, t := range tasks {
		n := int(t.Folder[len(t.Folder)-1]) % shares // spoolOf has refused the empty one
		parts[n] = append(parts[n], t)
	}
	return parts
}

// walk is one walk over tasks.
type walk struct {
	ctx context.Context //nolint:containedctx // it lives as long as one call
	do  func(t task) error

	mu      sync.Mutex
	stopped error
}

func (w *walk) share(tasks []task) {
	for _, t := range tasks {
		if w.stop(w.ctx.Err()) || w.stop(w.do(t)) {
			return
		}
	}
}

// stop remembers the first error that stops all, and reports whether there is one.
func (w *walk) stop(err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped == nil && stops(err) {
		w.stopped = err
	}
	return w.stopped != nil
}
