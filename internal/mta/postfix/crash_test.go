package postfix

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/disk/disktest"
	"spoor/internal/mta"
)

// faults calls run for every fault at every call of an action, until the action
// makes no more calls: with a new tree, and the fault in store.
func faults(t *testing.T, run func(w *tree, script *disktest.Script)) {
	t.Helper()
	for _, fault := range disktest.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			const most = 5000
			for n := 1; n < most; n++ {
				script := &disktest.Script{Fault: fault, N: n}
				w := newSmallTree(t)
				run(w, script)
				w.close()
				if t.Failed() {
					t.Fatalf("with %s", script)
				}
				if script.Calls() < n {
					return
				}
			}
			t.Fatalf("%d calls, and no end", most)
		})
	}
}

// during runs an action with a fault in store. What it leaves open after a crash is
// closed, as the kernel does.
func during(w *tree, script *disktest.Script, action func(c mta.Controller)) {
	w.Helper()
	c, err := w.open(script.Seam)
	if err != nil {
		return
	}
	action(c)
	_ = c.Close()
}

// after runs an action without a fault.
func after(w *tree, action func(c mta.Controller)) {
	w.Helper()
	c := w.mustOpen()
	action(c)
	w.ok(c.Close())
}

// nothingLost holds what is on the disk and in the vault against the state before:
// each message is somewhere, whole, and not twice.
func (w *tree) nothingLost(before map[string]entry, vault stored) {
	w.Helper()
	now := w.files(spoolDir)
	for what, id := range w.ids {
		want := before[messagesOf(before, what)[0]]
		names := messagesOf(now, what)
		switch p := vault[spoor.QueueID(id)]; {
		case len(names) > 1:
			w.Errorf("%s is there twice: %v", what, names)
		case len(names) == 1:
			want.inode = now[names[0]].inode
			if now[names[0]] != want {
				w.Errorf("%s is %+v, was %+v", names[0], now[names[0]], want)
			}
		case p == nil:
			w.Errorf("%s is lost", what)
		case textOf(w, p, roleMessage) != want.Text:
			w.Errorf("%s is spoiled in the vault", what)
		}
	}
}

func textOf(w *tree, p *spoor.Parcel, role string) string {
	w.Helper()
	file, ok := p.File(role)
	if !ok {
		w.Fatalf("%s has no %s", p.ID, role)
	}
	content, err := file.Open()
	w.ok(err)
	text := make([]byte, file.SizeBytes)
	_, err = content.Read(text)
	w.ok(err)
	return string(text)
}

// onlyOthers checks that of what was removed nothing is left, and that all others
// are as they were.
func (w *tree) onlyOthers(before map[string]entry) {
	w.Helper()
	want := maps.Clone(before)
	for name, e := range before {
		if e.Text != "" && !strings.Contains(name, w.ids["bystander"]) && !strings.HasPrefix(name, "pid") {
			delete(want, name)
		}
	}
	w.same("after the removal", w.files(spoolDir), want)
}

func TestARemovalSurvivesEveryFault(t *testing.T) {
	faults(t, func(w *tree, script *disktest.Script) {
		before, batch, vault := w.files(spoolDir), w.targets(), stored{}
		during(w, script, func(c mta.Controller) { vault.remove(w, c, batch) })
		w.nothingLost(before, vault)
		after(w, func(c mta.Controller) {
			if !vault.remove(w, c, batch) {
				w.Error("the second run did not remove everything")
			}
		})
		for i := range batch {
			p := vault[batch[i].ID]
			if p == nil {
				w.Fatalf("%s is not in the vault", batch[i].ID)
			}
			logs := 0
			for name := range before {
				if strings.HasSuffix(name, "/"+string(p.ID)) {
					logs++
				}
			}
			if len(p.Files) != logs {
				w.Errorf("%s has %d files in the vault, had %d", p.ID, len(p.Files), logs)
			}
		}
		w.nothingLost(before, vault)
		w.onlyOthers(before)
	})
}

func TestTakeAndPutBackSurviveEveryFault(t *testing.T) {
	faults(t, func(w *tree, script *disktest.Script) {
		before, batch := w.files(spoolDir), w.targets()
		during(w, script, func(c mta.Controller) {
			if _, err := c.Take(w.Context(), batch); err == nil {
				_ = c.Settle()
				_, _ = c.PutBack(w.Context(), batch)
			}
		})
		w.nothingLost(before, nil)
		after(w, func(c mta.Controller) {
			outcomes, err := c.PutBack(w.Context(), batch)
			w.wantDone("PutBack", outcomes, err)
		})
		w.same("after PutBack", w.files(spoolDir), before)
	})
}

func TestARestoreSurvivesEveryFault(t *testing.T) {
	faults(t, func(w *tree, script *disktest.Script) {
		before, batch, vault := w.files(spoolDir), w.targets(), stored{}
		after(w, func(c mta.Controller) { vault.remove(w, c, batch) })
		var ready []spoor.Prepared // is in the vault once all are prepared
		during(w, script, func(c mta.Controller) { ready, _ = vault.restore(w, c, batch) })
		w.notTwice(before)
		after(w, func(c mta.Controller) {
			var ok bool
			if ready == nil {
				ready, ok = vault.restore(w, c, batch)
			} else {
				ok = vault.publish(w, c, ready)
			}
			if !ok {
				w.Error("the second run did not restore everything")
			}
		})
		w.checkRestored(before, batch, ready)
	})
}

// notTwice checks that no message is in the queue more than once, and that none is
// there in part: what is not published is not in the queue.
func (w *tree) notTwice(before map[string]entry) {
	w.Helper()
	now := w.files(spoolDir)
	for what := range w.ids {
		names := slices.DeleteFunc(messagesOf(now, what), func(name string) bool { return strings.HasPrefix(name, holdingPlace+"/") })
		if len(names) > 1 {
			w.Errorf("%s is there twice: %v", what, names)
		}
		if len(names) == 1 && now[names[0]].Text != before[messagesOf(before, what)[0]].Text {
			w.Errorf("%s is spoiled", names[0])
		}
	}
}

func TestHoldAndReleaseSurviveEveryFault(t *testing.T) {
	faults(t, func(w *tree, script *disktest.Script) {
		before, batch := w.files(spoolDir), w.targets()
		during(w, script, func(c mta.Controller) {
			_, _ = c.Hold(w.Context(), batch)
			_, _ = c.Release(w.Context(), batch)
		})
		w.nothingLost(before, nil)
		after(w, func(c mta.Controller) {
			_, err := c.Hold(w.Context(), batch)
			w.ok(err)
			outcomes, err := c.Release(w.Context(), batch)
			w.wantDone("Release", outcomes, err)
		})
		w.nothingLost(before, nil)
		for name := range w.files(spoolDir) {
			if strings.HasPrefix(name, holdingPlace) || strings.HasPrefix(name, "hold/") {
				w.Errorf("%s is left", name)
			}
		}
	})
}

// TestARefusalIsNoCrash checks that a fault at one call stops one message at most,
// but for those that stop all.
func TestARefusalIsNoCrash(t *testing.T) {
	fault := disktest.Faults()[3]
	for n := 1; ; n++ {
		script := &disktest.Script{Fault: fault, N: n}
		w := newSmallTree(t)
		batch, failed := w.targets(), 0
		during(w, script, func(c mta.Controller) {
			outcomes, err := c.Take(w.Context(), batch)
			for _, one := range outcomes {
				if one.Result != spoor.ResultDone {
					failed++
				}
			}
			if failed > 1 && err == nil {
				t.Error(fmt.Sprint(outcomes))
			}
		})
		w.close()
		if t.Failed() {
			t.Fatalf("with %s, %d messages were not taken", script, failed)
		}
		if script.Calls() < n {
			return
		}
	}
}
