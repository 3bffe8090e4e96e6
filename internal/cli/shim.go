package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/recorder"
	"spoor/internal/report"
)

func shimCommand(o *options) *cobra.Command {
	shim := &cobra.Command{
		Use:   "shim",
		Short: "what stands in front of sendmail and records who sends each message",
		Long: `shim is about spoor-sendmail, a small program that is put in front of the real
sendmail. For each message it asks the recorder (spoor shim serve) for a signed ID,
adds it to the message as X-Spoor-Origin, and passes the message on. The recorder
writes down which process that was: user, program, folder, script, the processes
above it. docs/shim.md tells what that proves and what it does not.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	shim.AddCommand(shimInstallCommand(o), shimRemoveCommand(o), shimStatusCommand(o), shimHeldCommand(o), shimReleaseCommand(o), shimServeCommand(o))
	return shim
}

func shimServeCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "the recorder: answers spoor-sendmail and writes the log of origins",
		Long: `serve answers the shim on /run/spoor/shim.sock, or on the socket that systemd
hands it, until it is ended. It writes /var/log/spoor/origin.log, and signs with the
key /var/lib/spoor/origin.key, which it makes. Limits stand in /etc/spoor/shim.toml;
SIGHUP reads them again. It has to run as root: it looks at other users' processes.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.shimServe(cmd.Context()) },
	}
}

func (o *options) shimServe(ctx context.Context) error {
	if o.root != "/" {
		return usage(errors.New("spoor shim serve is for the running server: without --root"))
	}
	places := recorder.System(o.stateDir(), programsBeside().Shim)
	tell := (&complaints{out: o.env.Err, now: o.env.Now}).tell
	r, err := recorder.Open(places, o.env.Now, tell)
	if err != nil {
		return recorderProblem(err)
	}
	defer r.Close()
	l, err := inherited(o.env.Getenv)
	if l == nil && err == nil {
		l, err = recorder.Listen(places.Socket)
	}
	if err != nil {
		return recorderProblem(err)
	}
	defer reloads(r, tell)()
	debug.SetGCPercent(recorderGC)
	debug.SetMemoryLimit(recorderMemory)
	return r.Serve(ctx, l)
}

// complaints tells what goes wrong, and not the same for each message.
type complaints struct {
	out io.Writer
	now func() time.Time

	mu   sync.Mutex
	last string
	told time.Time
}

// complaintGap is how long the same is not told again.
const complaintGap = 10 * time.Second

func (c *complaints) tell(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text := err.Error(); text != c.last || c.now().Sub(c.told) > complaintGap {
		c.last, c.told = text, c.now()
		fmt.Fprintln(c.out, "spoor:", report.Escape(text))
	}
}

// The recorder keeps little and throws away much: garbage is collected seldom, and
// never lets it grow large.
const (
	recorderGC     = 800 // percent
	recorderMemory = 128 << 20
)

func recorderProblem(err error) error {
	return &spoor.Problem{
		What: "the recorder cannot start: " + err.Error(), So: "mail passes, and nothing is recorded of it", Err: err,
	}
}

// stateDir is the state folder of the running server.
func (o *options) stateDir() string {
	if o.state != "" {
		return o.state
	}
	return "/" + defaultState
}

// inherited is the socket that systemd hands over (sd_listen_fds(3)); nil if there
// is none.
func inherited(getenv func(string) string) (*net.UnixListener, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || getenv("LISTEN_FDS") != "1" {
		return nil, nil //nolint:nilnil // no socket is no error
	}
	const first = 3 // SD_LISTEN_FDS_START
	f := os.NewFile(first, "socket of systemd")
	defer func() { _ = f.Close() }()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		_ = l.Close()
		return nil, errors.New("the socket of systemd is no Unix socket")
	}
	u.SetUnlinkOnClose(false)
	return u, nil
}

// reloads reads the limits again at each SIGHUP, until the function is called that
// it returns.
func reloads(r *recorder.Recorder, tell func(error)) (stop func()) {
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	var group sync.WaitGroup
	group.Go(func() {
		for range hups {
			if err := r.Reload(); err != nil {
				tell(fmt.Errorf("the limits before stay: %w", err))
			}
		}
	})
	return func() {
		signal.Stop(hups)
		close(hups)
		group.Wait()
	}
}
