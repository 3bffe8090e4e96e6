package mailtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// program is where an operator has put spoor on the server.
const program = "/usr/local/sbin/spoor"

// Install copies the built program into the root, where it is run by Operate.
func (s *Server) Install() {
	s.t.Helper()
	built, err := os.ReadFile("../../bin/spoor")
	if err != nil {
		s.t.Fatal(err)
	}
	s.Write(program, string(built))
	s.Own(program, 0o755, 0, 0)
	s.Folder("/proc", 0o555, 0, 0)
}

// Ran is a run of spoor that has ended.
type Ran struct {
	Status   int // -1 where a signal has ended it
	Out, Err string
}

// operation is spoor as an operator of the server runs it: the root of the server
// is its root, and /proc is there, in a mount namespace of its own. It replaces
// unshare(1) and so has its process ID.
func (s *Server) operation(args []string) (command *exec.Cmd, ran func() Ran) {
	const enter = `mount --bind /proc "$0/proc" && exec chroot "$0" "$@"`
	command = exec.CommandContext(context.WithoutCancel(s.t.Context()), "unshare", append([]string{"--mount", "sh", "-c", enter, s.Dir, program}, args...)...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "USER=root"}
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	return command, func() Ran {
		_ = command.Wait()
		return Ran{Status: command.ProcessState.ExitCode(), Out: out.String(), Err: problems.String()}
	}
}

// Operate runs spoor on the server, to its end and without a terminal.
func (s *Server) Operate(args ...string) Ran {
	s.t.Helper()
	return s.start(args)()
}

func (s *Server) start(args []string) (ran func() Ran) {
	s.t.Helper()
	command, ran := s.operation(args)
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	return ran
}

// Want runs spoor and wants it to end with a status.
func (s *Server) Want(status int, args ...string) Ran {
	s.t.Helper()
	ran := s.Operate(args...)
	if ran.Status != status {
		s.t.Fatalf("spoor %q: ended with %d, want %d\n%s%s", args, ran.Status, status, ran.Out, ran.Err)
	}
	return ran
}

// Says wants what spoor printed to contain words.
func (s *Server) Says(ran Ran, words ...string) {
	s.t.Helper()
	for _, one := range words {
		if !strings.Contains(ran.Out+ran.Err, one) {
			s.t.Errorf("spoor does not say %q, but\n%s%s", one, ran.Out, ran.Err)
		}
	}
}

// Entry is what a test reads of a plan in spoor journal --json.
type Entry struct {
	Plan, Action, State, Reason, Failure string
	By, Undoes                           string
	UndoneBy                             string `json:"undone_by"`
	Messages, Done                       int
}

// Journal is what spoor has changed, oldest first.
func (s *Server) Journal() []Entry {
	s.t.Helper()
	ran := s.Operate("journal", "--json")
	if ran.Status == 3 {
		return nil // nothing was changed
	}
	var journal struct{ Plans []Entry }
	if err := json.Unmarshal([]byte(ran.Out), &journal); err != nil {
		s.t.Fatalf("spoor journal ended with %d: %v\n%s%s", ran.Status, err, ran.Out, ran.Err)
	}
	return journal.Plans
}

// Stored is what a test reads of a message of spoor vault ls.
type Stored struct {
	Plan, ID, Subject, Fate string
	Recipients, Done        int
}

// Vault lists the messages that wait in the vault.
func (s *Server) Vault() []Stored {
	s.t.Helper()
	ran := s.Operate("vault", "ls", "-o", "ndjson")
	if ran.Status != 0 {
		s.t.Fatalf("spoor vault ls ended with %d\n%s", ran.Status, ran.Err)
	}
	var list []Stored
	for line := range strings.Lines(ran.Out) {
		var m Stored
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			s.t.Fatalf("%v in %s", err, line)
		}
		list = append(list, m)
	}
	return list
}

// IDs are the queue IDs of what selectors match.
func (s *Server) IDs(selectors ...string) []string {
	s.t.Helper()
	ran := s.Operate(append([]string{"queue", "ls", "-o", "ids"}, selectors...)...)
	if ran.Status != 0 && ran.Status != 3 {
		s.t.Fatalf("spoor queue ls ended with %d\n%s", ran.Status, ran.Err)
	}
	return strings.Fields(ran.Out)
}

// Link puts a symbolic link into the root, over what is there.
func (s *Server) Link(target, name string) {
	s.t.Helper()
	name = filepath.Join(s.Dir, name)
	err := os.Remove(name)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = os.Symlink(target, name)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// signal sends a signal to a running spoor. It is false where that has ended.
func signal(command *exec.Cmd, number syscall.Signal) bool {
	return state(command.Process.Pid) != 'Z' && command.Process.Signal(number) == nil
}

// common are the words that are in both lists.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(one string) bool { return !slices.Contains(b, one) })
}
