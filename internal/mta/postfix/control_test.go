package postfix

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

func (w *tree) results(outcomes []spoor.Outcome, err error) []spoor.Result {
	w.Helper()
	w.ok(err)
	var all []spoor.Result
	for _, one := range outcomes {
		all = append(all, one.Result)
		if (one.Err == nil) != (one.Result == spoor.ResultDone) {
			w.Errorf("%s with error %v", one.Result, one.Err)
		}
	}
	return all
}

func (w *tree) wantDone(what string, outcomes []spoor.Outcome, err error) {
	w.Helper()
	w.ok(err)
	for i, one := range outcomes {
		if one.Result != spoor.ResultDone {
			w.Errorf("%s of number %d: %s, %v", what, i, one.Result, one.Err)
		}
	}
}

func TestTakeAndPutBackChangeNothing(t *testing.T) {
	w := newTree(t)
	before := w.files(spoolDir)
	batch := w.targets()
	c := w.mustOpen()
	outcomes, err := c.Take(t.Context(), batch)
	w.wantDone("Take", outcomes, err)
	for what := range w.ids {
		names := messagesOf(w.files(spoolDir), what)
		if len(names) != 1 || strings.HasPrefix(names[0], "spoor/p1/taken/") != (what != "bystander") {
			t.Errorf("%s is at %v", what, names)
		}
	}
	w.ok(c.Settle())
	w.ok(c.Close())
	c = w.mustOpen()
	outcomes, err = c.PutBack(t.Context(), batch)
	w.wantDone("PutBack", outcomes, err)
	outcomes, err = c.PutBack(t.Context(), batch)
	w.wantDone("PutBack again", outcomes, err)
	w.ok(c.Close())
	w.same("after PutBack", w.files(spoolDir), before)
}

// TestWhatIsRestoredIsWhatWasRemoved holds name and inode aside, which Postfix
// wants to agree, and the folder of what was not in rest.
func TestWhatIsRestoredIsWhatWasRemoved(t *testing.T) {
	w := newTree(t)
	before := w.files(spoolDir)
	batch, vault := w.targets(), stored{}
	c := w.mustOpen()
	if !vault.remove(w, c, batch) {
		t.Fatal("not everything was removed")
	}
	if left := w.files(spoolDir); len(messagesOf(left, "")) != 1 {
		t.Errorf("left are %v, want the bystander alone", messagesOf(left, ""))
	}
	ready, ok := vault.restore(w, c, batch)
	if !ok {
		t.Fatal("not everything was restored")
	}
	w.ok(c.Close())
	w.checkRestored(before, batch, ready)
}

// checkRestored compares each file with that of before.
func (w *tree) checkRestored(before map[string]entry, batch []spoor.Target, ready []spoor.Prepared) {
	w.Helper()
	after := w.files(spoolDir)
	want := map[string]entry{}
	for i := range batch {
		oldID, newID := string(batch[i].ID), string(ready[i].NewID)
		folder, _ := strings.CutPrefix(ready[i].Folder, "/"+spoolDir+"/")
		for name, e := range before {
			if filepath.Base(name) != oldID {
				continue
			}
			where := filepath.Dir(name)
			if slices.Contains(messageQueues[:], queueOf(where)) {
				where = folder
				if e.inode = after[filepath.Join(where, newID)].inode; e.inode != ready[i].Inode || !strings.HasSuffix(newID, inodeDigits(newID, e.inode)) {
					w.Errorf("%s is of inode %d, said to be %d", newID, e.inode, ready[i].Inode)
				}
			}
			want[filepath.Join(where, newID)] = e
		}
		if ready[i].Undone != batch[i].Recipients-batch[i].Done {
			w.Errorf("%s: %d undone recipients, want %d", newID, ready[i].Undone, batch[i].Recipients-batch[i].Done)
		}
	}
	for name, e := range before {
		if e.Text == "" || strings.Contains(name, w.ids["bystander"]) {
			want[name] = e
		}
	}
	w.same("after the restore", after, want)
	for what, folder := range map[string]string{
		"deferred": "deferred/A", "long": "deferred/A", "flat": "deferred/A", "active": "deferred/A", "incoming": "deferred/A",
		"held": "hold", "maildrop": "maildrop", "corrupt": "corrupt",
	} {
		names := messagesOf(after, what)
		if w.ids[what] == "" {
			continue // not in this tree
		}
		if len(names) != 1 || filepath.Dir(names[0]) != folder {
			w.Errorf("%s came back to %v, want one in %s", what, names, folder)
		}
	}
}

func inodeDigits(id string, inode uint64) string {
	if _, long := idTime(id); long {
		return "z" + encode51(inode)
	}
	return fmt.Sprintf("%X", inode)
}

func TestAPackedMessageTellsItsEnvelope(t *testing.T) {
	w := newTree(t)
	c := w.mustOpen()
	batch := w.targets()
	outcomes, err := c.Take(t.Context(), batch)
	w.wantDone("Take", outcomes, err)
	for i := range batch {
		p, err := c.Pack(&batch[i])
		w.ok(err)
		want := []spoor.Recipient{{Address: "one@y.test"}, {Address: "two@y.test", Done: true}, {Address: "three@y.test"}}
		for j := range p.Envelope {
			p.Envelope[j].Channel = 0
		}
		if !slices.Equal(p.Envelope, want) || p.Recipients != 3 || p.Done != 1 || p.MTA != "postfix" {
			t.Errorf("%s: envelope %v, %d of %d done", p.Path(), p.Envelope, p.Done, p.Recipients)
		}
		if uid := map[bool]int{true: ownerUID(), false: -1}[strings.HasSuffix(p.Folder, "maildrop")]; p.CallerUID != uid {
			t.Errorf("%s: caller %d, want %d", p.Path(), p.CallerUID, uid)
		}
		content, err := Adapter().Message(p)
		w.ok(err)
		text, err := io.ReadAll(content)
		w.ok(err)
		w.ok(content.Close())
		if string(text) != userReceived+tail {
			t.Errorf("%s: the message is %q", p.Path(), text)
		}
	}
	_, err = c.PutBack(t.Context(), batch)
	w.ok(err)
	w.ok(c.Close())
}

// TestTheMessageOfAParcelIsThatOfTheQueue holds for files that records with
// pointers run through, and for content that can only be read in order.
func TestTheMessageOfAParcelIsThatOfTheQueue(t *testing.T) {
	q := openCapture(t, "postfix-odd")
	messages, _ := scanAll(t, q)
	for id, m := range messages {
		if m.State == spoor.StateCorrupt || m.Recipients.Len() == 0 {
			continue
		}
		content, err := q.Content(id)
		if err != nil {
			t.Fatal(err)
		}
		want, wantErr := io.ReadAll(content)
		_ = content.Close()
		name := filepath.Join(q.root.Dir(), m.Path())
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, inOrder := range []bool{true, false} {
			file := spoor.PackedFile{Role: roleMessage, SizeBytes: info.Size(), Open: func() (spoor.Content, error) {
				f, err := os.Open(name)
				if inOrder {
					return struct{ io.ReadCloser }{f}, err
				}
				return f, err
			}}
			r, err := message(&spoor.Parcel{Target: spoor.TargetOf(m), Files: []spoor.PackedFile{file}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			_ = r.Close()
			if string(got) != string(want) || (err == nil) != (wantErr == nil) {
				t.Errorf("%s: %d bytes and %v, want %d and %v", id, len(got), err, len(want), wantErr)
			}
		}
	}
}

func TestHoldAndReleaseMoveTheFile(t *testing.T) {
	w := newTree(t)
	before := w.files(spoolDir)
	batch := w.targets()
	c := w.mustOpen()
	outcomes, err := c.Hold(t.Context(), batch)
	for i, result := range w.results(outcomes, err) {
		queue := queueOf(strings.TrimPrefix(batch[i].Folder, "/"+spoolDir+"/"))
		want := spoor.ResultDone
		if queue == "maildrop" || queue == "corrupt" {
			want = spoor.ResultFailed
		}
		if result != want {
			t.Errorf("hold of one in %s: %s, %v", queue, result, outcomes[i].Err)
		}
	}
	held := w.files(spoolDir + "/hold")
	for what, id := range w.ids {
		want := what != "bystander" && what != "maildrop" && what != "corrupt"
		if _, ok := held[id]; ok != want {
			t.Errorf("%s is in hold: %v", what, ok)
		}
	}
	outcomes, err = c.Release(t.Context(), batch)
	w.wantDone("Release", outcomes, err)
	w.ok(c.Close())
	after := w.files(spoolDir)
	for _, what := range []string{"active", "incoming", "flat", "held"} { // hold does not remember where a message was
		id := w.ids[what]
		for _, name := range messagesOf(before, what) {
			before["deferred/A/"+id] = before[name]
			delete(before, name)
		}
	}
	w.same("after hold and release", after, before)
}

func TestRetryNeedsPostfix(t *testing.T) {
	w := newTree(t)
	c := w.mustOpen()
	if _, err := c.Retry(t.Context(), w.targets()); !errors.Is(err, mta.ErrUnsupported) {
		t.Errorf("Retry gives %v, want ErrUnsupported", err)
	}
	w.ok(c.Close())
}

func TestATreeWhoseMasterRunsIsRefused(t *testing.T) {
	w := newTree(t)
	lock, err := os.OpenFile(filepath.Join(w.dir, spoolDir, "pid/master.pid"), os.O_RDWR, 0)
	w.ok(err)
	w.ok(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	if _, err := w.open(nil); !errors.Is(err, mta.ErrRunning) {
		t.Errorf("with the lock held elsewhere, open gives %v, want ErrRunning", err)
	}
	w.ok(lock.Close())
	c := w.mustOpen()
	other, err := os.OpenFile(filepath.Join(w.dir, spoolDir, "pid/master.pid"), os.O_RDWR, 0)
	w.ok(err)
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		t.Error("master could start while the queue is changed")
	}
	w.ok(c.Close())
	w.ok(syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	w.ok(other.Close())
}

// TestOtherMessagesAreNotTouched is about everything that can be under an ID when
// its time comes.
func TestOtherMessagesAreNotTouched(t *testing.T) {
	w := newTree(t)
	batch := w.targets()
	byFile := map[string]*spoor.Target{}
	for i := range batch {
		for what, id := range w.ids {
			if string(batch[i].ID) == id {
				byFile[what] = &batch[i]
			}
		}
	}
	name := func(what string) string { return filepath.Join(w.dir, byFile[what].Path()) }
	secret := filepath.Join(t.TempDir(), "secret")
	w.ok(os.WriteFile(secret, []byte("secret"), 0o600))
	w.ok(os.Remove(name("deferred"))) // gone
	w.ok(os.Remove(name("flat")))     // a link in its place
	w.ok(os.Symlink(secret, name("flat")))
	w.ok(os.Rename(name("incoming"), name("incoming")+"x")) // another message of that ID, kept alive so that the inode differs
	data, err := os.ReadFile(name("incoming") + "x")
	w.ok(err)
	w.ok(os.WriteFile(name("incoming"), data, 0o700))
	byFile["held"].Arrived = byFile["held"].Arrived.Add(1000) // and one of another time
	byFile["maildrop"].SizeBytes++                            // of another size
	agent, err := os.Open(name("active"))                     // being delivered
	w.ok(err)
	w.ok(syscall.Flock(int(agent.Fd()), syscall.LOCK_SH))
	byFile["corrupt"].Folder = "/etc"
	before := w.files(spoolDir)

	want := map[string]spoor.Result{
		"deferred": spoor.ResultGone, "flat": spoor.ResultChanged, "incoming": spoor.ResultChanged, "held": spoor.ResultChanged,
		"maildrop": spoor.ResultChanged, "active": spoor.ResultBusy, "corrupt": spoor.ResultFailed, "long": spoor.ResultDone,
	}
	c := w.mustOpen()
	outcomes, err := c.Take(t.Context(), batch)
	for i, result := range w.results(outcomes, err) {
		for what := range byFile {
			if byFile[what] == &batch[i] && result != want[what] {
				t.Errorf("Take of %s: %s, %v; want %s", what, result, outcomes[i].Err, want[what])
			}
		}
	}
	outcomes, err = c.PutBack(t.Context(), []spoor.Target{*byFile["long"]})
	w.wantDone("PutBack", outcomes, err)
	w.ok(c.Close())
	w.ok(agent.Close())
	w.same("after Take and PutBack", w.files(spoolDir), before)
}

// TestTheHoldingPlaceIsOursAlone is about what may stand in its place.
func TestTheHoldingPlaceIsOursAlone(t *testing.T) {
	for what, plant := range map[string]func(w *tree, name string) error{
		"a link":          func(w *tree, name string) error { return os.Symlink(w.TempDir(), name) },
		"a file":          func(_ *tree, name string) error { return os.WriteFile(name, nil, 0o600) },
		"others may read": func(_ *tree, name string) error { return errors.Join(os.Mkdir(name, 0o755), os.Chmod(name, 0o755)) },
	} {
		w := newTree(t)
		w.ok(plant(w, filepath.Join(w.dir, spoolDir, holdingPlace)))
		before := w.files(spoolDir)
		batch := w.targets()
		c := w.mustOpen()
		outcomes, err := c.Take(t.Context(), batch)
		if err == nil && slices.ContainsFunc(outcomes, func(o spoor.Outcome) bool { return o.Result == spoor.ResultDone }) {
			t.Errorf("%s: messages were taken", what)
		}
		w.ok(c.Close())
		w.same(what, w.files(spoolDir), before)
	}
}

func TestQueueIDsOfAnotherInode(t *testing.T) {
	for _, one := range []struct {
		id    string
		inode uint64
		long  bool
		want  string
	}{
		{"8976EC00C9", 0xEA029, false, "8976EEA029"}, // as postsuper -s did
		{"4jY1nY4zyYz5vTZ", 786807, true, "4jY1nY4zyYz5vTZ"},
		{"4jY1nY4zyYz5vTZ", 51, true, "4jY1nY4zyYz10"},
		{"4jY1nY4zyYz5vTZ", 786807, false, "AB9F5C0177"},
		{"AB9F5C0177", 1, true, "AB9F51"},
	} {
		if got := renumbered(one.id, one.inode, one.long); got != one.want {
			t.Errorf("renumbered(%s, %d, %v) = %s, want %s", one.id, one.inode, one.long, got, one.want)
		}
	}
}

// TestWithdrawLeavesNothing is about messages whose Publish was interrupted after
// their logs were in the queue.
func TestWithdrawLeavesNothing(t *testing.T) {
	w := newTree(t)
	batch, vault := w.targets(), stored{}
	c := w.mustOpen()
	if !vault.remove(w, c, batch) {
		t.Fatal("not everything was removed")
	}
	w.ok(c.Close())
	before := w.files(spoolDir)
	moves := 0
	c, err := w.open(func(op disk.Op) error {
		if op.Name == "rename" && filepath.Base(filepath.Dir(op.Path)) == newFiles {
			if moves++; strings.HasSuffix(op.Path, roleMessage) {
				return syscall.EIO
			}
		}
		return nil
	})
	w.ok(err)
	ready, ok := vault.restore(w, c, batch)
	if ok || moves <= len(batch) {
		t.Fatalf("restored %v with %d moves, want logs alone to move", ok, moves)
	}
	w.ok(c.Withdraw(t.Context(), ready))
	w.ok(c.Withdraw(t.Context(), ready))
	w.ok(c.Close())
	w.same("after Withdraw", w.files(spoolDir), before)
}

// TestPreparedValuesAreChecked since they come back from a file.
func TestPreparedValuesAreChecked(t *testing.T) {
	w := newTree(t)
	c := w.mustOpen()
	good := spoor.Prepared{Tag: "m1", OldID: "AB9F51", NewID: "AB9F52", Folder: "/" + spoolDir + "/deferred/A", Inode: 1}
	for _, spoil := range []func(p *spoor.Prepared){
		func(p *spoor.Prepared) { p.Tag = "../m1" },
		func(p *spoor.Prepared) { p.NewID = "../../x" },
		func(p *spoor.Prepared) { p.OldID = "" },
		func(p *spoor.Prepared) { p.Folder = "/etc" },
		func(p *spoor.Prepared) { p.Folder = "/" + spoolDir + "/deferred/../../../etc" },
		func(p *spoor.Prepared) { p.Folder = "/" + spoolDir + "/pid" },
	} {
		bad := good
		spoil(&bad)
		outcomes, err := c.Publish(t.Context(), []spoor.Prepared{bad})
		if w.results(outcomes, err)[0] != spoor.ResultFailed || c.Withdraw(t.Context(), []spoor.Prepared{bad}) == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	w.ok(c.Close())
}

// TestATakenIDMakesAnotherFile is about an ID that belongs to a file which was
// copied here, so that its name is not its inode's.
func TestATakenIDMakesAnotherFile(t *testing.T) {
	w := newTree(t)
	batch, vault := w.targets()[:1], stored{}
	c := w.mustOpen()
	if !vault.remove(w, c, batch) {
		t.Fatal("it was not removed")
	}
	first, err := c.Prepare(t.Context(), "m1", vault[batch[0].ID])
	w.ok(err)
	other := filepath.Join(w.dir, first.Folder, string(first.NewID))
	w.ok(os.WriteFile(other, []byte("another message"), 0o700))
	outcomes, err := c.Publish(t.Context(), []spoor.Prepared{first})
	w.ok(err)
	if outcomes[0].Result != spoor.ResultFailed {
		t.Errorf("Publish under a taken ID: %s", outcomes[0].Result)
	}
	// The file of the first run keeps its inode until it is removed, and the next
	// file may be given the same.
	second, err := c.Prepare(t.Context(), "m1", vault[batch[0].ID])
	w.ok(err)
	if second.NewID == first.NewID {
		t.Errorf("%s was chosen again", second.NewID)
	}
	outcomes, err = c.Publish(t.Context(), []spoor.Prepared{second})
	w.wantDone("Publish", outcomes, err)
	w.ok(c.Close())
	if data, err := os.ReadFile(other); err != nil || string(data) != "another message" {
		t.Errorf("the other message is %q, %v", data, err)
	}
}

// TestEachInstanceHasAHoldingPlace is about the instances of postmulti(1).
func TestEachInstanceHasAHoldingPlace(t *testing.T) {
	w := newTree(t)
	w.write("etc/postfix/main.cf", "myhostname = mx1.example.com\nmulti_instance_directories = /etc/postfix-out\n")
	w.write("etc/postfix-out/main.cf", "queue_directory = /srv/out\nhash_queue_depth = 2\n")
	w.ok(os.MkdirAll(filepath.Join(w.dir, "srv"), 0o755))
	w.ok(os.CopyFS(filepath.Join(w.dir, "srv/out"), os.DirFS(filepath.Join(w.dir, spoolDir))))
	scan, err := openRoot(t, w.root).Scan(t.Context(), mta.Want{Addresses: true})
	w.ok(err)
	var batch []spoor.Target
	for m, err := range scan.Parts[0] {
		w.ok(err)
		if m.State == spoor.StateHold {
			batch = append(batch, spoor.TargetOf(m))
		}
	}
	if len(batch) != 2 || batch[0].ID != batch[1].ID {
		t.Fatalf("%v: want the same ID in both", batch)
	}
	c := w.mustOpen()
	outcomes, err := c.Take(t.Context(), batch)
	w.wantDone("Take", outcomes, err)
	for i, place := range []string{spoolDir, "srv/out"} {
		p, err := c.Pack(&batch[i])
		w.ok(err)
		if len(p.Files) != 2-i { // where the depth is another, Postfix does not find the log
			t.Errorf("%s: %d files", place, len(p.Files))
		}
		if names := messagesOf(w.files(place+"/spoor/p1/taken"), "held"); len(names) != 1 {
			t.Errorf("%s: taken are %v", place, names)
		}
	}
	outcomes, err = c.PutBack(t.Context(), batch)
	w.wantDone("PutBack", outcomes, err)
	w.ok(c.Close())
}
