package qmail

import (
	"cmp"
	"fmt"
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
	"spoor/internal/host/hosttest"
)

// The users of the trees that tests make. They are the test's own where it does
// not run as root.
const passwdText = "qmailq:x:%d:%d::/var/qmail:/bin/false\nqmailr:x:%d:%d::/var/qmail:/bin/false\nqmails:x:%d:%d::/var/qmail:/bin/false\n"

func testCrew() crew {
	if os.Getuid() != 0 {
		return crew{queue: os.Getuid(), remote: os.Getuid(), send: os.Getuid(), group: os.Getgid(), known: true}
	}
	return crew{queue: 7794, remote: 7795, send: 7796, group: 2108, known: true}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sound is a queue that is as hier.c makes it, and what tests do to it.
type sound struct {
	t    testing.TB
	dir  string // root
	crew crew
	layout

	queue     string // name of the tree; "" is queue
	delivered bool   // the last deliver found its message
}

// newSound makes an empty queue without any damage.
func newSound(t testing.TB, l layout) *sound {
	t.Helper()
	return newSoundIn(t, t.TempDir(), l)
}

func newSoundIn(t testing.TB, dir string, l layout) *sound {
	t.Helper()
	s := &sound{t: t, dir: dir, crew: testCrew(), layout: l}
	c := s.crew
	must(t, os.MkdirAll(s.path(""), 0o755))
	must(t, os.MkdirAll(filepath.Join(s.dir, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(s.dir, "etc/passwd"), fmt.Appendf(nil, passwdText, c.queue, c.group, c.remote, c.group, c.send, c.group), 0o644))
	s.own("", c.queue, c.group, 0o750)
	for _, name := range []string{"pid", "lock"} {
		s.mkdir(name, c.queue, map[string]uint32{"pid": 0o700, "lock": 0o750}[name])
	}
	for _, rule := range shelfRules() {
		s.mkdir(rule.name, c.owner(rule), rule.mode)
		for i := 0; i < l.split && (rule.split || rule.todo && l.bigTodo); i++ {
			s.mkdir(fmt.Sprintf("%s/%d", rule.name, i), c.owner(rule), rule.mode)
		}
	}
	s.put("lock/sendmutex", "", c.send, c.group, 0o600)
	s.put("lock/tcpto", strings.Repeat("\x00", 1024), c.remote, c.group, 0o644)
	must(t, syscall.Mkfifo(s.path("lock/trigger"), 0o622))
	s.own("lock/trigger", c.send, c.group, 0o622)
	return s
}

func (s *sound) path(name string) string {
	return filepath.Join(s.dir, "var/qmail", cmp.Or(s.queue, "queue"), name)
}

func (s *sound) own(name string, uid, gid int, mode uint32) {
	s.t.Helper()
	must(s.t, os.Chown(s.path(name), uid, gid))
	must(s.t, os.Chmod(s.path(name), os.FileMode(mode)))
}

func (s *sound) mkdir(name string, uid int, mode uint32) {
	s.t.Helper()
	must(s.t, os.MkdirAll(s.path(name), 0o755))
	s.own(name, uid, s.crew.group, mode)
}

func (s *sound) put(name, content string, uid, gid int, mode uint32) {
	s.t.Helper()
	must(s.t, os.WriteFile(s.path(name), []byte(content), 0o600))
	s.own(name, uid, gid, mode)
}

// born is when all files of a sound queue were written.
func born() time.Time { return time.Date(2026, 11, 23, 11, 32, 18, 123456789, time.UTC) }

// message queues a message the way qmail-queue and qmail-send do: it is named
// after its inode. Contents are by piece; mess is made from what.
func (s *sound) message(what string, envelope map[piece]string) uint64 {
	s.t.Helper()
	s.put("pid/1", "Received: (qmail 1 invoked by uid 10003); 23 Nov 2026 11:32:18 -0000\nSubject: "+what+"\n\nbody of "+what+"\n", s.crew.queue, s.crew.group, 0o644)
	info, err := os.Stat(s.path("pid/1"))
	must(s.t, err)
	stat, _ := info.Sys().(*syscall.Stat_t)
	s.age("pid/1", born())
	must(s.t, os.Rename(s.path("pid/1"), s.path(s.file(pieceMess, stat.Ino))))
	for p := piece(0); p < pieces; p++ {
		data, ok := envelope[p]
		if !ok {
			continue
		}
		rule := shelfRules()[p]
		if p == pieceTodo && envelope[pieceIntd] != "" {
			must(s.t, os.Link(s.path(s.file(pieceIntd, stat.Ino)), s.path(s.file(p, stat.Ino))))
			continue
		}
		s.put(s.file(p, stat.Ino), data, s.crew.owner(rule), s.crew.group, rule.fileMode)
		s.age(s.file(p, stat.Ino), born().Add(time.Duration(p)*time.Second))
	}
	return stat.Ino
}

func (s *sound) age(name string, at time.Time) {
	s.t.Helper()
	must(s.t, os.Chtimes(s.path(name), at, at))
}

// file is where a piece of a message belongs.
func (s *sound) file(p piece, id uint64) string {
	return shelfRules()[p].name + "/" + placeName(s.folder(p, id), id)
}

// check is the soundness of the queue, some time after all was written.
func (s *sound) check(after time.Duration) *spoor.QueueCheck {
	s.t.Helper()
	c, err := openQueue(s.t, s.dir).Check(s.t.Context(), born().Add(after))
	must(s.t, err)
	return c
}

// damaged are the counts of a check by word.
func damaged(c *spoor.QueueCheck) map[string]int {
	counts := map[string]int{}
	for _, d := range c.Damages {
		counts[d.Check] = d.Count
	}
	return counts
}

func queued(sender string, recipients ...string) map[piece]string {
	return map[piece]string{pieceInfo: "F" + sender + "\x00", pieceRemote: strings.Join(recipients, "\x00") + "\x00"}
}

func unprocessed(sender string, recipients ...string) map[piece]string {
	return map[piece]string{pieceTodo: "u10003\x00p1\x00F" + sender + "\x00T" + strings.Join(recipients, "\x00T") + "\x00"}
}

func TestASoundQueueHasNoDamage(t *testing.T) {
	for _, l := range []layout{{3, false}, {23, true}, {1, false}} {
		s := newSound(t, l)
		for i := range 20 {
			s.message(fmt.Sprint(i), queued("a@x.test", "Tb@y.test", "Dc@y.test"))
		}
		s.message("new", unprocessed("", "d@y.test"))
		s.message("bounce", map[piece]string{pieceInfo: "F\x00", pieceLocal: "Td@x.test\x00", pieceBounce: "<x>:\nno\n\n"})
		s.message("young", nil)
		c := s.check(time.Minute)
		if !c.Clean() || c.Messages != 23 || c.Layout != l.String() {
			t.Errorf("%v: %+v", l, c)
		}
	}
}

// TestEachDamageIsFound does one thing at a time to a sound queue, and wants that
// one thing to be told.
func TestEachDamageIsFound(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("owners can be given away by root alone")
	}
	damages := map[string]func(s *sound){
		"misfiled": func(s *sound) {
			id := s.message("m", queued("a@x.test", "Tb@y.test"))
			must(s.t, os.Rename(s.path(s.file(pieceRemote, id)), s.path(fmt.Sprintf("remote/%d/%d", (id+1)%3, id))))
		},
		"beheaded": func(s *sound) {
			must(s.t, os.Remove(s.path(s.file(pieceInfo, s.message("m", queued("a@x.test", "Tb@y.test"))))))
		},
		"no-content": func(s *sound) {
			must(s.t, os.Remove(s.path(s.file(pieceMess, s.message("m", map[piece]string{pieceInfo: "Fa@x.test\x00"})))))
		},
		"stale-bounce":  func(s *sound) { s.put("bounce/4711", "text", s.crew.send, s.crew.group, 0o600) },
		"content-owner": func(s *sound) { s.own(s.file(pieceMess, s.message("m", nil)), 0, 0, 0o644) },
		"file-owner": func(s *sound) {
			s.own(s.file(pieceInfo, s.message("m", queued("a@x.test", "Tb@y.test"))), 0, s.crew.group, 0o600)
		},
		"file-group": func(s *sound) {
			s.own(s.file(pieceInfo, s.message("m", queued("a@x.test", "Tb@y.test"))), s.crew.send, 0, 0o600)
		},
		"file-mode": func(s *sound) {
			s.own(s.file(pieceInfo, s.message("m", queued("a@x.test", "Tb@y.test"))), s.crew.send, s.crew.group, 0o644)
		},
		"folder-owner":   func(s *sound) { s.own("info/2", 0, 0, 0o700) },
		"folder-mode":    func(s *sound) { s.own("intd", s.crew.queue, s.crew.group, 0o755) },
		"missing-folder": func(s *sound) { must(s.t, os.Remove(s.path("local/1"))) },
		"extra-folder":   func(s *sound) { s.mkdir("local/3", s.crew.send, 0o700) },
		"todo-layout": func(s *sound) {
			for i := range 3 {
				s.mkdir(fmt.Sprintf("intd/%d", i), s.crew.queue, 0o700)
			}
		},
		"info-damaged":       func(s *sound) { s.message("m", map[piece]string{pieceInfo: "", pieceRemote: "Tb@y.test\x00"}) },
		"recipients-damaged": func(s *sound) { s.message("m", map[piece]string{pieceInfo: "F\x00", pieceRemote: "Tb@y.t"}) },
		"todo-damaged": func(s *sound) {
			s.message("m", map[piece]string{pieceTodo: "u1\x00p1\x00Fa@x.test\x00Qlog\x00Tb@y.test\x00"})
		},
		"empty-content": func(s *sound) {
			must(s.t, os.Truncate(s.path(s.file(pieceMess, s.message("m", unprocessed("a@x.test", "b@y.test")))), 0))
		},
		"sendmutex-missing": func(s *sound) { must(s.t, os.Remove(s.path("lock/sendmutex"))) },
		"sendmutex":         func(s *sound) { s.own("lock/sendmutex", s.crew.send, s.crew.group, 0o644) },
		"trigger":           func(s *sound) { s.own("lock/trigger", s.crew.send, s.crew.group, 0o600) },
		"tcpto":             func(s *sound) { must(s.t, os.Truncate(s.path("lock/tcpto"), 0)) },
		"tcpto-owner":       func(s *sound) { s.own("lock/tcpto", s.crew.send, s.crew.group, 0o644) },
		"misnamed": func(s *sound) {
			id := s.message("m", nil)
			must(s.t, os.Rename(s.path(s.file(pieceMess, id)), s.path(s.file(pieceMess, id+3))))
		},
		"foreign":         func(s *sound) { s.put("mess/0/notes.txt", "x", 0, 0, 0o644) },
		"not-regular":     func(s *sound) { must(s.t, os.Symlink("/etc/passwd", s.path("info/1/4"))) },
		"stray-envelope":  func(s *sound) { s.put("intd/77", "u1", s.crew.queue, s.crew.group, 0o644) },
		"unfinished-plan": func(s *sound) { s.mkdir("spoor", 0, 0o700) },
		"pid-old": func(s *sound) {
			s.put("pid/1.2.3", "x", s.crew.queue, s.crew.group, 0o644)
			s.age("pid/1.2.3", born().Add(-48*time.Hour))
		},
		"orphan":     func(s *sound) { s.age(s.file(pieceMess, s.message("m", nil)), born().Add(-2*time.Hour)) },
		"orphan-old": func(s *sound) { s.age(s.file(pieceMess, s.message("m", nil)), born().Add(-72*time.Hour)) },
		"linked-folder": func(s *sound) {
			must(s.t, os.Rename(s.path("remote/2"), filepath.Join(s.dir, "moved")))
			must(s.t, os.Symlink("/moved", s.path("remote/2")))
		},
	}
	for check, damage := range damages {
		t.Run(check, func(t *testing.T) {
			s := newSound(t, layout{3, false})
			damage(s)
			got := damaged(s.check(time.Minute))
			if check == "linked-folder" {
				delete(got, "missing-folder") // the same, seen from the table of folders
			}
			if len(got) != 1 || got[check] == 0 {
				t.Errorf("told %v, want %s", got, check)
			}
		})
	}
	for _, kind := range damageKinds() {
		if damages[kind.Check] == nil {
			t.Errorf("no test does %s", kind.Check)
		}
		if kind.Means == "" || kind.Repair == "" && kind.Advice == "" {
			t.Errorf("%s is not explained", kind.Check)
		}
	}
}

// TestACaptureIsMisnamedAndNothingElse: the files of an unpacked server have
// other inodes than on the server.
func TestACaptureIsMisnamedAndNothingElse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("tar keeps owners for root alone")
	}
	for name, want := range captures() {
		c, err := openQueue(t, hosttest.Unpack(t, name)).Check(t.Context(), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
		must(t, err)
		got := damaged(c)
		if got["misnamed"] != want.messages || c.Messages != want.messages || !strings.HasPrefix(c.Layout, "split "+strconv.Itoa(want.split)) {
			t.Errorf("%s: %v, %d messages, %s", name, got, c.Messages, c.Layout)
		}
		delete(got, "misnamed")
		t.Logf("%s: beside that %v %q", name, slices.Sorted(maps.Keys(got)), c.Notes)
	}
}

func TestHostsThatAreDown(t *testing.T) {
	now := time.Unix(1795433255, 0)
	record := func(a, count byte, ago time.Duration) string {
		when := uint32(now.Add(-ago).Unix())
		return string([]byte{192, 0, 2, a, count, 0, 0, 0, byte(when), byte(when >> 8), byte(when >> 16), byte(when >> 24), 0, 0, 0, 0})
	}
	table := record(1, 2, 12*time.Minute) + record(2, 1, time.Minute) + record(3, 10, 2*time.Hour) + strings.Repeat("\x00", 16)
	want := "receivers that did not answer, which qmail-remote leaves alone for about an hour: 192.0.2.1 (2 timeouts, the last 12 min ago)"
	if got := hostsDown([]byte(table), now); got != want {
		t.Errorf("got %q", got)
	}
	if got := hostsDown([]byte(record(2, 1, 0)), now); got != "" {
		t.Errorf("one timeout is told: %q", got)
	}
}
