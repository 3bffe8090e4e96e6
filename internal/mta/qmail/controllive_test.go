package qmail

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"spoor"
)

// running makes the queue look as if qmail-send worked on it: the mutex is locked,
// and somebody reads the trigger. Nothing is delivered.
func (s *stand) running() (stop func()) {
	s.t.Helper()
	lock := filepath.Join(s.dir, queueName, "lock")
	mutex, err := os.OpenFile(filepath.Join(lock, "sendmutex"), os.O_WRONLY, 0)
	must(s.t, err)
	must(s.t, syscall.Flock(int(mutex.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	trigger, err := syscall.Open(filepath.Join(lock, "trigger"), syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	must(s.t, err)
	s.live = true
	return func() {
		must(s.t, mutex.Close())
		must(s.t, syscall.Close(trigger))
		s.live = false
	}
}

// undone are the recipients that are to do in the files of one message.
func undone(all map[string]fileState, id string) (list []string) {
	for name, s := range all {
		folder := strings.SplitN(name, "/", 2)[0]
		if filepath.Base(name) != id || (folder != "local" && folder != "remote") {
			continue
		}
		for record := range strings.SplitSeq(s.Content, "\x00") {
			if rest, ok := strings.CutPrefix(record, "T"); ok {
				list = append(list, rest)
			}
		}
	}
	slices.Sort(list)
	return list
}

// left are the recipients of a parcel that a restore would not leave out.
func left(p *spoor.Parcel) (list []string) {
	for _, one := range p.Envelope {
		if !one.Done && !slices.Contains(p.Uncertain, one.Address) {
			list = append(list, one.Address)
		}
	}
	slices.Sort(list)
	return list
}

var liveIDs = []string{idBouncing, idLocal, idBoth}

func TestTakeFromARunningQmailSendMarksRecipients(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	q := filepath.Join(s.dir, queueName)
	was := state(t, q)
	batch := s.targets(slices.Concat(liveIDs, []string{idTodo, idOrphan})...)
	defer s.running()()
	s.with(func(c *controller) {
		for range 2 {
			out, err := c.Take(t.Context(), batch)
			must(t, err)
			want := []spoor.Result{spoor.ResultDone, spoor.ResultDone, spoor.ResultDone, spoor.ResultBusy, spoor.ResultDone}
			for i, one := range out {
				if one.Result != want[i] {
					t.Fatalf("outcome of %s is %v, want %v", batch[i].ID, one, want[i])
				}
			}
			for i, p := range packAll(t, c, batch[:3]) {
				if got, want := left(p), undone(was, liveIDs[i]); !slices.Equal(got, want) || len(p.Uncertain) > 0 {
					t.Errorf("%s is kept with %q and uncertain %q, want %q", p.ID, got, p.Uncertain, want)
				}
				holds(t, was, []*spoor.Parcel{p})
			}
		}
		is := state(t, q)
		for _, id := range liveIDs {
			if got := undone(is, id); len(got) > 0 {
				t.Errorf("%s is still to be delivered to %q", id, got)
			}
		}
		if _, ok := is["bounce/"+idBouncing]; ok {
			t.Error("a bounce would be sent")
		}
		batch = slices.DeleteFunc(batch, func(one spoor.Target) bool { return one.ID == idTodo })
		out, err := c.Discard(t.Context(), batch)
		allDone(t, "discard", out, err)
	})
	is := state(t, q)
	for name, one := range was {
		got, ok := is[name]
		if strings.HasPrefix(name, "bounce/") || filepath.Base(name) == idOrphan {
			continue
		}
		if ok && strings.ReplaceAll(got.Content, "\x00D", "\x00T")[min(1, len(got.Content)):] == strings.ReplaceAll(one.Content, "\x00D", "\x00T")[min(1, len(one.Content)):] {
			continue
		}
		t.Errorf("%s is %+v, was %+v: qmail-send remembers it", name, got, one)
	}
	if _, ok := is[heldTop]; ok {
		t.Error("the holding place is left")
	}
}

// queuedAs reads what was queued anew: the envelope in todo of the message with
// that content.
func queuedAs(all map[string]fileState, content string) (envelopes []string) {
	for name, s := range all {
		if strings.HasPrefix(name, "mess/") && s.Content == content {
			if todo, ok := all["todo/"+filepath.Base(name)]; ok && todo.Links == 2 {
				envelopes = append(envelopes, todo.Content)
			}
		}
	}
	return envelopes
}

func contentOf(all map[string]fileState, id string) string {
	for name, s := range all {
		if strings.HasPrefix(name, "mess/") && filepath.Base(name) == id {
			return s.Content
		}
	}
	return ""
}

func TestRestoreIntoARunningQmailSendIsOnlyForTheUndone(t *testing.T) {
	s := &stand{t: t, dir: smallQueue(t)}
	q := filepath.Join(s.dir, queueName)
	was := state(t, q)
	must(t, os.WriteFile(filepath.Join(s.dir, "var/qmail/control/virtualdomains"), []byte("local.example:slow\n"), 0o644))
	batch := s.targets(idBouncing, idLocal, idBoth, idDone)
	var parcels []*spoor.Parcel
	s.with(func(c *controller) {
		out, err := c.Take(t.Context(), batch)
		allDone(t, "take", out, err)
		parcels = packAll(t, c, batch)
		out, err = c.Discard(t.Context(), batch)
		allDone(t, "discard", out, err)
	})
	parcels[2].Uncertain = []string{"two@far.example"}
	defer s.running()()
	s.with(func(c *controller) {
		list := prepareAll(t, c, parcels)
		if list[2].Undone != 2 || list[3].Undone != 0 {
			t.Errorf("undone are %d and %d, want 2 and 0", list[2].Undone, list[3].Undone)
		}
		out, err := c.Publish(t.Context(), list)
		allDone(t, "publish", out, err)
	})
	is := state(t, q)
	for i, want := range map[int]string{
		0: "Fnews@shop.example\x00Tslow90@mixed.example\x00",
		1: "Tq11@local.example\x00", // without the prefix, which qmail-send adds again
		2: "Tq50@local.example\x00Tone@far.example\x00",
	} {
		got := queuedAs(is, contentOf(was, string(batch[i].ID)))
		if len(got) != 1 || !strings.HasSuffix(got[0], want) || got[0][0] != 'u' {
			t.Errorf("%s is queued as %q, want once, with %q", batch[i].ID, got, want)
		}
	}
	bounces := 0
	for name, one := range is {
		if strings.HasPrefix(name, "bounce/") && one.Content == was["bounce/"+idBouncing].Content {
			bounces++
		}
	}
	if bounces != 1 {
		t.Errorf("the bounce that is due is there %d times", bounces)
	}
}

func TestPutBackIntoARunningQmailSendQueuesOnce(t *testing.T) {
	for name, stopped := range map[string]bool{"taken live": false, "taken while it was stopped": true} {
		s := &stand{t: t, dir: smallQueue(t)}
		q := filepath.Join(s.dir, queueName)
		was := state(t, q)
		batch := s.targets(liveIDs...)
		take := func(c *controller) {
			out, err := c.Take(t.Context(), batch)
			allDone(t, "take", out, err)
		}
		if stopped {
			s.with(take)
		}
		stop := s.running()
		s.with(func(c *controller) {
			if !stopped {
				take(c)
			}
			out, err := c.PutBack(t.Context(), batch)
			allDone(t, "put back", out, err)
			out, err = c.PutBack(t.Context(), batch)
			allDone(t, "put back again", out, err)
		})
		stop()
		is := state(t, q)
		queuedOnce(t, name, was, is, liveIDs)
		for _, id := range liveIDs {
			if kept := contentOf(is, id) != ""; kept == stopped {
				t.Errorf("%s: content under the old number %s is there: %v; only qmail-send may remove what it remembers", name, id, kept)
			}
		}
	}
}

// queuedOnce checks that messages that had their recipients in local and remote
// have them in todo now, and nowhere else.
func queuedOnce(t *testing.T, what string, was, is map[string]fileState, ids []string) {
	t.Helper()
	for _, id := range ids {
		if got := undone(is, id); len(got) > 0 {
			t.Errorf("%s: %s is also to be delivered to %q under its old number", what, id, got)
		}
		envelopes := queuedAs(is, contentOf(was, id))
		if len(envelopes) != 1 {
			t.Fatalf("%s: %s is queued %d times", what, id, len(envelopes))
		}
		var got []string
		for record := range strings.SplitSeq(envelopes[0], "\x00") {
			if address, ok := strings.CutPrefix(record, "T"); ok {
				got = append(got, address)
			}
		}
		slices.Sort(got)
		if want := undone(was, id); !slices.Equal(got, want) {
			t.Errorf("%s: %s is queued for %q, want %q", what, id, got, want)
		}
	}
}

func TestTakeFromARunningQmailSendSurvivesEveryFault(t *testing.T) {
	k, was := newCrash(t)
	var batch []spoor.Target
	ids := []string{idBouncing, idBoth}
	k.before = func(s *stand) { batch = s.targets(ids...) }
	k.act = func(c *controller) { _, _ = c.Take(t.Context(), batch) }
	k.after = func(s *stand) string {
		defer s.running()()
		var wrong strings.Builder
		s.with(func(c *controller) {
			out, err := c.Take(t.Context(), batch)
			allDone(t, "take", out, err)
			for i, p := range packAll(t, c, batch) {
				all := append(left(p), p.Uncertain...)
				slices.Sort(all)
				if want := undone(was, ids[i]); !slices.Equal(all, want) {
					wrong.WriteString(ids[i] + " is kept with " + strings.Join(all, " ") + "\n")
				}
			}
			for _, id := range ids {
				if got := undone(state(t, filepath.Join(s.dir, queueName)), id); len(got) > 0 {
					wrong.WriteString(id + " is still to be delivered to " + strings.Join(got, " ") + "\n")
				}
			}
			out, err = c.PutBack(t.Context(), batch)
			allDone(t, "put back", out, err)
		})
		is := state(t, filepath.Join(s.dir, queueName))
		for _, id := range ids {
			if n := len(queuedAs(is, contentOf(was, id))); n > 1 {
				wrong.WriteString(id + " is queued " + strconv.Itoa(n) + " times\n")
			}
		}
		return wrong.String()
	}
	k.live = true
	k.run()
}

func TestPutBackIntoARunningQmailSendSurvivesEveryFault(t *testing.T) {
	k, was := newCrash(t)
	var batch []spoor.Target
	ids := []string{idBouncing, idBoth}
	k.before = func(s *stand) {
		batch = s.targets(ids...)
		defer s.running()()
		s.with(func(c *controller) {
			out, err := c.Take(t.Context(), batch)
			allDone(t, "take", out, err)
		})
	}
	k.act = func(c *controller) { _, _ = c.PutBack(t.Context(), batch) }
	k.after = func(s *stand) string {
		defer s.running()()
		s.with(func(c *controller) {
			out, err := c.PutBack(t.Context(), batch)
			allDone(t, "put back", out, err)
		})
		queuedOnce(t, "put back", was, state(t, filepath.Join(s.dir, queueName)), ids)
		return ""
	}
	k.live = true
	k.run()
}
