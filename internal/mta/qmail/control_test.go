package qmail

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/mta"
)

func TestTakeAndPutBackIsTheIdentity(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	was := state(t, filepath.Join(s.dir, queueName))
	batch := s.targets(targetIDs...)
	s.with(func(c *controller) {
		out, err := c.Take(t.Context(), batch)
		allDone(t, "take", out, err)
		holds(t, was, packAll(t, c, batch))
	})
	for _, id := range targetIDs {
		for _, shelf := range []string{"info", "todo"} {
			if found, _ := filepath.Glob(filepath.Join(s.dir, queueName, shelf, "*", id)); len(found) > 0 {
				t.Errorf("%s is visible for qmail-send: %s", id, found)
			}
		}
	}
	s.with(func(c *controller) {
		out, err := c.Take(t.Context(), batch)
		allDone(t, "take again", out, err)
		out, err = c.PutBack(t.Context(), batch)
		allDone(t, "put back", out, err)
		out, err = c.PutBack(t.Context(), batch)
		allDone(t, "put back again", out, err)
		must(t, c.Settle())
	})
	if diff := differences(was, state(t, filepath.Join(s.dir, queueName))); diff != "" {
		t.Errorf("the queue has changed:\n%s", diff)
	}
}

// renamed reads a queue with messages under the IDs that they had.
func renamed(all map[string]fileState, old map[string]string) map[string]fileState {
	named := map[string]fileState{}
	for name, s := range all {
		folder, id := filepath.Split(name)
		if was, ok := old[id]; ok && id != was {
			n, _ := strconv.Atoi(was)
			if folder = strings.SplitAfter(folder, "/")[0]; all[folder+"0"].Mode.IsDir() {
				folder += strconv.Itoa(n%smallSplit) + "/"
			}
			name = folder + was
		}
		named[name] = s
	}
	return named
}

// expected is the queue after messages have gone through the vault: what was
// misfiled is where it belongs, and what a crash had left beside todo is gone.
func expected(was map[string]fileState) map[string]fileState {
	want := maps.Clone(was)
	n, _ := strconv.Atoi(idMisfiled)
	want["mess/"+strconv.Itoa(n%smallSplit)+"/"+idMisfiled] = want["mess/1/"+idMisfiled]
	delete(want, "mess/1/"+idMisfiled)
	n, _ = strconv.Atoi(idStray)
	delete(want, "info/"+strconv.Itoa(n%smallSplit)+"/"+idStray)
	delete(want, "local/"+strconv.Itoa(n%smallSplit)+"/"+idStray)
	return want
}

func prepareAll(t *testing.T, c *controller, parcels []*spoor.Parcel) []spoor.Prepared {
	t.Helper()
	var list []spoor.Prepared
	for i, p := range parcels {
		one, err := c.Prepare(t.Context(), "m"+strconv.Itoa(i), p)
		must(t, err)
		list = append(list, one)
	}
	must(t, c.Settle())
	return list
}

func oldNames(list []spoor.Prepared) map[string]string {
	old := map[string]string{}
	for _, p := range list {
		old[string(p.NewID)] = string(p.OldID)
	}
	return old
}

func TestThroughTheVaultIsTheIdentity(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	was := state(t, filepath.Join(s.dir, queueName))
	batch := s.targets(targetIDs...)
	var parcels []*spoor.Parcel
	s.with(func(c *controller) {
		out, err := c.Take(t.Context(), batch)
		allDone(t, "take", out, err)
		parcels = packAll(t, c, batch)
		out, err = c.Discard(t.Context(), batch)
		allDone(t, "discard", out, err)
		out, err = c.Discard(t.Context(), batch)
		allDone(t, "discard again", out, err)
	})
	nothingLeft(t, s, targetIDs)
	var list []spoor.Prepared
	s.with(func(c *controller) {
		list = prepareAll(t, c, parcels)
		out, err := c.Publish(t.Context(), list)
		allDone(t, "publish", out, err)
		out, err = c.Publish(t.Context(), list)
		allDone(t, "publish again", out, err)
	})
	is := renamed(state(t, filepath.Join(s.dir, queueName)), oldNames(list))
	if diff := differences(expected(was), is); diff != "" {
		t.Errorf("the queue has changed:\n%s", diff)
	}
	for _, p := range list {
		st, err := os.Stat(filepath.Join(s.dir, p.Folder, string(p.NewID)))
		must(t, err)
		if sys, ok := st.Sys().(*syscall.Stat_t); !ok || strconv.FormatUint(sys.Ino, 10) != string(p.NewID) {
			t.Errorf("message %s is not named after its inode", p.NewID)
		}
	}
}

// nothingLeft checks that no file of a message is anywhere in the queue, the
// holding place included.
func nothingLeft(t *testing.T, s *stand, ids []string) {
	t.Helper()
	for name := range state(t, filepath.Join(s.dir, queueName)) {
		id, _, _ := strings.Cut(filepath.Base(name), ".")
		if slices.Contains(ids, id) || strings.HasPrefix(name, heldTop) {
			t.Errorf("%s is left", name)
		}
	}
}

func TestAnotherMessageOfTheIDIsNotTouched(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	batch := s.targets(idLocal, idBoth, idBouncing)
	batch[0].Arrived = batch[0].Arrived.Add(1)
	batch[1].Inode++
	batch[2].SizeBytes++
	was := state(t, filepath.Join(s.dir, queueName))
	gone := s.targets(idOther)[0]
	gone.ID = "12345"
	s.with(func(c *controller) {
		out, err := c.Take(t.Context(), append(batch, gone, spoor.Target{ID: "../../etc"}))
		must(t, err)
		want := []spoor.Result{spoor.ResultChanged, spoor.ResultChanged, spoor.ResultChanged, spoor.ResultGone, spoor.ResultFailed}
		for i, one := range out {
			if one.Result != want[i] {
				t.Errorf("outcome %d is %v, want %v", i, one.Result, want[i])
			}
		}
	})
	if diff := differences(was, state(t, filepath.Join(s.dir, queueName))); diff != "" {
		t.Errorf("the queue has changed:\n%s", diff)
	}
}

func TestAMessageThatIsBeingWrittenIsBusy(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	was := state(t, filepath.Join(s.dir, queueName))
	batch := s.targets(idOrphan)
	s.with(func(c *controller) {
		c.now = func() time.Time { return batch[0].Arrived.Add(23 * time.Hour) }
		out, err := c.Take(t.Context(), batch)
		must(t, err)
		if out[0].Result != spoor.ResultBusy {
			t.Errorf("the outcome is %v, want busy", out[0])
		}
	})
	if diff := differences(was, state(t, filepath.Join(s.dir, queueName))); diff != "" {
		t.Errorf("the queue has changed:\n%s", diff)
	}
}

// A caller of qmail-queue may keep it waiting for the recipients for a day.
func TestAMessageThatIsQueuedBehindTheListOfCompanionsStays(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	batch := s.targets(idOrphan)
	var was map[string]fileState
	s.with(func(c *controller) {
		must(t, c.listCompanions())
		must(t, os.WriteFile(filepath.Join(s.dir, queueName, "todo", idOrphan), []byte("u0\x00p1\x00Fa@b.test\x00Tc@d.test\x00"), 0o644))
		was = state(t, filepath.Join(s.dir, queueName))
		out, err := c.Take(t.Context(), batch)
		must(t, err)
		if out[0].Result != spoor.ResultBusy {
			t.Errorf("the outcome is %v, want busy", out[0])
		}
	})
	if diff := differences(was, state(t, filepath.Join(s.dir, queueName))); diff != "" {
		t.Errorf("the queue has changed:\n%s", diff)
	}
}

func TestTheHoldingPlaceIsOurs(t *testing.T) {
	base := smallQueue(t)
	for name, plant := range map[string]func(dir string) error{
		"a link": func(dir string) error { return os.Symlink(t.TempDir(), dir) },
		"a link below": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Symlink(t.TempDir(), dir+"/plan-1"))
		},
		"another's folder": func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 10993, 10990)) },
		"an open folder":   func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o755)) },
		"a file":           func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
	} {
		s := &stand{t: t, dir: copyTree(t, base)}
		q := filepath.Join(s.dir, queueName)
		must(t, plant(filepath.Join(q, heldTop)))
		was := state(t, q)
		batch := s.targets(idLocal)
		_ = s.try("plan-1", func(c *controller) {
			out, _ := c.Take(t.Context(), batch)
			if out[0].Result != spoor.ResultFailed {
				t.Errorf("%s: the outcome is %v", name, out[0])
			}
		})
		if diff := differences(was, state(t, q)); diff != "" {
			t.Errorf("%s: the queue has changed:\n%s", name, diff)
		}
	}
	s := &stand{t: t, dir: base}
	if err := s.try("../x", func(*controller) {}); !errors.Is(err, errPlan) {
		t.Errorf("a plan with a slash gives %v", err)
	}
}

func TestTheMutexOfQmailSendDecides(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	mutex, err := os.OpenFile(filepath.Join(s.dir, queueName, "lock/sendmutex"), os.O_WRONLY, 0)
	must(t, err)
	defer func() { must(t, mutex.Close()) }()
	must(t, syscall.Flock(int(mutex.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	if err := s.try("plan-1", func(*controller) {}); !errors.Is(err, mta.ErrRunning) {
		t.Errorf("with the mutex locked: %v, want ErrRunning", err)
	}
	s.live = true
	if err := s.try("plan-1", func(*controller) {}); !errors.Is(err, mta.ErrRunning) {
		t.Errorf("with the mutex locked and nobody at the trigger: %v, want ErrRunning", err)
	}
	must(t, syscall.Flock(int(mutex.Fd()), syscall.LOCK_UN))
	s.with(func(*controller) {
		if err := syscall.Flock(int(mutex.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
			t.Errorf("the mutex is free while we work: %v", err)
		}
	})
}

func TestACancelledContextStopsTheBatch(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	batch := s.targets(targetIDs...)
	was := state(t, filepath.Join(s.dir, queueName))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.with(func(c *controller) {
		out, err := c.Take(ctx, batch)
		if !errors.Is(err, context.Canceled) || len(out) != len(batch) || out[0].Result != spoor.ResultFailed {
			t.Errorf("a cancelled take gives %v, %v", out, err)
		}
	})
	if diff := differences(was, state(t, filepath.Join(s.dir, queueName))); diff != "" {
		t.Errorf("the queue has changed:\n%s", diff)
	}
}
