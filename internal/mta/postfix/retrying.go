package postfix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"spoor"
	"spoor/internal/mta"
)

// retryEach is up to how many messages each is asked for by itself although all of
// deferred is wanted.
const retryEach = 200

var (
	errOnHold  = errors.New("is on hold, and is not tried before it is released")
	errCorrupt = errors.New("was set aside as damaged, and is never tried")
)

// retryNative asks for an attempt now. postqueue -i asks for one message, which
// takes a process each; postqueue -f asks for all that is deferred, and is used
// only where that is what was chosen.
func retryNative(ctx context.Context, s *spool, tasks []task) error {
	var deferred []task
	for _, t := range tasks {
		queue, err := s.whereIs(t.Target)
		switch {
		case err != nil:
			t.failed(err)
		case queue == "hold":
			t.failed(fmt.Errorf("%s: %w", t.ID, errOnHold))
		case queue == "corrupt":
			t.failed(fmt.Errorf("%s: %w", t.ID, errCorrupt))
		case queue == "deferred":
			deferred = append(deferred, t)
		default:
			t.failed(nil) // is or will be tried without being asked for
		}
	}
	if len(deferred) > retryEach {
		if all, err := s.count("deferred", len(deferred), 0); err != nil {
			return err
		} else if all <= len(deferred) {
			err := s.postfix.postqueue(ctx, "-f")
			for _, t := range deferred {
				t.failed(err)
			}
			return ctx.Err()
		}
	}
	return oneByOne(func(s *spool, t *spoor.Target) error {
		return s.postfix.postqueue(ctx, "-i", string(t.ID))
	})(ctx, s, deferred)
}

// count is how many files are in a queue; it stops when there are more than limit.
func (s *spool) count(name string, limit, depth int) (total int, err error) {
	in, err := s.folder(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	names, err := in.Names()
	if err != nil {
		return 0, err
	}
	for _, one := range names {
		more := 1
		if len(one) == 1 && depth < maxDepth {
			if more, err = s.count(path.Join(name, one), limit-total, depth+1); err != nil {
				return 0, err
			}
		}
		if total += more; total > limit {
			break
		}
	}
	return total, nil
}

// Explain implements mta.Controller.
func (c *controller) Explain(action spoor.Action) []string {
	if err := c.Able(action); err != nil {
		return []string{err.Error()}
	}
	if c.running() {
		return explainRunning(action)
	}
	return explainStopped(action)
}

// errStopped is why a queue that is stopped attempts nothing.
var errStopped = fmt.Errorf("nothing can be tried while Postfix is stopped: %w", mta.ErrUnsupported)

// Able implements mta.Controller.
func (c *controller) Able(action spoor.Action) error {
	if action == spoor.ActionRetry && !c.running() {
		return errStopped
	}
	return nil
}

// running reports whether any of the queues is worked on.
func (c *controller) running() bool {
	return slices.ContainsFunc(c.spools, func(s *spool) bool { return s.running })
}

func explainRunning(action spoor.Action) []string {
	switch action {
	case spoor.ActionRemove:
		return []string{
			"Postfix runs and goes on: postsuper -h takes the messages out of delivery, then they are moved to a folder beside the queue, stored, and removed",
			"a message that is being delivered for more than a few seconds is left in the queue",
			"mail in maildrop is moved out of the reach of pickup",
		}
	case spoor.ActionRestore:
		return []string{
			"the messages get new queue IDs, made of the time of their old ones and of the inodes of their new files",
			"they go into deferred and are tried at its next scan (queue_run_delay); what was on hold goes back there",
			"mail that is older than maximal_queue_lifetime gets one attempt, and is returned to its sender if that fails",
		}
	case spoor.ActionHold:
		return []string{
			"postsuper -h moves the messages to hold, where they stay until they are released",
			"a delivery that is under way goes on to its end",
			"mail in maildrop cannot be held: Postfix has not checked it yet",
		}
	case spoor.ActionRelease:
		return []string{"postsuper -H moves the messages to deferred, where they are tried when their time has come"}
	case spoor.ActionRetry:
		return []string{
			"postqueue -i asks for an attempt now, a process for each message",
			fmt.Sprintf("if all that is deferred was chosen, and that is more than %d messages, postqueue -f asks for all at once: that slows other mail down while it lasts", retryEach),
			"an attempt cannot be undone",
		}
	default:
		return nil
	}
}

func explainStopped(action spoor.Action) []string {
	const stopped = "Postfix is stopped, and cannot start until this is over: the lock of master is held meanwhile"
	switch action {
	case spoor.ActionRemove:
		return []string{stopped, "the files are moved out of the queue to a folder beside it, then stored, then removed"}
	case spoor.ActionRestore:
		return append([]string{stopped}, explainRunning(action)...)
	case spoor.ActionHold:
		return []string{stopped, "the files are moved to hold, as postsuper -h does", "mail in maildrop cannot be held: Postfix has not checked it yet"}
	case spoor.ActionRelease:
		return []string{stopped, "the files are moved from hold to deferred, as postsuper -H does"}
	default:
		return nil
	}
}
