package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spoor/internal/mta"
)

// awaitEnd waits for the end of the qmail-send that was found. With the context's
// end it returns mta.ErrBusy with the deliveries that it waits for.
func (d *daemon) awaitEnd(ctx context.Context) error {
	next := time.Now().Add(d.grace)
	for d.send.runs() {
		if time.Now().After(next) {
			next = time.Now().Add(d.grace)
			d.tell("qmail-send finishes " + d.waitsFor())
			d.interrupt(ctx)
		}
		if err := d.pause(ctx); err != nil {
			return fmt.Errorf("qmail-send finishes %s: %w", d.waitsFor(), errors.Join(mta.ErrBusy, err))
		}
	}
	now, err := d.mutex.holder()
	switch {
	case errors.Is(err, errDown):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("PID %d, whose parent is PID %d: %w", now.pid, now.parent, errRestarted)
}

func (d *daemon) tell(text string) {
	if d.say != nil {
		d.say(text)
	}
}

// deliveries are the processes that qmail-lspawn and qmail-rspawn have started.
func (d *daemon) deliveries(spawner string) []osProcess {
	for _, child := range d.send.children() {
		if child.isProgram(spawner) {
			return child.children()
		}
	}
	return nil
}

// waitsFor names the deliveries that run, for people. Host names and programs are
// strangers', so they are quoted.
func (d *daemon) waitsFor() string {
	const most = 5
	var list []string
	for _, p := range d.deliveries("qmail-rspawn") {
		host := "?"
		if argv := p.argv(); len(argv) > 1 {
			host = argv[1]
		}
		list = append(list, fmt.Sprintf("a delivery to %q (PID %d)", host, p.pid))
	}
	for _, p := range d.deliveries("qmail-lspawn") {
		list = append(list, fmt.Sprintf("a local delivery (%q, PID %d)", p.name, p.pid))
	}
	switch {
	case len(list) == 0:
		return "what it is at"
	case len(list) > most:
		list = append(list[:most], fmt.Sprintf("%d more", len(list)-most))
	}
	return strings.Join(list, ", ")
}

// interrupt ends remote deliveries which the remote host cannot have accepted:
// qmail-remote reads the message while it sends it, and has not read all. To
// qmail-send that is a deferral. One that has read all may have been accepted a
// moment ago: if it were ended, the recipient would get the message twice.
func (d *daemon) interrupt(ctx context.Context) {
	for _, p := range d.deliveries("qmail-rspawn") {
		if path.Base(p.program()) != "qmail-remote" || len(p.children()) > 0 {
			continue // a wrapper, whose child goes on sending
		}
		d.interruptOne(ctx, p)
	}
}

// interruptOne looks at a delivery while it is stopped, so that what was seen stays
// true.
func (d *daemon) interruptOne(ctx context.Context, p osProcess) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return // without it the PID could be another process' by now
	}
	defer func() { _ = unix.Close(fd) }()
	if !p.runs() || unix.PidfdSendSignal(fd, unix.SIGSTOP, nil, 0) != nil {
		return
	}
	const looks = 20
	for range looks {
		if p.stopped() || d.pause(ctx) != nil {
			break
		}
	}
	if p.stopped() && p.unread() {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		return
	}
	_ = unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
}

// unread reports whether a part of the message that is its standard input has not
// been read yet. It reads proc_pid_fdinfo(5): "pos:	1024".
func (p osProcess) unread() bool {
	info, err := os.Stat(p.path("fd/0")) //nolint:gosec // below /proc, by a number
	if err != nil || info.Mode()&fs.ModeType != 0 {
		return false
	}
	data, err := os.ReadFile(p.path("fdinfo/0")) //nolint:gosec // below /proc, by a number
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "pos:"); ok {
			at, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return err == nil && at < info.Size()
		}
	}
	return false
}
