package guard

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The descriptors of a guard, behind standard error.
const (
	parentPipe = 3 // to read: done, or the end of the parent
	answerPipe = 4 // to write: ready
)

// Main is a guard's whole life; args are those behind Word: the PIDs to wait for,
// joined by commas, and the command to become. It returns the exit status, and
// does not return where it becomes the command.
func Main(args []string) int {
	pids, ok := pidList(args)
	if !ok || !isPipe(parentPipe) || !isPipe(answerPipe) {
		fmt.Fprintln(os.Stderr, "spoor: a guard is started by spoor itself, never by hand")
		return 2
	}
	// Caught, not ignored: what is ignored would stay so in the command.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE, syscall.SIGTSTP)
	waited := startsOf(pids)
	answer := os.NewFile(answerPipe, "answer")
	_, err := io.WriteString(answer, ready)
	_ = answer.Close()
	if err != nil {
		return 1
	}
	parent := os.NewFile(parentPipe, "parent")
	word, _ := io.ReadAll(io.LimitReader(parent, 100))
	_ = parent.Close()
	if string(word) == done {
		return 0
	}
	for pid, start := range waited {
		awaitEnd(pid, start)
	}
	return become(args[1:])
}

// become replaces the guard by the command. That it fails nobody may see any more
// but the next run of spoor, which finds the record of what was stopped.
func become(argv []string) int {
	err := syscall.Exec(argv[0], argv, os.Environ()) //nolint:gosec // what it is was checked before the service was stopped
	fmt.Fprintf(os.Stderr, "spoor: cannot start %s again: %v\n", argv[0], err)
	return 1
}

func pidList(args []string) ([]int, bool) {
	if len(args) < 2 {
		return nil, false
	}
	var pids []int
	for word := range strings.SplitSeq(args[0], ",") {
		pid, err := strconv.Atoi(word)
		if err != nil || pid <= 0 {
			return nil, false
		}
		pids = append(pids, pid)
	}
	return pids, true
}

func isPipe(fd int) bool {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// startsOf is when processes began: with the PID, that is their identity. Those
// that have ended are missing.
func startsOf(pids []int) map[int]string {
	starts := map[int]string{}
	for _, pid := range pids {
		if start, ok := running(pid); ok {
			starts[pid] = start
		}
	}
	return starts
}

// awaitEnd waits until a process has ended and closed its files, so that the locks
// are free that it had. It looks again and again: pidfd_open(2) is younger than
// kernels that mail servers still run.
func awaitEnd(pid int, start string) {
	const pause = 50 * time.Millisecond
	for {
		if now, ok := running(pid); !ok || now != start {
			return
		}
		time.Sleep(pause)
	}
}

// running tells when a process began, in the kernel's unit; false if it has ended. A
// zombie counts as long as it has other threads: the last one closes the files.
func running(pid int) (start string, ok bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name may have blanks and parentheses
	const (
		state   = 0
		threads = 17
		began   = 19
	)
	if len(fields) <= began {
		return "", false
	}
	zombie := fields[state] == "Z" || fields[state] == "X"
	return fields[began], !zombie || (fields[threads] != "1" && fields[threads] != "0")
}
