package qmail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor/internal/mta"
)

// sleeper is a process whose standard input is a file of which pos bytes are read.
func sleeper(t *testing.T, pos int64) (osProcess, *exec.Cmd) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "mess")
	noError(t, os.WriteFile(name, []byte("0123456789"), 0o600))
	mess, err := os.Open(name)
	noError(t, err)
	t.Cleanup(func() { noError(t, mess.Close()) })
	_, err = mess.Seek(pos, io.SeekStart)
	noError(t, err)
	cmd := exec.CommandContext(t.Context(), "/bin/sleep", "1000")
	cmd.Stdin = mess // the same open file: they share the position
	noError(t, cmd.Start())
	p, err := readOSProcess(cmd.Process.Pid)
	noError(t, err)
	return p, cmd
}

func TestOnlyADeliveryThatHasNotReadAllIsEnded(t *testing.T) {
	d := &daemon{timing: defaultTiming()}
	for pos, want := range map[int64]syscall.Signal{0: syscall.SIGKILL, 9: syscall.SIGKILL, 10: syscall.SIGTERM} {
		p, cmd := sleeper(t, pos)
		d.interruptOne(t.Context(), p)
		_ = cmd.Process.Signal(syscall.SIGTERM) // ends what runs on, and nothing that is stopped
		_ = cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != want {
			t.Errorf("with %d of 10 bytes read the delivery ends by %v, want %v", pos, cmd.ProcessState, want)
		}
	}
}

// silent is a mail server that never answers at one point of a session.
type silent struct {
	listener net.Listener
	atDot    bool          // silent behind the whole message, else at once
	reached  chan struct{} // closed at that point
}

func silentHost(t *testing.T, atDot bool) *silent {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	noError(t, err)
	h := &silent{listener: l, atDot: atDot, reached: make(chan struct{})}
	t.Cleanup(func() { noError(t, l.Close()) })
	go h.serve()
	return h
}

func (h *silent) serve() {
	conn, err := h.listener.Accept()
	if err != nil {
		return
	}
	if h.atDot {
		in := bufio.NewReader(conn)
		for line := "220 x\r\n"; ; {
			_, _ = fmt.Fprint(conn, line)
			text, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if line = "250 ok\r\n"; strings.HasPrefix(text, "DATA") {
				_, _ = fmt.Fprint(conn, "354 go\r\n")
				break
			}
		}
		for text := ""; text != ".\r\n"; {
			if text, err = in.ReadString('\n'); err != nil {
				return
			}
		}
	}
	close(h.reached)
	_, _ = io.Copy(io.Discard, conn) // until the other end goes
	_ = conn.Close()
}

// deliver makes notqmail deliver a message to a host, and waits until that is
// silent.
func (s *mailSystem) deliver(t *testing.T, h *silent) {
	t.Helper()
	if !s.real {
		t.Skip("needs SPOOR_NOTQMAIL")
	}
	s.route(t, h.listener.Addr())
	s.start(t)
	s.inject(t)
	h.await(t)
}

func (h *silent) await(t *testing.T) {
	t.Helper()
	select {
	case <-h.reached:
	case <-time.After(20 * time.Second):
		t.Fatal("no delivery was attempted")
	}
}

// route sends all remote mail of notqmail to an address of this machine.
func (s *mailSystem) route(t *testing.T, to net.Addr) {
	t.Helper()
	routes := filepath.Join(s.home, "control/smtproutes")
	noError(t, os.WriteFile(routes, []byte(":"+to.String()+"\n"), 0o644))
	t.Cleanup(func() { _ = os.Remove(routes) })
}

func (s *mailSystem) inject(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.home, "bin/qmail-inject"), "-fsender@site.example", "to@remote.example")
	cmd.Stdin = strings.NewReader("Subject: x\n\n" + strings.Repeat("text\n", 100))
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("inject: %v\n%s", err, output)
	}
}

// empty empties the queue of a qmail-send that does not run.
func (s *mailSystem) empty(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"mess/*/*", "info/*/*", "local/*/*", "remote/*/*", "bounce/*", "todo/*", "intd/*"} {
		names, err := filepath.Glob(filepath.Join(s.home, "queue", pattern))
		noError(t, err)
		for _, name := range names {
			noError(t, os.Remove(name))
		}
	}
}

func TestADeliveryThatHangsIsEndedAfterTheGracePeriod(t *testing.T) {
	s := newMailSystem(t)
	s.deliver(t, silentHost(t, false))
	t.Cleanup(func() { s.end(t); s.empty(t) })
	d := daemonOf(t, s)
	var said []string
	d.say = func(text string) { said = append(said, text) }
	noError(t, d.stop(t.Context()))
	if len(said) == 0 || !strings.Contains(said[0], `a delivery to "remote.example"`) {
		t.Errorf("it said %q", said)
	}
	remote, err := filepath.Glob(filepath.Join(s.home, "queue/remote/*/*"))
	noError(t, err)
	if len(remote) != 1 {
		t.Fatalf("%d messages are left, want the one", len(remote))
	}
	if data, err := os.ReadFile(remote[0]); err != nil || data[0] != 'T' {
		t.Errorf("its recipient is marked as done: %q, %v", data, err)
	}
	noError(t, d.start(t.Context()))
}

func TestADeliveryThatMayHaveSucceededIsWaitedFor(t *testing.T) {
	s := newMailSystem(t)
	s.deliver(t, silentHost(t, true))
	d := daemonOf(t, s)
	t.Cleanup(func() { s.end(t); s.empty(t) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := d.stop(ctx)
	if !errors.Is(err, mta.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "remote.example") {
		t.Errorf("stop gives %v", err)
	}
	if !d.send.runs() || len(d.deliveries("qmail-rspawn")) != 1 {
		t.Error("the delivery was ended: its recipient may get the message twice")
	}
}

// TestRetry: SIGALRM makes a deferred message due.
func TestRetry(t *testing.T) {
	s := newMailSystem(t)
	h := silentHost(t, true)
	if !s.real {
		t.Skip("needs SPOOR_NOTQMAIL")
	}
	s.route(t, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
	s.start(t)
	d := daemonOf(t, s)
	t.Cleanup(func() { s.end(t); s.empty(t) })
	s.inject(t)
	s.logs(t, "deferral: ")
	s.route(t, h.listener.Addr())
	noError(t, d.alarm(t.Context()))
	h.await(t)
}

// logs waits for a text in the log of qmail-send.
func (s *mailSystem) logs(t *testing.T, text string) {
	t.Helper()
	eventually(t, text, func() bool {
		log, err := os.ReadFile(s.log[2])
		return err == nil && strings.Contains(string(log), text)
	})
}

func TestTrusted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root has files of root's")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	noError(t, os.MkdirAll(at("open/below"), 0o755))
	noError(t, os.MkdirAll(at("safe"), 0o755))
	for _, name := range []string{"safe/program", "safe/shared", "safe/foreign", "open/below/program"} {
		noError(t, os.WriteFile(at(name), nil, 0o755))
	}
	noError(t, os.Chmod(at("safe/shared"), 0o775))
	noError(t, os.Chown(at("safe/foreign"), 1, 1))
	noError(t, os.Chmod(at("open"), 0o777))
	for link, target := range map[string]string{
		"safe/good": "program", "safe/bad": "../open/below/program", "safe/far": at("safe/program"), "safe/loop": "loop", "safe/foreign-link": "program",
	} {
		noError(t, os.Symlink(target, at(link)))
	}
	noError(t, os.Lchown(at("safe/foreign-link"), 1, 1))
	for _, name := range []string{"safe/program", "safe/good", "safe/far"} {
		noError(t, trusted(at(name)))
	}
	for _, name := range []string{"safe/shared", "safe/foreign", "safe/bad", "safe/loop", "safe/foreign-link", "open/below/program"} {
		if err := trusted(at(name)); !errors.Is(err, errUntrusted) {
			t.Errorf("%s gives %v", name, err)
		}
	}
	if err := trusted("program"); !errors.Is(err, errUntrusted) {
		t.Errorf("a relative name gives %v", err)
	}
}

func TestUnits(t *testing.T) {
	keeps := func(text string, want keeper) {
		t.Helper()
		got := unitKeeper("/usr/bin/systemctl", "qmail.service", properties(text))
		if fmt.Sprint(got.stopBy, got.late, got.startBy, got.hand) != fmt.Sprint(want.stopBy, want.late, want.startBy, want.hand) {
			t.Errorf("%q gives %+v", text, got)
		}
	}
	stop, start := []string{"/usr/bin/systemctl", "stop", "qmail.service"}, []string{"/usr/bin/systemctl", "start", "qmail.service"}
	keeps("MainPID=7\nRestart=no\nRemainAfterExit=no\nSourcePath=\n", keeper{stopBy: stop, late: true, startBy: start, hand: "systemctl start qmail.service"})
	keeps("MainPID=7\nRestart=always\nRemainAfterExit=no\n", keeper{
		stopBy: []string{"/usr/bin/systemctl", "stop", "--no-block", "qmail.service"}, startBy: start, hand: "systemctl start qmail.service",
	})
	keeps("Restart=no\nRemainAfterExit=yes\nSourcePath=/etc/init.d/qmail\n", keeper{
		startBy: []string{"/usr/bin/systemctl", "restart", "qmail.service"}, hand: "systemctl restart qmail.service",
	})
	for name, want := range map[string]bool{
		"qmail.service": true, "-x.service": false, "user@0.service": false, "a b.service": false, "session-3.scope": false, `dash\x2d.service`: true,
	} {
		if isServiceUnit(name) != want {
			t.Errorf("%q is a unit: %v", name, !want)
		}
	}
}

func TestCommandsThatNeedQuotingAreNotOffered(t *testing.T) {
	for command, want := range map[string]string{"svc -u /service/x": "svc -u /service/x", "svc -u /service/$(x)": "", "a b'": ""} {
		if got := byHand(strings.Split(command, " ")); got != want {
			t.Errorf("%q is offered as %q", command, got)
		}
	}
	if byHand([]string{"a", ""}) != "" || byHand([]string{"a b"}) != "" {
		t.Error("a word that needs quoting is offered")
	}
}
