//go:build e2e

package live

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// known is how something is known.
type known struct{ Certainty, How string }

// process is one of a sighting.
type process struct {
	PID       int
	UID       *int
	Comm, Exe string
	Dir       string
}

// sighting is what a test reads of a line of spoor live.
type sighting struct {
	Event, Activity, Mechanism   string
	Source, Site, Script, Client string
	SourceKnown                  known `json:"source_known"`
	ScriptKnown                  known `json:"script_known"`
	ClientKnown                  known `json:"client_known"`
	Request                      string
	UID                          *int
	User                         string
	Process                      process
	Parents                      []process
	Files                        []struct{ Path string }
	Claims                       []struct{ Key, Value string }
	Program                      string
	Args, Recipients             []string
	Remote                       string
}

// summary is the last line.
type summary struct {
	Event   string
	Count   int
	Sources []sighting
	Own     []struct {
		User  string
		Count int
	} `json:"mail_system"`
	Complete bool
	Gaps     []struct {
		File, Reason string
		Count        int
	}
}

// watching is a spoor live that runs.
type watching struct {
	t         *testing.T
	command   *exec.Cmd
	lines     *bufio.Reader
	raw       bytes.Buffer // all that it wrote
	problems  bytes.Buffer
	mechanism string
}

// watch starts spoor live and waits until it watches.
func watch(t *testing.T, s *server, args ...string) *watching {
	t.Helper()
	return watchBy(t, s, nil, args...)
}

// watchBy has another program start it.
func watchBy(t *testing.T, s *server, starter []string, args ...string) *watching {
	t.Helper()
	w := &watching{t: t}
	words := slices.Concat(starter, []string{"../../bin/spoor", "--root", s.Dir, "live"}, args)
	w.command = exec.CommandContext(t.Context(), words[0], words[1:]...)
	w.command.Stderr = &w.problems
	w.command.WaitDelay = time.Minute
	out, err := w.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.command.Process.Kill(); _ = w.command.Wait() })
	w.lines = bufio.NewReader(io.TeeReader(out, &w.raw))
	var first struct{ Schema, Event, Mechanism string }
	w.read(&first)
	if first.Schema != "spoor.live/1" || first.Event != "start" {
		t.Fatalf("it starts with %+v\n%s", first, w.problems.String())
	}
	w.mechanism = first.Mechanism
	return w
}

func (w *watching) read(into any) bool {
	line, err := w.lines.ReadBytes('\n')
	if err == io.EOF {
		return false
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(line, into); err != nil {
		w.t.Fatalf("%v in %s", err, line)
	}
	return true
}

// next waits for the next sighting of a kind.
func (w *watching) next(fits func(*sighting) bool) *sighting {
	w.t.Helper()
	for {
		s := &sighting{}
		if !w.read(s) {
			w.t.Fatalf("spoor ended: %s", w.problems.String())
		}
		if fits(s) {
			return s
		}
	}
}

// end interrupts spoor and returns what it had still to say.
func (w *watching) end() ([]*sighting, summary) {
	w.t.Helper()
	if err := w.command.Process.Signal(syscall.SIGINT); err != nil {
		w.t.Fatal(err)
	}
	return w.rest()
}

// rest reads to the end.
func (w *watching) rest() ([]*sighting, summary) {
	w.t.Helper()
	var list []*sighting
	for {
		line, err := w.lines.ReadBytes('\n')
		if err != nil {
			w.t.Fatalf("no summary: %v\n%s", err, w.problems.String())
		}
		var s summary
		if err := json.Unmarshal(line, &s); err != nil {
			s.Event = "sighting" // its sources have another form
		}
		if s.Event == "summary" {
			if _, err := io.Copy(io.Discard, w.lines); err != nil {
				w.t.Fatal(err)
			}
			_ = w.command.Wait()
			return list, s
		}
		one := &sighting{}
		if err := json.Unmarshal(line, one); err != nil {
			w.t.Fatalf("%v in %s", err, line)
		}
		list = append(list, one)
	}
}

// post sends a request to a site, from an address of the loopback, and wants an answer.
func (s *server) post(host, path string) string {
	s.t.Helper()
	status, text := s.ask(host, path)
	if status != http.StatusOK {
		s.t.Fatalf("POST %s: %d\n%s", path, status, text)
	}
	return text
}

// ask sends it, and returns what comes.
func (s *server) ask(host, path string) (status int, text string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://127.0.0.1:"+s.port+path, strings.NewReader("to=x"))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Host = host
	request.Header.Set("Cookie", "session=hunter2")
	request.Header.Set("Authorization", "Basic hunter2")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatalf("POST %s: %s %v\n%s", path, answer.Status, err, body)
	}
	return answer.StatusCode, string(body)
}

// signal ends spoor with a signal.
func (w *watching) signal(signal syscall.Signal) {
	w.t.Helper()
	if err := w.command.Process.Signal(signal); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, w.lines); err != nil {
		w.t.Fatal(err)
	}
	_ = w.command.Wait()
}
