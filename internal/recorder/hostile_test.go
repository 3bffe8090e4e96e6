package recorder

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor/internal/origin"
	"spoor/internal/shim"
)

// tenant is a user of the server who may run programs.
const tenant = 10003

func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
}

// open lets the tenant reach the stand's folders, which lie in the test's.
func (s *stand) open() {
	s.t.Helper()
	for dir := filepath.Dir(s.dir); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestTheUIDIsTheKernels(t *testing.T) {
	asRoot(t)
	s := newStand(t, "")
	s.open()
	for _, uid := range []int{tenant, tenant + 1} {
		r := s.sendSeen(uid, "X-Spoor-Origin: 1.x.0.y.z\nTo: a\n\n", "-t")
		if r.Facts.UID != uid || len(r.Facts.Parents) == 0 || r.Facts.Parents[0].UID != os.Getuid() {
			t.Errorf("%+v", r)
		}
		if len(r.Facts.Scripts) > 0 || r.Facts.Script != "" {
			t.Errorf("scripts of root's processes above are no tenant's: %+v", r.Facts)
		}
		id, rest := marked(t, s.read("message"))
		if known, err := s.key.Verify(id); err != nil || known.UID != uid {
			t.Errorf("uid %d got an ID of %d: %v", uid, known.UID, err)
		}
		if !strings.HasPrefix(rest, "X-Spoor-Origin: 1.x.0.y.z\n") { // it stays, below ours
			t.Errorf("came as %q", rest)
		}
	}
}

// A user who talks to the recorder himself gets IDs of his own UID, and the record
// says which program asked.
func TestAnotherProgramThanTheShim(t *testing.T) {
	record := origin.Record{}
	w := witness{proc: "/proc", shims: identify([]string{"/nowhere"})}
	p := peer{uid: os.Getuid(), pid: os.Getpid(), handle: -1}
	w.open(&p, &record).look()
	if record.Facts.Shim {
		t.Error("a test is taken for the shim")
	}
}

// Descriptors of files that are no scripts, or of many, name no script.
func TestDescriptorsThatMislead(t *testing.T) {
	f := func(what string, want int, names ...string) {
		t.Helper()
		dir := t.TempDir()
		for _, name := range names {
			if name[0] != '/' {
				name = filepath.Join(dir, name)
				if err := os.WriteFile(name, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = file.Close() }()
		}
		record := origin.Record{}
		w := witness{proc: "/proc"}
		p := peer{uid: os.Getuid(), pid: os.Getpid(), handle: -1}
		w.open(&p, &record).look()
		got := record.Facts.Scripts
		if record.Facts.Script != "" {
			got = append(got, record.Facts.Script)
		}
		ours := 0
		for _, script := range got {
			if strings.HasPrefix(script, dir) {
				ours++
			} else if strings.HasPrefix(script, "/etc") {
				t.Errorf("%s: %q is named", what, script)
			}
		}
		if ours != want {
			t.Errorf("%s: %q", what, got)
		}
	}
	f("no scripts", 0, "/etc/passwd", "/dev/null", "notes.txt", "php")
	f("one script", 1, "/etc/passwd", "a.php")
	f("the same script twice", 1, "a.php", "a.php")
	f("two scripts", 2, "a.php", "b.PHP")
	f("a name with a line end", 1, "a\nb.php")
}

// One user cannot use up the recorder's connections.
func TestFloodOfConnections(t *testing.T) {
	s := newStand(t, "")
	var held []net.Conn
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	for range 4 * maxConnections {
		c, err := dial(s.places().Socket, time.Minute)
		if err != nil {
			t.Fatal(err) // it is accepted, and closed
		}
		held = append(held, c)
	}
	if status, _ := s.send(os.Getuid(), "To: a\n\nhello", "-t"); status != 0 || !strings.HasSuffix(s.read("message"), "To: a\n\nhello") {
		t.Errorf("%d %q", status, s.read("message"))
	}
	if os.Getuid() != 0 {
		return
	}
	s.open()
	if _, _ = s.send(tenant, "To: a\n\nhello", "-t"); !strings.HasPrefix(s.read("message"), "X-Spoor-Origin: 1.") {
		t.Errorf("another user's message has no ID: %q", s.read("message"))
	}
}

// Who does not keep to the protocol is left, and nobody else notices.
func TestNonsense(t *testing.T) {
	s := newStand(t, "")
	for _, packets := range [][]string{{""}, {"X"}, {"H1", "D\x00\xff"}, {"H1", "Dsize=99999999999999999999\x00"}, {"H1", strings.Repeat("D", 200_000)}, {"H1", "E"}, {"M"}} {
		c, err := dial(s.places().Socket, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, packet := range packets {
			_, _ = c.Write([]byte(packet))
		}
		_ = c.Close()
	}
	_, _ = s.send(os.Getuid(), "To: a\n\nhello", "-t")
	if _, err := s.key.Verify(strings.TrimPrefix(strings.SplitN(s.read("message"), "\n", 2)[0], "X-Spoor-Origin: ")); err != nil {
		t.Error(err)
	}
}

func TestNotesAreTakenFromTheSpool(t *testing.T) {
	asRoot(t)
	s := newStand(t, "")
	s.open()
	_, _ = s.send(tenant, "To: a\n\nhello", "-t") // makes the file
	s.records(1)
	name := s.dir + "/spool/origin/" + strconv.Itoa(tenant)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && s.read("spool/origin/"+strconv.Itoa(tenant)) == "" && missing(name); <-time.After(time.Millisecond) {
	}
	s.stop()
	if status, said := s.send(tenant, "To: a, b\nMessage-ID: <2@x>\n\nhello", "-t", "-fme"); status != 0 {
		t.Fatalf("%d %s", status, said)
	}
	id, _ := marked(t, s.read("message"))
	if !strings.HasPrefix(id, shim.Unsigned) {
		t.Errorf("the ID %q looks signed", id)
	}
	s.start()
	r := s.records(2)[1]
	if r.ID != id || r.From != origin.FromSpool || r.Facts.UID != tenant || r.Facts.Exe != "" || r.Claims.To != 2 || r.Claims.Dir != "/" || r.Claims.Script != "/srv/claimed.php" || time.Since(r.Time) > time.Hour {
		t.Errorf("%+v", r)
	}
	if missing(name) {
		t.Error("there is no file for the next time")
	}
}

func missing(name string) bool {
	_, err := os.Lstat(name)
	return err != nil
}

// What a user can do to his file in the spool: append lines that are taken as his own
// word. He can not read it, cut it, replace it, or write to another's.
func TestTheSpoolIsNoPlayground(t *testing.T) {
	asRoot(t)
	s := newStand(t, "")
	s.open()
	s.spool.offer(tenant)
	s.spool.offer(tenant + 1)
	dir := s.dir + "/spool/origin/"
	own, other := dir+strconv.Itoa(tenant), dir+strconv.Itoa(tenant+1)
	for what, script := range map[string]string{
		"read its own":           "cat " + own,
		"cut its own":            ": > " + own,
		"write at its beginning": "dd if=/dev/zero of=" + own + " count=1 conv=notrunc",
		"open its mode":          "chmod 666 " + own,
		"remove its own":         "rm -f " + own + " && test ! -e " + own,
		"put a link there":       "ln -sf /etc/passwd " + own,
		"make another's file":    "echo x > " + dir + "99",
		"write to another's":     "echo x >> " + other,
		"list the folder":        "ls " + dir,
	} {
		if status := runAs(t, tenant, script); status == 0 {
			if what == "cut its own" && !appendOnly(own) {
				continue // where the file system knows no such attribute
			}
			t.Errorf("a tenant could %s", what)
		}
	}
	forged := `"note=u.` + strconv.FormatInt(time.Now().UnixNano(), 36) + `.0.1" "uid=0" "name=sendmail" "SCRIPT_FILENAME=/home/victim/x.php"`
	if status := runAs(t, tenant, "cat >> "+own+" <<'E'\n"+forged+"\nnonsense \"\n\"note=u.\"\nE\n"); status != 0 {
		t.Fatal("a tenant could not write to its own file")
	}
	var notes []origin.Record
	if err := s.spool.collect(func(r *origin.Record) { notes = append(notes, *r) }); err != nil {
		t.Fatal(err)
	}
	if len(notes) != 1 || notes[0].Facts.UID != tenant || notes[0].Facts.Script != "" || notes[0].Claims.Script != "/home/victim/x.php" {
		t.Errorf("%+v", notes)
	}
}

func appendOnly(name string) bool {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err == nil {
		_ = f.Close()
	}
	return err != nil
}

func runAs(t *testing.T, uid int, script string) int {
	t.Helper()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", script}, &os.ProcAttr{
		Dir: "/", Files: []*os.File{nil, nil, nil},
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	state, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return state.ExitCode()
}

// The arguments of a process can be megabytes: so much of them is kept.
func TestGiantCommandLine(t *testing.T) {
	s := newStand(t, "")
	args := []string{"-t"}
	for range 200 {
		args = append(args, strings.Repeat("x", 1000))
	}
	if status, said := s.send(os.Getuid(), "To: a\n\nhello", args...); status != 0 {
		t.Fatalf("%d %s", status, said)
	}
	r := s.records(1)[0]
	if !r.Claims.ArgsCut || len(r.Claims.Args) > maxArgs || r.Claims.Recipients != 200 || len(s.read("log/origin.log")) > origin.MaxLine {
		t.Errorf("%d arguments of a line of %d bytes", len(r.Claims.Args), len(s.read("log/origin.log")))
	}
}
