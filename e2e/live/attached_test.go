//go:build e2e

package live

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
)

// programsOf lists the eBPF programs that a process holds, by their numbers.
func programsOf(t *testing.T, pid int) []ebpf.ProgramID {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	var ids []ebpf.ProgramID
	for _, name := range files {
		text, _ := os.ReadFile(name)
		for _, found := range regexp.MustCompile(`(?m)^prog_id:\s*(\d+)$`).FindAllSubmatch(text, -1) {
			id, err := strconv.Atoi(string(found[1]))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, ebpf.ProgramID(id))
		}
	}
	return ids
}

// loaded reports whether the kernel still has a program.
func loaded(t *testing.T, id ebpf.ProgramID) bool {
	t.Helper()
	program, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return program.Close() == nil
}

// Whichever way spoor ends, the kernel has nothing of it afterwards, and mail can
// be sent.
func TestNothingStaysAttached(t *testing.T) {
	s := start(t)
	s.hostile()
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		w := watch(t, s)
		ids := programsOf(t, w.command.Process.Pid)
		if len(ids) < 2 {
			t.Fatalf("it holds the programs %v", ids)
		}
		w.signal(signal)
		for _, id := range ids {
			s.Until("the end of a program", func() bool { return !loaded(t, id) })
		}
		w = watch(t, s, "--permission")
		s.storm(10, 1, 10)
		w.signal(signal)
		s.storm(10, 1, 10) // would wait for ever if it were still held
	}
}

// Root without the right to load programs, as in a container, gets what is left,
// and is told why.
func TestWithoutRightsTheNextIsTaken(t *testing.T) {
	s := start(t)
	s.hostile()
	w := watchBy(t, s, []string{"setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"})
	wants(t, "the mechanism", w.mechanism, "proc")
	_, _ = w.end()
	for _, words := range []string{"not used: ebpf (eBPF:", "operation not permitted", "not used: fanotify (fanotify:"} {
		if !strings.Contains(w.problems.String(), words) {
			t.Errorf("it does not say %q: %s", words, w.problems.String())
		}
	}
}
