package exim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// Prepare implements mta.Controller. The message keeps its ID, which Exim has not
// given to another one; where there is a message of that ID, it returns
// mta.ErrChanged. Done recipients stay done: they stand in H and J.
func (c *Controller) Prepare(ctx context.Context, tag string, p *spoor.Parcel) (spoor.Prepared, error) {
	prepared := spoor.Prepared{Tag: tag, OldID: p.ID, NewID: p.ID}
	if err := errors.Join(ctx.Err(), valid(p.ID)); err != nil {
		return prepared, err
	}
	packed, ok := p.File(header.String())
	if !ok {
		return prepared, fmt.Errorf("%s: the parcel has no file %s", p.ID, header)
	}
	at := spotOf(p.ID, path.Dir(packed.Name))
	prepared.Folder = c.folder(at, "input")
	to, err := c.readySide(&prepared)
	if err != nil {
		return prepared, err
	}
	if err := c.withdraw(&prepared); err != nil {
		return prepared, err
	}
	if err := c.isFree(p.ID); err != nil {
		return prepared, err
	}
	for r := range header + 1 {
		if err := unpack(p, r, to[r]); err != nil {
			err = fmt.Errorf("write %s of %s: %w", r, p.ID, err)
			return prepared, errors.Join(err, c.withdraw(&prepared))
		}
	}
	st, err := to[header].stat()
	prepared.Inode = st.Inode
	for _, recipient := range p.Envelope {
		if !recipient.Done {
			prepared.Undone++
		}
	}
	return prepared, err
}

// readySide is where a prepared message waits. It checks the words that names of
// files are made of.
func (c *Controller) readySide(p *spoor.Prepared) (side, error) {
	for i := range len(p.Tag) {
		if digit62(p.Tag[i]) < 0 {
			return side{}, fmt.Errorf("%q: not a tag", p.Tag)
		}
	}
	if p.Tag == "" {
		return side{}, errors.New("a prepared message has no tag")
	}
	if err := valid(p.NewID); err != nil {
		return side{}, err
	}
	return c.shelfSide(p.NewID, ready, p.Tag)
}

// isFree returns mta.ErrChanged where the spool has a message of that ID, or a part
// of one.
func (c *Controller) isFree(id spoor.QueueID) error {
	for _, at := range [...]spot{flat, splitSpot(id)} {
		s, ok, err := c.spoolSide(id, at)
		if err != nil {
			return err
		}
		for _, r := range [...]role{header, data, journal} {
			if !ok {
				break
			}
			switch _, err := s[r].stat(); {
			case err == nil:
				return fmt.Errorf("%s: %w", c.path(id, at, r), mta.ErrChanged)
			case !errors.Is(err, fs.ErrNotExist):
				return err
			}
		}
	}
	return nil
}

// unpack writes a file of a parcel, if it has that one.
func unpack(p *spoor.Parcel, r role, to file) error {
	packed, ok := p.File(r.String())
	if !ok {
		return nil
	}
	content, err := packed.Open()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	f, err := to.dir.Create(to.name, 0o600)
	if err != nil {
		return err
	}
	err = fill(f, packed, content)
	return errors.Join(err, f.Close())
}

// fill writes content, owner, mode and times. Set-id bits mean nothing on a file of
// the spool: they are left out.
func fill(f *disk.File, packed *spoor.PackedFile, content io.Reader) error {
	n, err := io.Copy(struct{ io.Writer }{f}, content)
	if err != nil {
		return err
	}
	if n != packed.SizeBytes {
		return fmt.Errorf("%d bytes, want %d: %w", n, packed.SizeBytes, io.ErrUnexpectedEOF)
	}
	if err := f.Chown(packed.UID, packed.GID); err != nil {
		return err
	}
	if err := f.Chmod(packed.Mode & 0o777); err != nil {
		return err
	}
	return f.SetTimes(packed.Accessed, packed.Modified)
}

// Publish implements mta.Controller. It returns ResultChanged where the spool has a
// message of that ID by now.
func (c *Controller) Publish(ctx context.Context, batch []spoor.Prepared) ([]spoor.Outcome, error) {
	return each(ctx, batch, c.publish)
}

func (c *Controller) publish(p *spoor.Prepared) spoor.Outcome {
	from, err := c.readySide(p)
	if err != nil {
		return failed(err)
	}
	there, err := from.has()
	if err != nil {
		return failed(err)
	}
	if !there {
		return outcome(from.clear()) // it was published; these are second names
	}
	return c.queue(&from, p.NewID, spotOf(p.NewID, p.Folder))
}

// Withdraw implements mta.Controller.
func (c *Controller) Withdraw(ctx context.Context, batch []spoor.Prepared) error {
	var failed error
	for i := range batch {
		if err := ctx.Err(); err != nil {
			return errors.Join(failed, err)
		}
		failed = errors.Join(failed, c.withdraw(&batch[i]))
	}
	return failed
}

// withdraw removes a prepared message, and what an interrupted Publish has put into
// the spool of it. Without -H there is nothing of it that Exim would send.
func (c *Controller) withdraw(p *spoor.Prepared) error {
	s, err := c.readySide(p)
	if err != nil {
		return err
	}
	there, err := s.has()
	if err != nil {
		return err
	}
	queued, ok, err := c.spoolSide(p.NewID, spotOf(p.NewID, p.Folder))
	if err != nil {
		return err
	}
	if there && ok {
		if err := tidy(&queued, &s); err != nil {
			return err
		}
	}
	if err := s[header].remove(); err != nil {
		return err
	}
	return s.clear()
}
