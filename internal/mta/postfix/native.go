package postfix

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"spoor"
	"spoor/internal/mta"
)

const (
	patience = 3 * time.Second // for deliveries that are under way, of a whole batch
	moment   = 50 * time.Millisecond
)

// errRefused is for what postsuper left where it was and said nothing of.
var errRefused = errors.New("postsuper did not move it")

// takeNative takes messages of a queue that runs: postsuper holds them, and once no
// process of Postfix has one open any more, its file goes to the holding place, out
// of the sight of whoever releases what is held. Mail in maildrop and corrupt,
// which postsuper does not touch, goes there at once.
func takeNative(ctx context.Context, s *spool, tasks []task) error {
	in, err := s.byQueue(ctx, tasks)
	if err != nil {
		return err
	}
	if err := oneByOne((*spool).takeFile)(ctx, s, in["corrupt"]); err != nil {
		return err
	}
	if err := oneByOne((*spool).takeDrop)(ctx, s, in["maildrop"]); err != nil {
		return err
	}
	hold := slices.Concat(in["deferred"], in["active"], in["incoming"])
	busy, err := s.holdNow(ctx, hold, (*spool).takeHeld)
	s.awaitFree(ctx, append(in["hold"], busy...))
	return err
}

// byQueue sorts messages by the queues that they are in. Those that are in none have
// their outcome.
func (s *spool) byQueue(ctx context.Context, tasks []task) (in map[string][]task, err error) {
	in = map[string][]task{}
	var mu sync.Mutex
	err = eachTask(ctx, tasks, func(t task) error {
		queue, err := s.whereIs(t.Target)
		if err != nil {
			t.failed(err)
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		in[queue] = append(in[queue], t)
		return nil
	})
	return in, err
}

// takeHeld moves a message that is held into the holding place, unless somebody
// delivers it. Its logs stay with Postfix, which may be writing them.
func (s *spool) takeHeld(t *spoor.Target) error {
	f, err := s.openHeld(t)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	if err := free(f.file); err != nil {
		return err
	}
	id := string(t.ID)
	home := s.place("deferred", id)
	if t.Held {
		home = f.folder
	}
	to, err := s.holding(path.Join(takenFiles, home))
	if err != nil {
		return err
	}
	if err := f.dir.Rename(id, to, id); err != nil {
		return disown(err)
	}
	s.taken.add(id, kept{folder: home, fresh: true, logs: logsQueued})
	return nil
}

// whereIs is the queue that a message is in now.
func (s *spool) whereIs(t *spoor.Target) (queue string, err error) {
	f, err := s.locate(t)
	if err != nil {
		return "", err
	}
	return queueOf(f.folder), f.file.Close()
}

// holdNow holds messages, does something with each, and returns those of them that
// are being delivered all the same. An ID that went to another message in the
// meantime is released again. The error is the context's, or that of the release.
func (s *spool) holdNow(ctx context.Context, tasks []task, do func(s *spool, t *spoor.Target) error) (busy []task, err error) {
	ready := s.tried(tasks, (*spool).notInHold)
	ready = slices.DeleteFunc(ready, func(t task) bool { return t.outcome.Err != nil })
	if len(ready) == 0 {
		return nil, nil
	}
	refused := s.postfix.postsuper(ctx, idsOf(ready), "-h")
	var wrong []string
	for _, t := range s.tried(ready, do) {
		switch err := t.outcome.Err; {
		case errors.Is(err, mta.ErrBusy):
			busy = append(busy, t)
		case errors.Is(err, mta.ErrChanged):
			wrong = append(wrong, string(t.ID))
		case errors.Is(err, mta.ErrGone):
			t.failed(s.refusal(t.Target, refused))
		}
	}
	if err := s.release(context.WithoutCancel(ctx), wrong); err != nil && s.anyInHold(wrong) {
		return busy, fmt.Errorf("release messages that were held by mistake: %w", err)
	}
	return busy, ctx.Err()
}

// tried does something with each of the messages, whatever comes of it.
func (s *spool) tried(tasks []task, do func(s *spool, t *spoor.Target) error) []task {
	_ = eachTask(context.Background(), tasks, func(t task) error {
		t.failed(do(s, t.Target))
		return nil
	})
	return slices.Clone(tasks)
}

// anyInHold reports whether one of these IDs is held.
func (s *spool) anyInHold(ids []string) bool {
	for _, id := range ids {
		in, err := s.folder(s.place("hold", id))
		if err == nil {
			_, err = in.Stat(id)
		}
		if err == nil {
			return true
		}
	}
	return false
}

// refusal says why a message that was to be held is not.
func (s *spool) refusal(t *spoor.Target, refused error) error {
	switch err := s.isInQueue(t); {
	case err != nil:
		return err
	case refused != nil:
		return refused
	}
	return errRefused
}

// notInHold returns mta.ErrChanged where another message of the same ID is held
// already: postsuper would overwrite it.
func (s *spool) notInHold(t *spoor.Target) error {
	err := s.inHold(t)
	if errors.Is(err, mta.ErrGone) {
		return nil
	}
	return err
}

// inHold is nil for a message that is held. It returns mta.ErrGone, or mta.ErrChanged.
func (s *spool) inHold(t *spoor.Target) error {
	f, err := s.openHeld(t)
	if err != nil {
		return err
	}
	return f.file.Close()
}

func (s *spool) openHeld(t *spoor.Target) (*found, error) {
	return s.openAs(t, s.place("hold", string(t.ID)))
}

// heldAndFree is nil for a message that is held and that nobody delivers.
func (s *spool) heldAndFree(t *spoor.Target) error {
	f, err := s.openHeld(t)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	return free(f.file)
}

// awaitFree takes held messages whose deliveries end in time. Those that go on are
// released again, unless they were on hold before the plan.
func (s *spool) awaitFree(ctx context.Context, tasks []task) {
	deadline := time.Now().Add(patience)
	for {
		tasks = slices.DeleteFunc(s.tried(tasks, (*spool).takeHeld), func(t task) bool { return !errors.Is(t.outcome.Err, mta.ErrBusy) })
		if len(tasks) == 0 {
			return
		}
		if time.Now().After(deadline) || !pause(ctx, moment) {
			break
		}
	}
	tasks = slices.DeleteFunc(tasks, func(t task) bool { return t.Held })
	for _, t := range tasks {
		if err := s.coolDownHeld(t.Target); err != nil {
			t.is(spoor.ResultBusy, errors.Join(t.outcome.Err, err))
		}
	}
	// Without the context: what was held for nothing is not left so.
	_ = s.release(context.WithoutCancel(ctx), idsOf(tasks))
}

// coolDownHeld does so with a message in hold.
func (s *spool) coolDownHeld(t *spoor.Target) error {
	f, err := s.openHeld(t)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	return s.coolDown(f)
}

// coolDown puts the next attempt off as long as qmgr(8) does after one that failed.
// qmgr may still have the message in memory, from before it was held: were it
// active again at once, recipients of both would get it twice.
func (s *spool) coolDown(f *found) error {
	now := time.Now()
	if f.stat.Modified.After(now) {
		return nil
	}
	next := now.Add(s.cool)
	return f.file.SetTimes(next, next)
}

// release moves messages from hold to deferred.
func (s *spool) release(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return s.postfix.postsuper(ctx, ids, "-H")
}

func idsOf(tasks []task) []string {
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = string(t.ID)
	}
	return ids
}

// leftHold reads which messages have left hold, as they were told to. refused is the
// error of the command, which says nothing of a single message: postsuper can act
// and then fail.
func (s *spool) leftHold(tasks []task, refused error) {
	for _, t := range tasks {
		err := s.inHold(t.Target)
		switch {
		case errors.Is(err, mta.ErrGone), errors.Is(err, mta.ErrChanged):
			err = nil
		case err == nil && refused != nil:
			err = refused
		case err == nil:
			err = errRefused
		}
		t.failed(err)
	}
}

// putBackNative releases what the plan has put on hold, and leaves there what was
// held before.
func putBackNative(ctx context.Context, s *spool, tasks []task) error {
	var ready []task
	for _, t := range tasks {
		err := s.inHold(t.Target)
		switch {
		case err == nil && !t.Held:
			if err = s.coolDownHeld(t.Target); err == nil {
				ready = append(ready, t)
				continue
			}
		case errors.Is(err, mta.ErrGone), errors.Is(err, mta.ErrChanged):
			err = s.isInQueue(t.Target)
		}
		t.failed(err)
	}
	return s.releaseAll(ctx, ready)
}

// releaseAll releases messages and reads what became of them.
func (s *spool) releaseAll(ctx context.Context, tasks []task) error {
	s.leftHold(tasks, s.release(ctx, idsOf(tasks)))
	return ctx.Err()
}

// holdNative holds messages. A delivery that is under way goes on.
func holdNative(ctx context.Context, s *spool, tasks []task) error {
	var ready []task
	for _, t := range tasks {
		queue, err := s.whereIs(t.Target)
		switch {
		case err != nil || queue == "hold":
			t.failed(err)
		case queue == "maildrop" || queue == "corrupt":
			t.failed(fmt.Errorf("hold of a message in %s: %w", queue, mta.ErrUnsupported))
		default:
			ready = append(ready, t)
		}
	}
	busy, err := s.holdNow(ctx, ready, (*spool).heldAndFree)
	for _, t := range busy {
		t.failed(nil)
	}
	return err
}

// releaseNative releases messages.
func releaseNative(ctx context.Context, s *spool, tasks []task) error {
	var ready []task
	for _, t := range tasks {
		queue, err := s.whereIs(t.Target)
		if err != nil || queue != "hold" {
			t.failed(err)
			continue
		}
		ready = append(ready, t)
	}
	return s.releaseAll(ctx, ready)
}
