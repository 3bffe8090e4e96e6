//go:build e2e

package live

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spoor/e2e/mailtest"
)

// ownNetwork gives the test a network of its own, where the ports of mail are
// free: what it starts from now on is there too.
func ownNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// exchange is somebody else's mail server, which says nothing.
func exchange(t *testing.T, address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
}

// bot talks SMTP itself: no mail server of this machine takes part.
const bot = `<?php
$server = fsockopen($argv[1], (int)$argv[2]) or exit(1);
usleep((int)$argv[3]);
`

const botScript = shopFolder + "/httpdocs/bot.php"

func connection(s *sighting) bool { return s.Activity == "connection" }

func TestWhoTalksSMTPItself(t *testing.T) {
	ownNetwork(t)
	exchange(t, "127.0.0.1:25")
	exchange(t, "127.0.0.1:587")
	exchange(t, "[::1]:465")
	exchange(t, "127.0.0.1:2525")
	s := start(t)
	s.Write(botScript, bot)
	s.Own(botScript, 0o644, mailtest.Web1, mailtest.Web1)
	w := watch(t, s, "--mechanism", "ebpf")
	s.Run(mailtest.Web1, "", "/usr/bin/php", botScript, "127.0.0.1", "2525", "0") // no port of mail
	s.Run(mailtest.Postfix, "", "/usr/bin/php", botScript, "127.0.0.1", "25", "0")
	for _, to := range [][2]string{{"127.0.0.1", "25"}, {"127.0.0.1", "587"}, {"::1", "465"}} {
		s.Run(mailtest.Web1, "", "/usr/bin/php", botScript, bracketed(to[0]), to[1], "0")
		m := w.next(connection)
		wants(t, "the server", m.Remote, net.JoinHostPort(to[0], to[1]))
		wants(t, "the mechanism", m.Mechanism, "ebpf")
		wantsBot(t, s, m)
	}
	list, sum := w.end()
	if len(list) > 0 {
		t.Errorf("more was told: %+v", *list[0])
	}
	if len(sum.Own) != 1 || sum.Own[0].User != "postfix" || sum.Own[0].Count != 1 {
		t.Errorf("of the mail system it says %+v", sum.Own)
	}
}

func wantsBot(t *testing.T, s *server, m *sighting) {
	t.Helper()
	wants(t, "the source", m.Source, "user:web1")
	wants(t, "the UID", *m.UID, mailtest.Web1)
	wants(t, "the program", m.Process.Exe, filepath.Join(s.Dir, "/usr/bin/php8.2"))
	wants(t, "the script", m.Script, botScript)
	wants(t, "its certainty", m.ScriptKnown.Certainty, "exact")
	wants(t, "the site", m.Site, "shop.example")
}

// bracketed is an address as PHP takes it.
func bracketed(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}

// Without eBPF what lasts is seen in /proc, and once.
func TestConnectionsThatLast(t *testing.T) {
	ownNetwork(t)
	exchange(t, "127.0.0.1:25")
	s := start(t)
	s.Write(botScript, bot)
	s.Own(botScript, 0o644, mailtest.Web1, mailtest.Web1)
	for _, mechanism := range []string{"proc", "ebpf"} { // eBPF does not see what was there before
		command := s.Command(mailtest.Web1, "/usr/bin/php", botScript, "127.0.0.1", "25", strconv.Itoa(60_000_000))
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ended := false
		end := func() {
			if !ended {
				_ = command.Process.Kill()
				_ = command.Wait()
				ended = true
			}
		}
		t.Cleanup(end)
		s.Until("the connection", func() bool { return s.connected(command.Process.Pid) })
		// It looks from another network, as from outside of a container.
		w := watchBy(t, s, []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", os.Getppid())}, "--mechanism", mechanism)
		m := w.next(connection)
		wants(t, "the mechanism", m.Mechanism, "proc")
		wants(t, "the process", m.Process.PID, command.Process.Pid)
		wantsBot(t, s, m)
		list, _ := w.end()
		if len(list) > 0 {
			t.Errorf("it is told again: %+v", *list[0])
		}
		end()
	}
}

// connected reports whether a process has a socket.
func (s *server) connected(pid int) bool {
	found, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*")
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.ContainsFunc(found, isSocket)
}

func isSocket(name string) bool {
	var st unix.Stat_t
	return unix.Stat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}
