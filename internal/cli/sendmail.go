package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/recorder"
	"spoor/internal/remedy"
	"spoor/internal/shim"
)

// sendmail hands held messages to the real program; a remedy.Sender.
type sendmail struct {
	program string
	intake  *recorder.Intake // locked
	// inQueue finds the messages in the queue that came through the shim, by the name
	// under which they would be held. It is asked once, for messages in doubt.
	inQueue func(ctx context.Context) (map[string]spoor.QueueID, error)
	queued  map[string]spoor.QueueID
	// most is how long it may take with one message; 0 is sendmailTime.
	most time.Duration
}

// sendmailTime is how long sendmail may take with one message. Its caller chose its
// arguments, and Exim delivers in front of whoever waits where they say so (-odf, -v):
// to a server that answers a word an hour.
const sendmailTime = 10 * time.Minute

// realSendmail is the program behind the shim.
func realSendmail() (string, error) {
	for _, place := range shim.RealPlaces() {
		if info, err := os.Stat(place); err == nil && info.Mode().IsRegular() {
			return place, nil
		}
	}
	return "", &spoor.Problem{What: "there is no real sendmail", So: "the messages stay held", Try: "spoor shim status"}
}

// Proof implements remedy.Sender.
func (s *sendmail) Proof(ctx context.Context, t *spoor.Target) (string, error) {
	if s.queued == nil {
		queued, err := s.inQueue(ctx)
		if err != nil {
			return "", fmt.Errorf("look into the queue: %w", err)
		}
		s.queued = queued
	}
	if id, ok := s.queued[string(t.ID)]; ok {
		return "it is in the queue as " + string(id), nil
	}
	return "", nil
}

// letter is a message that is ready to be handed over.
type letter struct {
	program string
	most    time.Duration
	held    recorder.Held
	content *disk.File // whole
	answer  *disk.File // what sendmail says
}

// Ready implements remedy.Sender. The message is in a file, whole and checked, before
// sendmail starts: should spoor be killed, sendmail goes on reading, and does not take
// the half of it for the message.
func (s *sendmail) Ready(p *spoor.Parcel) (remedy.Handover, error) {
	held, err := recorder.Call(p)
	if err != nil {
		return nil, err
	}
	// A copy in the store would be taken in again once the message was sent and purged.
	if err := s.intake.Forget(held.Name); err != nil {
		return nil, err
	}
	l := &letter{program: s.program, most: cmp.Or(s.most, sendmailTime), held: held}
	if l.content, err = s.intake.Scratch(); err == nil {
		l.answer, err = s.intake.Scratch()
	}
	if err == nil {
		err = l.fill(p)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *letter) fill(p *spoor.Parcel) error {
	in, err := recorder.Message(p)
	if err != nil {
		return err
	}
	_, err = io.Copy(l.content, in)
	if err := errors.Join(err, in.Close()); err != nil {
		return err
	}
	_, err = l.content.Seek(0, io.SeekStart)
	return err
}

// Close implements remedy.Handover.
func (l *letter) Close() error {
	var errs []error
	for _, f := range []*disk.File{l.content, l.answer} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Send implements remedy.Handover. It runs sendmail as the user who sent the message, in
// a session of its own: an interrupt of the terminal is not for it, and neither is one of
// spoor. One that takes too long is left alone: it may have accepted the message.
func (l *letter) Send(ctx context.Context) error {
	in, err := duplicate(l.content)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := duplicate(l.answer)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), l.program) //nolint:gosec // the real sendmail, of places that are root's
	cmd.Args = append([]string{"sendmail"}, l.held.Args[min(1, len(l.held.Args)):]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(l.held.UID), Gid: uint32(l.held.GID)}, Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", l.program, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(l.most): // the goroutine ends with sendmail
		return fmt.Errorf("sendmail has not ended for %s, and goes on as process %d: %w", l.most, cmd.Process.Pid, remedy.ErrInDoubt)
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.Exited():
		return fmt.Errorf("sendmail did not take it: %w%s", err, l.words())
	}
	return fmt.Errorf("sendmail was ended (%w): %w%s", err, remedy.ErrInDoubt, l.words())
}

// maxAnswer is how much of what sendmail says is told, in bytes.
const maxAnswer = 1000

// words are what sendmail has said.
func (l *letter) words() string {
	buf := make([]byte, maxAnswer)
	n, err := l.answer.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	words := strings.TrimSpace(string(buf[:n]))
	if words == "" {
		return ""
	}
	return ": " + words
}

// duplicate is another descriptor of a file, for another process.
func duplicate(f *disk.File) (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(f.Descriptor()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicate the descriptor of %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), cmp.Or(f.Name(), "message")), nil
}
