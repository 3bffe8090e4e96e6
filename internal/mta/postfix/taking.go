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
	if kept, ok := s.taken.of(id); ok {
		return s.takeAgain(t, kept)
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
	has, err := s.moveLogs(id)
	if err != nil {
		if failed := s.moveBack(id, kept{folder: f.folder}); failed != nil {
			s.taken.add(id, kept{folder: f.folder})
			return fmt.Errorf("%w: %w: %w", spoor.ErrUnsettled, err, failed)
		}
		return err
	}
	s.taken.add(id, kept{folder: f.folder, fresh: true, logs: logsMoved, has: has})
	return nil
}

// takeAgain finishes what an earlier run has begun. Of a Postfix that runs, the
// logs stay where they are: it may be writing them.
func (s *spool) takeAgain(t *spoor.Target, kept kept) error {
	f, err := s.openTaken(t, kept.folder)
	if err != nil {
		return err
	}
	_ = f.file.Close()
	if s.running {
		return nil
	}
	if _, err := s.moveLogs(string(t.ID)); err != nil {
		return fmt.Errorf("%w: %w", spoor.ErrUnsettled, err)
	}
	return nil
}

// openTaken opens a message in the holding place.
func (s *spool) openTaken(t *spoor.Target, folder string) (*found, error) {
	f, err := s.openAs(t, s.takenName(folder))
	if errors.Is(err, mta.ErrChanged) {
		return nil, fmt.Errorf("%s: %w", t.ID, errHeldOther)
	}
	return f, err
}

// moveLogs moves the logs of a message that is in the holding place there too, and
// tells which there were.
func (s *spool) moveLogs(id string) (has [len(logQueues)]bool, err error) {
	for i, queue := range logQueues {
		if has[i], err = s.moveLog(id, s.place(queue, id)); err != nil {
			return has, err
		}
	}
	return has, nil
}

func (s *spool) moveLog(id, name string) (moved bool, err error) {
	from, err := s.folder(name)
	if err == nil {
		_, err = from.Stat(id)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	to, err := s.holding(path.Join(takenFiles, name))
	if err != nil {
		return false, err
	}
	err = from.Rename(id, to, id)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// moveBack is the inverse of moveOut: the file is the last to come.
func (s *spool) moveBack(id string, kept kept) error {
	for _, queue := range logQueues {
		if err := s.moveLogBack(id, s.place(queue, id)); err != nil {
			return err
		}
	}
	from, err := s.folder(s.takenName(kept.folder))
	if err != nil {
		return err
	}
	to, err := s.makeFolder(s.whereTo(id, kept.folder))
	if err != nil {
		return err
	}
	if err := from.Rename(id, to, id); err != nil {
		return err
	}
	s.taken.remove(id)
	return nil
}

func (s *spool) moveLogBack(id, name string) error {
	in, err := s.folder(s.takenName(name))
	if err == nil {
		_, err = in.Stat(id)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	to, err := s.makeFolder(name)
	if err != nil {
		return err
	}
	return in.Rename(id, to, id)
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
	kept, ok := s.taken.of(id)
	if !ok {
		return s.isInQueue(t)
	}
	f, err := s.openTaken(t, kept.folder)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	if s.running && queueOf(s.whereTo(id, kept.folder)) == "deferred" {
		if err := s.coolDown(f); err != nil {
			return err
		}
	}
	return s.moveBack(id, kept)
}

// isInQueue is nil for a message that is in the queue.
func (s *spool) isInQueue(t *spoor.Target) error {
	f, err := s.locate(t)
	if err != nil {
		return err
	}
	return f.file.Close()
}

// discardFile removes a message from the holding place: its logs, wherever they
// are, then its file.
func (s *spool) discardFile(t *spoor.Target) error {
	id := string(t.ID)
	kept, ok := s.taken.of(id)
	if !ok {
		return s.notInQueue(t)
	}
	if !kept.fresh || s.running {
		if err := s.stillFree(t, kept); err != nil {
			return err
		}
	}
	if err := s.discardLogs(id, kept); err != nil {
		return err
	}
	in, err := s.folder(s.takenName(kept.folder))
	if err != nil {
		return err
	}
	if err := in.Remove(id); err != nil {
		return err
	}
	s.taken.remove(id)
	return nil
}

// stillFree checks a message in the holding place once more: a delivery agent may
// have opened it before it was taken, and locked it since.
func (s *spool) stillFree(t *spoor.Target, kept kept) error {
	f, err := s.openTaken(t, kept.folder)
	if err != nil {
		return err
	}
	if s.running {
		err = free(f.file)
	}
	return errors.Join(err, f.file.Close())
}

func (s *spool) discardLogs(id string, kept kept) error {
	for i, queue := range logQueues {
		if kept.without(i) {
			continue
		}
		for _, name := range kept.logFolders(s, s.place(queue, id)) {
			in, err := s.folder(name)
			if err == nil {
				err = in.Remove(id)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
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
