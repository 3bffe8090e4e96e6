package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spoor/internal/host/hosttest"
)

// garbage is what people name with --log and what is no log, with a part of the
// problem that is told.
func garbage() map[string][2]string {
	random := make([]byte, 5000)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	random[0] = 'x'
	return map[string][2]string{
		"random bytes":         {string(random), "no line begins as those of syslog"},
		"no gzip":              {"\x1f\x8b" + string(random), "could not be read: gzip"},
		"no xz":                {"\xfd7zXZ\x00" + string(random), "could not be read: "},
		"empty":                {"", "it is empty"},
		"NUL bytes":            {strings.Repeat("\x00", 10000), "no line begins as those of syslog"},
		"prose":                {"Dear Sir,\n\nthe log is attached.\n", "none of the 3 lines of /garbage was understood"},
		"JSON of another kind": {`{"log":"postfix/smtpd[7]: connect","time":"2026-11-23T11:00:00Z"}` + "\n", "not the one line of /garbage was understood: no line begins as"},
		"HTML":                 {"<html>\n<body>\n", "no line begins as those of syslog"},
		"another daemon's log": {"Nov 23 11:00:00 mx1 sshd[7]: Accepted publickey for root\n", "it is not the log of a mail server"},
		"a damaged journal":    {"LPKSHHRH" + string(random), "journal"},
	}
}

func TestLogInWhichNothingIsUnderstoodHasAStatusOfItsOwn(t *testing.T) {
	for _, server := range []string{"qmail", "postfix", "exim"} {
		root := hosttest.Unpack(t, server)
		for name, file := range garbage() {
			if err := os.WriteFile(filepath.Join(root, "garbage"), []byte(file[0]), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range [][]string{nil, {"logs", "check"}, {"logs", "check", "--json"}} {
				var out, problems bytes.Buffer
				arguments := append(append([]string{"--root", root}, command...), "--log", "/garbage")
				if status := Main(arguments, testEnvironment(&out, &problems)); status != exitPartial || !strings.Contains(problems.String(), file[1]) {
					t.Errorf("%s, %s, %q: status %d: %s", server, name, command, status, problems.String())
				}
				if strings.Contains(out.String(), "can be trusted") || strings.Contains(out.String(), `"trust": "good"`) {
					t.Errorf("%s, %s: it can be trusted", server, name)
				}
			}
		}
	}
}

func TestEmptyLogThatWasFoundIsNoTrouble(t *testing.T) {
	root := hosttest.Unpack(t, "postfix")
	if err := os.Truncate(filepath.Join(root, "var/log/mail.log"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "var/log/dovecot.log")); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	if status := Main([]string{"--root", root, "logs", "check"}, testEnvironment(&out, &problems)); status != exitDone || !strings.Contains(out.String(), "there is no line in it") {
		t.Errorf("status %d: %s%s", status, out.String(), problems.String())
	}
}

// checked is what spoor logs check --json says.
type checked struct {
	Trust string
	Log   struct{ Lines, Understood, Events, Unknown, Damaged int }
	Files []struct {
		File, Clock string
		Proved      bool `json:"clock_proved"`
	}
	NotRead []struct{ File, Reason string } `json:"not_read"`
	Assumed []string
}

func checkLogs(t *testing.T, root string) checked {
	t.Helper()
	var out, problems bytes.Buffer
	if status := Main([]string{"--root", root, "logs", "check", "--json"}, testEnvironment(&out, &problems)); status != exitDone {
		t.Fatalf("status %d: %s", status, problems.String())
	}
	var c checked
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLogsOfTheCapturedEximsAreTrusted(t *testing.T) {
	for server, folder := range map[string]string{"exim": "/var/log/exim4", "exim499": "/var/log/exim"} {
		c := checkLogs(t, hosttest.Unpack(t, server))
		if c.Trust != "good" || c.Log.Unknown+c.Log.Damaged != 0 || c.Log.Events == 0 || len(c.Assumed) != 0 {
			t.Errorf("%s: %+v", server, c)
		}
		if len(c.Files) != 1 || c.Files[0].File != folder+"/mainlog" || c.Files[0].Clock != "zone proved by queue IDs (UTC+00:00)" || !c.Files[0].Proved {
			t.Errorf("%s: files %+v", server, c.Files)
		}
		if len(c.NotRead) != 1 || c.NotRead[0].File != folder+"/rejectlog" || !strings.Contains(c.NotRead[0].Reason, "in "+folder+"/mainlog too") {
			t.Errorf("%s: not read %+v", server, c.NotRead)
		}
	}
}

func TestLogsOfTheCapturedPostfixAreTrusted(t *testing.T) {
	c := checkLogs(t, hosttest.Unpack(t, "postfix"))
	if c.Trust != "good" || c.Log.Unknown+c.Log.Damaged != 0 || c.Log.Events == 0 || len(c.NotRead) != 0 || len(c.Files) != 2 {
		t.Errorf("%+v", c)
	}
}

// An Exim with log_file_path = syslog : /var/log/exim/%slog-%D writes each line twice.
func TestLinesInEximsFilesAndInSyslogCountOnce(t *testing.T) {
	root := hosttest.Unpack(t, "exim499")
	alone := checkLogs(t, root).Log.Events
	folder := filepath.Join(root, "var/log/exim")
	text, err := os.ReadFile(filepath.Join(folder, "mainlog"))
	if err != nil {
		t.Fatal(err)
	}
	var syslog strings.Builder
	for line := range strings.Lines(string(text)) {
		if at, err := time.Parse("2006-01-02 15:04:05", line[:min(len(line), 19)]); err == nil {
			fmt.Fprintf(&syslog, "%s mx1 exim[12]: %s", at.Format(time.Stamp), line[20:])
		}
	}
	config := filepath.Join(root, "etc/exim/exim.conf")
	old, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		config: strings.Replace(string(old), "log_file_path = ", "log_file_path = syslog : ", 1), filepath.Join(root, "var/log/maillog"): syslog.String(),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"mainlog", "rejectlog"} {
		if err := os.Rename(filepath.Join(folder, name), filepath.Join(folder, name+"-20261123")); err != nil {
			t.Fatal(err)
		}
	}
	if c := checkLogs(t, root); c.Log.Events != alone || len(c.Files) != 2 {
		t.Errorf("%d events of %d, files %+v", c.Log.Events, alone, c.Files)
	}
}
