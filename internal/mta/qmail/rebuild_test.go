package qmail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

// rebuildOf opens the rebuild of a server below dir.
func rebuildOf(t testing.TB, dir string, seam disk.Seam, o RebuildOptions) *Rebuild {
	t.Helper()
	r, done, err := tryRebuild(dir, seam, o)
	must(t, err)
	t.Cleanup(done)
	return r
}

func tryRebuild(dir string, seam disk.Seam, o RebuildOptions) (r *Rebuild, done func(), err error) {
	root, err := host.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil {
		return nil, nil, err
	}
	top, err := disk.Open(dir, seam)
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	if o.Pause == nil {
		o.Pause = func(context.Context) error { return nil }
	}
	r, err = OpenRebuild(&mta.Server{Root: root, Passwd: passwd}, mta.Control{Top: top, Plan: "p1"}, o)
	if err != nil {
		return nil, nil, errors.Join(err, top.Close(), root.Close())
	}
	return r, func() { _, _, _ = r.Close(), top.Close(), root.Close() }, nil
}

// apply rebuilds and gives the locks back.
func apply(t testing.TB, dir string, o RebuildOptions) *spoor.Rebuilding {
	t.Helper()
	r := rebuildOf(t, dir, nil, o)
	report, err := r.Apply(t.Context())
	must(t, err)
	r.unlock()
	return report
}

// raw is the messages of a tree as plain calls of os read them: by content, what
// qmail would know of each. Places and names are checked on the way.
func raw(t testing.TB, tree string, l layout) map[string]string {
	t.Helper()
	known := map[string]string{}
	names := map[string]string{} // ID to content
	rules := shelfRules()
	walk := func(p piece, visit func(id, file string, info fs.FileInfo)) {
		files, err := filepath.Glob(filepath.Join(tree, rules[p].name, "*"))
		must(t, err)
		deeper, err := filepath.Glob(filepath.Join(tree, rules[p].name, "*", "*"))
		must(t, err)
		for _, file := range append(files, deeper...) {
			info, err := os.Lstat(file)
			must(t, err)
			if !info.Mode().IsRegular() {
				continue
			}
			id, err := strconv.ParseUint(filepath.Base(file), 10, 64)
			must(t, err)
			if want := filepath.Join(tree, rules[p].name, placeName(l.folder(p, id), id)); want != file {
				t.Errorf("%s should be %s", file, want)
			}
			visit(filepath.Base(file), file, info)
		}
	}
	walk(pieceMess, func(id, file string, info fs.FileInfo) {
		data, err := os.ReadFile(file)
		must(t, err)
		if st, _ := info.Sys().(*syscall.Stat_t); strconv.FormatUint(st.Ino, 10) != id {
			t.Errorf("%s has inode %d", file, st.Ino)
		}
		if _, twice := known[string(data)]; twice {
			t.Errorf("%q is there twice", data)
		}
		known[string(data)] = describe(pieceMess, info, "")
		names[id] = string(data)
	})
	for p := pieceIntd; p < pieces; p++ {
		walk(p, func(id, file string, info fs.FileInfo) {
			data, err := os.ReadFile(file)
			must(t, err)
			content, ok := names[id]
			if !ok {
				t.Errorf("%s has no content", file)
			}
			known[content] += describe(p, info, string(data))
		})
	}
	return known
}

func describe(p piece, info fs.FileInfo, data string) string {
	st, _ := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%s %v %d:%d %d %q\n", shelfRules()[p].name, info.Mode(), st.Uid, st.Gid, st.Mtim.Nano(), data)
}

// visible leaves out what qmail has not been given whole, and the intd of the
// rest: it is written with todo.
func visible(known map[string]string) map[string]string {
	shown := map[string]string{}
	for content, what := range known {
		if strings.Contains(what, "todo ") || strings.Contains(what, "info ") {
			shown[content] = intdLine.ReplaceAllString(what, "")
		}
	}
	return shown
}

var intdLine = regexp.MustCompile(`(?m)^intd .*\n`)

func sameMaps(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for content, is := range got {
		if want[content] != is {
			t.Errorf("%s: %q is\n%swant\n%s", what, content, is, want[content])
		}
	}
	for content := range want {
		if _, ok := got[content]; !ok {
			t.Errorf("%s: %q is missing", what, content)
		}
	}
}

// full is a queue with a message of each kind.
func full(t testing.TB, dir string, l layout) *sound {
	s := newSoundIn(t, dir, l)
	s.message("remote", queued("a@x.test", "Tb@y.test", "Dc@y.test"))
	s.message("local and bounce", map[piece]string{pieceInfo: "F\x00", pieceLocal: "Talias-d@x.test\x00", pieceRemote: "De@y.test\x00", pieceBounce: "<e@y.test>:\nno\n\n"})
	s.message("new", map[piece]string{pieceIntd: "u48\x00p1\x00Fa@x.test\x00Tf@y.test\x00", pieceTodo: "u48\x00p1\x00Fa@x.test\x00Tf@y.test\x00"})
	return s
}

func TestARebuildKeepsEveryMessage(t *testing.T) {
	for _, before := range []layout{{3, false}, {2, true}} {
		for _, o := range []RebuildOptions{{}, {Split: 7}, {Split: 1, Todo: TodoFlat}, {Todo: TodoSplit}} {
			s := full(t, t.TempDir(), before)
			want := visible(raw(t, s.path(""), before))
			report := apply(t, s.dir, o)
			after := before
			if o.Split != 0 {
				after.split = o.Split
			}
			after.bigTodo = o.Todo == TodoSplit || before.bigTodo && o.Todo == TodoAsItIs
			sameMaps(t, after.String(), visible(raw(t, s.path(""), after)), want)
			if report.Todo != 1 || report.Queued != 2 || report.Recipients != 5 || report.Done != 2 || report.Phase != "done" || report.After != after.String() {
				t.Errorf("report is %+v", report)
			}
			s.layout = after
			if c := s.check(0); len(c.Damages) > 0 {
				t.Errorf("after %+v: %+v", o, c.Damages)
			}
			linked(t, s.path(s.file(pieceIntd, todoOf(t, s))), s.path(s.file(pieceTodo, todoOf(t, s))))
		}
	}
}

// TestMoreFoldersThanAreKeptOpen spreads messages over many more folders than
// there are descriptors for.
func TestMoreFoldersThanAreKeptOpen(t *testing.T) {
	s := newSound(t, layout{1, false})
	for i := range 400 {
		envelope := unprocessed("a@x.test", "b@y.test")
		if i%2 == 0 {
			envelope = queued("a@x.test", "Tb@y.test")
		}
		s.message(fmt.Sprint(i), envelope)
	}
	want := visible(raw(t, s.path(""), s.layout))
	apply(t, s.dir, RebuildOptions{Split: 3 * maxOpen / 2, Todo: TodoSplit})
	sameMaps(t, "spread", visible(raw(t, s.path(""), layout{3 * maxOpen / 2, true})), want)
}

// todoOf is the ID of the message in todo.
func todoOf(t testing.TB, s *sound) uint64 {
	t.Helper()
	name := map[bool]string{true: "todo/*/*", false: "todo/*"}[s.bigTodo]
	files, err := filepath.Glob(s.path(name))
	must(t, err)
	for _, file := range files {
		if id, err := strconv.ParseUint(filepath.Base(file), 10, 64); err == nil {
			return id
		}
	}
	t.Fatal("todo is empty")
	return 0
}

func linked(t testing.TB, a, b string) {
	t.Helper()
	one, err := os.Stat(a)
	must(t, err)
	two, err := os.Stat(b)
	must(t, err)
	if !os.SameFile(one, two) {
		t.Errorf("%s and %s are two files", a, b)
	}
}

// damagedQueue is a queue with one of each damage that a rebuild repairs.
func damagedQueue(t testing.TB, dir string) *sound {
	s := full(t, dir, layout{3, false})
	misfiled := s.message("misfiled", queued("a@x.test", "Tg@y.test"))
	must(t, os.Rename(s.path(s.file(pieceRemote, misfiled)), s.path(fmt.Sprintf("remote/%d/%d", (misfiled+1)%3, misfiled))))
	misnamed := s.message("misnamed", queued("a@x.test", "Th@y.test"))
	for _, p := range []piece{pieceMess, pieceInfo, pieceRemote} {
		must(t, os.Rename(s.path(s.file(p, misnamed)), s.path(s.file(p, misnamed+3_000_000_000))))
	}
	must(t, os.Remove(s.path(s.file(pieceInfo, s.message("beheaded", queued("a@x.test", "Ti@y.test"))))))
	lost := s.message("lost", queued("lost@x.test", "Tj@y.test"))
	s.message("half", nil)
	s.message("half with envelope", map[piece]string{pieceIntd: "u1\x00p1\x00"})
	s.message("no sender", map[piece]string{pieceInfo: "", pieceRemote: "Tk@y.test\x00"})
	s.message("cut todo", map[piece]string{pieceTodo: "u1\x00p1\x00Fa@x.test\x00Tl@y"})
	s.put("bounce/4711", "stale", s.crew.send, s.crew.group, 0o600)
	s.put("mess/0/notes.txt", "foreign", 0, 0, 0o644)
	must(t, os.Symlink("/etc/passwd", s.path("info/0/9")))
	must(t, os.Remove(s.path(s.file(pieceMess, lost)))) // last: its number is free now
	return s
}

func TestARebuildRepairsAndSetsAside(t *testing.T) {
	s := damagedQueue(t, t.TempDir())
	r := rebuildOf(t, s.dir, nil, RebuildOptions{})
	plan, err := r.Plan(t.Context())
	must(t, err)
	report, err := r.Apply(t.Context())
	must(t, err)
	r.unlock()
	if plan.Queued != 4 || plan.Todo != 1 || plan.Quarantined != report.Quarantined || plan.Lost != report.Lost || plan.Foreign != 2 || len(plan.Damages) < 8 {
		t.Errorf("planned %+v\ndone %+v", plan, report)
	}
	if c := s.check(0); len(c.Damages) > 0 {
		t.Errorf("after it: %+v", c.Damages)
	}
	aside := map[string]bool{}
	must(t, filepath.WalkDir(s.path("")+".spoor.p1", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, err := os.ReadFile(name)
			must(t, err)
			aside[strings.SplitN(strings.TrimPrefix(name, s.path("")+".spoor.p1/"), "/", 2)[0]+" "+what(data)] = true
		}
		return err
	}))
	for _, want := range []string{
		"quarantine half", "quarantine half with envelope", "quarantine u1\x00p1\x00", "quarantine no sender", "quarantine cut todo", "quarantine Tk@y.test\x00",
		"lost+found beheaded", "lost+found Ti@y.test\x00", "lost+found Flost@x.test\x00", "lost+found Tj@y.test\x00", "lost+found stale",
	} {
		if !aside[want] {
			t.Errorf("%q is not set aside; there are %v", want, aside)
		}
	}
}

// what is the subject of a message, or the whole of anything else.
func what(data []byte) string {
	if _, rest, ok := strings.Cut(string(data), "Subject: "); ok {
		return strings.SplitN(rest, "\n", 2)[0]
	}
	return string(data)
}

// anonymous is what qmail-qread prints, a block a message, without the IDs, in an
// order of its own. It also prints what a crash left in info of messages that are
// in todo, and that qmail-send removes: that is left out.
func anonymous(t testing.TB, dir string) []string {
	t.Helper()
	var out bytes.Buffer
	must(t, openQueue(t, dir).WriteQread(&out))
	id := regexp.MustCompile(`#(\d+) `)
	blocks := regexp.MustCompile(`(?m)^\d`).ReplaceAllString(out.String(), "\x00$0")
	var list []string
	for _, block := range strings.Split(blocks, "\x00")[1:] {
		if _, err := os.Stat(filepath.Join(dir, "var/qmail/queue/todo", id.FindStringSubmatch(block)[1])); err != nil {
			list = append(list, id.ReplaceAllString(block, "#ID "))
		}
	}
	slices.Sort(list)
	return list
}

func TestACaptureIsTheSameAfterARebuild(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("tar keeps owners for root alone")
	}
	for name, counts := range map[string]struct{ preprocessed, todo int }{"qmail": {102, 13}, "qmail-forged": {281, 21}} {
		dir := hosttest.Unpack(t, name)
		before := anonymous(t, dir)
		messages, _ := scanAll(t, openQueue(t, dir))
		report := apply(t, dir, RebuildOptions{})
		if after := anonymous(t, dir); !slices.Equal(before, after) || len(after) != counts.preprocessed {
			t.Errorf("%s: qmail-qread prints %d messages, before %d, and not the same", name, len(after), len(before))
		}
		if report.Todo != counts.todo || report.Renamed == 0 {
			t.Errorf("%s: report %+v", name, report)
		}
		q := openQueue(t, dir)
		rebuilt, _ := scanAll(t, q)
		sameReading(t, name, messages, rebuilt)
		if _, todos := q.Count(); todos != counts.todo {
			t.Errorf("%s: %d todo, want %d", name, todos, counts.todo)
		}
		c, err := q.Check(t.Context(), born())
		must(t, err)
		if len(c.Damages) > 0 {
			t.Errorf("%s: damage after it: %+v", name, c.Damages)
		}
	}
}

// sameReading compares what spoor reads, but for the IDs and for messages that
// were never queued whole.
func sameReading(t testing.TB, name string, before, after map[string]*spoor.Message) {
	t.Helper()
	read := func(messages map[string]*spoor.Message) []string {
		var list []string
		for _, m := range messages {
			if m.State == spoor.StateIncomplete {
				continue
			}
			hops := make([]string, 0, len(m.Trail.Hops))
			for _, hop := range m.Trail.Hops {
				hops = append(hops, fmt.Sprintf("%+v", hop))
			}
			list = append(list, fmt.Sprintf("%v %v %v %d %q %v %v %d:%d %x %d/%d %q %s", m.Arrived, m.Routed, m.State, m.SizeBytes, m.Sender, m.Bouncing,
				m.Unprocessed, m.CallerUID, m.CallerGID, m.ContentHash, m.Recipients.Done(), m.Recipients.Len(), m.Subject, hops))
		}
		slices.Sort(list)
		return list
	}
	a, b := read(before), read(after)
	if len(a) != len(b) {
		t.Fatalf("%s: %d messages before, %d after", name, len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("%s:\nbefore %s\nafter  %s", name, a[i], b[i])
		}
	}
}

func TestARunningQueueIsLeftAlone(t *testing.T) {
	s := full(t, t.TempDir(), layout{3, false})
	refused := func(when string) {
		t.Helper()
		if _, err := rebuildOf(t, s.dir, nil, RebuildOptions{}).Apply(t.Context()); !errors.Is(err, mta.ErrRunning) {
			t.Errorf("%s: %v, want ErrRunning", when, err)
		}
	}
	lock, err := os.OpenFile(s.path("lock/sendmutex"), os.O_WRONLY, 0)
	must(t, err)
	must(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	refused("with the mutex held")
	must(t, lock.Close())
	pipe, err := os.OpenFile(s.path("lock/trigger"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	must(t, err)
	refused("with the trigger read")
	must(t, pipe.Close())
	if left, err := filepath.Glob(s.path("") + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left beside the queue: %v", left)
	}
	r := rebuildOf(t, s.dir, nil, RebuildOptions{})
	_, err = r.Apply(t.Context())
	must(t, err)
	lock, err = os.OpenFile(s.path("lock/sendmutex"), os.O_WRONLY, 0)
	must(t, err)
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("the new tree is not locked: %v", err)
	}
}

func TestWhatCannotBeRebuiltIsRefused(t *testing.T) {
	refused := func(name string, spoil func(s *sound)) {
		t.Run(name, func(t *testing.T) {
			s := full(t, t.TempDir(), layout{3, false})
			spoil(s)
			r := rebuildOf(t, s.dir, nil, RebuildOptions{})
			if _, err := r.Apply(t.Context()); err == nil {
				t.Error("it was rebuilt")
			}
			if got := visible(raw(t, s.path(""), s.layout)); len(got) != 3 {
				t.Errorf("the queue has %d messages", len(got))
			}
		})
	}
	refused("unfinished plan", func(s *sound) { must(s.t, os.Mkdir(s.path("spoor"), 0o700)) })
	refused("linked folder", func(s *sound) {
		must(s.t, os.Symlink("/elsewhere", s.path("local/3")))
	})
	refused("planted folder of the plan", func(s *sound) {
		must(s.t, os.Symlink(s.t.TempDir(), s.path("")+".spoor.p1"))
	})
	refused("planted new tree", func(s *sound) {
		must(s.t, os.Symlink(s.t.TempDir(), s.path("")+".new.p1"))
	})
	refused("folder of the plan open to others", func(s *sound) {
		must(s.t, os.Mkdir(s.path("")+".spoor.p1", 0o700))
		must(s.t, os.Chmod(s.path("")+".spoor.p1", 0o777))
	})
}

// TestAContentWithASecondNameIsNotGivenAway: a hard link in mess to a file of
// somebody else would become qmailq's.
func TestAContentWithASecondNameIsNotGivenAway(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("owners can be given away by root alone")
	}
	s := full(t, t.TempDir(), layout{3, false})
	secret := filepath.Join(s.dir, "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	own := s.message("wrong owner", queued("a@x.test", "Tb@y.test"))
	s.own(s.file(pieceMess, own), 0, 48, 0o600)
	id := s.message("planted", queued("a@x.test", "Tevil@y.test"))
	must(t, os.Remove(s.path(s.file(pieceMess, id))))
	must(t, os.Link(secret, s.path(s.file(pieceMess, id))))
	r := rebuildOf(t, s.dir, nil, RebuildOptions{})
	plan, err := r.Plan(t.Context())
	must(t, err)
	_, err = r.Apply(t.Context())
	must(t, err)
	info, err := os.Stat(secret)
	must(t, err)
	if st, _ := info.Sys().(*syscall.Stat_t); st.Uid != 0 || info.Mode() != 0o600 {
		t.Errorf("the file outside is %d %v now", st.Uid, info.Mode())
	}
	known := raw(t, s.path(""), s.layout)
	if _, ok := known["secret"]; ok || len(known) != 4 || len(plan.Warnings) != 1 {
		t.Errorf("the queue has %v; warned %q", known, plan.Warnings)
	}
	info, err = os.Stat(s.path(s.file(pieceMess, own)))
	must(t, err)
	if st, _ := info.Sys().(*syscall.Stat_t); int(st.Uid) != s.crew.queue || st.Gid != 48 || info.Mode() != 0o644 {
		t.Errorf("the content with the wrong owner is %d:%d %v now", st.Uid, st.Gid, info.Mode())
	}
}

// TestOneContentUnderTwoNamesIsOneMessage: both cannot have the number of its inode.
func TestOneContentUnderTwoNamesIsOneMessage(t *testing.T) {
	s := full(t, t.TempDir(), layout{3, false})
	id := s.message("twice", queued("a@x.test", "Tb@y.test"))
	must(t, os.Link(s.path(s.file(pieceMess, id)), s.path(s.file(pieceMess, id+3_000_000_000))))
	s.put(s.file(pieceInfo, id+3_000_000_000), "Ftwin@x.test\x00", s.crew.send, s.crew.group, 0o600)
	report := apply(t, s.dir, RebuildOptions{})
	got := visible(raw(t, s.path(""), s.layout))
	aside, err := os.ReadFile(s.path("") + ".spoor.p1/quarantine/" + s.file(pieceInfo, id+3_000_000_000))
	must(t, err)
	if len(got) != 4 || report.Queued != 3 || report.Quarantined != 2 || string(aside) != "Ftwin@x.test\x00" {
		t.Errorf("%d messages, report %+v, set aside %q", len(got), report, aside)
	}
}

// TestLateMessagesAreCarriedOver queues one at the last moment before the trees
// are exchanged, and one after that.
func TestLateMessagesAreCarriedOver(t *testing.T) {
	for _, o := range []RebuildOptions{{}, {Empty: true}, {Split: 5, Todo: TodoSplit}} {
		s := full(t, t.TempDir(), layout{3, false})
		want := visible(raw(t, s.path(""), s.layout))
		if o.Empty {
			clear(want)
		}
		seam := func(op disk.Op) error {
			if op.Name == "exchange" {
				s.message("in the last moment", unprocessed("a@x.test", "b@y.test"))
			}
			return nil
		}
		r := rebuildOf(t, s.dir, seam, o)
		report, err := r.Apply(t.Context())
		must(t, err)
		after := layout{max(o.Split, 3), o.Todo == TodoSplit}
		if o.Split == 5 {
			after.split = 5
		}
		got := visible(raw(t, s.path(""), after))
		if len(got) != len(want)+1 || report.Late != 1 {
			t.Errorf("%+v: %d messages, late %d", o, len(got), report.Late)
		}
		before := *s
		before.dir = s.dir
		must(t, os.Rename(s.path(""), s.path("")+".x"))
		must(t, os.Rename(s.path("")+".old.p1", s.path("")))
		s.message("too late", unprocessed("a@x.test", "b@y.test"))
		must(t, os.Rename(s.path(""), s.path("")+".old.p1"))
		must(t, os.Rename(s.path("")+".x", s.path("")))
		r.unlock()
		for range 2 { // the second time there is nothing to do
			if report, err = rebuildOf(t, s.dir, nil, o).Late(t.Context()); err != nil || report.Late != 2 {
				t.Fatalf("%+v: late %+v, %v", o, report, err)
			}
		}
		if got := visible(raw(t, s.path(""), after)); len(got) != len(want)+2 {
			t.Errorf("%+v: %d messages", o, len(got))
		}
	}
}

// TestAWriterInTheOldTreeIsWaitedFor has a real process with its working
// directory there, which ends while it is waited for.
func TestAWriterInTheOldTreeIsWaitedFor(t *testing.T) {
	s := full(t, t.TempDir(), layout{3, false})
	writer := exec.CommandContext(t.Context(), "sleep", "600")
	writer.Dir = s.path("")
	must(t, writer.Start())
	waits := 0
	r := rebuildOf(t, s.dir, nil, RebuildOptions{Pause: func(context.Context) error {
		if waits++; waits == 2 {
			_ = writer.Process.Kill()
			_ = writer.Wait()
		}
		return nil
	}})
	report, err := r.Apply(t.Context())
	must(t, err)
	if waits != 2 || report.Writing != 0 {
		t.Errorf("waited %d times, %d write", waits, report.Writing)
	}
}

func TestWhoNeverEndsIsToldAndKeepsTheOldTree(t *testing.T) {
	s := full(t, t.TempDir(), layout{3, false})
	s.message("half", nil)
	writer := exec.CommandContext(t.Context(), "sleep", "600")
	writer.Dir = s.path("")
	must(t, writer.Start())
	defer func() { _ = writer.Process.Kill(); _ = writer.Wait() }()
	report := apply(t, s.dir, RebuildOptions{Looks: 2})
	if report.Writing != 1 || report.Quarantined != 0 {
		t.Errorf("report is %+v", report)
	}
	r := rebuildOf(t, s.dir, nil, RebuildOptions{Looks: 2})
	if _, err := r.Purge(t.Context()); !errors.Is(err, ErrWriting) {
		t.Errorf("purge gives %v", err)
	}
	if _, err := os.Stat(s.path("") + ".old.p1/mess"); err != nil {
		t.Errorf("the old tree: %v", err)
	}
}
