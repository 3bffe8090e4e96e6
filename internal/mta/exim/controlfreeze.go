package exim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// rewrite freezes a message or thaws it as Exim does, where Exim does not run: the
// -H file is written anew as hdr.ID, which becomes ID-H by one rename
// (spool_out.c, spool_write_header). All other lines stay as they are.
func (c *Controller) rewrite(t *spoor.Target, frozen bool) spoor.Outcome {
	now, err := c.look(t)
	if err != nil || now.frozen == frozen {
		return sought(err)
	}
	s, _, err := c.spoolSide(t.ID, now.at)
	if err != nil {
		return failed(err)
	}
	held, err := s.lock(len(t.ID))
	if err != nil {
		return outcome(err)
	}
	defer unlock(held)
	r := c.reader()
	defer c.readers.Put(r)
	err = r.identify(&s, t) // again, under the lock
	if errors.Is(err, fs.ErrNotExist) {
		return sought(gone(t.ID))
	}
	if err != nil || r.header.frozen == frozen {
		return outcome(err)
	}
	text, err := c.marked(r.text, t.ID, frozen)
	if err == nil {
		err = replaceHeader(s[header], t.ID, text)
	}
	return outcome(err)
}

// marked is the text of a -H file, with a line about freezing or without.
func (c *Controller) marked(was []byte, id spoor.QueueID, frozen bool) ([]byte, error) {
	l := lines{text: was}
	for range 4 { // its name, the caller, the sender, the time
		if _, ok := l.next(); !ok {
			return nil, fmt.Errorf("%s: %w", id, errEnvelope)
		}
	}
	var h spoolHeader
	at, length, err := h.findFrozen(&l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	var line []byte
	if frozen {
		line = append(strconv.AppendInt([]byte("-frozen "), c.now().Unix(), 10), '\n')
	}
	return bytes.Join([][]byte{was[:at], line, was[at+length:]}, nil), nil
}

// findFrozen finds the line about freezing among the variables, or the place for
// one: behind them. Values that hold line ends are passed over as by variables.
func (h *spoolHeader) findFrozen(l *lines) (at, length int, err error) {
	for {
		start := l.at
		line, ok := l.next()
		if !ok {
			return 0, 0, errEnvelope
		}
		if len(line) == 0 || line[0] != '-' {
			return start, 0, nil
		}
		name, value, _ := bytes.Cut(line[1:], []byte{' '})
		if string(name) == "frozen" {
			return start, l.at - start, nil
		}
		if isRaw(name) && !l.skipRaw(value) {
			return 0, 0, errEnvelope
		}
	}
}

// replaceHeader puts another text into the place of a -H file, with its owner and
// mode.
func replaceHeader(f file, id spoor.QueueID, text []byte) error {
	st, err := f.stat()
	if err != nil {
		return err
	}
	temporary := file{f.dir, "hdr." + string(id)}
	if err := temporary.remove(); err != nil { // of a run that was interrupted, as by Exim itself
		return err
	}
	open, err := temporary.dir.Create(temporary.name, 0o600)
	if err != nil {
		return err
	}
	err = writeHeader(open, text, st)
	err = errors.Join(err, open.Close())
	if err == nil {
		err = f.dir.Replace(temporary.name, f.dir, f.name)
	}
	if err != nil {
		return errors.Join(err, temporary.remove())
	}
	return nil
}

func writeHeader(open *disk.File, text []byte, st disk.Stat) error {
	if _, err := open.Write(text); err != nil {
		return err
	}
	if err := open.Chown(st.UID, st.GID); err != nil {
		return err
	}
	if err := open.Chmod(st.Mode & 0o777); err != nil {
		return err
	}
	return open.Sync()
}

// Explain implements mta.Controller.
func (c *Controller) Explain(action spoor.Action) []string {
	if err := c.Able(action); err != nil {
		return []string{err.Error()}
	}
	switch action {
	case spoor.ActionRemove:
		return []string{
			"Exim goes on running: each message is moved out of its spool under Exim's own lock; one that is being delivered is left",
			"nothing is bounced, and mainlog gets no line: where exim -Mrm writes \"removed by\" and \"Completed\", the log of these messages just ends",
		}
	case spoor.ActionRestore:
		return []string{
			"messages get back their own IDs, with recipients that are done; those that were frozen are frozen again",
			"the next queue run attempts them, by the retry times of Exim's hints",
		}
	case spoor.ActionHold:
		return append([]string{c.how("exim -Mf marks messages as frozen, in batches", "ID-H gets a line -frozen, under Exim's lock")}, c.thaws()...)
	case spoor.ActionRelease:
		return []string{c.how("exim -Mt thaws messages, in batches", "ID-H loses its line -frozen, under Exim's lock") + "; the next queue run attempts them"}
	case spoor.ActionRetry:
		return []string{
			fmt.Sprintf("exim -M attempts each message now, whatever its retry time, one after another, %d in each call", retryAtOnce),
			"it waits for each attempt, which takes minutes where a host does not answer; to stop it lets the call that runs come to its end",
			"what is delivered cannot be taken back; a recipient who refuses causes a bounce",
			"frozen messages are left alone: exim -M would thaw them",
		}
	default:
	}
	return []string{"Exim: " + mta.ErrUnsupported.Error()}
}

// errCopy is why nothing is sent from a tree.
var errCopy = fmt.Errorf("nothing can be sent from a copy of a server: %w", mta.ErrUnsupported)

// Able implements mta.Controller.
func (c *Controller) Able(action spoor.Action) error {
	if action == spoor.ActionRetry && !c.control.Live {
		return errCopy
	}
	return nil
}

func (c *Controller) how(live, copied string) string {
	if c.control.Live {
		return live
	}
	return copied
}

// thaws says what in the configuration ends a hold.
func (c *Controller) thaws() []string {
	var list []string
	if c.conf.AutoThaw != "" {
		list = append(list, "auto_thaw = "+c.conf.AutoThaw+": Exim thaws frozen messages by itself after that time, but no bounces; rm keeps a message for certain")
	}
	if c.conf.TimeoutFrozenAfter != "" {
		list = append(list, "timeout_frozen_after = "+c.conf.TimeoutFrozenAfter+": Exim bounces or drops frozen messages that are older; rm keeps a message for certain")
	}
	return append(list, "frozen bounces are thawed or dropped by ignore_bounce_errors_after, 10 weeks where it is not set")
}
