//go:build e2e

// Package journal is the walk of a server whose log is systemd's journal alone:
// the lines of a captured server's log are put into a journal by systemd's own
// program, and all ways to read it have to give the answer that the log gives.
package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"spoor/internal/host/hosttest"
)

const (
	remote  = "/lib/systemd/systemd-journal-remote"
	machine = "00112233445566778899aabbccddeeff"
	boot    = "0123456789abcdef0123456789abcdef"
)

// export writes lines of syslog's as a stream of the journal.
func export(t *testing.T, log string) []byte {
	t.Helper()
	var b bytes.Buffer
	for i, line := range strings.Split(strings.TrimSuffix(log, "\n"), "\n") {
		at, err := time.Parse("2006 Jan _2 15:04:05", "2026 "+line[:15])
		if err != nil {
			t.Fatal(err)
		}
		host, rest, _ := strings.Cut(line[16:], " ")
		tag, message, _ := strings.Cut(rest, ": ")
		tag, pid, _ := strings.Cut(strings.TrimSuffix(tag, "]"), "[")
		micros := at.UnixMicro() + int64(i) // entries of one second keep their order
		fmt.Fprintf(&b, "__CURSOR=s=%s;i=%x;b=%s;m=%x;t=%x;x=%x\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_MACHINE_ID=%s\n",
			boot, i+1, boot, i+1, micros, i+1, micros, i+1, boot, machine)
		fmt.Fprintf(&b, "_HOSTNAME=%s\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%s\n_TRANSPORT=syslog\nMESSAGE=%s\n\n", host, tag, pid, message)
	}
	fmt.Fprintf(&b, "__CURSOR=s=%s;i=fffff;b=%s;m=fffff;t=1;x=1\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_MACHINE_ID=%s\n", boot, boot,
		time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC).UnixMicro(), 0xfffff, boot, machine)
	b.WriteString("_HOSTNAME=mx1\nSYSLOG_FACILITY=9\nSYSLOG_IDENTIFIER=CRON\nMESSAGE=(root) CMD (not mail)\n\n")
	return b.Bytes()
}

func run(t *testing.T, status int, name string, args ...string) []byte {
	t.Helper()
	var out, problems bytes.Buffer
	command := exec.CommandContext(t.Context(), name, args...)
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); command.ProcessState == nil || command.ProcessState.ExitCode() != status {
		t.Fatalf("%s %q: %v, want status %d\n%s%s", name, args, err, status, out.String(), problems.String())
	}
	return out.Bytes()
}

// answer is what the log adds to an answer.
type answer struct {
	Sources []struct {
		Source                                       string
		Sent, Recipients, Delivered, Failed, Waiting int
	}
	Log  struct{ Understood, Events, Unknown, Damaged int }
	Gaps []struct{ File, Reason string }
}

func ask(t *testing.T, args ...string) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(run(t, 0, "../../bin/spoor", append(args, "--json")...), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestJournalTellsWhatTheLogTells(t *testing.T) {
	root := hosttest.Unpack(t, "postfix")
	log := filepath.Join(root, "var/log/mail.log")
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "var/log/dovecot.log")); err != nil {
		t.Fatal(err)
	}
	want := ask(t, "--root", root)
	if want.Log.Events == 0 || len(want.Sources) == 0 {
		t.Fatalf("the log adds nothing: %+v", want)
	}
	stream := filepath.Join(root, "stream")
	folder := filepath.Join(root, "var/log/journal", machine)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stream, export(t, string(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(folder, "system.journal")
	run(t, 0, remote, "-o", journal, stream)
	for _, form := range []string{"export", "json", "short", "short-iso", "short-precise", "short-full"} {
		exported := run(t, 0, "journalctl", "-D", folder, "-o", form, "SYSLOG_FACILITY=2")
		if err := os.WriteFile(filepath.Join(root, form), exported, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]string{
		"found": nil, "folder": {"--log", "/var/log/journal"}, "file": {"--log", "/var/log/journal/" + machine + "/system.journal"},
		"export": {"--log", "/export"}, "json": {"--log", "/json"}, "short": {"--log", "/short"}, "short-iso": {"--log", "/short-iso"},
		"short-precise": {"--log", "/short-precise"}, "short-full": {"--log", "/short-full"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, append([]string{"--root", root}, args...)...); !reflect.DeepEqual(got, want) {
				t.Errorf("the answer is\n%+v\nwant\n%+v", got, want)
			}
		})
	}
	traced := string(run(t, 0, "../../bin/spoor", "--root", root, "trace", "4C30BC0100", "--json"))
	if !strings.Contains(traced, `"/var/log/journal"`) || !strings.Contains(traced, "2026-11-23T10:06:37.0") || !strings.Contains(traced, "4C30BC0100: from=") {
		t.Errorf("no line of the journal is quoted:\n%s", traced)
	}
}
