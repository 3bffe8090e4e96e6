//go:build e2e

// Package qmail stops sources of a qmail whose SMTP server tcpserver starts, with the
// real tcpserver and tcprules of ucspi-tcp. Debian has no qmail: where SPOOR_NOTQMAIL
// names a folder with the programs of notqmail, linked statically, its programs take
// part, too.
package qmail

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spoor/e2e/mailtest"
)

const rules = `# who may relay
127.:allow,RELAYCLIENT=""
203.0.113.:allow,RELAYCLIENT="",GREETING="hello"
:allow
`

const text, compiled = "/etc/tcp.smtp", "/etc/tcp.smtp.cdb"

// The UIDs and groups of qmail, as its INSTALL.ids has them.
const (
	qmailq, qmails = 7794, 7796
	groupQmail     = 2107
)

const passwd = `alias:x:7790:2108::/var/qmail/alias:/bin/true
qmaild:x:7791:2108::/var/qmail:/bin/true
qmaill:x:7792:2108::/var/qmail:/bin/true
qmailp:x:7793:2108::/var/qmail:/bin/true
qmailq:x:7794:2107::/var/qmail:/bin/true
qmailr:x:7795:2107::/var/qmail:/bin/true
qmails:x:7796:2107::/var/qmail:/bin/true
`

// start makes a qmail in a network of its own, with an empty queue. Nothing runs yet.
func start(t *testing.T) *mailtest.Stopping {
	t.Helper()
	mailtest.OwnNetwork(t)
	s := &mailtest.Server{Root: mailtest.New(t, "qmail"), SMTP: "25", Submission: "587"}
	s.Write("/etc/passwd", s.Read("/etc/passwd")+passwd)
	s.Write("/etc/group", s.Read("/etc/group")+"qmail:x:2107:\nnofiles:x:2108:\n")
	s.Write("/var/qmail/control/me", mailtest.Host+"\n")
	s.Write("/var/qmail/control/rcpthosts", mailtest.Domain+"\n")
	s.Folder("/var/qmail/bin", 0o755, 0, 0)
	queue(s)
	compile(s, rules)
	s.Install()
	return &mailtest.Stopping{Server: s, Folders: []string{"/etc", "/var/qmail/bin", "/usr/sbin"}}
}

// queue makes the folders that qmail's hier.c makes.
func queue(s *mailtest.Server) {
	const top = "/var/qmail/queue"
	s.Folder(top, 0o750, qmailq, groupQmail)
	for name, owner := range map[string]int{
		"pid": qmailq, "intd": qmailq, "todo": qmailq, "lock": qmailq, "bounce": qmails, "mess": qmailq, "info": qmails, "local": qmails, "remote": qmails,
	} {
		s.Folder(top+"/"+name, 0o750, owner, groupQmail)
		for i := range 23 {
			if name == "mess" || name == "info" || name == "local" || name == "remote" {
				s.Folder(fmt.Sprintf("%s/%s/%d", top, name, i), 0o750, owner, groupQmail)
			}
		}
	}
}

// compile has the real tcprules make the rules, as an administrator does.
func compile(s *mailtest.Server, words string) {
	s.Write(text, words)
	s.Run(0, words, "/usr/bin/tcprules", compiled, text+".tmp")
}

// greets runs tcpserver with a program that tells its client what the rules have set.
func greets(s *mailtest.Server) {
	s.Daemon("/usr/bin/tcpserver", "-H", "-R", "-l", "0", "-x", compiled, "127.0.0.1", "25", "/usr/bin/sh", "-c", `echo "relays=${RELAYCLIENT-no} greeting=$GREETING"`)
	s.Answers("25")
}

// told is what tcpserver tells a client; "" if it cannot connect.
func told(t *testing.T, address string) string {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: time.Minute}
	connection, err := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:25")
	if err != nil {
		return ""
	}
	defer func() { _ = connection.Close() }()
	line, err := io.ReadAll(connection)
	if err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(string(line))
}

const (
	relays = "relays= greeting=hello"
	not    = "relays=no greeting=hello"
)

func want(t *testing.T, when, neighbour, beside string) {
	t.Helper()
	for address, want := range map[string]string{mailtest.Neighbour: neighbour, mailtest.Beside: beside} {
		if got := told(t, address); got != want {
			t.Errorf("%s: %s is told %q, want %q", when, address, got, want)
		}
	}
}

// TestANetworkIsStopped stops one address of a network that may relay, then another.
// The firewall keeps it away; what that forgets the rules of tcpserver still know.
func TestANetworkIsStopped(t *testing.T) {
	s := start(t)
	greets(s.Server)
	want(t, "before", relays, relays)
	before := s.Manifest(s.Folders...)
	const one, other = "network:" + mailtest.Neighbour, "network:" + mailtest.Beside
	s.Says(s.Want(0, "stop", "-n", one), text, "tcprules "+compiled, "Nothing was changed")
	s.Same(before, s.Folders...)
	s.Want(0, "stop", one, "--yes", "--reason", "incident")
	want(t, "stopped", "", relays)
	forget(t)
	want(t, "stopped, and the firewall has forgotten it", not, relays)
	s.Want(0, "unstop", one, "--yes", "--reason", "over")
	want(t, "after the undo", relays, relays)
	s.Same(before, s.Folders...)

	s.Want(0, "stop", one, "--yes", "--reason", "incident")
	s.Want(0, "stop", other, "--yes", "--reason", "incident")
	forget(t)
	want(t, "both stopped", not, not)
	s.Want(0, "unstop", one, "--yes", "--reason", "over") // before the second
	forget(t)
	want(t, "one stopped", relays, not)
	s.Want(0, "unstop", other, "--yes", "--reason", "over")
	want(t, "after both undos", relays, relays)
	if got := s.Read(text); got != rules {
		t.Errorf("the rules are\n%s", got)
	}
	was := s.Read(compiled)
	if compile(s.Server, rules); s.Read(compiled) != was {
		t.Error("the compiled rules are not those of the text")
	}
}

// forget is a restart of the machine, for the firewall.
func forget(t *testing.T) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "nft", "delete", "table", "inet", "spoor").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestTheRelayListIsMended takes a network off the list that the audit has found.
func TestTheRelayListIsMended(t *testing.T) {
	s := start(t)
	greets(s.Server)
	before := s.Manifest(s.Folders...)
	s.Says(s.Operate("audit", "ls"), "203.0.113.0/24", "spoor audit fix relay-list 203.0.113.0/24")
	s.Says(s.Want(0, "audit", "fix", "-n", "relay-list", "203.0.113.0/24"), "may not relay without a login", "tcprules "+compiled)
	s.Same(before, s.Folders...)
	s.Says(s.Want(0, "audit", "fix", "relay-list", "203.0.113.0/24", "--yes", "--reason", "audit"), "done: audit-fix, ")
	want(t, "mended", not, not)
	if got := told(t, "127.0.0.1"); got != "relays= greeting=" {
		t.Errorf("127.0.0.1 is told %q", got)
	}
	s.Want(0, "undo", "--yes", "--reason", "it is needed")
	s.Same(before, s.Folders...)
	want(t, "after the undo", relays, relays)

	s.Write(text, rules+"198.51.100.:allow,RELAYCLIENT=\"\"\n") // and not compiled
	s.Says(s.Want(5, "audit", "fix", "relay-list", "203.0.113.0/24", "--yes", "--reason", "audit"), "was not made of it as it is now")
	compile(s.Server, rules)
	s.Folder("/etc", 0o777, 0, 0)
	s.Says(s.Want(5, "audit", "fix", "relay-list", "203.0.113.0/24", "--yes", "--reason", "audit"), "others than root can write to its folder")
	s.Folder("/etc", 0o755, 0, 0)
}

// TestSpoorReadsRulesAsTcprulesDoes compares what spoor makes of a text with what the
// real program makes of it: where that differs, spoor says that the one was not made of
// the other.
func TestSpoorReadsRulesAsTcprulesDoes(t *testing.T) {
	s := start(t)
	differs := func() bool {
		var answer struct{ Gaps []mailtest.Gap }
		if err := json.Unmarshal([]byte(s.Operate("audit", "ls", "--json", "--probe", "no").Out), &answer); err != nil {
			t.Fatal(err)
		}
		for _, gap := range answer.Gaps {
			if gap.File == compiled {
				return true
			}
		}
		return false
	}
	for _, words := range []string{
		rules, "", "\n\n# only\n", "1.2.3.4:deny", "1.2.3.4:deny,X=\"y\"\n",
		"10.1-3.:allow\n10.1.2.8-11:deny\n1.2.3.9-3:deny\n1.2.3.250-300:allow\n",
		"10.1-3.:allow,A=/x y/,B=\"\",RELAYCLIENT=|@fix|\n", "joe@1.2.3.4:deny\n=Host-1.Example.TEST:allow\n@1.2.3.4-5:allow\n",
		":allow \t\n:deny\n:allow,RELAYCLIENT=\"\"\n", "no colon\n 1.2.3.4:deny\n\t:allow\n", "A.B-C:allow\n", "1.2.3.4-5-6:deny\n", "1.2-:deny\n-5:allow\n1.2-3.4-5:deny\n1.2.-:deny\n-:allow\n1.2.3.300-400:deny\n",
		"2001:db8::/32:allow\n", "1.2.3.4:allow,X==a=b=\n", "1.2.3.4:allow,=\"\"\n", "1.2.3.4x-6x:allow\n", "1.2.3.04-06:allow\n",
	} {
		s.Write(text, words)
		command := s.Command(0, "/usr/bin/tcprules", compiled, text+".tmp")
		command.Stdin = strings.NewReader(words)
		refused := command.Run() != nil
		if differs() != refused {
			t.Errorf("%q: tcprules refuses it: %t; spoor says that the two differ: %t", words, refused, !refused)
		}
		if s.Write(text, words+"9.9.9.9:deny\n"); strings.HasSuffix(words, "\n") && !differs() {
			t.Errorf("%q: another rule is no difference", words)
		}
	}
}

// TestASiteIsStopped keeps a user from the real qmail-queue and the real SMTP server.
func TestASiteIsStopped(t *testing.T) {
	programs := os.Getenv("SPOOR_NOTQMAIL")
	if programs == "" {
		t.Skip("SPOOR_NOTQMAIL is not set")
	}
	s := start(t)
	for _, name := range []string{"qmail-queue", "qmail-inject", "qmail-smtpd", "sendmail"} {
		program, err := os.ReadFile(filepath.Join(programs, name))
		if err != nil {
			t.Fatal(err)
		}
		s.Write("/var/qmail/bin/"+name, string(program))
		s.Own("/var/qmail/bin/"+name, 0o755, 0, groupQmail)
	}
	s.Own("/var/qmail/bin/qmail-queue", 0o4711, qmailq, groupQmail)
	lock := filepath.Join(s.Dir, "var/qmail/queue/lock/trigger")
	if err := unix.Mkfifo(lock, 0o622); err != nil {
		t.Fatal(err)
	}
	s.Own("/var/qmail/queue/lock/trigger", 0o622, qmails, groupQmail)
	s.Link("/var/qmail/bin/sendmail", "/usr/sbin/sendmail")
	for _, port := range []string{s.SMTP, s.Submission} {
		s.Daemon("/usr/bin/tcpserver", "-H", "-R", "-l", "0", "-u", "7791", "-g", "2108", "-x", compiled, "127.0.0.1", port, "/var/qmail/bin/qmail-smtpd")
		s.Answers(port)
	}
	mailtest.CheckUserStopped(s)
}
