package postfix

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// errHeldOther is for a file in the holding place under the ID of another message.
var errHeldOther = errors.New("in the holding place lies another message of that ID")

// takeFile moves a message into the holding place: its file decides, the logs of
// its deliveries follow. A delivery agent that a killed Postfix left behind still
// holds its lock on the file.
func (s *spool) takeFile(t *spoor.Target) error {
	id := string(t.ID)
	if folder, ok := s.taken[id]; ok {
		return s.takeAgain(t, folder)
	}
	f, err := s.locate(t)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	if err := free(f.file); err != nil {
		return err
	}
	return s.moveOut(id, f)
}

// free returns mta.ErrBusy where a process of Postfix works on a message: qmgr(8)
// locks the file exclusively while it reads it (qmgr_message.c), delivery agents
// and bounce(8) share a lock until they are done (deliver_request.c,
// bounce_notify_util.c). The lock is given back when the file is closed.
func free(file *disk.File) error {
	err := file.Flock()
	if errors.Is(err, disk.ErrLocked) {
		return fmt.Errorf("%w: %w", mta.ErrBusy, err)
	}
	return err
}

// moveOut moves the file of a message, then its logs. If a log cannot follow, the
// message goes back.
func (s *spool) moveOut(id string, f *found) error {
	to, err := s.holding(path.Join(takenFiles, f.folder))
	if err != nil {
		return err
	}
	if err := f.dir.Rename(id, to, id); err != nil {
		return disown(err)
	}
	s.taken[id] = f.folder
	if err := s.moveLogs(id); err != nil {
		if failed := s.moveBack(id, f.folder); failed != nil {
			return fmt.Errorf("%w: %w: %w", spoor.ErrUnsettled, err, failed)
		}
		return err
	}
	return nil
}

// takeAgain finishes what an earlier run has begun.
func (s *spool) takeAgain(t *spoor.Target, folder string) error {
	f, err := s.openTaken(t, folder)
	if err != nil {
		return err
	}
	_ = f.file.Close()
	if err := s.moveLogs(string(t.ID)); err != nil {
		return fmt.Errorf("%w: %w", spoor.ErrUnsettled, err)
	}
	return nil
}

// openTaken opens a message in the holding place.
func (s *spool) openTaken(t *spoor.Target, folder string) (*found, error) {
	f, err := s.openAs(t, s.holdingName(path.Join(takenFiles, folder)))
	if errors.Is(err, mta.ErrChanged) {
		return nil, fmt.Errorf("%s: %w", t.ID, errHeldOther)
	}
	return f, err
}

// moveLogs moves the logs of a message that is in the holding place there too.
func (s *spool) moveLogs(id string) error {
	for _, queue := range logQueues {
		name := s.place(queue, id)
		from, err := s.folder(name)
		if err == nil {
			_, err = from.Stat(id)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		to, err := s.holding(path.Join(takenFiles, name))
		if err != nil {
			return err
		}
		if err := from.Rename(id, to, id); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// takenLogs calls do for the logs of a message in the holding place.
func (s *spool) takenLogs(id string, do func(name string, in *disk.Dir) error) error {
	for _, queue := range logQueues {
		name := s.place(queue, id)
		in, err := s.folder(s.holdingName(path.Join(takenFiles, name)))
		if err == nil {
			_, err = in.Stat(id)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = do(name, in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// moveBack is the inverse of moveOut: the file is the last to come.
func (s *spool) moveBack(id, folder string) error {
	err := s.takenLogs(id, func(name string, in *disk.Dir) error {
		to, err := s.makeFolder(name)
		if err != nil {
			return err
		}
		return in.Rename(id, to, id)
	})
	if err != nil {
		return err
	}
	from, err := s.folder(s.holdingName(path.Join(takenFiles, folder)))
	if err != nil {
		return err
	}
	to, err := s.makeFolder(s.whereTo(id, folder))
	if err != nil {
		return err
	}
	if err := from.Rename(id, to, id); err != nil {
		return err
	}
	delete(s.taken, id)
	return nil
}

// whereTo is the folder that a message goes back to: that where it was. Only a
// qmgr(8) that starts looks into active, and one that runs looks into incoming
// when new mail comes.
func (s *spool) whereTo(id, folder string) string {
	if queue := queueOf(folder); s.running && (queue == "active" || queue == "incoming") {
		return s.place("deferred", id)
	}
	return folder
}

// putBackFile returns a message from the holding place.
func (s *spool) putBackFile(t *spoor.Target) error {
	id := string(t.ID)
	folder, ok := s.taken[id]
	if !ok {
		return s.isInQueue(t)
	}
	f, err := s.openTaken(t, folder)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	return s.moveBack(id, folder)
}

// isInQueue is nil for a message that is in the queue.
func (s *spool) isInQueue(t *spoor.Target) error {
	f, err := s.locate(t)
	if err != nil {
		return err
	}
	return f.file.Close()
}

// discardFile removes a message from the holding place, its file last.
func (s *spool) discardFile(t *spoor.Target) error {
	id := string(t.ID)
	folder, ok := s.taken[id]
	if !ok {
		return s.notInQueue(t)
	}
	f, err := s.openTaken(t, folder)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	if err := s.takenLogs(id, func(_ string, in *disk.Dir) error { return in.Remove(id) }); err != nil {
		return err
	}
	if err := f.dir.Remove(id); err != nil {
		return err
	}
	delete(s.taken, id)
	return nil
}

// notInQueue is nil for a message of which nothing is left.
func (s *spool) notInQueue(t *spoor.Target) error {
	switch err := s.isInQueue(t); {
	case err == nil:
		return fmt.Errorf("%s: %w", t.ID, errNotTaken)
	case errors.Is(err, mta.ErrGone), errors.Is(err, mta.ErrChanged):
		return nil
	default:
		return err
	}
}

// holdFile does what postsuper(1) -h does. Mail in maildrop is not yet fit for the
// other queues, and what is corrupt waits anyhow.
func (s *spool) holdFile(t *spoor.Target) error {
	return s.moveTo(t, func(queue string) (string, error) {
		switch queue {
		case "hold":
			return "", nil
		case "maildrop", "corrupt":
			return "", fmt.Errorf("hold of a message in %s: %w", queue, mta.ErrUnsupported)
		}
		return s.place("hold", string(t.ID)), nil
	})
}

// releaseFile does what postsuper(1) -H does.
func (s *spool) releaseFile(t *spoor.Target) error {
	return s.moveTo(t, func(queue string) (string, error) {
		if queue != "hold" {
			return "", nil
		}
		return s.place("deferred", string(t.ID)), nil
	})
}

// moveTo moves a message into the folder that choose names for the queue in which
// it is; "" leaves it there.
func (s *spool) moveTo(t *spoor.Target, choose func(queue string) (string, error)) error {
	f, err := s.locate(t)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	name, err := choose(queueOf(f.folder))
	if err != nil || name == "" {
		return err
	}
	if err := free(f.file); err != nil {
		return err
	}
	to, err := s.makeFolder(name)
	if err != nil {
		return err
	}
	return disown(f.dir.Rename(string(t.ID), to, string(t.ID)))
}
