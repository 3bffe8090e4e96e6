package mailtest

import (
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Neighbour and Beside are addresses of clients in a network of the test's own: no
// device has them, but what is sent from them and to them stays here. Service is one that
// the loopback has, as it is where a machine keeps an address of its own there.
const (
	Neighbour = "203.0.113.77"
	Beside    = "203.0.113.78"
	Service   = "203.0.113.79"
)

// OwnNetwork gives the test, and all that it starts, a network with a firewall of
// its own, where the well-known ports are free. The test must not use others'
// goroutines to connect: they are in the machine's.
func OwnNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/sys/net/unix/max_dgram_qlen", []byte(queuedDatagrams), 0); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", Service + "/32", "dev", "lo"},
		{"route", "add", "local", Neighbour + "/32", "dev", "lo"},
		{"route", "add", "local", Beside + "/32", "dev", "lo"},
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
}

// queuedDatagrams is how many a Unix socket holds, as systemd sets it: with the
// kernel's 10 the daemons of a Postfix that logs by itself wait for each other while
// the one that writes the log is restarted.
const queuedDatagrams = "512"

// UsePorts makes Port return these first.
func (r *Root) UsePorts(ports ...string) { r.ports = append(r.ports, ports...) }
