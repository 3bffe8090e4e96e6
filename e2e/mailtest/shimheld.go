package mailtest

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

// heldUntilReleased keeps a message over a limit in the vault, lets the real sendmail
// have it as its user's, and takes it out of the queue again.
func (s *Server) heldUntilReleased() {
	s.t.Helper()
	s.holdAll()
	s.Until("a held message", func() bool { // the recorder reads the limits when it likes
		s.hold("nightly")
		return strings.Contains(s.Operate("shim", "held").Out, "uid 1001")
	})
	before := len(s.Messages())
	names := strings.Fields(s.Want(0, "shim", "held", "-o", "ids").Out)
	if len(names) != 1 {
		s.t.Fatalf("held: %q", names)
	}
	s.inTheVault(names[0])

	s.Says(s.Want(0, "shim", "release", "-n", "--all"), "1 message", "go from the vault to sendmail", "(uid 1001)", "over the limit of 0/h of uid 1001",
		"cannot be called back", "Nothing was changed", "spoor shim release --all")
	s.Says(s.Want(5, "shim", "release", "--all"), "--yes and --reason")
	s.Says(s.Want(5, "shim", "release", names[0], "--yes"), "--reason")
	s.Says(s.Want(3, "shim", "release", "script:/nowhere.php", "--yes", "--reason", "x"), "no held message matches")
	s.Says(s.Want(3, "shim", "release", names[0]+"x", "--yes", "--reason", "x"), "is not held")
	s.inTheVault(names[0])
	released := s.Want(0, "shim", "release", names[0], "--yes", "--reason", "known")
	s.Says(released, "done: shim-release of 1 message", "spoor undo")
	s.Until("the released message", func() bool { return len(s.Messages()) == before+1 })
	for _, m := range s.Messages() {
		if m.Origin.UID == nil || *m.Origin.UID != Dump {
			s.t.Errorf("%+v", m.Origin)
		}
	}
	s.Says(s.Want(0, "shim", "held"), "nothing is held")
	s.Says(s.Want(3, "shim", "release", "--all", "--yes", "--reason", "x"), "no held message matches")
	s.releaseIsUndone(before)
	s.clearQueue()
}

// holdAll makes a limit that holds all that one user sends.
func (s *Server) holdAll() {
	s.t.Helper()
	s.Write("/etc/spoor/shim.toml", "[[limit]]\nuid = 1001\nlimit = \"0/h\"\nover = \"hold\"\n")
	for _, pid := range s.recorders() {
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Until("the limit", func() bool { return strings.Contains(s.Operate("shim", "status").Out, "1 limit") })
}

// hold sends a message of that user.
func (s *Server) hold(subject string) {
	s.t.Helper()
	if status, out := s.sendmail(shimPath, Dump, "Subject: "+subject+"\n\nhello\n", "-i", "n@"+SlowDomain); status != 0 {
		s.t.Fatalf("%d %s", status, out)
	}
}

// inTheVault wants a held message there, for all that the vault's commands do.
func (s *Server) inTheVault(name string) {
	s.t.Helper()
	if !slices.ContainsFunc(s.Vault(), func(m Stored) bool {
		return m.ID == name && m.Subject == "nightly" && strings.HasSuffix(m.Plan, "-held") && m.Fate == "stored"
	}) {
		s.t.Errorf("not in the vault: %+v", s.Vault())
	}
	s.Says(s.Want(0, "vault", "cat", name), "Subject: nightly", "X-Spoor-Origin: 1.")
	s.Says(s.Want(0, "vault", "check"), "0 damaged")
	s.Says(s.Want(0, "vault", "ls", "to:n@"+SlowDomain, "-o", "ids"), name)
	s.Says(s.Want(0, "vault", "purge", "-n", "id:"+name), "1 messages of 1 plans")
}

// releaseIsUndone takes the released message out of the queue, puts it back, and finds
// nothing when it has left.
func (s *Server) releaseIsUndone(before int) {
	s.t.Helper()
	entries := s.Journal()
	release := entries[len(entries)-1].Plan
	s.Until("the undo", func() bool { // it may be being delivered
		ran := s.Operate("undo", release, "--yes", "--reason", "not yet")
		if ran.Status == 0 {
			s.Says(ran, "of the 1 messages that were released, 0 have left the queue")
		}
		return ran.Status == 0
	})
	if n := len(s.Messages()); n != before {
		s.t.Errorf("%d messages are in the queue after the undo, not %d", n, before)
	}
	if stored := s.Vault(); !slices.ContainsFunc(stored, func(m Stored) bool { return m.Subject == "nightly" && !strings.HasSuffix(m.Plan, "-held") }) {
		s.t.Errorf("what was taken out of the queue is not in the vault: %+v", stored)
	}
	s.Want(0, "undo", "--yes", "--reason", "now")
	s.Until("the message", func() bool { return len(s.Messages()) == before+1 })
	s.clearQueue()
	var plans []string
	for _, e := range s.Journal() {
		if e.Action == "shim-release" {
			plans = append(plans, e.Plan)
			if e.UndoneBy == "" || e.Done != 1 || e.Reason != "known" {
				s.t.Errorf("the journal has %+v", e)
			}
		}
	}
	if len(plans) != 1 {
		s.t.Fatalf("releases in the journal: %q", plans)
	}
	s.hold("gone")
	s.Want(0, "shim", "release", "--all", "--yes", "--reason", "known")
	s.clearQueue()
	last := s.Journal()
	i := slices.IndexFunc(last, func(e Entry) bool { return e.Action == "shim-release" && e.Plan != plans[0] })
	s.Says(s.Want(3, "undo", last[i].Plan, "--yes", "--reason", "too late"), "none of the 1 messages that it gave to sendmail waits in the queue")
}

// letters is how many messages are released while spoor is killed, and deaths how often
// it is.
const (
	heldLetters = 12
	deaths      = 6
)

// releaseIsKilled kills spoor again and again while it releases. In the end each message
// was sent once: what was in doubt is found in the queue, by its mark, before it would
// be sent again.
func (s *Server) releaseIsKilled() {
	s.t.Helper()
	for i := range heldLetters {
		s.hold(fmt.Sprintf("letter %d", i))
	}
	killed := 0
	for i := range deaths {
		before := len(s.Read(journalFile))
		command, ran := s.operation([]string{"shim", "release", "--all", "--yes", "--reason", "a test"})
		if err := command.Start(); err != nil {
			s.t.Fatal(err)
		}
		ended := func() bool { return state(command.Process.Pid) == 'Z' }
		s.Until("a record in the journal", func() bool { return len(s.Read(journalFile)) > before || ended() })
		for begin, limit := time.Now(), time.Duration(i)*7*time.Millisecond; time.Since(begin) < limit && !ended(); {
			time.Sleep(time.Millisecond)
		}
		if signal(command, syscall.SIGKILL) {
			killed++
		}
		ran()
	}
	s.Until("the end of every sendmail", func() bool {
		for _, program := range s.Processes() {
			if strings.Contains(program, "n@"+SlowDomain) {
				return false
			}
		}
		return true
	})
	s.Operate("shim", "release", "--all", "--yes", "--reason", "the rest")
	held := s.Want(0, "shim", "held").Out
	s.t.Logf("spoor was killed %d of %d times; in doubt after that:\n%s", killed, deaths, held)
	if killed < deaths/2 {
		s.t.Errorf("spoor was killed %d times: too few", killed)
	}
	s.Operate("shim", "release", "--all", "--again", "--yes", "--reason", "the rest")
	s.Says(s.Want(0, "shim", "held"), "nothing is held")
	want := map[string]int{}
	for i := range heldLetters {
		want[fmt.Sprintf("letter %d", i)] = 1
	}
	s.Until("all letters", func() bool { return len(s.Messages()) >= heldLetters })
	got := map[string]int{}
	for _, m := range s.Messages() {
		got[m.Subject]++
	}
	for subject := range want {
		if got[subject] != 1 {
			s.t.Errorf("%q is in the queue %d times", subject, got[subject])
		}
	}
	s.clearQueue()
}
