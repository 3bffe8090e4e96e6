package qmail

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"spoor/internal/disk"
	"spoor/internal/guard"
	"spoor/internal/mta"
)

// TestMain lets the test program also be a guard, the process that is killed, and,
// where there is no qmail, the programs of qmail that matter to what runs them.
func TestMain(m *testing.M) {
	programs := map[string]func([]string) int{"qmail-start": standInStart, "qmail-send": standInSend, "qmail-lspawn": standInSpawn}
	words := map[string]func([]string) int{guard.Word: guard.Main, outageWord: runOutage}
	if program, ok := programs[filepath.Base(os.Args[0])]; ok {
		os.Exit(program(os.Args[1:]))
	}
	if len(os.Args) > 1 {
		if word, ok := words[os.Args[1]]; ok {
			os.Exit(word(os.Args[2:]))
		}
	}
	guard.CatchHangups()
	status := m.Run()
	removeNotqmail()
	os.Exit(status)
}

// mailSystem is a qmail below a home of its own, not below /var/qmail. It is the
// notqmail that $SPOOR_NOTQMAIL names, by its sources or its home, or else
// stand-ins that share with it the mutex, the signals, and who starts whom.
type mailSystem struct {
	home    string
	real    bool
	log     []string // arguments of qmail-start behind the default delivery: the logger
	scripts []string // init scripts
	alarms  string   // the stand-in's note of SIGALRM
}

func newMailSystem(t *testing.T) *mailSystem {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can run qmail")
	}
	s := &mailSystem{}
	if sources := os.Getenv("SPOOR_NOTQMAIL"); sources != "" {
		s.home, s.real = notqmail(t, sources), true
	} else {
		s.home = standIn(t)
	}
	s.alarms = filepath.Join(s.home, "alarms")
	s.log = []string{"/usr/bin/tee", "-a", s.home + "/log"} // which runs as a user of its own
	noError(t, os.WriteFile(s.log[2], nil, 0o600))
	noError(t, os.Chmod(s.log[2], 0o666))
	t.Cleanup(func() { s.end(t) })
	return s
}

// queue is the queue below the machine's root.
func (s *mailSystem) queue() string { return strings.TrimPrefix(s.home, "/") + "/queue" }

func (s *mailSystem) control(t *testing.T) mta.Control {
	t.Helper()
	top, err := disk.Open("/", nil)
	noError(t, err)
	t.Cleanup(func() { _ = top.Close() })
	return mta.Control{Top: top, Live: true, Run: runner{}, Stop: true}
}

// command starts the mail system, and becomes it.
func (s *mailSystem) command() []string {
	argv := []string{"/usr/bin/env", "-i", "PATH=" + s.home + "/bin:/usr/bin:/bin", "QMAILTEST=kept", filepath.Join(s.home, "bin/qmail-start"), "./Mailbox"}
	return append(argv, s.log...)
}

// start starts it by hand: nothing keeps it running.
func (s *mailSystem) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(s.command()[0], s.command()[1:]...) //nolint:noctx // the test ends it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if s.log == nil {
		log, err := os.Create(filepath.Join(t.TempDir(), "log"))
		noError(t, err)
		defer func() { noError(t, log.Close()) }()
		cmd.Stdout = log
	}
	noError(t, cmd.Start())
	go func() { _ = cmd.Wait() }()
	s.running(t)
}

// supervise starts it below a supervisor, by a run script.
func (s *mailSystem) supervise(t *testing.T, program, prefix string) {
	t.Helper()
	path, env := supervisor(t, program)
	service := filepath.Join(t.TempDir(), "qmail-send")
	noError(t, os.Mkdir(service, 0o755))
	noError(t, os.WriteFile(filepath.Join(service, "run"), []byte("#!/bin/sh\n"+prefix+strings.Join(s.command(), " ")+"\n"), 0o755))
	cmd := exec.Command(path, service) //nolint:noctx // the test ends it
	cmd.Env = append(os.Environ(), env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if program == "runsv" { // which takes the service's name from its folder only if told so
		cmd.Dir = filepath.Dir(service)
	}
	noError(t, cmd.Start())
	t.Setenv("LD_LIBRARY_PATH", strings.TrimPrefix(env, "LD_LIBRARY_PATH="))
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		s.end(t)
	})
	s.running(t)
}

// supervisor finds a supervisor on this machine or among the unpacked servers.
func supervisor(t *testing.T, program string) (path, env string) {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	unpacked := filepath.Join(filepath.Dir(file), "../../../.tools/mailservers/supervise")
	path = filepath.Join(unpacked, "usr/bin", program)
	if _, err := os.Stat(path); err == nil {
		return path, "LD_LIBRARY_PATH=" + filepath.Join(unpacked, "usr/lib")
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not here: scripts/setup unpacks it", program)
	}
	return path, "LD_LIBRARY_PATH="
}

// end ends every process of this mail system's programs.
func (s *mailSystem) end(t *testing.T) {
	t.Helper()
	m, err := openMutex(s.control(t).Top, s.queue())
	noError(t, err)
	defer func() { noError(t, m.close()) }()
	eventually(t, "the end of qmail-send", func() bool {
		p, err := m.holder()
		if err == nil {
			d := &daemon{send: p}
			for _, delivery := range d.deliveries("qmail-rspawn") {
				_ = syscall.Kill(delivery.pid, syscall.SIGKILL)
			}
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		return err != nil
	})
}

// logger is the logger's command line.
func (s *mailSystem) logger(t *testing.T) []string {
	t.Helper()
	send := s.running(t)
	for _, child := range send.children() {
		if child.name == "tee" {
			return child.argv()
		}
	}
	t.Fatal("there is no logger")
	return nil
}

// expectUsable checks what a qmail-send that was started again needs.
func (s *mailSystem) expectUsable(t *testing.T) {
	t.Helper()
	send := s.running(t)
	environ := strings.Join(send.environ(), "\n")
	if !strings.Contains(environ, "QMAILTEST=kept") || strings.Contains(environ, "HOME=") {
		t.Errorf("the environment is %q", environ)
	}
	status, err := os.ReadFile(send.path("status"))
	noError(t, err)
	for line := range strings.Lines(string(status)) {
		var ignored uint64
		if n, _ := fmt.Sscanf(line, "SigIgn: %x", &ignored); n == 1 && ignored&(1<<(syscall.SIGTERM-1)|1<<(syscall.SIGHUP-1)) != 0 {
			t.Errorf("it ignores signals: %s", line)
		}
	}
}

// expectAlarm checks that SIGALRM has come.
func (s *mailSystem) expectAlarm(t *testing.T) {
	t.Helper()
	if s.real {
		return // TestRetry looks at what it does
	}
	eventually(t, "the alarm", func() bool { return os.Remove(s.alarms) == nil })
}

// standIn makes a home whose programs are this test program.
func standIn(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	noError(t, os.MkdirAll(filepath.Join(home, "queue/lock"), 0o755))
	noError(t, os.Mkdir(filepath.Join(home, "bin"), 0o755))
	noError(t, os.WriteFile(filepath.Join(home, "queue/lock/sendmutex"), nil, 0o600))
	self, err := os.Executable()
	noError(t, err)
	for _, name := range []string{"qmail-start", "qmail-send", "qmail-lspawn"} {
		to := filepath.Join(home, "bin", name)
		if os.Link(self, to) != nil {
			noError(t, exec.CommandContext(t.Context(), "/bin/cp", self, to).Run())
		}
	}
	return home
}

// standInStart starts the others and becomes qmail-send, as qmail-start.c.
func standInStart(args []string) int {
	bin := filepath.Dir(os.Args[0])
	if len(args) > 1 {
		read, write, err := os.Pipe()
		if err != nil {
			return 111
		}
		logger := exec.Command(args[1], args[2:]...) //nolint:noctx // it ends with its input
		logger.Stdin = read
		if logger.Start() != nil || unix.Dup2(int(write.Fd()), 1) != nil {
			return 111
		}
	}
	commands, feed, err := os.Pipe()
	if err != nil {
		return 111
	}
	spawn := exec.Command(filepath.Join(bin, "qmail-lspawn"), args[:min(len(args), 1)]...) //nolint:noctx // the test ends it
	spawn.Stdin = commands
	if spawn.Start() != nil || unix.Dup2(1, 0) != nil || unix.Dup2(int(feed.Fd()), 1) != nil {
		return 111
	}
	_ = syscall.Exec(filepath.Join(bin, "qmail-send"), []string{filepath.Join(bin, "qmail-send")}, os.Environ())
	return 111
}

// standInSpawn lives as long as qmail-send does.
func standInSpawn([]string) int {
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// standInSend takes the mutex until SIGTERM, and notes SIGALRM, as qmail-send.c.
func standInSend([]string) int {
	home := filepath.Dir(filepath.Dir(os.Args[0]))
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGALRM)
	lock, err := os.OpenFile(filepath.Join(home, "queue/lock/sendmutex"), os.O_WRONLY, 0)
	if err != nil || unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return 111
	}
	for s := range signals {
		if s == syscall.SIGTERM {
			break
		}
		if os.WriteFile(filepath.Join(home, "alarms"), nil, 0o600) != nil {
			return 111
		}
	}
	runtime.KeepAlive(lock)
	return 0
}

// built is the notqmail of this run; it takes long to build.
var built struct {
	sync.Once
	home string
	err  error
}

func notqmail(t *testing.T, sources string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(sources, "bin/qmail-send")); err == nil {
		return sources // is installed, for tests alone
	}
	built.Do(func() { built.home, built.err = buildNotqmail(sources) })
	noError(t, built.err)
	return built.home
}

func removeNotqmail() {
	if built.home != "" {
		_ = os.RemoveAll(filepath.Dir(built.home))
	}
}

// buildNotqmail builds in a copy of the sources, with users that Debian has: the
// test makes none.
func buildNotqmail(sources string) (string, error) {
	dir, err := os.MkdirTemp("", "spoor-notqmail")
	if err != nil {
		return "", err
	}
	home := filepath.Join(dir, "qmail")
	script := `set -e
chmod 755 "$1"; cp -a "$2/." "$1/build"; cd "$1/build"
echo "$1/qmail" >conf-qmail
printf 'games\ndaemon\nbin\nroot\nman\nlp\nnews\nuucp\n' >conf-users
printf 'mail\noperator\n' >conf-groups
make it man setup check NROFF=true
echo mail.host.example >"$1/qmail/control/me"`
	output, err := exec.CommandContext(context.Background(), "/bin/sh", "-c", script, "sh", dir, sources).CombinedOutput()
	if err != nil {
		return home, fmt.Errorf("build notqmail: %w\n%s", err, output[max(0, len(output)-2000):])
	}
	return home, nil
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
