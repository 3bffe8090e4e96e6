package mta

import (
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestAPasswordIsLockedWhereItIs(t *testing.T) {
	files := map[string]string{
		"etc/passwd":                        "root:x:0:0::/root:/bin/sh\nbert:x:1002:1002::/home/bert:/bin/sh\n",
		"etc/shadow":                        "root:$y$x:1::::::\nbert:$y$abc:1::::::\n",
		"etc/dovecot/dovecot.conf":          "!include conf.d/*.conf\n",
		"etc/dovecot/conf.d/auth.conf.ext":  "passdb {\n  driver = passwd-file\n  args = scheme=CRYPT username_format=%u /etc/dovecot/users\n}\n",
		"etc/dovecot/users":                 "info@shop.test:{SHA512-CRYPT}$6$x:5000:5000\ninfo@shop.test.example:{PLAIN}y\n",
		"etc/dovecot/conf.d/20-nothing.ext": "passdb {\n  driver = sql\n  args = /etc/dovecot/sql.conf\n}\n",
	}
	root := hosttest.Tree(t, files)
	passwd, err := root.Passwd(&spoor.Gaps{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Info@shop.test": "/etc/dovecot/users: info@shop.test:{SHA512-CRYPT}$6$x:5000:5000 -> info@shop.test:{CRYPT}!{SHA512-CRYPT}$6$x:5000:5000",
		"bert":           "/etc/shadow: bert:$y$abc:1:::::: -> bert:!$y$abc:1::::::",
		"root":           "", "none@shop.test": "",
	} {
		m := LockLogin(root, passwd, &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindAccount, Name: name}})
		got := ""
		if len(m.Steps) == 1 {
			c := m.Steps[0].Edit.Changes[0]
			got = m.Steps[0].Edit.Path + ": " + c.Old + " -> " + c.New
		}
		if got != want || got == "" && len(m.ByHand) == 0 {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		for i := range m.Steps {
			if strings.Contains(m.Steps[i].What+m.Steps[i].Inverse, "$") {
				t.Errorf("%s: the words of the plan have the hash: %q", name, m.Steps[i].What)
			}
		}
	}
}

func TestWhetherDovecotHidesLoginsFromTheMTA(t *testing.T) {
	f := func(main, more string, want bool) {
		t.Helper()
		root := hosttest.Tree(t, map[string]string{"etc/dovecot/dovecot.conf": main, "etc/dovecot/conf.d/20-submission.conf": more})
		if got := HidesLogins(root); got != want {
			t.Errorf("%q, %q: %t", main, more, got)
		}
	}
	f("", "submission_relay_host = 127.0.0.1\nsubmission_relay_port = 587\n", true)
	f("submission_relay_host=mx1.example.com\n", "#submission_relay_trusted = yes\n", true)
	f("submission_relay_host = 127.0.0.1\n", "submission_relay_trusted = yes\n", false)
	f("protocols = imap lmtp\n", "#submission_relay_host =\n", false)
	f("", "submission_relay_host = \n", false)
}

func FuzzPasswdFiles(f *testing.F) {
	f.Add("passdb {\n driver = passwd-file\n args = /etc/dovecot/users\n}\n")
	f.Add("passdb x {\n driver=passwd-file\n passwd_file_path = /etc/x\n}\npassdb {\n}")
	f.Fuzz(func(t *testing.T, text string) {
		if files := passwdFiles(text); slices.ContainsFunc(files, func(name string) bool { return !strings.HasPrefix(name, "/") }) {
			t.Fatalf("%q", files)
		}
	})
}
