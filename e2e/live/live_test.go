//go:build e2e

// Package live runs a real Apache with mod_php and a real php-fpm, and processes
// that hide, and asks spoor live who sends.
package live

import (
	"bytes"
	"strings"
	"testing"

	"spoor/e2e/mailtest"
)

func submission(s *sighting) bool { return s.Activity == "submission" }

// wants compares what a sighting says with what is true.
func wants(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestWhoSendsThroughPHP(t *testing.T) {
	for name, opcache := range map[string]bool{"without opcache": false, "with opcache": true} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.web(opcache)
			for range 3 { // opcache keeps a script from its second request on
				s.post("shop.example", "/forms/mailer.php")
				s.post("forum.example", "/old/send.php")
			}
			w := watch(t, s)
			wants(t, "the mechanism", w.mechanism, "ebpf")
			s.fpm(t, w, opcache)
			s.modPHP(t, w, opcache)
			_, sum := w.end()
			if !sum.Complete {
				t.Errorf("it is not complete: %+v", sum.Gaps)
			}
			if bytes.Contains(w.raw.Bytes(), []byte("hunter2")) {
				t.Errorf("a secret is shown:\n%s", w.raw.Bytes())
			}
		})
	}
}

// fpm sends through a pool that runs as the owner of the site.
func (s *server) fpm(t *testing.T, w *watching, opcache bool) {
	t.Helper()
	s.post("shop.example", "/forms/mailer.php?token=hunter2")
	for range 3 {
		m := w.next(submission)
		wants(t, "the source", m.Source, "user:web1")
		wants(t, "its certainty", m.SourceKnown.Certainty, "exact")
		wants(t, "the UID", *m.UID, mailtest.Web1)
		wants(t, "the site", m.Site, "shop.example")
		wants(t, "the script", m.Script, shopScript)
		wants(t, "its certainty", m.ScriptKnown.Certainty, map[bool]string{true: "likely", false: "exact"}[opcache])
		wants(t, "the client", m.Client, "127.0.0.1")
		wants(t, "its certainty", m.ClientKnown.Certainty, "likely")
		wants(t, "the request", m.Request, "POST /forms/mailer.php")
		wants(t, "the program", m.Program, "/usr/sbin/sendmail")
		wants(t, "the working directory", m.Process.Dir, shopFolder+"/httpdocs/forms")
	}
}

// modPHP sends from Apache's own process.
func (s *server) modPHP(t *testing.T, w *watching, opcache bool) {
	t.Helper()
	s.post("forum.example", "/old/send.php?token=hunter2")
	for range 3 {
		m := w.next(submission)
		wants(t, "the source", m.Source, "site:forum.example")
		wants(t, "its certainty", m.SourceKnown.Certainty, "likely")
		wants(t, "the UID", *m.UID, mailtest.WWWData)
		wants(t, "the site", m.Site, "forum.example")
		wants(t, "the script", m.Script, forumScript)
		wants(t, "its certainty", m.ScriptKnown.Certainty, "likely")
		wants(t, "the client", m.Client, "127.0.0.1")
		wants(t, "the request", m.Request, "POST /old/send.php")
	}
	_ = opcache
}

// CGI has the request in its environment, and passwords and cookies beside it.
func TestWhoSendsThroughCGI(t *testing.T) {
	s := start(t)
	s.web(false)
	w := watch(t, s)
	s.post("forum.example", "/old/form.cgi?token=hunter2")
	m := w.next(submission)
	wants(t, "the source", m.Source, "site:forum.example")
	wants(t, "the UID", *m.UID, mailtest.WWWData)
	wants(t, "the script", m.Script, forumCGI)
	wants(t, "its certainty", m.ScriptKnown.Certainty, "likely")
	wants(t, "the client", m.Client, "127.0.0.1")
	wants(t, "the request", m.Request, "POST /old/form.cgi")
	claims := map[string]string{}
	for _, claim := range m.Claims {
		claims[claim.Key] = claim.Value
	}
	for key, value := range map[string]string{
		"SCRIPT_FILENAME": forumCGI, "REMOTE_ADDR": "127.0.0.1", "REQUEST_METHOD": "POST", "REQUEST_URI": "/old/form.cgi",
		"SERVER_NAME": "forum.example", "DOCUMENT_ROOT": forumFolder + "/httpdocs",
	} {
		wants(t, key, claims[key], value)
	}
	w.end()
	if bytes.Contains(w.raw.Bytes(), []byte("hunter2")) {
		t.Errorf("a secret is shown:\n%s", w.raw.Bytes())
	}
}

// Without a status page the summary asks the access log.
func TestTheAccessLogNamesTheClient(t *testing.T) {
	s := start(t)
	s.Write("/etc/apache2/apache2.conf", strings.ReplaceAll(s.Read("/etc/apache2/apache2.conf"), "SetHandler server-status", "Require all denied"))
	s.web(true)
	for range 3 {
		s.post("forum.example", "/old/send.php")
	}
	w := watch(t, s)
	s.post("forum.example", "/old/send.php")
	m := w.next(submission)
	wants(t, "the script", m.Script, forumFolder+"/httpdocs/old/") // opcache has it, and nobody is asked
	wants(t, "the client", m.Client, "")
	_, sum := w.end()
	if len(sum.Sources) != 1 {
		t.Fatalf("the summary has %+v", sum.Sources)
	}
	one := sum.Sources[0]
	wants(t, "the source", one.Source, "site:forum.example")
	wants(t, "the script in the end", one.Script, forumScript)
	wants(t, "its certainty", one.ScriptKnown.Certainty, "likely")
	wants(t, "the client in the end", one.Client, "127.0.0.1")
	wants(t, "its certainty", one.ClientKnown.Certainty, "likely")
	if !strings.Contains(one.ClientKnown.How, "/var/log/apache2/forum.log") {
		t.Errorf("it is known by %q", one.ClientKnown.How)
	}
}

// The article's own way, which needs nothing of the kernel.
func TestWhichScriptsAreOpen(t *testing.T) {
	s := start(t)
	s.web(false)
	s.Write(shopFolder+"/httpdocs/slow.php", "<?php usleep(3000000); echo 'done';")
	w := watch(t, s, "--mechanism", "proc")
	wants(t, "the mechanism", w.mechanism, "proc")
	done := make(chan string, 1)
	go func() { done <- s.post("shop.example", "/slow.php") }()
	open := w.next(func(s *sighting) bool { return s.Activity == "open-script" })
	wants(t, "the script", open.Script, shopFolder+"/httpdocs/slow.php")
	wants(t, "the source", open.Source, "user:web1")
	wants(t, "the certainty", open.ScriptKnown.Certainty, "exact")
	wants(t, "the answer", <-done, "done")
	w.end()
}
