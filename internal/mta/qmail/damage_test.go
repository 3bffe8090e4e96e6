package qmail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"spoor"
	"spoor/internal/mta"
)

// builder makes a queue by hand.
type builder struct {
	t     *testing.T
	dir   string // root
	split int
}

// newBuilder makes an empty queue.
func newBuilder(t *testing.T, split int) *builder {
	t.Helper()
	b := &builder{t: t, dir: t.TempDir(), split: split}
	for _, shelf := range []string{"mess", "info", "local", "remote"} {
		for i := range split {
			b.mkdir(fmt.Sprintf("%s/%d", shelf, i))
		}
	}
	for _, shelf := range []string{"todo", "intd", "bounce", "pid", "lock"} {
		b.mkdir(shelf)
	}
	return b
}

func (b *builder) path(name string) string { return filepath.Join(b.dir, "var/qmail/queue", name) }

func (b *builder) mkdir(name string) {
	b.t.Helper()
	if err := os.MkdirAll(b.path(name), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

func (b *builder) put(name, content string) {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *builder) remove(name string) {
	b.t.Helper()
	if err := os.Remove(b.path(name)); err != nil {
		b.t.Fatal(err)
	}
}

// file is where qmail puts a file of a message.
func (b *builder) file(shelf string, id int) string {
	return fmt.Sprintf("%s/%d/%d", shelf, id%b.split, id)
}

const byUID = "Received: (qmail 4711 invoked by uid 10003); 23 Nov 2026 11:32:18 -0000\nSubject: x\n\nbody\n"

// message puts a preprocessed message with one remote recipient.
func (b *builder) message(id int) {
	b.put(b.file("mess", id), byUID)
	b.put(b.file("info", id), "Fa@x.test\x00")
	b.put(b.file("remote", id), "Tb@y.test\x00")
}

func (b *builder) queue() *Queue { return openQueue(b.t, b.dir) }

// gapOf returns the reason that was noted for a file.
func gapOf(gaps []spoor.Gap, suffix string) string {
	for _, gap := range gaps {
		if strings.HasSuffix(gap.File, suffix) {
			return gap.Reason
		}
	}
	return ""
}

func TestDamageIsCountedAndHidesNothing(t *testing.T) {
	b := newBuilder(t, 3)
	for id := 30; id < 50; id++ {
		b.message(id)
	}
	b.put(b.file("info", 30), "")                        // no sender
	b.put(b.file("info", 31), "Xa@x.test\x00")           // not a sender
	b.put(b.file("remote", 32), "Tb@y.test\x00Tcut@y.t") // cut off
	b.put(b.file("remote", 33), "Tb@y.test\x00Zwhat\x00\x00Dc@y.test\x00")
	b.put(b.file("mess", 34), "") // content lost
	b.put("mess/0/100", byUID)    // 100 % 3 is 1
	b.put("mess/0/007", byUID)    // not how qmail writes a number
	b.put("mess/0/notes.txt", "hello")
	b.put("mess/1/99999999999999999999999", byUID)
	b.put("mess/stray", byUID)
	b.put(b.file("info", 200), "Fa@x.test\x00")             // no content
	b.put("bounce/201", "text")                             // no content
	b.put(b.file("mess", 35), strings.Repeat("\x00", 9000)) // NULs for a header
	b.remove(b.file("info", 36))                            // remote without info
	b.mkdir(b.file("mess", 202))
	for name, target := range map[string]string{b.file("mess", 203): "/etc/passwd", b.file("remote", 204): "../../../../../etc/passwd"} {
		if err := os.Symlink(target, b.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	messages, scan := scanAll(t, b.queue())
	gaps := scan.Gaps.List()
	noted := func(file, reason string) {
		t.Helper()
		if got := gapOf(gaps, file); !strings.Contains(got, reason) {
			t.Errorf("%s: noted %q, want %q", file, got, reason)
		}
	}
	noted("/info/0/30", gapNoSender)
	noted("/info/1/31", gapNoSender)
	noted("/remote/2/32", gapCutRecord)
	noted("/remote/0/33", gapUnknownRecord)
	noted("/mess/1/34", "empty")
	noted("/mess/0/100", "wrong split folder")
	noted("/mess/0/007", "no message number")
	noted("/mess/0/notes.txt", "no message number")
	noted("/mess/1/99999999999999999999999", "no message number")
	noted("/mess/stray", "outside the split folders")
	noted("/info/2/200", "no content")
	noted("/bounce/201", "no content")
	noted("/info/0/36", "missing")
	noted("/mess/1/202", "not a regular file")
	noted("/mess/2/203", "symbolic link")
	noted("/remote/0/204", "symbolic link")
	if len(messages) != 21 {
		t.Errorf("%d messages are listed, want the 20 and the misfiled one", len(messages))
	}
	if got := messages["33"].Recipients; got.Len() != 2 || got.Done() != 1 {
		t.Errorf("message 33 has %d recipients, %d done; want 2, 1", got.Len(), got.Done())
	}
	if m := messages["36"]; m.State != spoor.StateIncomplete || m.HasEnvelope {
		t.Errorf("message 36 without info is %s", m.State)
	}
	if m := messages["35"]; m.Trail.Broken == "" || len(m.Trail.Hops) != 0 {
		t.Errorf("message 35 has a trail of NULs: %+v", m.Trail)
	}
	if m := messages["100"]; m.State != spoor.StateIncomplete || m.Folder != "/var/qmail/queue/mess/0" {
		t.Errorf("the misfiled message is %s in %s", m.State, m.Folder)
	}
	if !scan.Complete || scan.Unreadable() != 0 {
		t.Errorf("complete %v, unreadable %d: damage is no missing part", scan.Complete, scan.Unreadable())
	}
}

func TestCountsAreThoseOfFind(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(30)
	b.put("mess/0/odd name", "x")
	b.put("mess/loose", "x")
	b.put("mess/.hidden", "x") // the shell pattern mess/* leaves it out
	b.mkdir("mess/1/deep/deeper")
	b.put("mess/1/deep/deeper/x", "x")
	b.put("todo/31", "u1\x00")
	b.mkdir("todo/sub")
	b.put("todo/sub/y", "x")
	_, scan := scanAll(t, b.queue())
	if listed, todo := scan.Count(); listed != 4 || todo != 2 {
		t.Errorf("counted %d and %d, find(1) as in qmail-qstat counts 4 and 2", listed, todo)
	}
	messages, todos := b.queue().Count()
	if messages != 4 || todos != 2 {
		t.Errorf("Count gives %d and %d, want 4 and 2", messages, todos)
	}
}

func TestBigTodo(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(30)
	for i := range 3 {
		b.mkdir(fmt.Sprintf("todo/%d", i))
		b.mkdir(fmt.Sprintf("intd/%d", i))
	}
	b.put(b.file("mess", 31), byUID)
	b.put(b.file("todo", 31), "u10003\x00p4711\x00Fa@x.test\x00Tb@y.test\x00Tc@y.test\x00")
	q := b.queue()
	messages, scan := scanAll(t, q)
	m := messages["31"]
	_, todo := scan.Count()
	if !q.BigTodo() || todo != 1 || m.State != spoor.StateTodo || m.Recipients.Len() != 2 || m.CallerUID != 10003 || !m.Outbound {
		t.Errorf("big-todo %v, unprocessed %d, message %+v", q.BigTodo(), todo, m)
	}
}

func TestOneStrayFolderDoesNotChangeTheSplit(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(31)
	b.mkdir("mess/77")
	if split := b.queue().Split(); split != 3 {
		t.Errorf("split %d, want 3 as in info, local and remote", split)
	}
}

func TestALostFolderDoesNotChangeTheSplit(t *testing.T) {
	b := newBuilder(t, 5)
	for id := 100; id < 150; id++ {
		b.message(id)
	}
	for _, shelf := range []string{"mess", "info", "local", "remote"} {
		if err := os.RemoveAll(b.path(shelf + "/4")); err != nil {
			t.Fatal(err)
		}
	}
	q := b.queue()
	messages, scan := scanAll(t, q)
	if q.Split() != 5 || len(messages) != 40 || scan.Complete {
		t.Errorf("split %d, %d messages, complete %v; want 5, 40 and not complete", q.Split(), len(messages), scan.Complete)
	}
	for id, m := range messages {
		if m.State != spoor.StateRemote {
			t.Errorf("message %s is %s", id, m.State)
		}
	}
}

func TestAFolderThatWasMovedIsFollowedBelowTheRoot(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(30)
	b.message(31)
	b.message(32)
	moved := filepath.Join(b.dir, "disk2")
	if err := os.Rename(b.path("mess/0"), moved); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"mess/0": "/disk2", "info/0": "../../../../../disk2"} {
		_ = os.RemoveAll(b.path(link))
		if err := os.Symlink(target, b.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	messages, scan := scanAll(t, b.queue())
	if messages["30"] == nil || messages["30"].Path() != "/var/qmail/queue/mess/0/30" {
		t.Errorf("message 30 behind the link is %+v", messages["30"])
	}
	if messages["30"].HasEnvelope {
		t.Error("a link that leaves the root by .. was followed")
	}
	if len(messages) != 3 {
		t.Errorf("%d messages, want 3: %v", len(messages), scan.Gaps.List())
	}
}

func TestLargeFiles(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(31)
	if err := os.Truncate(b.path(b.file("mess", 31)), 200<<20); err != nil {
		t.Fatal(err)
	}
	b.put(b.file("remote", 31), strings.Repeat("Dsomebody@y.test\x00", 1_000_000))
	messages, scan := scanAll(t, b.queue())
	m := messages["31"]
	if m.SizeBytes != 200<<20 || m.Recipients.Len() != 1_000_000 || m.Recipients.Done() != 1_000_000 || scan.Gaps.Total() != 0 {
		t.Errorf("size %d, %d recipients, %d done, gaps %v", m.SizeBytes, m.Recipients.Len(), m.Recipients.Done(), scan.Gaps.List())
	}
}

// TestAQueueThatMoves changes the queue between listing and reading, the way
// qmail-send does.
func TestAQueueThatMoves(t *testing.T) {
	b := newBuilder(t, 3)
	for id := 30; id < 36; id++ {
		b.message(id)
	}
	b.put(b.file("mess", 36), byUID)
	b.put("todo/36", "u10003\x00p1\x00Fa@x.test\x00Tb@y.test\x00")
	b.put(b.file("mess", 37), byUID) // being written
	q := b.queue()
	scan, err := q.Scan(t.Context(), mta.Want{})
	if err != nil {
		t.Fatal(err)
	}
	for _, shelf := range []string{"info", "remote", "mess"} { // delivered
		b.remove(b.file(shelf, 30))
	}
	b.remove(b.file("remote", 31)) // last recipient done, not yet removed
	b.remove("todo/36")            // preprocessed
	b.put(b.file("info", 36), "Fa@x.test\x00")
	b.put(b.file("local", 36), "Tb@y.test\x00")
	b.put("todo/37", "u10003\x00p1\x00Fc@x.test\x00Td@y.test\x00Te@y.test\x00") // now queued

	got := map[string]string{}
	for _, part := range scan.Parts {
		for m, err := range part {
			if err != nil {
				t.Fatal(err)
			}
			got[string(m.ID)] = fmt.Sprintf("%s %d", m.State, m.Recipients.Len())
		}
	}
	want := map[string]string{"31": "done 0", "32": "remote 1", "33": "remote 1", "34": "remote 1", "35": "remote 1", "36": "local 1", "37": "todo 2"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if scan.Gaps.Total() != 0 || scan.Unreadable() != 0 {
		t.Errorf("a queue that moves is no damage: %v", scan.Gaps.List())
	}
}

// TestHalfAMessageIsNone removes a message while its content is open.
func TestHalfAMessageIsNone(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(30)
	q := b.queue()
	var gaps spoor.Gaps
	r := newReader(q, mta.Want{}, &gaps)
	r.reset(slot{id: 30, seen: inInfo | inRemote})
	file, err := q.tree.mess.folder(30).Open(r.name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b.remove(b.file("mess", 30))
	if r.finish(file) {
		t.Error("a message that was removed while it was read counts as read")
	}
	if _, err := q.Find(t.Context(), "30"); !errors.Is(err, mta.ErrGone) {
		t.Errorf("Find gives %v, want ErrGone", err)
	}
	if _, err := q.Content("30"); !errors.Is(err, mta.ErrGone) {
		t.Errorf("Content gives %v, want ErrGone", err)
	}
	for _, id := range []spoor.QueueID{"x", "", "-1", "../30", "99999999999999999999"} {
		if _, err := q.Find(t.Context(), id); !errors.Is(err, mta.ErrGone) {
			t.Errorf("Find(%q) gives %v, want ErrGone", id, err)
		}
	}
}

func TestAnInterruptedScanSaysSo(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(30)
	ctx, cancel := context.WithCancel(t.Context())
	scan, err := b.queue().Scan(ctx, mta.Want{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for _, part := range scan.Parts {
		for m, err := range part {
			if m != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, %v; want context.Canceled", m, err)
			}
		}
	}
}

func TestNoQueueIsAnErrorOfItsOwn(t *testing.T) {
	b := newBuilder(t, 1)
	if err := os.RemoveAll(b.path("")); err != nil {
		t.Fatal(err)
	}
	if err := openError(t, b.dir); !errors.Is(err, ErrNoQueue) {
		t.Errorf("Open gives %v, want ErrNoQueue", err)
	}
}

func TestReadingAFIFONeverBlocks(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(30)
	b.remove(b.file("remote", 30))
	if err := syscall.Mkfifo(b.path(b.file("remote", 30)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, scan := scanAll(t, b.queue())
	if gapOf(scan.Gaps.List(), "/remote/0/30") == "" {
		t.Error("a FIFO among the recipients is not noted")
	}
}

func TestQreadWordsTroubleAsTheOriginal(t *testing.T) {
	b := newBuilder(t, 3)
	b.message(30)
	b.message(31)
	b.remove(b.file("mess", 31))
	b.put(b.file("local", 30), "Dl\xe9on@x.test\x00")
	b.put("bounce/30", "text")
	stamp := syscall.Timespec{Sec: 1_136_073_845}
	if err := syscall.UtimesNano(b.path(b.file("info", 30)), []syscall.Timespec{stamp, stamp}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.queue().WriteQread(&out); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("1 Jan 2006 00:04:05 GMT  #30  %d  <a@x.test>  bouncing\n  done\tlocal\tl_on@x.test\n\tremote\tb@y.test\n"+
		"warning: trouble with #31: file does not exist\n", len(byUID))
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
