package qmail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/disk/disktest"
)

// crashCase is an action that is broken off at every call, for every fault.
type crashCase struct {
	t      *testing.T
	base   string                // the queue that each run begins with
	before func(s *stand)        // what was done before, without a fault
	act    func(c *controller)   // with the fault; errors do not matter
	live   bool                  // qmail-send runs meanwhile
	after  func(s *stand) string // what a repetition does, and what is wrong then
}

// crashStep is between the calls at which actions are broken off: every call takes
// minutes, and SPOOR_CRASH_ALL=1 takes them.
func crashStep() int {
	if os.Getenv("SPOOR_CRASH_ALL") != "" {
		return 1
	}
	return 3
}

// run breaks the action off at call after call until it comes through.
func (k *crashCase) run() {
	k.t.Helper()
	for _, fault := range disktest.Faults() {
		n := 1
		for ; ; n += crashStep() {
			s := &stand{t: k.t, dir: copyTree(k.t, k.base)}
			if k.before != nil {
				k.before(s)
			}
			s.script = &disktest.Script{Fault: fault, N: n}
			stop := func() {}
			if k.live {
				stop = s.running()
			}
			_ = s.try("plan-1", k.act)
			stop()
			fired, what := s.script.Calls() >= n, s.script.String()
			s.script = nil
			if wrong := k.after(s); wrong != "" {
				k.t.Fatalf("after %s:\n%s", what, wrong)
			}
			_ = os.RemoveAll(s.dir)
			if !fired {
				break
			}
		}
		if n < 10 {
			k.t.Fatalf("%s: only %d calls", fault.Name, n)
		}
	}
}

// crashIDs are fewer than all: each kind once.
var crashIDs = []string{idBouncing, idBoth, idStray, idMisfiled, idOrphan}

func newCrash(t *testing.T) (*crashCase, map[string]fileState) {
	t.Helper()
	k := &crashCase{t: t, base: smallQueue(t)}
	return k, state(t, filepath.Join(k.base, queueName))
}

// rebound gives targets the inodes that they have in a copy.
func rebound(s *stand) []spoor.Target { return s.targets(crashIDs...) }

// reachable tells what is wrong with a queue in which Take was broken off: each
// message must be whole, in the queue or in the holding place.
func reachable(t *testing.T, s *stand, was map[string]fileState) string {
	t.Helper()
	var wrong strings.Builder
	is := state(t, filepath.Join(s.dir, queueName))
	for name, want := range was {
		if want.Mode.IsDir() || want.Content == "" {
			continue
		}
		role, id := strings.SplitN(name, "/", 2)[0], filepath.Base(name)
		found := 0
		for place, got := range is {
			inQueue := place == name
			held := strings.HasPrefix(place, heldTop) && strings.HasPrefix(filepath.Base(place), id+".")
			if (inQueue || held) && got.Content == want.Content && got.Modified == want.Modified && got.Mode == want.Mode && got.UID == want.UID && got.GID == want.GID {
				found++
			}
		}
		if found == 0 {
			wrong.WriteString(role + "/" + id + " is nowhere\n")
		}
	}
	return wrong.String()
}

func TestTakeSurvivesEveryFault(t *testing.T) {
	k, was := newCrash(t)
	var batch []spoor.Target
	k.before = func(s *stand) { batch = rebound(s) }
	k.act = func(c *controller) {
		_, _ = c.Take(t.Context(), batch)
		_ = c.Settle()
	}
	k.after = func(s *stand) string {
		if wrong := reachable(t, s, was); wrong != "" {
			return wrong
		}
		s.with(func(c *controller) {
			out, err := c.Take(t.Context(), batch)
			allDone(t, "take", out, err)
			holds(t, was, packAll(t, c, batch))
		})
		s.with(func(c *controller) {
			out, err := c.PutBack(t.Context(), batch)
			allDone(t, "put back", out, err)
		})
		return differences(was, state(t, filepath.Join(s.dir, queueName)))
	}
	k.run()
}

func TestPutBackAfterABrokenTakeIsTheIdentity(t *testing.T) {
	k, was := newCrash(t)
	var batch []spoor.Target
	k.before = func(s *stand) { batch = rebound(s) }
	k.act = func(c *controller) { _, _ = c.Take(t.Context(), batch) }
	k.after = func(s *stand) string {
		s.with(func(c *controller) {
			out, err := c.PutBack(t.Context(), batch)
			allDone(t, "put back", out, err)
		})
		return differences(was, state(t, filepath.Join(s.dir, queueName)))
	}
	k.run()
}

func TestPutBackSurvivesEveryFault(t *testing.T) {
	k, was := newCrash(t)
	var batch []spoor.Target
	k.before = func(s *stand) {
		batch = rebound(s)
		s.with(func(c *controller) {
			out, err := c.Take(t.Context(), batch)
			allDone(t, "take", out, err)
		})
	}
	k.act = func(c *controller) { _, _ = c.PutBack(t.Context(), batch) }
	k.after = func(s *stand) string {
		if wrong := reachable(t, s, was); wrong != "" {
			return wrong
		}
		s.with(func(c *controller) {
			out, err := c.PutBack(t.Context(), batch)
			allDone(t, "put back", out, err)
		})
		return differences(was, state(t, filepath.Join(s.dir, queueName)))
	}
	k.run()
}

// without is a queue without the messages.
func without(was map[string]fileState) map[string]fileState {
	left := map[string]fileState{}
	for name, one := range was {
		gone := false
		for _, id := range crashIDs {
			gone = gone || filepath.Base(name) == id
		}
		if !gone {
			left[name] = one
		}
	}
	return left
}

func TestDiscardSurvivesEveryFault(t *testing.T) {
	k, was := newCrash(t)
	var batch []spoor.Target
	k.before = func(s *stand) {
		batch = rebound(s)
		s.with(func(c *controller) {
			out, err := c.Take(t.Context(), batch)
			allDone(t, "take", out, err)
		})
	}
	k.act = func(c *controller) { _, _ = c.Discard(t.Context(), batch) }
	k.after = func(s *stand) string {
		s.with(func(c *controller) {
			out, err := c.Take(t.Context(), batch) // as after a crash; what is gone is in the vault
			must(t, err)
			for i, one := range out {
				if one.Result != spoor.ResultDone && one.Result != spoor.ResultGone {
					t.Fatalf("take %s again: %v", batch[i].ID, one)
				}
			}
			out, err = c.Discard(t.Context(), batch)
			allDone(t, "discard", out, err)
		})
		return differences(without(was), state(t, filepath.Join(s.dir, queueName)))
	}
	k.run()
}

// removed takes the messages out of a queue, into the memory of the test.
func removed(t *testing.T, s *stand) (parcels []*spoor.Parcel) {
	t.Helper()
	batch := rebound(s)
	s.with(func(c *controller) {
		out, err := c.Take(t.Context(), batch)
		allDone(t, "take", out, err)
		parcels = packAll(t, c, batch)
		out, err = c.Discard(t.Context(), batch)
		allDone(t, "discard", out, err)
	})
	return parcels
}

func TestRestoreSurvivesEveryFault(t *testing.T) {
	k, was := newCrash(t)
	var parcels []*spoor.Parcel
	var marked []spoor.Prepared // durable in the vault
	k.before = func(s *stand) { parcels, marked = removed(t, s), nil }
	k.act = func(c *controller) {
		var list []spoor.Prepared
		for i, p := range parcels {
			one, err := c.Prepare(t.Context(), tagOf(i), p)
			if err != nil {
				return
			}
			list = append(list, one)
		}
		if c.Settle() != nil {
			return
		}
		marked = list
		_, _ = c.Publish(t.Context(), list)
		_ = c.Settle()
	}
	k.after = func(s *stand) string {
		s.with(func(c *controller) {
			if marked == nil {
				for i, p := range parcels {
					one, err := c.Prepare(t.Context(), tagOf(i), p)
					must(t, err)
					marked = append(marked, one)
				}
			}
			out, err := c.Publish(t.Context(), marked)
			allDone(t, "publish", out, err)
		})
		return differences(expected(was), renamed(state(t, filepath.Join(s.dir, queueName)), oldNames(marked)))
	}
	k.run()
}

func TestWithdrawUndoesABrokenRestore(t *testing.T) {
	k, was := newCrash(t)
	var parcels []*spoor.Parcel
	k.before = func(s *stand) { parcels = removed(t, s) }
	k.act = func(c *controller) {
		for i, p := range parcels {
			_, _ = c.Prepare(t.Context(), tagOf(i), p)
		}
		_ = c.Settle()
	}
	k.after = func(s *stand) string {
		s.with(func(c *controller) {
			var list []spoor.Prepared
			for i := range parcels {
				list = append(list, spoor.Prepared{Tag: tagOf(i)})
			}
			must(t, c.Withdraw(t.Context(), list))
			must(t, c.Withdraw(t.Context(), list))
		})
		return differences(without(was), state(t, filepath.Join(s.dir, queueName)))
	}
	k.run()
}

func tagOf(i int) string { return "m" + string(rune('a'+i)) }

func TestWithdrawAfterABrokenPublishLeavesNoHalfMessage(t *testing.T) {
	k, was := newCrash(t)
	var list []spoor.Prepared
	k.before = func(s *stand) {
		parcels := removed(t, s)[:3]
		s.with(func(c *controller) { list = prepareAll(t, c, parcels) })
	}
	k.act = func(c *controller) { _, _ = c.Publish(t.Context(), list) }
	k.after = func(s *stand) string {
		s.with(func(c *controller) { must(t, c.Withdraw(t.Context(), list)) })
		is := renamed(state(t, filepath.Join(s.dir, queueName)), oldNames(list))
		want := without(was)
		for name, one := range expected(was) { // those whose step was made are whole
			for _, p := range list {
				if filepath.Base(name) == string(p.OldID) && (contentOf(is, string(p.OldID)) != "") {
					want[name] = one
				}
			}
		}
		return differences(want, is)
	}
	k.run()
}
