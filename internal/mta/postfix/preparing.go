package postfix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

var (
	errTag    = errors.New("a tag is made of letters and digits")
	errShort  = errors.New("the stored file is shorter or longer than it was")
	errIDs    = errors.New("every queue ID that could be had is taken")
	errTaken  = errors.New("the queue ID is taken: the message has to be prepared again")
	errInode  = errors.New("what is prepared under this tag is another file")
	errNoRole = errors.New("the parcel holds no queue file")
)

// modeFile are the bits of a mode that a queue file may have (mail_queue.h).
const modeFile = 0o777

// Prepare implements mta.Controller. The new queue ID is made of the digits of
// time of the old one and of the inode that the file has here, so that postsuper
// -s, which runs at each start of Postfix, finds nothing to rename.
func (c *controller) Prepare(_ context.Context, tag string, p *spoor.Parcel) (spoor.Prepared, error) {
	ready := spoor.Prepared{Tag: tag, OldID: p.ID}
	s := c.spoolOf(p.Folder)
	switch {
	case s == nil || !isQueueID([]byte(p.ID)):
		return ready, fmt.Errorf("%s: %w", p.Folder, errNotOurs)
	case !isQueueID([]byte(tag)):
		return ready, fmt.Errorf("%q: %w", tag, errTag)
	}
	for _, one := range p.Envelope {
		if !one.Done {
			ready.Undone++
		}
	}
	if err := s.prepare(&ready, p); err != nil {
		return ready, fmt.Errorf("prepare %s: %w", p.ID, err)
	}
	return ready, nil
}

func (s *spool) prepare(ready *spoor.Prepared, p *spoor.Parcel) error {
	in, err := s.holding(newFiles)
	if err != nil {
		return err
	}
	if err := s.removePrepared(in, ready.Tag, string(p.ID)); err != nil {
		return err
	}
	message, ok := p.File(roleMessage)
	if !ok {
		return errNoRole
	}
	inode, err := s.createMessage(in, ready.Tag, string(p.ID))
	if err != nil {
		return err
	}
	ready.Inode = inode
	ready.NewID = spoor.QueueID(renumbered(string(p.ID), inode, s.long))
	ready.Folder = path.Join(s.dir, s.place(s.destination(p), string(ready.NewID)))
	for _, role := range logQueues {
		if file, ok := p.File(role); ok {
			if err := s.write(in, ready.Tag, file, creating); err != nil {
				return err
			}
		}
	}
	return s.write(in, ready.Tag, message, filling)
}

// destination is the queue that a message comes back to. What was being delivered,
// or was about to be, waits for the next scan of deferred.
func (s *spool) destination(p *spoor.Parcel) string {
	name, _ := s.rel(p.Folder)
	switch queue := queueOf(name); {
	case queue == "maildrop", queue == "corrupt":
		return queue
	case queue == "hold", p.Held:
		return "hold"
	}
	return "deferred"
}

// maxSpares is how many inodes are tried for one that gives an ID which is free.
const maxSpares = 8

// createMessage creates the file that will be the message, whose inode gives the
// queue ID, and returns the inode. Where the ID is taken, by a file whose name is
// not its inode's, the file stays as it is until there is another one.
func (s *spool) createMessage(in *disk.Dir, tag, oldID string) (inode uint64, err error) {
	var spare []string
	defer func() {
		for _, name := range spare {
			err = errors.Join(err, in.Remove(name))
		}
	}()
	for i := range maxSpares {
		name := tag + "." + roleMessage
		file, err := in.Create(name, 0o600)
		if err != nil {
			return 0, err
		}
		st, err := file.Stat()
		if err = errors.Join(err, file.Close()); err != nil {
			return 0, err
		}
		if !s.exists(renumbered(oldID, st.Inode, s.long)) {
			return st.Inode, nil
		}
		other := tag + ".spare" + strconv.Itoa(i)
		if err := in.Rename(name, in, other); err != nil {
			return 0, err
		}
		spare = append(spare, other)
	}
	return 0, errIDs
}

// exists reports whether an ID is in use anywhere in the queue.
func (s *spool) exists(id string) bool {
	for _, name := range s.everywhere(id) {
		if in, err := s.folder(name); err == nil {
			if _, err := in.Stat(id); err == nil {
				return true
			}
		}
	}
	return false
}

// opening is how write opens its file.
type opening func(in *disk.Dir, name string) (*disk.File, error)

func creating(in *disk.Dir, name string) (*disk.File, error) { return in.Create(name, 0o600) }
func filling(in *disk.Dir, name string) (*disk.File, error)  { return in.OpenWrite(name) }

// write writes one file of a parcel. Its mode, which for a queue file says that it
// is complete, comes last.
func (s *spool) write(in *disk.Dir, tag string, from *spoor.PackedFile, open opening) error {
	file, err := open(in, tag+"."+from.Role)
	if err != nil {
		return err
	}
	err = copyPacked(file, from)
	if err == nil {
		err = s.dress(file, from)
	}
	return errors.Join(err, file.Close())
}

func copyPacked(to *disk.File, from *spoor.PackedFile) error {
	content, err := from.Open()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	n, err := io.Copy(to, io.LimitReader(content, from.SizeBytes+1))
	if err == nil && n != from.SizeBytes {
		err = errShort
	}
	return err
}

// dress gives a file its owner, mode and times. Files in maildrop are their
// sender's, all others mail_owner's. The time of modification is when qmgr(8) may
// next try it; it does not lie in the future.
func (s *spool) dress(file *disk.File, from *spoor.PackedFile) error {
	uid, gid := s.uid, s.gid
	if from.UID == s.uid || path.Base(path.Dir(from.Name)) == "maildrop" {
		uid, gid = from.UID, from.GID
	}
	st, err := file.Stat()
	if err == nil && (st.UID != uid || st.GID != gid) {
		err = file.Chown(uid, gid)
	}
	if err == nil {
		err = file.SetTimes(earlier(from.Accessed, time.Now()), earlier(from.Modified, time.Now()))
	}
	if err == nil {
		err = file.Chmod(from.Mode & modeFile)
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// removePrepared removes what a tag has prepared and not published, and logs that
// an interrupted Publish has moved into the queue already. The file of a message
// that is still here has its inode to itself, so they belong to no other message.
func (s *spool) removePrepared(in *disk.Dir, tag, oldID string) error {
	name := tag + "." + roleMessage
	st, err := in.Stat(name)
	if err == nil {
		err = s.removeLogs(renumbered(oldID, st.Inode, s.long))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, one := range append([]string{name}, prepared(tag)...) {
		if err := in.Remove(one); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// prepared are the names that a tag may have beside the message.
func prepared(tag string) []string {
	var names []string
	for _, role := range logQueues {
		names = append(names, tag+"."+role)
	}
	for i := range maxSpares {
		names = append(names, tag+".spare"+strconv.Itoa(i))
	}
	return names
}

func (s *spool) removeLogs(id string) error {
	for _, queue := range logQueues {
		in, err := s.folder(s.place(queue, id))
		if err == nil {
			err = in.Remove(id)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Publish implements mta.Controller.
func (c *controller) Publish(ctx context.Context, batch []spoor.Prepared) ([]spoor.Outcome, error) {
	outcomes := make([]spoor.Outcome, len(batch))
	for i := range batch {
		outcomes[i] = outcomeOf(errUnreached)
	}
	for i := range batch {
		if err := ctx.Err(); err != nil {
			return outcomes, err
		}
		err := c.publish(&batch[i])
		outcomes[i] = outcomeOf(err)
		outcomes[i].NewID = batch[i].NewID
		if stops(err) {
			return outcomes, err
		}
	}
	return outcomes, nil
}

func (c *controller) publish(p *spoor.Prepared) error {
	s, in, err := c.preparedIn(p)
	if err != nil {
		return err
	}
	name, id := p.Tag+"."+roleMessage, string(p.NewID)
	st, err := in.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // published before
	case err != nil:
		return err
	case st.Inode != p.Inode:
		return fmt.Errorf("%s: %w", p.Tag, errInode)
	case s.exists(id):
		return fmt.Errorf("%s: %w", id, errTaken)
	}
	if err := s.publishLogs(in, p); err != nil {
		return err
	}
	folder, _ := s.rel(p.Folder)
	to, err := s.makeFolder(folder)
	if err != nil {
		return err
	}
	err = in.Rename(name, to, id)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", id, errTaken)
	}
	return err
}

// publishLogs puts the logs where bounce(8) looks for them. One that is there
// already is of a message that is gone.
func (s *spool) publishLogs(in *disk.Dir, p *spoor.Prepared) error {
	id := string(p.NewID)
	for _, role := range logQueues {
		name := p.Tag + "." + role
		if _, err := in.Stat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		to, err := s.makeFolder(s.place(role, id))
		if err != nil {
			return err
		}
		if err := in.Replace(name, to, id); err != nil {
			return err
		}
	}
	return nil
}

// preparedIn checks the values of a prepared message, which come from a file, and
// opens the folder that it lies in.
func (c *controller) preparedIn(p *spoor.Prepared) (*spool, *disk.Dir, error) {
	s := c.spoolOf(p.Folder)
	if s == nil || !isQueueID([]byte(p.NewID)) || !isQueueID([]byte(p.OldID)) {
		return nil, nil, fmt.Errorf("%s: %w", p.Folder, errNotOurs)
	}
	if _, ok := s.rel(p.Folder); !ok {
		return nil, nil, fmt.Errorf("%s: %w", p.Folder, errNotOurs)
	}
	if !isQueueID([]byte(p.Tag)) {
		return nil, nil, fmt.Errorf("%q: %w", p.Tag, errTag)
	}
	in, err := s.holding(newFiles)
	return s, in, err
}

// Withdraw implements mta.Controller.
func (c *controller) Withdraw(ctx context.Context, batch []spoor.Prepared) error {
	for i := range batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := &batch[i]
		s, in, err := c.preparedIn(p)
		if err == nil {
			err = s.removePrepared(in, p.Tag, string(p.OldID))
		}
		if err != nil {
			return fmt.Errorf("withdraw %s: %w", p.OldID, err)
		}
	}
	return nil
}

var _ mta.Controller = (*controller)(nil)
