package qmail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/guard"
	"spoor/internal/mta"
)

// errDown is returned where no qmail-send works on the queue.
var errDown = errors.New("qmail-send does not run")

// errOtherHolder is returned where another program than qmail-send has
// lock/sendmutex: one that repairs the queue, or another spoor.
var errOtherHolder = errors.New("another program works on the queue")

// errRestarted is returned where qmail-send is started again by something that
// was not found.
var errRestarted = errors.New("something unknown has started qmail-send again")

// daemon is a running qmail-send, and what keeps it running. One goroutine uses it
// at a time.
type daemon struct {
	send  osProcess // as it was found
	mutex mutex
	keeper
	run mta.Runner
	timing
	say func(text string) // tells people what is waited for; nil: nobody
}

// timing is how long a daemon is waited for.
type timing struct {
	grace  time.Duration // that running deliveries get before those are ended that can be
	settle time.Duration // that qmail-send may take to be there again
	step   time.Duration // between two looks
}

func defaultTiming() timing {
	return timing{grace: 30 * time.Second, settle: 30 * time.Second, step: 50 * time.Millisecond}
}

// keeper is what runs qmail-send, and its commands: their paths first, no shell.
type keeper struct {
	name    string   // for people: "daemontools"
	stopBy  []string // nil: SIGTERM, sent to qmail-send, is enough
	late    bool     // stopBy is for after the end of qmail-send
	startBy []string
	// spawn: startBy is qmail-send itself, or leaves it behind with its outputs
	// open: nobody waits for their end.
	spawn bool
	// again: once it was told to start, it starts qmail-send whenever it ends.
	again  bool
	script osProcess // what it has started, and ends: qmail-send, or its parent
	hand   string    // what a person types to start qmail-send; "" where that cannot be copied
	notes  []string  // for people
}

// findService finds the qmail-send that works on a queue, and what runs it.
// queueDir is the queue below control.Top, without symbolic links. It returns
// errDown, errOtherHolder, or mta.ErrUnsupported for the tree of another machine;
// a *spoor.Problem where qmail-send runs and it is not known how to start it
// again. The caller closes the daemon.
func findService(ctx context.Context, control mta.Control, queueDir string) (*daemon, error) {
	if !control.Live {
		return nil, fmt.Errorf("no process of this machine works on %s: %w", queueDir, mta.ErrUnsupported)
	}
	return findDaemon(ctx, control, queueDir, keeperPlaces{scripts: initScripts()})
}

// keeperPlaces are where a test looks elsewhere.
type keeperPlaces struct {
	scripts []string // of init, the likeliest first
}

func findDaemon(ctx context.Context, control mta.Control, queueDir string, p keeperPlaces) (*daemon, error) {
	m, err := openMutex(control.Top, queueDir)
	if err != nil {
		return nil, err
	}
	d := &daemon{mutex: m, run: control.Run, timing: defaultTiming()}
	if d.send, err = m.holder(); err == nil {
		d.keeper, err = findKeeper(ctx, control.Run, d.send, p)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return d, nil
}

// findKeeper asks the nearest first: a supervisor is itself run by systemd or an
// init script.
func findKeeper(ctx context.Context, run mta.Runner, send osProcess, p keeperPlaces) (keeper, error) {
	if k, ok, err := supervisorOf(send); ok || err != nil {
		return k, err
	}
	if k, ok, err := unitOf(ctx, run, send); ok || err != nil {
		return k, err
	}
	if k, ok := initScriptOf(p.scripts); ok {
		return k, nil
	}
	return bareKeeper(ctx, send)
}

func (d *daemon) close() error { return d.mutex.close() }

// String names the commands for people.
func (d *daemon) String() string {
	if d.stopBy == nil || d.late {
		return fmt.Sprintf("%s: SIGTERM to qmail-send (PID %d), later %s", d.name, d.send.pid, commandLine(d.startBy))
	}
	return fmt.Sprintf("%s: %s, later %s", d.name, commandLine(d.stopBy), commandLine(d.startBy))
}

// explain says for people how qmail-send is stopped and started.
func (d *daemon) explain() []string {
	return append([]string{
		"qmail-send is stopped and started again; mail is taken in meanwhile and not delivered",
		d.String(),
	}, d.notes...)
}

// stop ends qmail-send and returns when its lock is free. qmail-send(8)
// finishes the deliveries that run. After the grace period those are ended of
// which it is certain that the remote host has not got the whole message; the
// others are waited for until the context ends. Then the error names them, and
// the caller must call start: qmail-send ends as soon as they do, and only what runs
// it can be told now to start it again.
func (d *daemon) stop(ctx context.Context) error {
	now, err := d.mutex.holder()
	if err != nil {
		return err
	}
	if !now.is(d.send) {
		return fmt.Errorf("stop qmail-send: PID %d is another one than before: %w", now.pid, errRestarted)
	}
	if err := d.terminate(ctx); err != nil {
		return err
	}
	if err := d.awaitEnd(ctx); err != nil {
		return err
	}
	if d.late {
		if err := d.command(ctx, d.stopBy); err != nil {
			return err
		}
	}
	return d.mutex.mustBeFree()
}

// terminate has SIGTERM sent to qmail-send. A supervisor is told by a pipe that it
// reads later: if qmail-send ended before that, it would be started again. So it is
// the supervisor that sends the signal, or, to a run script that does not exec, has
// sent it when the script has ended.
func (d *daemon) terminate(ctx context.Context) error {
	if d.stopBy != nil && !d.late {
		if err := d.command(ctx, d.stopBy); err != nil || d.script.is(d.send) || !d.again {
			return err
		}
		for d.script.runs() {
			if err := d.pause(ctx); err != nil {
				return err
			}
		}
	}
	if err := d.signal(unix.SIGTERM); !errors.Is(err, errDown) {
		return err
	}
	return nil
}

// start starts qmail-send by what ran it, and returns when a new one has the
// lock. The error is a *spoor.Problem with the command for people. One that runs
// already, another than was stopped, is what was wanted.
func (d *daemon) start(ctx context.Context) error {
	if now, err := d.mutex.holder(); err == nil && !now.is(d.send) {
		return nil
	}
	if !d.again {
		if err := d.awaitEnd(ctx); err != nil {
			return err
		}
	}
	if err := d.begin(ctx); err != nil {
		return d.notStarted(err)
	}
	if d.again && d.send.runs() {
		return nil // it finishes its deliveries; then the supervisor starts the next
	}
	return d.awaitStart(ctx)
}

func (d *daemon) begin(ctx context.Context) error {
	if d.spawn {
		return guard.Spawn(d.startBy)
	}
	return d.command(ctx, d.startBy)
}

func (d *daemon) awaitStart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.settle)
	defer cancel()
	var seen osProcess
	for {
		now, err := d.mutex.holder()
		if err == nil && !now.is(d.send) && now.is(seen) {
			return nil // still there at the second look
		}
		seen = now
		if d.pause(ctx) != nil {
			return d.notStarted(errDown)
		}
	}
}

func (d *daemon) notStarted(err error) error {
	return &spoor.Problem{
		What: fmt.Sprintf("qmail-send was not started by %q: %v", commandLine(d.startBy), err),
		So:   "mail is taken in and none is delivered",
		Try:  d.hand,
		Err:  err,
	}
}

// alarm makes all messages due now (qmail-send(8), SIGALRM).
func (d *daemon) alarm(context.Context) error {
	now, err := d.mutex.holder()
	if err != nil {
		return err
	}
	d.send = now
	return d.signal(unix.SIGALRM)
}

// signal sends a signal to the qmail-send that was found and to no other process:
// while its descriptor is open its PID is not used again, and the holder of the
// lock is looked at once more behind that. It returns errDown if that has ended.
func (d *daemon) signal(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(d.send.pid, 0)
	old := errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) // before Linux 5.3, or a container's filter
	if err == nil {
		defer func() { _ = unix.Close(fd) }()
	} else if !old {
		return errors.Join(errDown, err)
	}
	if now, err := d.mutex.holder(); err != nil || !now.is(d.send) {
		return errors.Join(errDown, err)
	}
	if old {
		err = unix.Kill(d.send.pid, sig)
	} else {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
	if errors.Is(err, unix.ESRCH) {
		return errDown
	}
	if err != nil {
		return fmt.Errorf("send %s to qmail-send, PID %d: %w", unix.SignalName(sig), d.send.pid, err)
	}
	return nil
}

func (d *daemon) command(ctx context.Context, argv []string) error {
	output, err := d.run.Run(ctx, nil, argv[0], argv[1:]...)
	if err != nil {
		return fmt.Errorf("%s: %w: %q", commandLine(argv), err, firstLine(output))
	}
	return nil
}

// pause waits for the next look; its error is the context's.
func (t timing) pause(ctx context.Context) error {
	timer := time.NewTimer(t.step)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
