package measure

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spoor"
)

// served starts a process that holds a connection to a mail port, in a network of
// the test's own, and returns it.
func served(t *testing.T, program ...string) (*exec.Cmd, spoor.Session) {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 0})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	server, err := listener.AcceptTCP()
	must(t, err)
	file, err := server.File()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
	cmd.Stdin, cmd.Stdout = file, file // as Exim has it
	must(t, cmd.Start())
	reaped := make(chan struct{}) // as init does
	go func() { defer close(reaped); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-reaped })
	_, _ = server.Close(), file.Close()
	list, err := LookAtSession(cmd.Process.Pid)
	must(t, err)
	if len(list) != 1 || list[0].Client.String() != "127.0.0.1" || !strings.Contains(list[0].Exe, "/") {
		t.Fatalf("the process serves %+v", list)
	}
	return cmd, list[0]
}

func TestASessionIsEndedAndNoOther(t *testing.T) {
	needRoot(t)
	s := newStand(t)
	cmd, session := served(t, "/bin/sleep", "600")
	for name, wrong := range map[string]func(*spoor.Session){
		"another start":   func(s *spoor.Session) { s.Started++ },
		"another program": func(s *spoor.Session) { s.Exe = "/usr/lib/postfix/sbin/smtpd" },
		"another client":  func(s *spoor.Session) { s.Client = s.Client.Next() },
		"no process":      func(s *spoor.Session) { s.PID = 1 << 22 },
	} {
		other := session
		wrong(&other)
		remark, err := s.do(&spoor.Step{Kind: spoor.StepSessions, Sessions: &spoor.Sessions{List: []spoor.Session{other}}})
		if err != nil || !strings.HasPrefix(remark, "0 ended, 1 ") {
			t.Errorf("%s: %q, %v", name, remark, err)
		}
	}
	must(t, unix.Kill(cmd.Process.Pid, 0))
	remark, err := s.do(&spoor.Step{Kind: spoor.StepSessions, Sessions: &spoor.Sessions{List: []spoor.Session{session}}})
	if err != nil || remark != "1 ended" {
		t.Errorf("%q, %v", remark, err)
	}
}

// TestASessionWithTwoDescriptorsIsEnded has a process that is gone as soon as its client
// is, mostly before its second descriptor of the same socket is looked at.
func TestASessionWithTwoDescriptorsIsEnded(t *testing.T) {
	needRoot(t)
	s := newStand(t)
	for range 30 {
		_, session := served(t, "/bin/cat")
		remark, err := s.do(&spoor.Step{Kind: spoor.StepSessions, Sessions: &spoor.Sessions{List: []spoor.Session{session}}})
		if err != nil || remark != "1 ended" {
			t.Fatalf("%q, %v", remark, err)
		}
	}
}

// TestASessionEndsByItselfWhileItIsLookedAt has its process gone when it gets its signal.
func TestASessionEndsByItselfWhileItIsLookedAt(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/bin/sleep", "600")
	must(t, cmd.Start())
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	must(t, err)
	defer func() { _ = unix.Close(fd) }()
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if done, err := terminate(t.Context(), fd, cmd.Process.Pid); done || err != nil {
		t.Errorf("%t, %v", done, err)
	}
}

// TestADaemonGoesOnWhenItsClientIsHungUp has one that waits for the next client then.
func TestADaemonGoesOnWhenItsClientIsHungUp(t *testing.T) {
	needRoot(t)
	s := newStand(t)
	cmd, session := served(t, "/bin/sh", "-c", "cat >/dev/null; exec </dev/null >/dev/null; sleep 600 & wait")
	remark, err := s.do(&spoor.Step{Kind: spoor.StepSessions, Sessions: &spoor.Sessions{List: []spoor.Session{session}}})
	if err != nil || remark != "1 ended" {
		t.Errorf("%q, %v", remark, err)
	}
	must(t, unix.Kill(cmd.Process.Pid, 0))
	if list, err := LookAtSession(cmd.Process.Pid); err != nil || len(list) > 0 {
		t.Errorf("it serves %+v, %v", list, err)
	}
}

// TestASessionThatBeganSinceThePlanIsEnded: between plan and step somebody reads and
// decides, and clients do not wait.
func TestASessionThatBeganSinceThePlanIsEnded(t *testing.T) {
	needRoot(t)
	s := newStand(t)
	_, session := served(t, "/bin/sleep", "600")
	step := func(programs []string, client string) *spoor.Step {
		return &spoor.Step{Kind: spoor.StepSessions, Sessions: &spoor.Sessions{Programs: programs, Clients: []netip.Addr{netip.MustParseAddr(client)}}}
	}
	program := path.Base(session.Exe)
	for _, c := range []struct {
		step *spoor.Step
		want string
	}{
		{step([]string{program}, "127.0.0.9"), "0 ended"},
		{step([]string{"smtpd"}, "127.0.0.1"), "0 ended"},
		{step([]string{program}, "127.0.0.1"), "1 ended"},
	} {
		if remark, err := s.do(c.step); err != nil || remark != c.want {
			t.Errorf("%q, %v; want %q", remark, err, c.want)
		}
	}
}

func FuzzProcStat(f *testing.F) {
	own, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add([]byte("1 (a) 2) S " + strings.Repeat("7 ", 30)))
	f.Fuzz(func(_ *testing.T, data []byte) { startOf(data) })
}

func FuzzConnections(f *testing.F) {
	f.Add([]byte("  sl\n   0: 0100007F:024B 0900007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4242 1 x\n"))
	f.Add([]byte("   0: 00000000000000000000000001000000:0019 0000000000000000FFFF00000100007F:C350 01 a b c d e 4242\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range connectionsOf(data, false) {
			if !c.client.IsValid() {
				t.Fatal("an address that is none")
			}
		}
	})
}

func TestConnectionsOfTheKernel(t *testing.T) {
	got := connectionsOf([]byte("  sl  local_address rem_address   st\n"+
		"   0: 0100007F:024B 0900007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4242 1 x\n"+
		"   1: 0100007F:024B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4245 1 x\n"+
		"   3: 0100007F:9999 0900007F:0019 01 00000000:00000000 00:00000000 00000000     0        0 4246 1 x\n"+
		"   1: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4243 1 x\n"+
		"   2: 0000000000000000FFFF00000100007F:0019 0000000000000000FFFF00000500000A:C350 01 a b c d e 4244\n"), true)
	if len(got) != 2 || got[0].client.String() != "127.0.0.9" || got[0].port != 587 || got[0].inode != 4242 || got[1].client.String() != "10.0.0.5" {
		t.Errorf("%+v", got)
	}
	if !slices.IsSortedFunc(got, func(a, b connection) int { return int(a.inode) - int(b.inode) }) {
		t.Error("the order is not that of the kernel")
	}
}
