package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
	"spoor/internal/recorder"
	"spoor/internal/remedy"
	"spoor/internal/vault"
)

// holding is a server with held messages and a sendmail that keeps what it gets.
type holding struct {
	t    *testing.T
	dir  string
	most time.Duration // that sendmail may take
}

// heldUID is a user of no rights.
const heldUID = 10003

// newHolding keeps messages of that user as recorders did before there was a vault for
// them: their store has to be taken in too.
func newHolding(t *testing.T, names ...string) *holding {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can run sendmail as another user")
	}
	dir, err := os.MkdirTemp("/dev/shm", "spoor-release-") //nolint:usetesting // in memory, where thousands of syncs cost nothing
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o711))
	h := &holding{t: t, dir: dir}
	held := filepath.Join(dir, defaultState, "held")
	must(t, os.MkdirAll(held, 0o700))
	must(t, os.Mkdir(dir+"/sent", 0o777))
	must(t, os.Chmod(dir+"/sent", 0o777))
	h.sendmail(`cat > "$D/sent/$2"`)
	for _, name := range names {
		must(t, os.WriteFile(filepath.Join(held, name+".eml"), []byte(textOf(name)), 0o600))
		must(t, os.WriteFile(filepath.Join(held, name+".json"), fmt.Appendf(nil,
			`{"name":%q,"id":"1.x.10003.y.z","time":"2026-11-26T10:15:00.5Z","uid":%d,"gid":%d,"argv":["sendmail","-i",%q],"size":%d}`,
			name, heldUID, heldUID, name, len(textOf(name))), 0o600))
	}
	return h
}

func textOf(name string) string {
	return "Subject: " + name + "\n\n" + strings.Repeat(name+"\n", 50)
}

// sendmail puts a script in place of the real one. $2 is the name of the message, and
// each run makes a file of its own for it.
func (h *holding) sendmail(script string) {
	h.t.Helper()
	text := "#!/bin/sh\nD=" + h.dir + "\nset -- \"$1\" \"$2.$$\"\n" + script + "\n"
	must(h.t, os.WriteFile(h.dir+"/sendmail", []byte(text), 0o755))
	must(h.t, os.Chmod(h.dir+"/sendmail", 0o755))
}

// sent is how often each message was taken by sendmail, whole.
func (h *holding) sent() map[string]int {
	h.t.Helper()
	times := map[string]int{}
	files, err := os.ReadDir(h.dir + "/sent")
	must(h.t, err)
	for _, f := range files {
		name, _, _ := strings.Cut(f.Name(), ".")
		text, err := os.ReadFile(filepath.Join(h.dir, "sent", f.Name()))
		must(h.t, err)
		if string(text) != textOf(name) {
			h.t.Errorf("sendmail got %d bytes of %s", len(text), name)
		}
		times[name]++
	}
	return times
}

// do is one run of spoor: it finishes what was cut off, takes in what is held, and
// releases all of it.
func (h *holding) do(seam disk.Seam, releases, again bool, proof func(context.Context) (map[string]spoor.QueueID, error)) ([]*spoor.Receipt, error) {
	h.t.Helper()
	top, err := disk.Open(h.dir, seam)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	state, err := remedy.OpenState(top, defaultState)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	if err := state.Lock(); err != nil {
		return nil, err
	}
	in, err := recorder.OpenIntake(state.Dir(), state.Vault, at)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	work := &remedy.Work{State: state, Now: at, Sender: &sendmail{program: h.dir + "/sendmail", intake: in, inQueue: proof, most: h.most}}
	var receipts []*spoor.Receipt
	for _, past := range state.Journal.Unfinished() {
		p, err := state.Plan(past.Plan)
		if err != nil {
			return receipts, err
		}
		receipt, err := work.Apply(h.t.Context(), p)
		if receipts = append(receipts, receipt); err != nil {
			return receipts, err
		}
	}
	if done, err := in.Take(h.t.Context(), 0); err != nil || done.Failed > 0 {
		return receipts, errors.Join(err, done.Err)
	}
	if !releases {
		return receipts, nil
	}
	list, _, err := recorder.Waiting(state.Dir(), state.Vault)
	if err != nil {
		return receipts, err
	}
	p := &spoor.Plan{Action: spoor.ActionShimRelease, Time: at(), Root: h.dir, Again: again}
	for i := range list {
		p.Targets = append(p.Targets, heldTarget(&list[i]))
	}
	if err := work.Propose(p); err != nil {
		return receipts, err
	}
	receipt, err := work.Apply(h.t.Context(), p)
	return append(receipts, receipt), err
}

// look tells of each message that is held whether it is in doubt.
func (h *holding) look() map[string]bool {
	h.t.Helper()
	o := &options{root: h.dir}
	list, _, err := o.heldMail()
	must(h.t, err)
	doubt := map[string]bool{}
	for i := range list {
		if _, twice := doubt[list[i].Name]; twice {
			h.t.Errorf("%s is held twice", list[i].Name)
		}
		doubt[list[i].Name] = list[i].InDoubt
	}
	return doubt
}

// right is whether each message is held, handed over, or in doubt and marked.
func (h *holding) right(names []string) error {
	held, sent := h.look(), h.sent()
	for _, name := range names {
		doubt, kept := held[name]
		switch times := sent[name]; {
		case kept && !doubt && times > 0:
			return fmt.Errorf("%s was sent, and is held as if it was not", name)
		case !kept && times != 1:
			return fmt.Errorf("%s is not held and was sent %d times", name, times)
		case times > 1:
			return fmt.Errorf("%s was sent %d times", name, times)
		}
	}
	return nil
}

// TestReleaseSendsOnceAtAnyCall lets every fault happen at every call of taking in and
// releasing. At that moment, and after the next runs, each message is held, was sent
// once, or is in doubt and marked; no run but one with --again sends what is in doubt.
func TestReleaseSendsOnceAtAnyCall(t *testing.T) {
	if testing.Short() {
		t.Skip("it goes through hundreds of crashes")
	}
	names := []string{"20261126T101500-00", "20261126T101500-01"}
	for _, fault := range disktest.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			doubts := 0
			for n := 1; ; n++ {
				h := newHolding(t, names...)
				script := &disktest.Script{Fault: fault, N: n}
				_, _ = h.do(script.Seam, true, false, nothingQueued)
				if err := h.right(names); err != nil {
					t.Fatalf("%s: %v", script, err)
				}
				if _, err := h.do(nil, false, false, nothingQueued); err != nil {
					t.Fatalf("%s: the next run: %v", script, err)
				}
				if err := h.right(names); err != nil {
					t.Fatalf("%s: after the next run: %v", script, err)
				}
				if _, err := h.do(nil, true, false, nothingQueued); err != nil {
					t.Fatalf("%s: released once more: %v", script, err)
				}
				if err := h.right(names); err != nil {
					t.Fatalf("%s: released once more: %v", script, err)
				}
				left := h.look()
				for name, doubt := range left {
					if doubts++; !doubt {
						t.Fatalf("%s: %s was not released", script, name)
					}
				}
				before := h.sent()
				if _, err := h.do(nil, true, true, nothingQueued); err != nil || len(h.look()) > 0 {
					t.Fatalf("%s: --again: %v, %v is left", script, err, h.look())
				}
				for name, times := range h.sent() {
					if _, again := left[name]; !again && times != before[name] {
						t.Fatalf("%s: %s was not in doubt and sent again", script, name)
					}
				}
				must(t, os.RemoveAll(h.dir))
				if script.Calls() < n {
					break
				}
			}
			if strings.HasSuffix(fault.Name, "crash") && doubts == 0 {
				t.Error("no crash left a message in doubt: none came at the hand-over")
			}
		})
	}
}

func nothingQueued(context.Context) (map[string]spoor.QueueID, error) { return nil, nil }

// TestHandOver looks at what sendmail says, and how it ends.
func TestHandOver(t *testing.T) {
	const name = "20261126T101500-aa"
	f := func(script string, result spoor.Result, words string, doubt, kept bool) {
		t.Helper()
		h := newHolding(t, name)
		h.sendmail(script)
		receipts, err := h.do(nil, true, false, nothingQueued)
		must(t, err)
		r := receipts[0]
		why := ""
		if len(r.Skipped) > 0 {
			why = r.Skipped[0].Why
		}
		if result == spoor.ResultDone && r.Done != 1 || result != spoor.ResultDone && r.SkippedBy[result] != 1 || !strings.Contains(why, words) {
			t.Errorf("%s: %+v", script, r)
		}
		if marked, held := h.look()[name]; held != kept || marked != doubt {
			t.Errorf("%s: held %v, in doubt %v", script, held, marked)
		}
	}
	f(`cat > "$D/sent/$2"`, spoor.ResultDone, "", false, false)
	f(`echo "no such \033[2Juser" >&2; exit 67`, spoor.ResultFailed, "sendmail did not take it: exit status 67: no such ", false, true)
	f(`kill -9 $$`, spoor.ResultFailed, "sendmail was ended (signal: killed): it may have been sent", true, true)
	// The message is whole before sendmail starts, whatever becomes of spoor; sendmail
	// is the user, has no terminal, and not spoor's session.
	f(`test -f /dev/stdin && test "$(id -u) $(id -g) $(id -G)" = "10003 10003 10003" && test "$(cut -d' ' -f6 /proc/$$/stat)" = $$ && cat > "$D/sent/$2"`, spoor.ResultDone, "", false, false)
}

// The sender of a message chose sendmail's arguments, and may have it wait for his own
// server: the messages of others are released all the same.
func TestReleaseDoesNotWaitForEver(t *testing.T) {
	h := newHolding(t, "20261126T101500-aa", "20261126T101500-bb")
	h.sendmail(`test "$1" = -i || exit 1
case $2 in *-aa.*) cat >/dev/null; echo $$ > "$D/sent/pid"; while test -e "$D/sent/pid"; do sleep 0.01; done; exit;; esac
cat > "$D/sent/$2"`)
	t.Cleanup(func() { _ = os.Remove(h.dir + "/sent/pid") })
	h.most = 5 * time.Second
	receipts, err := h.do(nil, true, false, nothingQueued)
	must(t, err)
	if r := receipts[0]; r.Done != 1 || r.SkippedBy[spoor.ResultFailed] != 1 || !strings.Contains(r.Skipped[0].Why, "sendmail has not ended for 5s, and goes on as process ") {
		t.Errorf("%+v", r)
	}
	if held := h.look(); len(held) != 1 || !held["20261126T101500-aa"] {
		t.Errorf("held, and whether in doubt: %v", held)
	}
}

// TestDoubtIsProven shows that a message whose release was cut off is not sent again
// where the queue has it.
func TestDoubtIsProven(t *testing.T) {
	const name = "20261126T101500-bb"
	h := newHolding(t, name)
	h.sendmail(`cat > "$D/sent/$2"; kill -9 $$`)
	_, err := h.do(nil, true, false, nothingQueued)
	must(t, err)
	queued := func(context.Context) (map[string]spoor.QueueID, error) {
		return map[string]spoor.QueueID{name: "4bXyZ"}, nil
	}
	receipts, err := h.do(nil, true, true, queued)
	must(t, err)
	if r := receipts[0]; r.SkippedBy[spoor.ResultGone] != 1 || !strings.Contains(r.Skipped[0].Why, "it is in the queue as 4bXyZ") || h.sent()[name] != 1 || len(h.look()) != 0 {
		t.Errorf("%+v, sent %v, held %v", r, h.sent(), h.look())
	}
	// The queue cannot be read: nothing is sent on the strength of that.
	h = newHolding(t, name)
	h.sendmail(`kill -9 $$`)
	_, err = h.do(nil, true, false, nothingQueued)
	must(t, err)
	receipts, err = h.do(nil, true, false, func(context.Context) (map[string]spoor.QueueID, error) { return nil, io.ErrUnexpectedEOF })
	must(t, err)
	if r := receipts[0]; r.SkippedBy[spoor.ResultFailed] != 1 || !h.look()[name] {
		t.Errorf("%+v", r)
	}
}

// TestInterruptedRelease ends between two messages, and the next run does the rest.
func TestInterruptedRelease(t *testing.T) {
	names := []string{"20261126T101500-01", "20261126T101500-02", "20261126T101500-03"}
	h := newHolding(t, names...)
	ctx, cancel := context.WithCancel(t.Context())
	top, err := disk.Open(h.dir, nil)
	must(t, err)
	state, err := remedy.OpenState(top, defaultState)
	must(t, err)
	must(t, state.Lock())
	in, err := recorder.OpenIntake(state.Dir(), state.Vault, at)
	must(t, err)
	_, err = in.Take(ctx, 0)
	must(t, err)
	list, _, err := recorder.Waiting(state.Dir(), state.Vault)
	must(t, err)
	p := &spoor.Plan{Action: spoor.ActionShimRelease, Time: at(), Root: h.dir}
	for i := range list {
		p.Targets = append(p.Targets, heldTarget(&list[i]))
	}
	// Ctrl-C comes when the first message is being handed over.
	sender := &interrupted{sendmail: sendmail{program: h.dir + "/sendmail", intake: in, inQueue: nothingQueued}, stop: cancel}
	work := &remedy.Work{State: state, Now: at, Sender: sender}
	must(t, work.Propose(p))
	receipt, err := work.Apply(ctx, p)
	if !errors.Is(err, context.Canceled) || receipt.Done != 1 || h.sent()[names[0]] != 1 || len(h.look()) != 2 || h.look()[names[1]] {
		t.Fatalf("%v: %+v, sent %v, held %v", err, receipt, h.sent(), h.look())
	}
	must(t, in.Close())
	state.Close()
	must(t, top.Close())
	_, err = h.do(nil, true, false, nothingQueued)
	must(t, err)
	if sent := h.sent(); len(h.look()) != 0 || sent[names[0]] != 1 || sent[names[1]] != 1 || sent[names[2]] != 1 {
		t.Errorf("sent %v, held %v", sent, h.look())
	}
}

// interrupted is a sender whose operator interrupts it at its first message.
type interrupted struct {
	sendmail
	stop func()
}

func (i *interrupted) Ready(p *spoor.Parcel) (remedy.Handover, error) {
	i.stop()
	return i.sendmail.Ready(p)
}

// TestDoubtIsDurableBeforeSending watches the order of calls: after a power cut the vault
// must know of each message that was about to be sent.
func TestDoubtIsDurableBeforeSending(t *testing.T) {
	h := newHolding(t, "20261126T101500-01", "20261126T101500-02")
	loose, sent := false, 0
	top, err := disk.Open(h.dir, func(op disk.Op) error {
		if strings.HasSuffix(op.Path, ".spoorvault") && (op.Name == "write" && op.Bytes > 100 || op.Name == "fsync") { // a shorter write says that it was synced
			loose = op.Name == "write"
		}
		return nil
	})
	must(t, err)
	defer func() { must(t, top.Close()) }()
	state, err := remedy.OpenState(top, defaultState)
	must(t, err)
	defer state.Close()
	must(t, state.Lock())
	in, err := recorder.OpenIntake(state.Dir(), state.Vault, at)
	must(t, err)
	defer func() { must(t, in.Close()) }()
	_, err = in.Take(t.Context(), 0)
	must(t, err)
	list, _, err := recorder.Waiting(state.Dir(), state.Vault)
	must(t, err)
	p := &spoor.Plan{Action: spoor.ActionShimRelease, Time: at(), Root: h.dir}
	for i := range list {
		p.Targets = append(p.Targets, heldTarget(&list[i]))
	}
	sender := &overseen{sendmail: sendmail{program: h.dir + "/sendmail", intake: in, inQueue: nothingQueued}, sending: func() {
		sent++
		last := state.Journal.Records()[len(state.Journal.Records())-1]
		doubt := h.look()[string(p.Targets[sent-1].ID)]
		if loose || !doubt || last.Event != remedy.EventBegin || last.From != sent-1 || last.To != sent {
			t.Errorf("message %d is sent with the vault not synced (%v), in doubt %v, the journal at %+v", sent, loose, doubt, last)
		}
	}}
	work := &remedy.Work{State: state, Now: at, Sender: sender}
	must(t, work.Propose(p))
	receipt, err := work.Apply(t.Context(), p)
	if err != nil || receipt.Done != 2 || sent != 2 {
		t.Errorf("%v: %+v", err, receipt)
	}
}

// overseen is a sender that tells when it sends.
type overseen struct {
	sendmail
	sending func()
}

func (w *overseen) Ready(p *spoor.Parcel) (remedy.Handover, error) {
	ready, err := w.sendmail.Ready(p)
	return &overseenHandover{ready, w.sending}, err
}

type overseenHandover struct {
	remedy.Handover
	sending func()
}

func (w *overseenHandover) Send(ctx context.Context) error {
	w.sending()
	return w.Handover.Send(ctx)
}

// TestReleaseIsGivenUp ends a release that was cut off at a hand-over, for good.
func TestReleaseIsGivenUp(t *testing.T) {
	names := []string{"20261126T101500-01", "20261126T101500-02"}
	h := newHolding(t, names...)
	dead := false
	top, err := disk.Open(h.dir, func(disk.Op) error {
		if dead {
			return disktest.ErrCrash
		}
		return nil
	})
	must(t, err)
	state, err := remedy.OpenState(top, defaultState)
	must(t, err)
	must(t, state.Lock())
	in, err := recorder.OpenIntake(state.Dir(), state.Vault, at)
	must(t, err)
	_, err = in.Take(t.Context(), 0)
	must(t, err)
	list, _, err := recorder.Waiting(state.Dir(), state.Vault)
	must(t, err)
	p := &spoor.Plan{Action: spoor.ActionShimRelease, Time: at(), Root: h.dir}
	for i := range list {
		p.Targets = append(p.Targets, heldTarget(&list[i]))
	}
	sender := &overseen{sendmail: sendmail{program: h.dir + "/sendmail", intake: in, inQueue: nothingQueued}, sending: func() { dead = true }}
	work := &remedy.Work{State: state, Now: at, Sender: sender}
	must(t, work.Propose(p))
	if _, err := work.Apply(t.Context(), p); !errors.Is(err, disktest.ErrCrash) {
		t.Fatal(err)
	}
	must(t, in.Close())
	state.Close()
	must(t, top.Close())

	top, err = disk.Open(h.dir, nil)
	must(t, err)
	defer func() { must(t, top.Close()) }()
	state, err = remedy.OpenState(top, defaultState)
	must(t, err)
	defer state.Close()
	must(t, state.Lock())
	located, err := (&remedy.Work{State: state, Now: at}).GiveUp(t.Context(), p, remedy.GivingUp{By: "root", Reason: "a test"})
	must(t, err)
	if len(located) != 1 || located[0].Where != remedy.Unknown || !errors.Is(located[0].Err, remedy.ErrInDoubt) || len(state.Journal.Unfinished()) != 0 {
		t.Errorf("%+v, unfinished %v", located, state.Journal.Unfinished())
	}
	if held := h.look(); !held[names[0]] || held[names[1]] || len(held) != 2 {
		t.Errorf("held, and in doubt: %v", held)
	}
}

// TestHeldMailInTheVault runs the commands of the vault on held messages.
func TestHeldMailInTheVault(t *testing.T) {
	s := serversOf(t, "postfix")[0]
	h := newHolding(t, "20261126T101500-cc", "20261126T101500-dd")
	must(t, os.CopyFS(filepath.Join(s.dir, defaultState), os.DirFS(filepath.Join(h.dir, defaultState))))
	must(t, os.Chmod(filepath.Join(s.dir, defaultState), 0o700))
	text := func(want int, words ...string) string {
		t.Helper()
		status, text := s.spoor(s.dir, words...)
		if status != want {
			t.Fatalf("spoor %q ends with %d:\n%s", words, status, text)
		}
		return text
	}
	if out := text(0, "vault", "ls"); !strings.Contains(out, "20261126-held") || !strings.Contains(out, "20261126T101500-dd") {
		t.Error(out)
	}
	if out := text(0, "vault", "ls", "subject:/dd$/", "-o", "ids"); out != "20261126T101500-dd\n" {
		t.Error(out)
	}
	if out := text(0, "vault", "cat", "20261126T101500-cc"); !strings.Contains(out, "Subject: 20261126T101500-cc") {
		t.Error(out)
	}
	if out := text(0, "vault", "check"); !strings.Contains(out, "2 messages, 4 files read; 0 damaged") {
		t.Error(out)
	}
	text(0, "vault", "export", "--plan", "20261126-held", "--to", s.dir+"/out")
	mail, err := os.ReadFile(s.dir + "/out/20261126-held-20261126T101500-cc.eml")
	if err != nil || string(mail) != textOf("20261126T101500-cc") {
		t.Errorf("%v %q", err, mail)
	}
	withoutSpoor(t, filepath.Join(s.dir, defaultState, "vault/20261126-held.spoorvault"))
	if out := text(3, "vault", "restore", "id:20261126T101500-cc", "--yes", "--reason", "x"); !strings.Contains(out, "spoor shim release") {
		t.Error(out)
	}
	if out := text(0, "vault", "purge", "uid:10003", "to:20261126T101500-cc", "--yes"); !strings.Contains(out, "1 messages purged, 1 kept") {
		t.Error(out)
	}
	// Of one that may have been sent the selectors of a purge are enough, its age is not.
	vaults, err := disk.Open(filepath.Join(s.dir, defaultState, "vault"), nil)
	must(t, err)
	defer func() { must(t, vaults.Close()) }()
	v, err := vault.Open(vaults)
	must(t, err)
	w, err := v.Append("20261126-held")
	must(t, err)
	for e, err := range v.Entries("20261126-held") {
		must(t, err)
		must(t, w.Mark(e.Ref, recorder.DoubtMark(string(e.ID), "20261126T101600-shim-release", at())))
	}
	must(t, errors.Join(w.Sync(), w.Close()))
	text(3, "vault", "purge", "--older", "0h1ns", "--yes")
	text(0, "vault", "purge", "id:20261126T101500-dd", "--yes")
	names, err := v.Plans()
	if err != nil || slices.Contains(names, "20261126-held") {
		t.Errorf("%v %q", err, names)
	}
}

// withoutSpoor runs the program of docs/vault.md on a container of held messages.
func withoutSpoor(t *testing.T, container string) {
	t.Helper()
	for _, need := range []string{"python3", "zstd"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Log(err)
			return
		}
	}
	page, err := os.ReadFile("../../docs/vault.md")
	must(t, err)
	_, program, _ := strings.Cut(string(page), "    #!/usr/bin/env python3\n")
	program, _, _ = strings.Cut(program, "\nThe file `metadata`")
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/unvault.py", []byte(strings.ReplaceAll("\n"+program, "\n    ", "\n")), 0o600))
	out, err := exec.CommandContext(t.Context(), "python3", dir+"/unvault.py", container, dir+"/out").CombinedOutput()
	if err != nil || strings.Count(string(out), "whole") != 6 || strings.Contains(string(out), "DAMAGED") {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]string{
		"message": textOf("20261126T101500-cc"), "call": `"argv":["sendmail","-i","20261126T101500-cc"]`, "metadata": "mta shim",
	} {
		got, err := os.ReadFile(filepath.Join(dir, "out/00000001", name))
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %v %q", name, err, got)
		}
	}
}
