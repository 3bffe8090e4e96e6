package mailtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where the shim and the real sendmail are.
const (
	shimPath = "/usr/sbin/sendmail"
	realPath = shimPath + ".spoor-real"
)

// Recorder is a running "spoor shim serve" on the server.
type Recorder struct {
	s       *Server
	command *exec.Cmd
	ran     func() Ran
}

// PutShim puts the built shim in front of the server's sendmail, and starts the
// recorder. There is no dpkg in the root: the files are renamed as it would.
func (s *Server) PutShim() *Recorder {
	s.t.Helper()
	s.Install()
	if err := os.Rename(filepath.Join(s.Dir, shimPath), filepath.Join(s.Dir, realPath)); err != nil {
		s.t.Fatal(err)
	}
	built, err := os.ReadFile("../../bin/spoor-sendmail")
	if err != nil {
		s.t.Fatal(err)
	}
	s.Write(shimPath, string(built))
	s.Own(shimPath, 0o755, 0, 0)
	s.Folder("/var/lib", 0o755, 0, 0)
	s.t.Cleanup(s.forgetNotes)
	return s.Record()
}

// Record starts the recorder.
func (s *Server) Record() *Recorder {
	s.t.Helper()
	r := &Recorder{s: s}
	r.command, r.ran = s.operation([]string{"shim", "serve"})
	if err := r.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := false
	ran := r.ran
	r.ran = func() Ran {
		ended = true
		return ran()
	}
	s.t.Cleanup(func() {
		if !ended {
			r.End()
		}
	})
	s.Until("the recorder", func() bool { return strings.Contains(s.Operate("shim", "status").Out, "answers") })
	return r
}

// beside is a program that a user runs where the recorder runs: in the same mount
// namespace, so that its paths mean the same to both.
func (r *Recorder) beside(uid int, program string, args ...string) *exec.Cmd {
	pid, id := strconv.Itoa(r.command.Process.Pid), strconv.Itoa(uid)
	args = append([]string{"-t", pid, "--mount", "--root", "--wdns=/", "--setuid", id, "--setgid", id, "--", program}, args...)
	c := exec.CommandContext(r.s.t.Context(), "nsenter", args...)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}
	return c
}

// Signal sends the recorder a signal.
func (r *Recorder) Signal(signal os.Signal) {
	r.s.t.Helper()
	if err := r.command.Process.Signal(signal); err != nil {
		r.s.t.Fatal(err)
	}
}

// End ends the recorder.
func (r *Recorder) End() {
	_ = r.command.Process.Signal(syscall.SIGCONT)
	_ = r.command.Process.Signal(syscall.SIGTERM)
	if ran := r.ran(); ran.Status != 0 {
		r.s.t.Errorf("the recorder ended with %d\n%s%s", ran.Status, ran.Out, ran.Err)
	}
}

// forgetNotes lets the files of the spool be removed: they can only be appended to.
func (s *Server) forgetNotes() {
	files, _ := filepath.Glob(s.Dir + "/var/spool/spoor/origin/*")
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0)
		_ = f.Close()
	}
}

// sendmail runs one of the two as a user, and returns exit status and output.
func (s *Server) sendmail(program string, uid int, input string, args ...string) (status int, out string) {
	s.t.Helper()
	c := s.Command(uid, program, args...)
	c.Args[0] = shimPath // as the shim calls the real one
	c.Stdin = strings.NewReader(input)
	var all bytes.Buffer
	c.Stdout, c.Stderr = &all, &all
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), all.String()
}

// Shimmed is what has to hold with the shim in front of a real sendmail.
func Shimmed(s *Server) {
	s.t.Helper()
	r := s.PutShim()
	s.sameAnswers()
	s.sameMessages()
	s.hugeMessage()
	s.scriptsAreNamed(r)
	s.forgersAreNamed()
	s.recorderMayHang(r)
	s.recorderMayDie(r)
	s.heldUntilReleased()
}

// sameAnswers wants the same exit status and output with and without the shim.
func (s *Server) sameAnswers() {
	s.t.Helper()
	const letter = "To: r@" + SlowDomain + "\n\nhello\n"
	for _, call := range []struct {
		input string
		args  []string
	}{
		{letter, []string{"-t", "-i"}},
		{letter, []string{"-i", "a@" + SlowDomain}},
		{letter, []string{"-t", "-i", "-f", "me@" + Domain}},
		{letter, nil}, // no recipient
		{"Subject: nobody\n\nhello\n", []string{"-t"}},
		{"", []string{"-t"}},
		{letter, []string{"-bX"}},
		{"QUIT\r\n", []string{"-bs"}},
		{"", []string{"-bp"}},
		{letter, []string{"-i", "not an address <<>"}},
	} {
		status, out := s.sendmail(realPath, Web1, call.input, call.args...)
		shimmed, said := s.sendmail(shimPath, Web1, call.input, call.args...)
		if status != shimmed || len(call.args) > 0 && call.args[0] != "-bp" && call.args[0] != "-bs" && strip(out) != strip(said) {
			s.t.Errorf("sendmail %q: %d %q, with the shim %d %q", call.args, status, out, shimmed, said)
		}
	}
	s.clearQueue()
}

// clearQueue takes away what a part of the scenario has left.
func (s *Server) clearQueue() {
	s.t.Helper()
	s.Until("an empty queue", func() bool {
		s.Operate("queue", "rm", "rcpts:>0", "--yes", "--reason", "next", "--max", "10000")
		return len(s.Messages()) == 0
	})
}

var changing = regexp.MustCompile(`[0-9A-Fa-f]{8,}|[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}|\d\d:\d\d:\d\d|\d+`)

// strip takes out of a text what is another each time: IDs, times, numbers.
func strip(text string) string {
	text = strings.NewReplacer(".shim@", ".@", ".real@", ".@", realPath, shimPath).Replace(text)
	return changing.ReplaceAllString(text, "#")
}

// letters are messages that a careless shim would spoil.
func letters() []string {
	const mbox = "From web1@shop.example Thu Nov 26 10:15:00 2026\n"
	return []string{
		"Subject: plain\n\nhello\n",
		"Subject: no end of line\n\nhello",
		"Subject: CRLF\r\n\r\nhello\r\nworld\r\n",
		"\nempty header\n",
		"no header at all\nsecond line\n",
		mbox + "Subject: from a mailbox\n\nhello\n",
		mbox + "\nmailbox, empty header\n",
		" a blank first\nSubject: x\n\nhello\n",
		"From Bob with love\nsecond line\n",
		"Subject: 8 bits \xe4\xf6\xfc\n\n\xff\xfe\x80 gr\xc3\xbc\xc3\x9fe\n",
		"Subject: dots\n\n..\n.x\n",
		"Subject: folded\n header\nX-Spoor-Origin: forged\n\nhello\n",
		"Subject: long\n\n" + strings.Repeat(strings.Repeat("x", 70)+"\n", 2000),
	}
}

// sameMessages sends each letter with and without the shim, and wants the same in
// the queue but for the one line.
func (s *Server) sameMessages() {
	s.t.Helper()
	for i, letter := range letters() {
		for _, way := range []struct{ name, program string }{{"real", realPath}, {"shim", shimPath}} {
			if status, out := s.sendmail(way.program, Web1, letter, "-i", fmt.Sprintf("r%d.%s@%s", i, way.name, SlowDomain)); status != 0 {
				s.t.Fatalf("letter %d: %d %s", i, status, out)
			}
		}
	}
	s.Until("all letters", func() bool { return len(s.Messages()) == 2*len(letters()) })
	ids := map[string]string{}
	for _, m := range s.Messages() {
		ids[strings.TrimSuffix(m.Recipients[0].Address, "@"+SlowDomain)] = m.ID
	}
	for i, letter := range letters() {
		direct, _ := s.content(ids[fmt.Sprintf("r%d.real", i)])
		shimmed, field := s.content(ids[fmt.Sprintf("r%d.shim", i)])
		if direct != shimmed {
			s.t.Errorf("letter %q\n--- direct\n%s\n--- with the shim\n%s", letter[:min(len(letter), 80)], direct, shimmed)
		}
		if want := !strings.HasPrefix(letter, " ") && !strings.HasPrefix(letter, "From Bob"); field != want {
			s.t.Errorf("letter %q: the field is there: %v", letter[:min(len(letter), 80)], field)
		}
	}
	s.clearQueue()
}

var ownField = regexp.MustCompile(`(?m)^.*X-Spoor-Origin: 1\..*\n`)

// content is a message in the queue as spoor reads it, without the shim's field and
// what is another each time.
func (s *Server) content(id string) (text string, field bool) {
	s.t.Helper()
	_, text, _ = strings.Cut(s.Spoor("queue", "cat", id), "Content, escaped\n")
	text, _, _ = strings.Cut(text, "  not shown: ")
	return strip(ownField.ReplaceAllString(text, "")), ownField.MatchString(text)
}

// hugeMessage sends 100 MB, which fit into no pipe and should fit into no memory.
func (s *Server) hugeMessage() {
	s.t.Helper()
	const megabytes = 100
	line := strings.Repeat("0123456789abcdef", 4)[:63] + "\n"
	letter := "Subject: huge\n\n" + strings.Repeat(line, megabytes<<20/len(line))
	var sizes []int
	for _, program := range []string{realPath, shimPath} {
		if status, out := s.sendmail(program, Web1, letter, "-i", "huge@"+SlowDomain); status != 0 {
			s.t.Fatalf("%d %s", status, out)
		}
		s.Until("the huge message", func() bool { return len(s.Messages()) == 1 })
		sizes = append(sizes, s.sizes()...)
		s.clearQueue()
	}
	if more := sizes[1] - sizes[0]; sizes[0] < len(letter) || more < 60 || more > 120 { // IDs of queues have not all the same length
		s.t.Errorf("%d bytes: directly %d, with the shim %d", len(letter), sizes[0], sizes[1])
	}
}

var sizeField = regexp.MustCompile(`"size":(\d+)`)

func (s *Server) sizes() (list []int) {
	s.t.Helper()
	for _, match := range sizeField.FindAllStringSubmatch(s.Spoor("queue", "ls", "-o", "ndjson"), -1) {
		size, err := strconv.Atoi(match[1])
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, size)
	}
	return list
}

const oneMail = `<?php
$ok = mail("p@` + SlowDomain + `", "One mail", "Order at http://pills.test/", "From: dr@pills.test");
exit($ok ? 0 : 1);
`

// scriptsAreNamed lets scripts send with PHP's mail(), as a site's user and as the
// user that all sites share. Claims of the environment name nobody.
func (s *Server) scriptsAreNamed(r *Recorder) {
	s.t.Helper()
	const own, shared = "/var/www/vhosts/shop.example/httpdocs/own.php", "/var/www/vhosts/club.example/httpdocs/shared.php"
	for script, uid := range map[string]int{own: Web1, shared: WWWData} {
		s.Write(script, oneMail)
		s.Own(script, 0o644, Web1, Web1)
		c := r.beside(uid, "/usr/bin/php", script)
		c.Env = append(c.Env, "SCRIPT_FILENAME=/var/www/vhosts/victim.example/x.php", "DB_PASSWORD=hunter2")
		if out, err := c.CombinedOutput(); err != nil {
			s.t.Fatalf("%v: %s", err, out)
		}
	}
	s.Until("mail of both scripts", func() bool { return len(s.Messages()) == 2 })
	for _, m := range s.Messages() {
		uid, script := *m.Origin.UID, own
		if uid == WWWData {
			script = shared
		}
		if m.Origin.Script != script || !slices.ContainsFunc(m.Origin.Evidence, func(e Evidence) bool {
			return e.What == "shim" && e.File == "/var/log/spoor/origin.log" && e.Line > 0 && strings.Contains(e.Text, script)
		}) {
			s.t.Errorf("uid %d: script %q, evidence %+v", uid, m.Origin.Script, m.Origin.Evidence)
		}
		if uid == WWWData && m.Source == "user:www-data" {
			s.t.Errorf("mail of a script in the shared user's name is blamed on %s", m.Source)
		}
	}
	if log := s.Read("/var/log/spoor/origin.log"); strings.Contains(log, "hunter2") {
		s.t.Error("the log holds a secret of the environment")
	}
	s.clearQueue()
}

// forgersAreNamed lets a tenant pass by the shim with fields of his own: made up,
// issued to somebody else, and his own again and again.
func (s *Server) forgersAreNamed() {
	s.t.Helper()
	victims, own := s.issued(Dump), s.issued(Web1)
	s.clearQueue()
	send := func(n int, id string) {
		letter := "X-Spoor-Origin: " + id + "\nSubject: forged " + strconv.Itoa(n) + "\n\nhello\n"
		if status, out := s.sendmail(realPath, Web1, letter, "-i", "f@"+SlowDomain); status != 0 {
			s.t.Fatalf("%d %s", status, out)
		}
	}
	forged := []string{"1.tp48as.0.236cd18bf896a98a.vOcqBJuLt8wZCWEm1GzjKg", strings.Replace(own, ".10003.", ".0.", 1), victims, own, own, own}
	for i, id := range forged {
		send(i, id)
	}
	s.Until("the forgers' mail", func() bool { return len(s.Messages()) == len(forged) })
	var answer Answer
	s.JSON(&answer)
	text := fmt.Sprint(answer.Sources)
	for _, want := range []string{"not signed by this server's recorder", "issued to uid 1001, but uid 10003 queued the message", "stands in 3 messages"} {
		found := false
		for _, m := range s.Messages() {
			found = found || strings.Contains(s.Spoor("explain", m.ID), want) || strings.Contains(text, want) || strings.Contains(s.Spoor("show", m.Source), want)
		}
		if !found {
			s.t.Errorf("nothing says %q: %s", want, text)
		}
	}
	s.clearQueue()
}

// issued is the ID of a message that a user has sent through the shim.
func (s *Server) issued(uid int) string {
	s.t.Helper()
	s.clearQueue()
	if status, out := s.sendmail(shimPath, uid, "Subject: x\n\nhello\n", "-i", "x@"+SlowDomain); status != 0 {
		s.t.Fatalf("%d %s", status, out)
	}
	s.Until("the message", func() bool { return len(s.Messages()) == 1 })
	_, id, ok := strings.Cut(s.Spoor("queue", "cat", s.Messages()[0].ID), "X-Spoor-Origin: ")
	if !ok {
		s.t.Fatal("no ID was issued")
	}
	return strings.Fields(id)[0]
}

// recorderMayHang wants a message to pass soon while the recorder does not move. The
// bound leaves room for a slow machine: without one the shim would wait for ever.
func (s *Server) recorderMayHang(r *Recorder) {
	s.t.Helper()
	r.Signal(syscall.SIGSTOP)
	start := time.Now()
	status, out := s.sendmail(shimPath, Web1, "Subject: hangs\n\nhello\n", "-i", "h@"+SlowDomain)
	if took := time.Since(start); status != 0 || took > patience/2 {
		s.t.Errorf("%d %s after %v", status, out, took)
	}
	r.Signal(syscall.SIGCONT)
	s.clearQueue()
}

// recorderMayDie wants mail to pass without a recorder, and what the shim noted
// meanwhile to be found by the next one.
func (s *Server) recorderMayDie(r *Recorder) {
	s.t.Helper()
	r.End()
	if status, out := s.sendmail(shimPath, Web1, "Subject: dead\n\nhello\n", "-i", "d@"+SlowDomain); status != 0 {
		s.t.Errorf("%d %s", status, out)
	}
	s.Until("the message", func() bool { return len(s.Messages()) == 1 })
	s.Record()
	id := s.Messages()[0].ID
	s.Until("the note", func() bool { return strings.Contains(s.Read("/var/log/spoor/origin.log"), `"from":"spool"`) })
	text := s.Spoor("explain", id)
	for _, want := range []string{"made while the recorder could not be reached", "/var/log/spoor/origin.log"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			s.t.Errorf("explain does not say %q: %s", want, text)
		}
	}
	s.clearQueue()
}

// heldUntilReleased keeps messages over a limit, then lets the real sendmail have
// them, as their user's.
func (s *Server) heldUntilReleased() {
	s.t.Helper()
	s.Write("/etc/spoor/shim.toml", "[[limit]]\nuid = 1001\nlimit = \"1/h\"\nover = \"hold\"\n")
	for _, pid := range s.recorders() {
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Until("the limit", func() bool { return strings.Contains(s.Operate("shim", "status").Out, "1 limit") })
	s.Until("a held message", func() bool { // the recorder reads the limits when it likes
		if status, out := s.sendmail(shimPath, Dump, "Subject: nightly\n\nhello\n", "-i", "n@"+SlowDomain); status != 0 {
			s.t.Fatalf("%d %s", status, out)
		}
		return strings.Contains(s.Operate("shim", "held").Out, "uid 1001")
	})
	before := len(s.Messages())
	if names := strings.Fields(s.Want(0, "shim", "held", "-o", "ids").Out); len(names) != 1 {
		s.t.Fatalf("held: %q", names)
	}
	s.Want(5, "shim", "release", "--all")
	s.Want(0, "shim", "release", "--all", "--yes")
	s.Until("the released message", func() bool { return len(s.Messages()) == before+1 })
	for _, m := range s.Messages() {
		if m.Origin.UID == nil || *m.Origin.UID != Dump {
			s.t.Errorf("%+v", m.Origin)
		}
	}
	if out := s.Want(0, "shim", "held").Out; !strings.Contains(out, "nothing is held") {
		s.t.Error(out)
	}
	s.clearQueue()
}

// recorders are the processes of recorders in the root.
func (s *Server) recorders() (pids []int) {
	for pid, program := range s.Processes() {
		if strings.Contains(program, "shim serve") {
			pids = append(pids, pid)
		}
	}
	return pids
}
