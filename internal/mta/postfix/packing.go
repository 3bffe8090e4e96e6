package postfix

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// The roles of the files of a parcel of Postfix. A parcel has the first, and of
// the others those that were there.
const (
	roleMessage = "message" // the queue file: envelope, content and marks of who is done
	roleDefer   = "defer"   // what receivers answered when they put it off, for people (bounce(8))
	roleBounce  = "bounce"  // of recipients that failed, of whom the sender was not told yet
	roleTrace   = "trace"   // of deliveries that the sender wants to be told of
)

// Pack implements mta.Controller. A message that turns out to be delivered at this
// moment is mta.ErrBusy.
func (c *controller) Pack(t *spoor.Target) (*spoor.Parcel, error) {
	s := c.spoolOf(t.Folder)
	if s == nil || !isQueueID([]byte(t.ID)) {
		return nil, fmt.Errorf("%s: %w", t.Folder, errNotOurs)
	}
	p, err := c.pack(s, t)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", t.ID, err)
	}
	return p, nil
}

func (c *controller) pack(s *spool, t *spoor.Target) (*spoor.Parcel, error) {
	if err := s.loadTaken(); err != nil {
		return nil, err
	}
	kept, ok := s.taken.of(string(t.ID))
	if !ok {
		return nil, fmt.Errorf("it is not in the holding place: %w", mta.ErrGone)
	}
	in, err := s.folder(s.takenName(kept.folder))
	if err == nil && !kept.fresh {
		err = s.stillTaken(t, kept)
	}
	if err != nil {
		return nil, err
	}
	message, content, err := mta.PackFile(in, string(t.ID), free)
	if err != nil {
		return nil, err
	}
	message.Role, message.Name = roleMessage, t.Path()
	p := &spoor.Parcel{Target: *t, MTA: "postfix", CallerUID: -1, Files: []spoor.PackedFile{message}}
	if err := c.readParcel(p, in, content); err != nil {
		return nil, err
	}
	return p, s.packLogs(p, kept)
}

// stillTaken checks a message that an earlier run has taken.
func (s *spool) stillTaken(t *spoor.Target, kept kept) error {
	f, err := s.openTaken(t, kept.folder)
	if err != nil {
		return err
	}
	return f.file.Close()
}

// packLogs adds the logs of deliveries: they are where Postfix has them, or beside
// the message.
func (s *spool) packLogs(p *spoor.Parcel, kept kept) error {
	id := string(p.ID)
	for i, queue := range logQueues {
		if kept.without(i) {
			continue
		}
		name := s.place(queue, id)
		file, err := s.packLog(id, name, kept)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		file.Role, file.Name = queue, path.Join(s.dir, name, id)
		p.Files = append(p.Files, file)
	}
	return nil
}

func (s *spool) packLog(id, name string, kept kept) (file spoor.PackedFile, err error) {
	err = fs.ErrNotExist
	for _, place := range kept.logFolders(s, name) {
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		var in *disk.Dir
		if in, err = s.folder(place); err == nil {
			file, _, err = mta.PackFile(in, id, nil)
		}
		if errors.Is(err, disk.ErrNotRegular) {
			err = fs.ErrNotExist
		}
	}
	return file, err
}

// readParcel reads the envelope. Of a damaged file it is what can be read.
func (c *controller) readParcel(p *spoor.Parcel, in *disk.Dir, content []byte) error {
	r, _ := c.readers.Get().(*reader) // New makes nothing else
	defer c.readers.Put(r)
	maildrop := path.Base(p.Folder) == "maildrop"
	r.clear(spoor.StateQueued)
	if maildrop {
		r.clear(spoor.StateMaildrop)
		p.CallerUID = p.Files[0].UID
	}
	if content == nil {
		f, err := in.Open(string(p.ID))
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if r.cursor.start(host.File(f.Descriptor()), p.Files[0].SizeBytes) == nil {
			r.envelopes()
		}
	} else {
		r.cursor.startWhole(content)
		r.envelopes()
	}
	m := &r.message
	for one := range m.Recipients.All() {
		if one.Address != "" {
			p.Envelope = append(p.Envelope, one)
		}
	}
	p.Recipients, p.Done = m.Recipients.Len(), m.Recipients.Done()
	return nil
}

// envelopes reads what is before and behind a content whose length is recorded;
// with another content it reads all.
func (r *reader) envelopes() {
	kind, value, err := r.cursor.next()
	sizes, known := sizes{}, false
	if err == nil && kind == recSize {
		sizes, known = parseSizes(value)
	}
	r.cursor.seek(0)
	if !known {
		_ = r.records()
		return
	}
	if r.envelope(recMessage) != "" {
		return
	}
	r.cursor.seek(sizes.dataOffset + sizes.content)
	if kind, _, err := r.cursor.next(); err == nil && kind == recExtracted {
		_ = r.envelope(recEnd)
	}
}

// message opens header and body of a parcel.
func message(p *spoor.Parcel) (io.ReadCloser, error) {
	file, ok := p.File(roleMessage)
	if !ok {
		return nil, fmt.Errorf("message %s: %w", p.ID, fs.ErrNotExist)
	}
	content, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", p.ID, err)
	}
	r, err := openPacked(content, file.SizeBytes, path.Base(p.Folder) == "maildrop")
	if err != nil {
		_ = content.Close()
		return nil, fmt.Errorf("message %s: %w", p.ID, err)
	}
	return r, nil
}
