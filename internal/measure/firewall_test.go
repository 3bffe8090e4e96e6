package measure

import (
	"errors"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
)

// inNetwork runs a test on a thread with a network of its own, whose firewall is
// empty. The thread ends with it.
func inNetwork(t *testing.T, test func(s *stand)) {
	t.Helper()
	needRoot(t)
	s := newStand(t)
	done := make(chan error, 1)
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		if err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").Run(); err != nil {
			done <- err
			return
		}
		test(s)
	}()
	if err := <-done; err != nil {
		t.Skip("no network of its own: " + err.Error())
	}
}

// ruleset is what nft(8) says of the firewall of this thread.
func ruleset(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "nft", "list", "ruleset").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return "nft is not installed"
	}
	if err != nil {
		t.Errorf("nft: %v: %s", err, out)
	}
	return string(out)
}

// dial connects as a user, from this thread's network.
func dial(uid int, port int, from string) error {
	// The owner match reads the fsuid that the thread had when it made the socket.
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, 0, 0, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if from != "" {
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(from).As4()}); err != nil {
			return err
		}
	}
	return unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

func listen(t *testing.T, port int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		err = errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 64))
	}
	if err != nil {
		t.Errorf("listen: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
}

func (s *stand) ok(_ string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Error(err)
	}
}

func TestAUserIsKeptFromMailPorts(t *testing.T) {
	inNetwork(t, func(s *stand) {
		listen(t, 25)
		listen(t, 80)
		step := &spoor.Step{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{UID: tenant, Loopback: true}}
		s.ok(s.do(step))
		s.ok(s.do(step))
		if text := ruleset(t); strings.Count(text, "skuid") != 1 && text != "nft is not installed" {
			t.Errorf("twice:\n%s", text)
		}
		for _, c := range []struct {
			uid, port int
			want      error
		}{{tenant, 25, syscall.ECONNREFUSED}, {tenant, 80, nil}, {33, 25, nil}, {0, 25, nil}} {
			if err := dial(c.uid, c.port, ""); !errors.Is(err, c.want) {
				t.Errorf("uid %d to port %d: %v, want %v\n%s", c.uid, c.port, err, c.want, ruleset(t))
			}
		}
		s.ok(s.undo(step))
		if err := dial(tenant, 25, ""); err != nil {
			t.Errorf("after undo: %v", err)
		}
		if text := ruleset(t); strings.Contains(text, "spoor") {
			t.Errorf("after undo there is\n%s", text)
		}
		s.ok(s.undo(step))
	})
}

func TestLoopbackCanBeSpared(t *testing.T) {
	inNetwork(t, func(s *stand) {
		listen(t, 25)
		s.ok(s.do(&spoor.Step{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{UID: tenant}}))
		if err := dial(tenant, 25, ""); err != nil {
			t.Errorf("loopback: %v\n%s", err, ruleset(t))
		}
	})
}

// TestANetworkAroundAnotherIsRefused: first the address that sends, then all of its
// network, and then the other way round.
func TestANetworkAroundAnotherIsRefused(t *testing.T) {
	for name, order := range map[string][2]string{
		"the wider one second": {"127.9.1.2/32", "127.9.0.0/16"},
		"the wider one first":  {"127.9.0.0/16", "127.9.1.2/32"},
	} {
		t.Run(name, func(t *testing.T) {
			inNetwork(t, func(s *stand) {
				listen(t, 587)
				other := newStand(t)
				step := func(prefix string) *spoor.Step {
					return &spoor.Step{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{Prefix: netip.MustParsePrefix(prefix)}}
				}
				refused := func(when string, want map[string]bool) {
					for from, refused := range want {
						if err := dial(0, 587, from); errors.Is(err, syscall.ECONNREFUSED) != refused {
							t.Errorf("%s, from %s: %v\n%s", when, from, err, ruleset(t))
						}
					}
				}
				first, second := step(order[0]), step(order[1])
				wide, narrow := "127.9.77.1", "127.9.1.2"
				s.ok(s.do(first))
				other.ok(other.do(second))
				other.ok(other.do(second))
				refused("both", map[string]bool{wide: true, narrow: true, "127.8.0.1": false})
				s.ok(s.undo(first))
				refused("the second alone", map[string]bool{narrow: true, wide: strings.HasSuffix(order[1], "/16")})
				other.ok(other.undo(second))
				refused("none", map[string]bool{wide: false, narrow: false})
				if text := ruleset(t); strings.Contains(text, "spoor") {
					t.Errorf("after undo there is\n%s", text)
				}
			})
		})
	}
}

func TestANetworkIsRefusedForAWhile(t *testing.T) {
	inNetwork(t, func(s *stand) {
		listen(t, 587)
		s.server.Now = time.Now
		until := time.Now().Add(time.Hour)
		step := &spoor.Step{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{Prefix: netip.MustParsePrefix("127.9.0.0/16"), Until: until}}
		s.ok(s.do(step))
		s.ok(s.do(step))
		if err := dial(0, 587, "127.9.1.2"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("from the network: %v\n%s", err, ruleset(t))
		}
		if err := dial(0, 587, "127.8.255.255"); err != nil {
			t.Errorf("from beside it: %v", err)
		}
		if text := ruleset(t); !strings.Contains(text, "127.9.0.0/16 timeout") && text != "nft is not installed" {
			t.Errorf("no timeout:\n%s", text)
		}
		s.ok(s.undo(step))
		if err := dial(0, 587, "127.9.1.2"); err != nil {
			t.Errorf("after undo: %v", err)
		}
		if text := ruleset(t); strings.Contains(text, "spoor") {
			t.Errorf("after undo there is\n%s", text)
		}
	})
}

func TestOthersRulesStay(t *testing.T) {
	inNetwork(t, func(s *stand) {
		if exec.CommandContext(t.Context(), "nft", "add table inet admin").Run() != nil {
			return
		}
		before := ruleset(t)
		six := &spoor.Step{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{Prefix: netip.MustParsePrefix("2001:db8::/32")}}
		s.ok(s.do(six))
		other, err := s.records.MakeDir("other", 0o700)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = other.Close() }()
		user := &spoor.Step{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{UID: tenant}}
		_, err = s.server.Do(t.Context(), user, other)
		s.ok("", err)
		inside := &spoor.Step{Kind: spoor.StepFirewall, Firewall: &spoor.Firewall{Prefix: netip.MustParsePrefix("2001:db8:1::/48")}}
		third, err := s.records.MakeDir("third", 0o700)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = third.Close() }()
		_, err = s.server.Do(t.Context(), inside, third)
		s.ok("", err)
		s.ok(s.undo(six))
		if text := ruleset(t); !strings.Contains(text, "ip6 saddr 2001:db8:1::/48 tcp dport") {
			t.Errorf("the network within another has no rule:\n%s", text)
		}
		_, err = s.server.Undo(t.Context(), inside, third)
		s.ok("", err)
		if text := ruleset(t); !strings.Contains(text, "skuid 4321") {
			t.Errorf("the user's rule went with the network's:\n%s", text)
		}
		_, err = s.server.Undo(t.Context(), user, other)
		s.ok("", err)
		if after := ruleset(t); after != before {
			t.Errorf("there is\n%s\nwas\n%s", after, before)
		}
	})
}

func TestBoundsOfNetworks(t *testing.T) {
	for text, want := range map[string][2]string{
		"10.0.0.0/8": {"10.0.0.0", "11.0.0.0"}, "192.0.2.255/32": {"192.0.2.255", "192.0.3.0"}, "0.0.0.0/0": {"0.0.0.0", ""},
		"255.255.255.0/24": {"255.255.255.0", ""}, "2001:db8::/33": {"2001:db8::", "2001:db8:8000::"}, "192.0.2.7/24": {"192.0.2.0", "192.0.3.0"},
	} {
		first, behind := bounds(netip.MustParsePrefix(text))
		got, _ := netip.AddrFromSlice(first)
		end, _ := netip.AddrFromSlice(behind)
		if got.String() != want[0] || end.IsValid() != (want[1] != "") || end.IsValid() && end.String() != want[1] {
			t.Errorf("%s: from %s to %s, want %v", text, got, end, want)
		}
	}
}
