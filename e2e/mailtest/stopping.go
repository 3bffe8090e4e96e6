package mailtest

import (
	"bufio"
	"errors"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Stopping is a server on which sources are stopped, in a network of its own.
type Stopping struct {
	*Server
	Folders []string // in which nothing may have changed after an undo
}

const shopMail = "From: shop <web1@shop.example>\nTo: x@takes.test\nSubject: order\n\nthank you\n"

func (s *Stopping) stop(words ...string) Ran {
	s.t.Helper()
	ran := s.Want(0, append(append([]string{"stop"}, words...), "--yes", "--reason", "incident")...)
	s.Says(ran, "done: stop, ", "undo         spoor undo ")
	return ran
}

func (s *Stopping) unstop(word string, before []string) {
	s.t.Helper()
	s.Says(s.Want(0, "unstop", word, "--yes", "--reason", "it is over"), "done: undo, ")
	s.Same(before, s.Folders...)
}

// code is the answer of a server in an error.
func code(err error) int {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		return answer.Code
	}
	return 0
}

func letter(from string) Mail {
	return Mail{from, []string{"x@" + TakesDomain}, "From: " + from + "\nSubject: hello\n\nas agreed\n"}
}

// CheckAccountStopped stops a stolen account in the middle of a session.
func CheckAccountStopped(s *Stopping) {
	s.t.Helper()
	thief := &Client{Thief1, s.Submission, Stolen, StolenPassword}
	owner := &Client{Office, s.Submission, Letter, LetterPassword}
	s.sends("before the stop", thief, owner)
	session, err := thief.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	mail := letter(Stolen)
	if err := mail.send(session); err != nil {
		s.t.Fatal(err)
	}
	another, err := thief.dial() // the first client of its process, to Postfix' master(8) one that must not die
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = another.Close() }()
	source := "account:" + Stolen
	s.Until("the log to have the session", func() bool { return s.Operate("show", source).Status == 0 })
	before := s.Manifest(s.Folders...)
	s.Says(s.Want(0, "stop", "-n", source), "can send no more", "sessions", "stays open", "Nothing was changed")
	s.Same(before, s.Folders...)
	s.Says(s.stop(source), "2 ended")
	for _, open := range []*smtp.Client{session, another} {
		if err := mail.send(open); err == nil {
			s.t.Error("a session that was open goes on")
		}
	}
	s.sends("when sessions of another account were ended", owner)
	// A daemon that was told to read its configuration does so a moment later.
	s.Until("mail of the account to be refused", func() bool {
		err := thief.Send(letter(Stolen))
		if code(err) < 500 {
			return false
		}
		if !strings.Contains(err.Error(), "stopped for this account") {
			s.t.Errorf("the account is refused with: %v", err)
		}
		return true
	})
	s.sends("while another account is stopped", owner)
	s.Says(s.Want(5, "stop", source, "--yes", "--reason", "again"), "is stopped already, by ")
	s.unstop(source, before)
	s.Until("mail of the account to be taken", func() bool { return thief.Send(letter(Stolen)) == nil })
}

// thiefLoop sends as fast as it can, three messages a session, and prints a line when
// it begins. Once the file is there it tries some more times, and prints how many
// messages were accepted then.
const thiefLoop = `<?php
[$self, $from, $port, $login, $password, $flag] = $argv;
function talk($c, $line) { if (@fwrite($c, "$line\r\n") === false) return "";
	do { $a = fgets($c); } while ($a !== false && substr($a, 3, 1) == "-"); return (string)$a; }
$accepted = 0;
for ($tries = 0, $first = true; $tries < 6;) {
	clearstatcache();
	$stopped = file_exists($flag);
	$tries += $stopped ? 1 : 0;
	$context = stream_context_create(["socket" => ["bindto" => "$from:0"]]);
	$c = @stream_socket_client("tcp://127.0.0.1:$port", $no, $why, 10, STREAM_CLIENT_CONNECT, $context);
	if (!$c) { usleep(20000); continue; }
	stream_set_timeout($c, 20);
	do { $a = fgets($c); } while ($a !== false && substr($a, 3, 1) == "-");
	talk($c, "EHLO client.test");
	talk($c, "AUTH PLAIN " . base64_encode("\0$login\0$password"));
	for ($i = 0; $i < 3; $i++) {
		talk($c, "MAIL FROM:<$login>");
		talk($c, "RCPT TO:<x@takes.test>");
		if (substr(talk($c, "DATA"), 0, 1) == "3" && substr(talk($c, "Subject: hello\r\n\r\nbuy\r\n."), 0, 1) == "2") {
			if ($stopped) $accepted++;
			if ($first) echo "begun\n";
			$first = false;
		}
	}
	talk($c, "QUIT");
	fclose($c);
}
echo "accepted $accepted\n";
`

// CheckAccountStoppedUnderFire stops an account whose thief never pauses: servers that
// have read their configuration before are busy all the time, and none of them may take
// his mail once the stop is done.
func CheckAccountStoppedUnderFire(s *Stopping) {
	s.t.Helper()
	s.Write("/tmp/thief.php", thiefLoop)
	var thieves []*exec.Cmd
	var said []*bufio.Reader
	for _, address := range []string{Thief1, Thief2} {
		command := s.Command(0, "/usr/bin/php", "/tmp/thief.php", address, s.Submission, Stolen, StolenPassword, "/tmp/stopped")
		out, err := command.StdoutPipe()
		if err == nil {
			err = command.Start()
		}
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
		thieves, said = append(thieves, command), append(said, bufio.NewReader(out))
	}
	for _, one := range said {
		for line := ""; line != "begun\n"; {
			var err error
			if line, err = one.ReadString('\n'); err != nil {
				s.t.Fatalf("the thief: %q, %v", line, err)
			}
		}
	}
	source := "account:" + Stolen
	s.Until("the log to have the thieves", func() bool { return s.Operate("show", source).Status == 0 })
	s.Says(s.stop(source), " ended")
	s.Write("/tmp/stopped", "")
	for i, one := range said {
		if line, err := one.ReadString('\n'); line != "accepted 0\n" {
			s.t.Errorf("once the stop was done, thief %d: %q, %v", i, line, err)
		}
		_ = thieves[i].Wait()
	}
}

func (s *Stopping) sends(when string, clients ...*Client) {
	s.t.Helper()
	for _, c := range clients {
		if err := c.Send(letter(c.Login)); err != nil {
			s.t.Errorf("%s: %v", when, err)
		}
	}
}

// submits reports whether a user can hand mail over by sendmail(1).
func (s *Stopping) submits(uid int) bool {
	command := s.Command(uid, "/usr/sbin/sendmail", "-t")
	command.Stdin = strings.NewReader(shopMail)
	return command.Run() == nil
}

// connects reports whether a user can connect to the mail server.
func (s *Stopping) connects(uid int, port string) bool {
	const script = `$c = @fsockopen("127.0.0.1", (int)$argv[1], $no, $why, 5); exit($c ? 0 : 9);`
	err := s.Command(uid, "/usr/bin/php", "-r", script, port).Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 9) {
		s.t.Fatalf("php: %v", err)
	}
	return err == nil
}

// CheckUserStopped stops the system user of a site.
func CheckUserStopped(s *Stopping) {
	s.t.Helper()
	if !s.submits(Web1) || !s.connects(Web1, s.SMTP) {
		s.t.Fatal("the site cannot send before it is stopped")
	}
	before := s.Manifest(s.Folders...)
	s.stop("user:web1")
	if s.submits(Web1) {
		s.t.Error("the site hands mail over by sendmail")
	}
	if s.connects(Web1, s.SMTP) || s.connects(Web1, s.Submission) {
		s.t.Error("the site connects to the mail server")
	}
	for _, uid := range []int{WWWData, 0} {
		if !s.submits(uid) || !s.connects(uid, s.SMTP) {
			s.t.Errorf("uid %d cannot send any more either", uid)
		}
	}
	s.unstop("user:web1", before)
	if !s.submits(Web1) || !s.connects(Web1, s.SMTP) {
		s.t.Error("the site cannot send after the undo")
	}
}

// CheckNetworkStopped stops a network that may relay. What the firewall forgets the
// MTA still knows, and the other way round.
func CheckNetworkStopped(s *Stopping) {
	s.t.Helper()
	relaying := &Client{Address: Neighbour, Port: s.SMTP}
	other := &Client{Address: Beside, Port: s.SMTP}
	strange := letter("prize@lotto.test")
	for _, c := range []*Client{relaying, other} {
		if err := c.Send(strange); err != nil {
			s.t.Fatalf("before the stop: %v", err)
		}
	}
	before := s.Manifest(s.Folders...)
	s.Says(s.Want(5, "stop", "network:"+Service, "--yes", "--reason", "test"), "this machine itself", "audit fix relay-list 203.0.113.0/24 -n", "spoor live")
	source := "network:" + Neighbour
	s.stop(source, "--for", "1h")
	if err := relaying.Send(strange); err == nil || code(err) != 0 {
		s.t.Errorf("the network connects: %v", err)
	}
	s.firewall("delete", "table", "inet", "spoor")
	// While Exim reads its configuration, for a moment nobody listens.
	s.Until("relaying to be refused", func() bool { return code(relaying.Send(strange)) >= 500 })
	s.Until("the address beside it to relay", func() bool { return other.Send(strange) == nil })
	// Another command that changes something puts the rule back.
	s.stop("user:dump")
	if err := relaying.Send(strange); err == nil || code(err) != 0 {
		s.t.Errorf("the rule is not back: %v", err)
	}
	s.Want(0, "unstop", "user:dump", "--yes", "--reason", "test")
	s.unstop(source, before)
	s.Until("the network to relay again", func() bool { return relaying.Send(strange) == nil })
	if rules := s.firewall("list", "ruleset"); strings.Contains(rules, "spoor") {
		s.t.Errorf("the firewall has\n%s", rules)
	}
}

// firewall runs nft(8) in the network of the test.
func (s *Stopping) firewall(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "nft", args...).CombinedOutput()
	if err != nil {
		s.t.Errorf("nft %v: %v: %s", args, err, out)
	}
	return string(out)
}

const (
	docs   = "/var/www/vhosts/shop.example/httpdocs"
	script = docs + "/mailer.php"
)

// vhost is a site of nginx whose scripts run as web1.
const vhost = `server {
  server_name shop.example;
  root ` + docs + `;
  location ~ \.php$ { fastcgi_pass unix:/run/php/web1.sock; }
}
`

const pool = "[web1]\nuser = web1\ngroup = web1\nlisten = /run/php/web1.sock\n"

// as runs PHP as a user, and reports whether its expression was true.
func (s *Stopping) as(uid int, expression string, args ...string) bool {
	return s.Command(uid, "/usr/bin/php", append([]string{"-r", "exit(@" + expression + " ? 0 : 9);"}, args...)...).Run() == nil
}

// CheckScriptSealed seals a script whose owner does what he can about it.
func CheckScriptSealed(s *Stopping) {
	s.t.Helper()
	s.Write("/etc/nginx/sites-enabled/shop", vhost)
	s.Write("/etc/php/8.2/fpm/pool.d/web1.conf", pool)
	s.Write(script, "<?php mail('x@takes.test', 'pills', 'buy');")
	s.Write("/etc/shadow", "root:secret")
	s.Own("/etc/shadow", 0o600, 0, 0)
	for _, name := range []string{script, docs, "/var/www/vhosts/shop.example"} {
		s.Own(name, 0o750, Web1, Web1)
	}
	s.hostile()
	before := s.Manifest("/var/www", "/etc")
	ran := s.stop("script:" + script)
	s.t.Cleanup(func() { s.unsealed(script) })
	if strings.Contains(ran.Out, "cannot make a file unchangeable") {
		s.t.Skip("the file system of the test has no immutable flag")
	}
	for what, expression := range map[string]string{
		"read": "file_get_contents($argv[1]) !== false", "chmod": "chmod($argv[1], 0644)", "rename": "rename($argv[1], $argv[1].'.old')",
		"remove": "unlink($argv[1])", "replace": "file_put_contents($argv[1].'.new', 'x') && rename($argv[1].'.new', $argv[1])",
		"write to": "file_put_contents($argv[1], 'x')", "run": "(include $argv[1]) === 1",
	} {
		if s.as(Web1, expression, script) {
			s.t.Errorf("the owner can %s the script", what)
		}
	}
	_ = os.Remove(filepath.Join(s.Dir, script+".new"))
	// What he can do: move the folder away, and put another script into a new one.
	if !s.as(Web1, "rename($argv[1], $argv[1].'-old') && mkdir($argv[1])", docs) {
		s.t.Error("the owner cannot move the folder, which docs/stop.md says he can")
	}
	s.Says(s.Want(4, "unstop", "script:"+script, "--yes", "--reason", "test"), "not undone", "A copy of it is")
	if !s.as(Web1, "rmdir($argv[1]) && rename($argv[1].'-old', $argv[1])", docs) {
		s.t.Fatal("the owner cannot move it back")
	}
	s.Says(s.Want(0, "unstop", "script:"+script, "--yes", "--reason", "test"), "done: undo, 1 step")
	s.sameButFolders(before)
}

// hostile is what a tenant puts in the way: none of it is sealed, and nothing of the
// system's is touched.
func (s *Stopping) hostile() {
	s.t.Helper()
	s.Link("/etc/shadow", docs+"/link.php")
	s.Link("/etc", docs+"/etc")
	if err := os.Link(filepath.Join(s.Dir, "/etc/shadow"), filepath.Join(s.Dir, docs, "hard.php")); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"/link.php", "/etc/shadow", "/hard.php", "/../../../../etc/shadow", ""} {
		s.Want(5, "stop", "script:"+docs+name, "--yes", "--reason", "trap")
	}
	if err := os.Remove(filepath.Join(s.Dir, docs, "hard.php")); err != nil {
		s.t.Fatal(err)
	}
}

// sameButFolders wants all to be as it was, but for the times of folders in which the
// tenant has moved things.
func (s *Stopping) sameButFolders(before []string) {
	s.t.Helper()
	files := func(lines []string) (list []string) {
		for _, line := range lines {
			if !strings.Contains(line, " 40") {
				list = append(list, line)
			}
		}
		return list
	}
	was, is := files(before), files(s.Manifest("/var/www", "/etc"))
	if strings.Join(was, "\n") != strings.Join(is, "\n") {
		s.t.Errorf("there is\n%s\nwas\n%s", strings.Join(is, "\n"), strings.Join(was, "\n"))
	}
}

// unsealed lets the folder of the test be removed.
func (s *Stopping) unsealed(name string) {
	_ = exec.CommandContext(s.t.Context(), "chattr", "-i", filepath.Join(s.Dir, name)).Run()
	_ = exec.CommandContext(s.t.Context(), "chattr", "-R", "-i", filepath.Join(s.Dir, filepath.Dir(filepath.Dir(name)))).Run()
}

// CheckFix ends an incident with one command, and takes it back with one.
func CheckFix(s *Stopping) {
	s.t.Helper()
	thief := &Client{Thief1, s.Submission, Stolen, StolenPassword}
	var mails []Mail
	for i := range 20 {
		mails = append(mails, Mail{Stolen, at(SlowDomain, i, 2), "From: " + Stolen + "\nSubject: win " + strconv.Itoa(i) + "\n\nwin\n"})
	}
	if err := thief.Send(mails...); err != nil {
		s.t.Fatal(err)
	}
	source := "account:" + Stolen
	s.Until("the messages to wait", func() bool { return len(s.IDs("source:"+source)) == len(mails) })
	before := s.Manifest(s.Folders...)
	var ran Ran
	s.Until("all of them to be at rest", func() bool {
		ran = s.Operate("fix", source, "--yes", "--reason", "incident", "--verify", "2s")
		if ran.Status == 4 && strings.Contains(ran.Out, "busy") {
			s.Want(0, "undo", "--yes", "--reason", "busy")
			return false
		}
		return true
	})
	s.Says(ran, "done: fix, ", "20 messages", "verified: nothing came of "+source, "0 messages of it left")
	if ran.Status != 0 {
		s.t.Errorf("fix ended with %d\n%s%s", ran.Status, ran.Out, ran.Err)
	}
	if left := s.IDs("source:" + source); len(left) > 0 {
		s.t.Errorf("%d messages are left", len(left))
	}
	s.Says(s.Want(0, "undo", "--yes", "--reason", "it was us"), "done: undo, ", "20 messages")
	s.Same(before, s.Folders...)
	s.Until("the messages to be back", func() bool { return len(s.IDs("source:"+source)) == len(mails) })
	s.Until("the account to send", func() bool { return thief.Send(letter(Stolen)) == nil })
	s.watches(thief)
}

// watches lets the thief try as long as fix watches.
func (s *Stopping) watches(thief *Client) {
	s.t.Helper()
	source := "account:" + Stolen
	ran := s.start([]string{"fix", source, "--yes", "--reason", "again", "--verify", "6s"})
	ended := make(chan Ran, 1)
	go func() { ended <- ran() }()
	refused := 0
	for {
		select {
		case got := <-ended:
			if !strings.Contains(got.Out, "verified: nothing came of "+source) || refused == 0 || strings.Contains(got.Out, " 0 attempts refused") {
				s.t.Errorf("%d attempts were refused, and fix says\n%s%s", refused, got.Out, got.Err)
			}
			return
		case <-time.After(10 * moment):
			if code(thief.Send(letter(Stolen))) >= 500 {
				refused++
			}
		}
	}
}
