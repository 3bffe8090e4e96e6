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
	logsIn := func(name string) string { return name }
	folder, held := s.taken[string(t.ID)]
	var f *found
	var err error
	if held {
		logsIn = func(name string) string { return s.holdingName(path.Join(takenFiles, name)) }
		f, err = s.openTaken(t, folder)
	} else {
		f, err = s.openHeld(t)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.file.Close() }()
	if err := free(f.file); err != nil {
		return nil, err
	}
	p := &spoor.Parcel{Target: *t, MTA: "postfix", CallerUID: -1}
	p.Files = append(p.Files, packed(roleMessage, t.Path(), f.dir, string(t.ID), f.stat))
	c.readParcel(p, f)
	if err := s.packLogs(p, logsIn); err != nil {
		return nil, err
	}
	return p, nil
}

func packed(role, name string, dir *disk.Dir, id string, st disk.Stat) spoor.PackedFile {
	return spoor.PackedFile{
		Role: role, Name: name, Mode: st.Mode, UID: st.UID, GID: st.GID,
		Accessed: st.Accessed, Modified: st.Modified, SizeBytes: st.SizeBytes,
		Open: func() (spoor.Content, error) { return dir.Open(id) },
	}
}

// packLogs adds the logs of deliveries.
func (s *spool) packLogs(p *spoor.Parcel, in func(name string) string) error {
	id := string(p.ID)
	for _, queue := range logQueues {
		name := s.place(queue, id)
		dir, err := s.folder(in(name))
		var st disk.Stat
		if err == nil {
			st, err = dir.Stat(id)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if st.Regular {
			p.Files = append(p.Files, packed(queue, path.Join(s.dir, name, id), dir, id, st))
		}
	}
	return nil
}

// readParcel reads the envelope. Of a damaged file it is what can be read.
func (c *controller) readParcel(p *spoor.Parcel, f *found) {
	r, _ := c.readers.Get().(*reader) // New makes nothing else
	defer c.readers.Put(r)
	maildrop := path.Base(p.Folder) == "maildrop"
	r.clear(spoor.StateQueued)
	if maildrop {
		r.clear(spoor.StateMaildrop)
		p.CallerUID = f.stat.UID
	}
	if r.cursor.start(host.File(f.file.Descriptor()), f.stat.SizeBytes) == nil {
		r.envelopes()
	}
	m := &r.message
	for one := range m.Recipients.All() {
		if one.Address != "" {
			p.Envelope = append(p.Envelope, one)
		}
	}
	p.Recipients, p.Done = m.Recipients.Len(), m.Recipients.Done()
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
