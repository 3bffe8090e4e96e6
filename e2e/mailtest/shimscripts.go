package mailtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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
