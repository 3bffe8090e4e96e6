package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"spoor/internal/disk"
	"spoor/internal/host/hosttest"
)

// at is when the captured servers are examined.
func at() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// testEnvironment is a pipe at a fixed time.
func testEnvironment(out, problems *bytes.Buffer) Environment {
	return Environment{
		In: os.Stdin, Out: out, Err: problems, Now: at, Zone: time.UTC,
		Getenv: func(string) string { return "" },
	}
}

// TestMain lets the transcripts run spoor as a program, at a fixed time.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"spoor": func() {
			env := System()
			env.Now, env.Zone = at, time.UTC
			os.Exit(Main(os.Args[1:], env))
		},
	})
}

// TestTranscripts runs testdata/*.txtar. The captured qmail server is in qmail,
// next to the files of the transcript.
func TestTranscripts(t *testing.T) {
	captures := map[string]string{}
	for _, name := range []string{"qmail", "postfix", "exim"} {
		captures[name] = filepath.Join(hosttest.Capture(t, name), "root.tar.gz")
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("SPOOR_UPDATE") != "",
		Condition: func(word string) (bool, error) {
			if word != "root" {
				return false, fmt.Errorf("unknown condition %q", word)
			}
			return os.Geteuid() == 0, nil
		},
		Setup: func(env *testscript.Env) error {
			for name, archive := range captures {
				dir := filepath.Join(env.WorkDir, name)
				if err := os.Mkdir(dir, 0o755); err != nil {
					return err
				}
				if err := exec.Command("tar", "--numeric-owner", "-xpzf", archive, "-C", dir).Run(); err != nil { //nolint:noctx // ends by itself
					return err
				}
			}
			return nil
		},
	})
}

// TestExitStatus is the table of the manual.
func TestExitStatus(t *testing.T) {
	root := hosttest.Unpack(t, "qmail")
	ends := func(want int, args ...string) {
		t.Helper()
		var out, problems bytes.Buffer
		if got := Main(append([]string{"--root", root}, args...), testEnvironment(&out, &problems)); got != want {
			t.Errorf("spoor %q ends with %d, want %d\n%s%s", args, got, want, out.String(), problems.String())
		}
	}
	ends(0)
	ends(0, "queue", "stat")
	ends(0, "show", "site:site1.example")
	ends(2, "--check") // a spam source: critical
	ends(0, "--check", "--until", "2020-01-01")
	ends(3, "--check", "--bogus")
	ends(3, "--check", "--root", root+"/nowhere")
	ends(2, "--bogus")
	ends(2, "show", "nonsense")
	ends(3, "show", "site:other.example")
	ends(3, "queue", "ls", "id:1")
	ends(6, "--root", root+"/nowhere")
	ends(6, "--root", root+"/etc")
	if err := os.Remove(root + "/etc/passwd"); err != nil {
		t.Fatal(err)
	}
	ends(4)
	ends(4, "queue", "stat")
	ends(4, "queue", "ls")
	ends(4, "show", "user:10003")
}

// listed is what a test reads of one line of spoor queue ls -o ndjson.
type listed struct {
	ID         string `json:"id"`
	Source     string `json:"source"`
	State      string `json:"state"`
	Recipients []struct {
		Done bool `json:"done"`
	} `json:"recipients"`
	Origin struct {
		Confidence float64           `json:"confidence"`
		Evidence   []json.RawMessage `json:"evidence"`
	} `json:"origin"`
}

// TestEveryMessageIsAttributedRight compares every message of a captured server
// with what was staged, with the log and by the queue alone: precision and
// recall are 1.
func TestEveryMessageIsAttributedRight(t *testing.T) {
	for _, name := range []string{"qmail", "qmail-forged", "postfix", "roundcube", "exim", "exim499"} {
		root := hosttest.Unpack(t, name)
		t.Run(name, func(t *testing.T) { testAttribution(t, name, "--root", root) })
		t.Run(name+" without its log", func(t *testing.T) { testAttribution(t, name, "--root", root, "--log", "none") })
	}
}

func testAttribution(t *testing.T, name string, flags ...string) {
	var out, problems bytes.Buffer
	if status := Main(append(flags, "queue", "ls", "-o", "ndjson"), testEnvironment(&out, &problems)); status != 0 {
		t.Fatalf("status %d\n%s", status, problems.String())
	}
	truths := hosttest.ReadTruth(t, name)
	for line := range bytes.Lines(out.Bytes()) {
		var m listed
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		truth, ok := truths[m.ID]
		if !ok || !truth.Queued && m.State != "corrupt" { // Postfix' tools do not list those
			t.Errorf("message %s is listed and was not in the queue", m.ID)
			continue
		}
		delete(truths, m.ID)
		if !truth.Accepts(m.Source) {
			t.Errorf("message %s comes from %s, truth %v", m.ID, m.Source, truth.Accept)
		}
		if m.Source != "unknown" && (len(m.Origin.Evidence) == 0 || m.Origin.Confidence <= 0) {
			t.Errorf("message %s is attributed to %s without proof", m.ID, m.Source)
		}
		done := 0
		for _, r := range m.Recipients {
			if r.Done {
				done++
			}
		}
		if truth.Recipients >= 0 && (len(m.Recipients) != truth.Recipients || done != truth.Done) {
			t.Errorf("message %s has %d recipients, %d done; truth %d, %d", m.ID, len(m.Recipients), done, truth.Recipients, truth.Done)
		}
	}
	for id, truth := range truths {
		if truth.Queued {
			t.Errorf("message %s is missing", id)
		}
	}
}

// Two spoors with two state folders must not work on one queue.
func TestTheQueueIsLockedToo(t *testing.T) {
	root := hosttest.Unpack(t, "qmail")
	top, err := disk.Open(root, nil)
	must(t, err)
	queue, err := top.OpenDir("var/qmail/queue")
	must(t, err)
	must(t, queue.Flock())
	args := []string{"--root", root, "--state", t.TempDir() + "/other", "queue", "rm", "site:site1.example", "--yes", "--reason", "x"}
	var out, problems bytes.Buffer
	if got := Main(args, testEnvironment(&out, &problems)); got != exitLocked {
		t.Errorf("with a locked queue it ends with %d\n%s", got, problems.String())
	}
	must(t, queue.Close())
	if got := Main(args, testEnvironment(&out, &problems)); got != exitDone {
		t.Errorf("afterwards it ends with %d\n%s", got, problems.String())
	}
	must(t, top.Close())
}
