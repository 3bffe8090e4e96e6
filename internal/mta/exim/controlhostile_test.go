package exim

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/mta"
)

// outcomesOf is what Take says of each message of crashTree.
func (s server) outcomesOf(k *Controller, batch []spoor.Target) map[spoor.QueueID]spoor.Outcome {
	s.t.Helper()
	outcomes, err := k.Take(s.t.Context(), batch)
	must(s.t, err)
	list := map[spoor.QueueID]spoor.Outcome{}
	for i := range outcomes {
		list[batch[i].ID] = outcomes[i]
	}
	return list
}

// hold takes the lock that Exim takes, as Exim does, which is a POSIX lock.
func hold(t *testing.T, name string, length int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	must(t, syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK, Len: length}))
}

// TestAMessageThatIsBeingDeliveredIsLeft holds the lock before each action anew: a
// process loses such a lock when it closes any descriptor of the file.
func TestAMessageThatIsBeingDeliveredIsLeft(t *testing.T) {
	s := crashTree(t)
	before, batch := s.files(spoolDir), s.crashBatch()
	k := s.control("plan-1", nil)
	wants := func(id spoor.QueueID, got spoor.Outcome, want spoor.Result) {
		t.Helper()
		if got.Result != want || (want == spoor.ResultBusy) != errors.Is(got.Err, mta.ErrBusy) {
			t.Errorf("%s is %v, %v; want %v", id, got.Result, got.Err, want)
		}
	}
	locked := filepath.Join(s.dir, spoolDir, "input/q", crashSplit+"-D")
	hold(t, locked, int64(len(crashSplit)+3))
	held, err := k.Hold(t.Context(), batch[:1])
	must(t, err)
	wants(crashSplit, held[0], spoor.ResultBusy)
	hold(t, locked, int64(len(crashSplit)+3))
	got := s.outcomesOf(k, batch)
	wants(crashSplit, got[crashSplit], spoor.ResultBusy)
	wants(crashFlat, got[crashFlat], spoor.ResultDone)
	wants(crashBare, got[crashBare], spoor.ResultDone)
	hold(t, filepath.Join(k.shelves["flat"].Name(), crashFlat+"-D"), 1)
	back, err := k.PutBack(t.Context(), batch)
	must(t, err)
	for i, out := range back {
		wants(batch[i].ID, out, map[spoor.QueueID]spoor.Result{crashFlat: spoor.ResultBusy}[batch[i].ID])
	}
	must(t, all(k.PutBack(t.Context(), batch)))
	must(t, k.Close())
	if list := differences(s.files(spoolDir), before); len(list) > 0 {
		t.Error(strings.Join(list, "\n"))
	}
}

func TestOnlyTheMessageThatIsMeantIsTouched(t *testing.T) {
	s := crashTree(t)
	before := s.files(spoolDir)
	k := s.control("plan-1", nil)
	f := func(want spoor.Result, change func(target *spoor.Target)) {
		t.Helper()
		target := s.crashBatch()[0]
		change(&target)
		for name, do := range map[string]func(*spoor.Target) (spoor.Outcome, error){
			"Take": func(x *spoor.Target) (spoor.Outcome, error) { return first(k.Take(t.Context(), []spoor.Target{*x})) },
			"Hold": func(x *spoor.Target) (spoor.Outcome, error) { return first(k.Hold(t.Context(), []spoor.Target{*x})) },
		} {
			out, err := do(&target)
			if must(t, err); out.Result != want && (name != "Hold" || want != spoor.ResultFailed) || out.Result == spoor.ResultDone {
				t.Errorf("%s of %+v is %v, %v; want %v", name, target, out.Result, out.Err, want)
			}
		}
	}
	f(spoor.ResultChanged, func(x *spoor.Target) { x.Arrived = x.Arrived.Add(time.Microsecond) })
	f(spoor.ResultGone, func(x *spoor.Target) { x.ID = "1xVRQq-0007Zz-2b" })
	f(spoor.ResultFailed, func(x *spoor.Target) { x.ID = "../../etc/passwd" })
	f(spoor.ResultFailed, func(x *spoor.Target) { x.ID = "1xVR/q-0007Zw-2b" })
	f(spoor.ResultFailed, func(x *spoor.Target) { x.ID = "" })
	must(t, k.Close())
	if list := differences(s.files(spoolDir), before); len(list) > 0 {
		t.Error(strings.Join(list, "\n"))
	}
}

func first(outcomes []spoor.Outcome, err error) (spoor.Outcome, error) { return outcomes[0], err }

// TestAFolderThatIsToldWrongDoesNotMatter asks for a message in the other folder,
// or one far away.
func TestAFolderThatIsToldWrongDoesNotMatter(t *testing.T) {
	s := crashTree(t)
	before := s.files(spoolDir)
	batch := s.crashBatch()
	for i, folder := range []string{"/var/spool/exim4/input", "/etc/q", "../../../r"} {
		batch[i].Folder = folder
	}
	k := s.control("plan-1", nil)
	must(t, all(k.Take(t.Context(), batch)))
	must(t, all(k.PutBack(t.Context(), batch)))
	must(t, k.Close())
	if list := differences(s.files(spoolDir), before); len(list) > 0 {
		t.Error(strings.Join(list, "\n"))
	}
}

// TestPlantedLinksLeadNowhere lets Exim's user, who owns the spool, have put links
// and foreign folders into it.
func TestPlantedLinksLeadNowhere(t *testing.T) {
	outside := func(s server) string {
		must(t, os.MkdirAll(filepath.Join(s.dir, "outside/plan-1/split"), 0o700))
		s.write("outside/secret", crashSplit+"-D\nsecret\n")
		return filepath.Join(s.dir, "outside")
	}
	replace := func(s server, name, target string) {
		full := filepath.Join(s.dir, spoolDir, name)
		must(t, os.RemoveAll(full))
		must(t, os.Symlink(target, full))
	}
	for name, plant := range map[string]func(s server, outside string){
		"the holding place is a link": func(s server, o string) { replace(s, holding, o) },
		"the holding place is open":   func(s server, _ string) { must(t, os.Mkdir(filepath.Join(s.dir, spoolDir, holding), 0o755)) },
		"the folder of the plan is a link": func(s server, o string) {
			must(t, os.Mkdir(filepath.Join(s.dir, spoolDir, holding), 0o700))
			replace(s, holding+"/plan-1", o)
		},
		"the -D file is a link":             func(s server, o string) { replace(s, "input/q/"+crashSplit+"-D", o+"/secret") },
		"the -H file is a link":             func(s server, o string) { replace(s, "input/q/"+crashSplit+"-H", o+"/secret") },
		"the folder of the spool is a link": func(s server, o string) { replace(s, "input/q", o) },
		"the log's folder is a link":        func(s server, o string) { replace(s, "msglog/q", o) },
		"the -D file is a pipe": func(s server, _ string) {
			name := filepath.Join(s.dir, spoolDir, "input/q", crashSplit+"-D")
			must(t, os.Remove(name))
			must(t, syscall.Mkfifo(name, 0o600))
		},
	} {
		s := crashTree(t)
		var target spoor.Target
		for _, one := range s.crashBatch() {
			if one.ID == crashSplit {
				target = one
			}
		}
		plant(s, outside(s))
		secret, before := s.files("outside"), s.files(spoolDir)
		k := s.control("plan-1", nil)
		out, err := first(k.Take(t.Context(), []spoor.Target{target}))
		must(t, err)
		if out.Result != spoor.ResultFailed || out.Err == nil {
			t.Errorf("%s: take gives %v, %v", name, out.Result, out.Err)
		}
		must(t, k.Close())
		if list := append(differences(s.files("outside"), secret), differences(s.files(spoolDir), before)...); len(list) > 0 {
			t.Errorf("%s: %s", name, strings.Join(list, "\n"))
		}
	}
}

// TestALinkBesideAMessageIsTakenAsALink has -J and the log as links: they are moved
// as what they are, and not read.
func TestALinkBesideAMessageIsTakenAsALink(t *testing.T) {
	s := crashTree(t)
	name := filepath.Join(s.dir, spoolDir, "input/q", crashSplit+"-J")
	must(t, os.Remove(name))
	must(t, os.Symlink("/etc/passwd", name))
	k := s.control("plan-1", nil)
	batch := s.crashBatch()
	must(t, all(k.Take(t.Context(), batch)))
	for i := range batch {
		if p, err := k.Pack(&batch[i]); (err != nil) != (batch[i].ID == crashSplit) {
			t.Errorf("%s is packed as %v, %v", batch[i].ID, p, err)
		}
	}
	must(t, all(k.PutBack(t.Context(), batch)))
	must(t, k.Close())
	if target, err := os.Readlink(name); target != "/etc/passwd" {
		t.Errorf("the link is %q now, %v", target, err)
	}
}

func TestWordsThatNamesAreMadeOfAreChecked(t *testing.T) {
	s := crashTree(t)
	for _, plan := range []string{"", "..", "../x", "a/b", "-x", "a b", "a\x00"} {
		if _, err := s.tryControl(plan, nil); err == nil {
			t.Errorf("plan %q is taken", plan)
		}
	}
	v, k := vault{}, s.control("plan-1", nil)
	must(t, remove(k, &receipt{batch: s.crashBatch(), vault: v}))
	for _, tag := range []string{"", "..", "../x", "a/b", "a.b", "a\x00"} {
		if _, err := k.Prepare(t.Context(), tag, v[crashSplit]); err == nil {
			t.Errorf("tag %q is taken", tag)
		}
		outcomes, err := k.Publish(t.Context(), []spoor.Prepared{{Tag: tag, NewID: crashSplit}, {Tag: "a", NewID: "../../x"}})
		if must(t, err); outcomes[0].Result != spoor.ResultFailed || outcomes[1].Result != spoor.ResultFailed {
			t.Errorf("with tag %q publish gives %v", tag, outcomes)
		}
	}
	must(t, k.Close())
}

// TestAMessageIsNotRestoredTwice prepares what the spool has, and publishes what it
// has got meanwhile.
func TestAMessageIsNotRestoredTwice(t *testing.T) {
	s := crashTree(t)
	before := s.files(spoolDir)
	v, k := vault{}, s.control("plan-1", nil)
	must(t, remove(k, &receipt{batch: s.crashBatch(), vault: v}))
	one, err := k.Prepare(t.Context(), "one", v[crashSplit])
	must(t, err)
	two, err := k.Prepare(t.Context(), "two", v[crashSplit])
	must(t, err)
	if one.Undone != 1 || one.NewID != crashSplit || one.Folder != "/"+spoolDir+"/input/q" {
		t.Errorf("prepared is %+v", one)
	}
	must(t, all(k.Publish(t.Context(), []spoor.Prepared{one, one})))
	outcomes, err := k.Publish(t.Context(), []spoor.Prepared{two})
	if must(t, err); outcomes[0].Result != spoor.ResultChanged {
		t.Errorf("a second copy is published: %v", outcomes)
	}
	must(t, k.Withdraw(t.Context(), []spoor.Prepared{two, two}))
	if _, err := k.Prepare(t.Context(), "three", v[crashSplit]); !errors.Is(err, mta.ErrChanged) {
		t.Errorf("prepare of what is in the spool gives %v", err)
	}
	delete(v, crashSplit)
	must(t, v.restore(k))
	must(t, k.Close())
	if list := differences(s.files(spoolDir), before); len(list) > 0 {
		t.Error(strings.Join(list, "\n"))
	}
}

// TestWhatEndsAHoldIsTold reads the options in the configuration.
func TestWhatEndsAHoldIsTold(t *testing.T) {
	f := func(conf string, want ...string) {
		t.Helper()
		s := crashTree(t)
		s.write("etc/exim4/exim4.conf", "spool_directory = /"+spoolDir+"\n"+conf)
		k := s.control("plan-1", nil)
		text := strings.Join(k.Explain(spoor.ActionHold), "\n")
		for _, option := range []string{"auto_thaw", "timeout_frozen_after"} {
			if strings.Contains(text, option+" =") != slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(w, option) }) {
				t.Errorf("of %q it says %q", conf, text)
			}
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("of %q it says %q", conf, text)
			}
		}
		must(t, k.Close())
	}
	f("")
	f("auto_thaw = 0s\ntimeout_frozen_after = 0\n")
	f("auto_thaw = 1d\n", "auto_thaw = 1d")
	f("DAYS = 7d\ntimeout_frozen_after = DAYS\nauto_thaw=30m\n", "timeout_frozen_after = 7d", "auto_thaw = 30m")
}

// TestACopyIsNotAskedToSend has no Exim that could be run.
func TestACopyIsNotAskedToSend(t *testing.T) {
	s := crashTree(t)
	before := s.files(spoolDir)
	k := s.control("plan-1", nil)
	if _, err := k.Retry(t.Context(), s.crashBatch()); !errors.Is(err, mta.ErrUnsupported) {
		t.Errorf("retry of a copy gives %v", err)
	}
	k.control.Live = true
	for name, do := range map[string]func(context.Context, []spoor.Target) ([]spoor.Outcome, error){"hold": k.Hold, "release": k.Release, "retry": k.Retry} {
		outcomes, err := do(t.Context(), s.crashBatch())
		if !errors.Is(err, errNoProgram) || len(outcomes) != 3 || outcomes[2].Result != spoor.ResultFailed {
			t.Errorf("%s without a program gives %v, %v", name, outcomes, err)
		}
	}
	must(t, k.Close())
	if list := differences(s.files(spoolDir), before); len(list) > 0 {
		t.Error(strings.Join(list, "\n"))
	}
}

// TestOnlyTheLineAboutFreezingChanges freezes a message whose variables hold what
// looks like such a line.
func TestOnlyTheLineAboutFreezingChanges(t *testing.T) {
	s := crashTree(t)
	trap := "-aclm 0 24\nx\n-frozen 1\nXX\n0\n-frozen\n"
	before := spoolFile(crashFlat, trap+overNetwork, noTree, []string{"c@d.test"}, headerLine('F', "From: a@b.test"))
	name := spoolDir + "/input/" + crashFlat + "-H"
	s.write(name, before)
	k := s.control("plan-1", nil)
	k.now = func() time.Time { return time.Unix(1_795_000_009, 0) }
	batch := slices.DeleteFunc(s.crashBatch(), func(x spoor.Target) bool { return x.ID != crashFlat })
	must(t, all(k.Hold(t.Context(), batch)))
	want := strings.Replace(before, "esmtp\nXX", "esmtp\n-frozen 1795000009\nXX", 1)
	if got := s.files(spoolDir)["input/"+crashFlat+"-H"].content; got != want {
		t.Errorf("held: %q, want %q", got, want)
	}
	if got := s.targets(); !slices.ContainsFunc(got, func(x spoor.Target) bool { return x.ID == crashFlat && x.Held }) {
		t.Errorf("a scan does not see it held: %+v", got)
	}
	must(t, all(k.Release(t.Context(), batch)))
	if got := s.files(spoolDir)["input/"+crashFlat+"-H"].content; got != before {
		t.Errorf("released: %q, want %q", got, before)
	}
	must(t, k.Close())
}
