package live

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"spoor"
)

func TestStat(t *testing.T) {
	const tail = " S 900 900 900 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 10"
	f := func(text string, want stat) {
		t.Helper()
		if got, err := parseStat([]byte(text)); err != nil || got != want {
			t.Errorf("parseStat(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
	f("4711 (php-fpm8.2)"+tail, stat{parent: 900, comm: "php-fpm8.2", start: 123450 * time.Millisecond})
	f("4711 (a) R 1 (b)"+tail, stat{parent: 900, comm: "a) R 1 (b", start: 123450 * time.Millisecond})
	for _, bad := range []string{"", "4711", "4711 )x(", "4711 (x) S 1", "4711 (x)" + strings.Replace(tail, "12345", "x", 1)} {
		if _, err := parseStat([]byte(bad)); !errors.Is(err, errNotStat) {
			t.Errorf("parseStat(%q) gives %v", bad, err)
		}
	}
}

func TestIDs(t *testing.T) {
	uid, gid := parseIDs([]byte("Name:\tx\\nUid: 0\nUmask:\t0022\nUid:\t10003\t0\t0\t0\nGid:\t2523\t101\t101\t101\n"))
	if uid != 10003 || gid != 2523 {
		t.Errorf("they are %d and %d", uid, gid)
	}
	if uid, _ := parseIDs([]byte("Uid:\n")); uid != -1 {
		t.Errorf("an empty line gives %d", uid)
	}
}

func TestThisProcess(t *testing.T) {
	p, parent, err := theProc.process(os.Getpid())
	if err != nil || p.UID != os.Getuid() || p.GID != os.Getgid() || parent != os.Getppid() {
		t.Fatalf("it is %+v, child of %d, %v", p, parent, err)
	}
	if exe, _ := os.Executable(); p.Exe != exe {
		t.Errorf("it runs %q, want %q", p.Exe, exe)
	}
	if !theProc.is(&p) {
		t.Error("it is not itself")
	}
	p.Start += time.Second
	if theProc.is(&p) {
		t.Error("a process that was started later is taken for it")
	}
}

// Of a file that is removed, or whose name another one has got, the name is no
// proof any more.
func TestOpenFiles(t *testing.T) {
	dir := t.TempDir()
	open := func(name string, flag int) int {
		t.Helper()
		f, err := os.OpenFile(dir+"/"+name, flag|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return int(f.Fd())
	}
	kept, written, removed, replaced := open("kept.php", os.O_RDONLY), open("log", os.O_WRONLY), open("removed.php", os.O_RDONLY), open("replaced.php", os.O_RDONLY)
	if err := errors.Join(os.Remove(dir+"/removed.php"), os.WriteFile(dir+"/new", nil, 0o600), os.Rename(dir+"/new", dir+"/replaced.php")); err != nil {
		t.Fatal(err)
	}
	files := map[int]spoor.OpenFile{}
	for _, d := range theProc.descriptors(os.Getpid()) {
		if file, ok := theProc.file(os.Getpid(), d); ok {
			files[d.fd] = file
		}
	}
	f := func(fd int, name string, readonly, current bool) {
		t.Helper()
		want := spoor.OpenFile{FD: fd, Path: dir + "/" + name, Readonly: readonly, Current: current, UID: os.Getuid()}
		if files[fd] != want {
			t.Errorf("it is %+v, want %+v", files[fd], want)
		}
	}
	f(kept, "kept.php", true, true)
	f(written, "log", false, true)
	f(removed, "removed.php (deleted)", true, false)
	f(replaced, "replaced.php (deleted)", true, false)
}

func TestOnlyARequestIsReadOfAnEnvironment(t *testing.T) {
	env := "DB_PASSWORD=hunter2\x00REMOTE_ADDR=203.0.113.9\x00HTTP_COOKIE=hunter2\x00REQUEST_URI=/a.php?token=hunter2\x00" +
		"REMOTE_ADDR=198.51.100.1\x00xREMOTE_ADDR=hunter2\x00PWD\x00SCRIPT_NAME=/a\n.php\x00HTTP_AUTHORIZATION=hunter2"
	want := []spoor.Variable{{Key: "REMOTE_ADDR", Value: "203.0.113.9"}, {Key: "REQUEST_URI", Value: "/a.php"}, {Key: "SCRIPT_NAME", Value: "/a\n.php"}}
	if got := parseEnviron([]byte(env), true); !reflect.DeepEqual(got, want) {
		t.Errorf("it is %q", got)
	}
	if got := parseEnviron([]byte("PWD=/var/www/sh"), false); len(got) > 0 {
		t.Errorf("a variable that is cut in two counts: %q", got)
	}
	if got := parseEnviron([]byte("PWD=/"+strings.Repeat("x", maxClaim)+"\x00"), true); len(got) > 0 {
		t.Errorf("a value without a bound is kept")
	}
}

func FuzzEnviron(f *testing.F) {
	f.Add([]byte("PWD=/x\x00SECRET=hunter2\x00REQUEST_URI=/?x\x00"), true)
	f.Fuzz(func(t *testing.T, text []byte, whole bool) {
		for _, claim := range parseEnviron(text, whole) {
			if !slices.Contains(requestKeys(), claim.Key) || len(claim.Value) > maxClaim || strings.Contains(claim.Value, "\x00") {
				t.Errorf("%q is told", claim)
			}
		}
	})
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("4711 (php-fpm8.2) S 900 900 900 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 10"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if st, err := parseStat(text); err == nil && st.start < 0 {
			t.Errorf("it started %v before the machine", st.start)
		}
		parseIDs(text)
	})
}

func TestCommands(t *testing.T) {
	f := func(program string, args string, submits bool, recipients ...string) {
		t.Helper()
		got := parseCommand(program, strings.Fields(args))
		if got.submits != submits || !slices.Equal(got.recipients, recipients) {
			t.Errorf("%s as %q: %+v, want %v %q", program, args, got, submits, recipients)
		}
	}
	f("/usr/sbin/sendmail", "sendmail -t -i", true)
	f("/usr/sbin/sendmail", "sendmail -i -f info@shop.test a@b.test c@d.test", true, "a@b.test", "c@d.test")
	f("/usr/sbin/sendmail", "sendmail -finfo@shop.test -- a@b.test", true, "a@b.test")
	f("/usr/sbin/sendmail", "sendmail -bs", true)
	f("/usr/sbin/sendmail", "sendmail -bp", false)
	f("/usr/sbin/sendmail", "sendmail -q30m", false)
	f("/usr/sbin/sendmail", "/usr/bin/mailq", false)
	f("/usr/sbin/sendmail", "newaliases", false)
	f("/usr/sbin/exim4", "exim4 -bd -q30m", false)
	f("/usr/sbin/exim4", "exim4 -Mc 1abcde-000001-AB", false)
	f("/usr/sbin/exim4", "exim4 -odb a@b.test", true, "a@b.test")
	f("/usr/sbin/sendmail", "", true)                          // arguments are not known
	f("/usr/sbin/postdrop", "mailq -r -bp", true)              // it has no such options
	f("/var/qmail/bin/qmail-queue", "-bp", true)               // nor has this one
	f("/usr/sbin/sendmail", "sendmail -t -bp a@b.test", false) // the last mode counts
}

func TestScriptArguments(t *testing.T) {
	f := func(args []string, want string) {
		t.Helper()
		if got := scriptArgument(args); got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
	f([]string{"perl", "/tmp/x.pl", "secret"}, "/tmp/x.pl")
	f([]string{"php", "-d", "memory_limit=1", "-f", "x.php"}, "x.php")
	f([]string{"python3", "-u", "bot.py"}, "bot.py")
	f([]string{"sh", "-c", "/usr/sbin/sendmail -t -i"}, "")
	f([]string{"perl", "-e", "print 1"}, "")
	f([]string{"php-fpm: pool shop with a title"}, "")
	f([]string{"perl", "a title over it"}, "")
	f([]string{"perl"}, "")
	f([]string{"bash", "/dev/fd/3"}, "")
}

func TestTheScriptOfAnInterpreter(t *testing.T) {
	script := t.TempDir() + "/bot.sh"
	if err := os.WriteFile(script, []byte("read x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "/bin/sh", script, "hunter2")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = command.Wait() })
	p, _, err := theProc.process(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	n := &Interpreters{root: "/", known: map[who]string{}}
	if got := n.Script(&p); got != script {
		t.Errorf("it is %q, want %q (%+v)", got, script, p)
	}
	p.Start += time.Second
	if got := n.Script(&p); got != "" {
		t.Errorf("of another process with its PID it is %q", got)
	}
}

func TestSockets(t *testing.T) {
	const text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:9C4A 0100007F:0019 01 00000000:00000000 00:00000000 00000000 10003        0 31337 1 0 20 4 0 10 -1\n" +
		"   1: 0100007F:9C4B 010200C0:01D1 02 00000000:00000000 00:00000000 00000000 33        0 31338 1 0 20 4 0 10 -1\n" +
		"   2: 0100007F:0019 0100007F:9C4A 01 00000000:00000000 00:00000000 00000000 0        0 31339 1 0 20 4 0 10 -1\n" + // the server's end
		"   3: 0100007F:9C4C 0100007F:0019 06 00000000:00000000 00:00000000 00000000 0        0 0 1 0 20 4 0 10 -1\n" // has ended
	want := []socket{
		{netip.MustParseAddrPort("127.0.0.1:25"), 10003, 31337},
		{netip.MustParseAddrPort("192.0.2.1:465"), 33, 31338},
	}
	if got := parseSockets([]byte(text)); !reflect.DeepEqual(got, want) {
		t.Errorf("they are %v", got)
	}
	const v6 = "   0: 00000000000000000000000001000000:C350 B80D0120000000000000000025000000:024B 01 0:0 0:0 0 5 0 9 1\n"
	if got := parseSockets([]byte(v6)); len(got) != 1 || got[0].remote != netip.MustParseAddrPort("[2001:db8::25]:587") {
		t.Errorf("they are %v", got)
	}
}

func FuzzSockets(f *testing.F) {
	f.Add([]byte("   0: 0100007F:9C4A 0100007F:0019 01 00000000:00000000 00:00000000 00000000 10003        0 31337 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, one := range parseSockets(text) {
			if !one.remote.IsValid() || !slices.Contains(mailPorts(), one.remote.Port()) || one.inode == 0 {
				t.Errorf("%+v is no connection to a port of mail", one)
			}
		}
	})
}

func TestBelow(t *testing.T) {
	f := func(root, path, want string) {
		t.Helper()
		if got := below(root, path); got != want {
			t.Errorf("below(%q, %q) = %q, want %q", root, path, got, want)
		}
	}
	f("/", "/etc/passwd", "/etc/passwd")
	f("/srv/root", "/srv/root/etc/passwd", "/etc/passwd")
	f("/srv/root", "/srv/root", "/")
	f("/srv/root", "/srv/root2/etc", "")
	f("/srv/root", "/etc/passwd", "")
	f("/srv/root", "", "")
}

func TestProgramsAreKnownByTheirFiles(t *testing.T) {
	root := tree(t, map[string]string{"usr/sbin/exim4": "x", "usr/sbin/sendmail": "-> exim4", "usr/lib/sendmail": "-> ../sbin/sendmail", "usr/sbin/postdrop": "y"})
	p := newPrograms(root, []string{"/usr/lib/sendmail", "/usr/sbin/sendmail", "/usr/sbin/postdrop", "/usr/bin/missing"})
	if !p.refresh() || !slices.Equal(p.paths(), []string{"/usr/lib/sendmail", "/usr/sbin/postdrop"}) {
		t.Errorf("they are %q", p.paths())
	}
	if p.refresh() {
		t.Error("they have changed by themselves")
	}
	name := root.Dir() + "/usr/sbin/exim4"
	if err := errors.Join(os.WriteFile(name+".new", nil, 0o600), os.Rename(name+".new", name)); err != nil {
		t.Fatal(err)
	}
	if !p.refresh() {
		t.Error("a new file is not noticed")
	}
	if _, ok := p.running("/proc/" + strconv.Itoa(os.Getpid()) + "/exe"); ok {
		t.Error("this test is taken for a program that takes mail")
	}
}
