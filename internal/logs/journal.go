package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"

	"spoor"
	"spoor/internal/host"
)

// journalFolders are where systemd keeps its journal (systemd-journald.service(8)).
var journalFolders = [...]string{"/var/log/journal", "/run/log/journal"}

const (
	// journalMagic begins a file of the journal (journal-def.h).
	journalMagic = "LPKSHHRH"
	// handedOver is how journalctl reaches a file or folder that was opened for
	// it: its name may lead elsewhere meanwhile.
	handedOver = "/proc/self/fd/3"
	// maxStderr is how much of journalctl's complaints is kept, in bytes.
	maxStderr = 1000
)

// journalctls are where journalctl(1) may be. PATH is not asked: spoor runs as
// root.
var journalctls = [...]string{"/usr/bin/journalctl", "/bin/journalctl"}

// mailEntries chooses what mail systems write: under syslog's facility mail, or
// as a service of theirs.
var mailEntries = [...]string{
	"SYSLOG_FACILITY=2", "+", "_SYSTEMD_UNIT=postfix.service", "_SYSTEMD_UNIT=postfix@-.service", "_SYSTEMD_UNIT=exim4.service",
	"_SYSTEMD_UNIT=exim.service", "_SYSTEMD_UNIT=dovecot.service", "_SYSTEMD_UNIT=qmail.service",
}

var errNoJournalctl = errors.New("it is a journal of systemd, which journalctl reads, and that is not here: " + exportHint)

// exportHint says how to get at a journal.
const exportHint = "run journalctl -o export SYSLOG_FACILITY=2 > FILE on its server and name the file with --log"

// journalctl returns the path of journalctl(1), or "".
func journalctl() string {
	for _, name := range journalctls {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}

// isJournalFile reports whether an open file is one of the journal.
func isJournalFile(file io.ReaderAt) bool {
	var head [len(journalMagic)]byte
	n, _ := file.ReadAt(head[:], 0)
	return string(head[:n]) == journalMagic
}

// journalSize looks for files of the journal in a folder and in those of machines
// below it, and returns their size and when they were last written to. A file
// that is a symbolic link is an error: journalctl would follow it.
func journalSize(root *host.Root, folder string, depth int) (size int64, used time.Time, err error) {
	dir, err := root.OpenDir(folder)
	if err != nil {
		return 0, used, err
	}
	defer func() { _ = dir.Close() }()
	for entry, err := range dir.Entries() {
		if err != nil {
			return size, used, err
		}
		name := path.Join(folder, string(entry.Name))
		switch {
		case entry.Type == host.TypeDirectory && depth > 0:
			more, last, err := journalSize(root, name, depth-1)
			if err != nil {
				return size, used, err
			}
			size += more
			used = later(used, last)
		case !isJournalName(name):
		case entry.Type != host.TypeRegular:
			return size, used, fmt.Errorf("%s: %w", name, host.ErrNotRegular)
		default:
			if info, err := root.Stat(name); err == nil {
				size += info.Size()
				used = later(used, info.ModTime())
			}
		}
	}
	return size, used, nil
}

func isJournalName(name string) bool {
	return strings.HasSuffix(name, ".journal") || strings.HasSuffix(name, ".journal~")
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// journal makes a stream of a folder of the journal; false if none is there.
func journal(root *host.Root, folder string) (Stream, bool, error) {
	resolved, err := root.Resolve(folder)
	if err != nil {
		return Stream{}, false, err
	}
	folder = host.Abs(resolved)
	size, used, err := journalSize(root, folder, 1)
	if err != nil || size == 0 {
		return Stream{}, false, err
	}
	return Stream{Name: folder, Files: []File{{Path: folder, Compression: Journal, SizeBytes: size, ModTime: used}}}, true, nil
}

// journals finds the journal of a server that has no other log of mail.
func journals(root *host.Root, gaps *spoor.Gaps) []Stream {
	for _, folder := range journalFolders {
		stream, ok, err := journal(root, folder)
		switch {
		case err != nil && !errors.Is(err, os.ErrNotExist):
			gaps.Add(folder, "the journal was left out: "+cause(err))
		case ok && journalctl() == "":
			gaps.Add(folder, errNoJournalctl.Error())
		case ok:
			return []Stream{stream}
		}
	}
	return nil
}

// openJournal lets journalctl read a folder. That of the running server is read
// as journalctl finds it.
func openJournal(ctx context.Context, root *host.Root, name string) (*source, error) {
	if root.Live() && (name == journalFolders[0] || name == journalFolders[1]) {
		return runJournalctl(ctx, nil)
	}
	if _, _, err := journalSize(root, name, 1); err != nil {
		return nil, err
	}
	dir, err := root.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return runJournalctl(ctx, dir.File(), "--directory="+handedOver)
}

// runJournalctl starts journalctl and gives the lines of what it exports. It
// closes the file, which is handed to journalctl, when the source is closed.
func runJournalctl(ctx context.Context, file *os.File, place ...string) (*source, error) {
	s := &source{file: file, made: true, kind: Journal}
	program := journalctl()
	if program == "" {
		s.closeFile()
		return nil, errNoJournalctl
	}
	ctx, cancel := context.WithCancel(ctx)
	arguments := append([]string{
		"--no-pager", "--quiet", "--output=export", "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_COMM,_HOSTNAME",
	}, place...)
	command := exec.CommandContext(ctx, program, append(arguments, mailEntries[:]...)...) //nolint:gosec // a fixed path, and fixed words
	command.Env = []string{"LC_ALL=C"}
	if file != nil {
		command.ExtraFiles = []*os.File{file}
	}
	run := &journalRun{command: command}
	command.Stderr = &run.complaints
	out, err := command.StdoutPipe()
	if err == nil {
		run.out = out
		err = command.Start()
	}
	if err != nil {
		cancel()
		s.closeFile()
		return nil, fmt.Errorf("start journalctl: %w", err)
	}
	s.disk.r = run
	s.Reader = newExportReader(&s.disk)
	if s.kept, err = newKept(); err == nil {
		s.Reader = io.TeeReader(s.Reader, s.kept)
	}
	s.close = func() {
		cancel()
		_ = run.wait()
	}
	return s, nil
}

// journalRun is a running journalctl. Read gives what it writes, and at its end
// how it ended.
type journalRun struct {
	command    *exec.Cmd
	out        io.Reader
	complaints head
	ended      bool
	err        error
}

func (r *journalRun) Read(p []byte) (int, error) {
	n, err := r.out.Read(p)
	if n > 0 || err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = r.wait()
	}
	if err == nil {
		err = io.EOF
	}
	return 0, err
}

// wait waits for the end of journalctl. That it found nothing is no error.
func (r *journalRun) wait() error {
	if !r.ended {
		r.ended = true
		if err := r.command.Wait(); err != nil {
			first, _, _ := bytes.Cut(r.complaints.text, []byte{'\n'})
			if len(first) > 0 {
				r.err = fmt.Errorf("journalctl: %s", first)
			} else if r.command.ProcessState.ExitCode() != 1 {
				r.err = fmt.Errorf("journalctl: %w", err)
			}
		}
	}
	return r.err
}

// head keeps the first bytes that are written to it.
type head struct{ text []byte }

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), max(maxStderr-len(h.text), 0))]...)
	return len(p), nil
}
