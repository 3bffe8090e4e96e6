package postfix

import (
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

// proposed are the steps against a source, in words.
func proposed(t *testing.T, files map[string]string, c *spoor.Culprit) (words []string, m spoor.Measures) {
	t.Helper()
	root := hosttest.Tree(t, files)
	var gaps spoor.Gaps
	conf, _ := ReadConfig(root, &host.Passwd{}, &gaps)
	m = LogOnly(root, conf).Stop(c)
	for i := range m.Steps {
		words = append(words, stepWords(&m.Steps[i])...)
	}
	return words, m
}

func stepWords(s *spoor.Step) (words []string) {
	switch {
	case s.Edit != nil && len(s.Edit.Changes) == 0:
		words = append(words, s.Edit.Path+" stays")
	case s.Edit != nil:
		for _, c := range s.Edit.Changes {
			words = append(words, s.Edit.Path+": "+c.Old+" -> "+c.New)
		}
	case s.Command != nil:
		words = append(words, strings.Join(append([]string{s.Command.Writes[0] + ":"}, s.Command.Do...), " "))
	default:
		words = append(words, s.Kind.String()+" "+s.Subject())
	}
	return words
}

func account(name string) *spoor.Culprit {
	return &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindAccount, Name: name}, UID: -1}
}

func TestHowPostfixStopsAnAccount(t *testing.T) {
	const hook = "check_sasl_access texthash:/etc/postfix/spoor_sasl_access"
	line := "/etc/postfix/spoor_sasl_access:  -> info@shop.test REJECT sending is stopped for this account: ask your administrator"
	for name, c := range map[string]struct {
		main, master string
		want         []string
	}{
		"nothing is set": {"myhostname = mx\n", "", []string{line, "/etc/postfix/main.cf:  -> smtpd_sender_restrictions = " + hook}},
		"restrictions on one line": {
			"smtpd_sender_restrictions = reject_unknown_sender_domain\n", "",
			[]string{line, "/etc/postfix/main.cf: smtpd_sender_restrictions = reject_unknown_sender_domain -> smtpd_sender_restrictions = " + hook + ", reject_unknown_sender_domain"},
		},
		"restrictions on the next lines": {
			"smtpd_sender_restrictions =\n  reject_unknown_sender_domain,\n  permit\n", "",
			[]string{line, "/etc/postfix/main.cf: smtpd_sender_restrictions = -> smtpd_sender_restrictions = " + hook},
		},
		"the last of two counts": {
			"smtpd_sender_restrictions = permit\nsmtpd_sender_restrictions=reject\n", "",
			[]string{line, "/etc/postfix/main.cf: smtpd_sender_restrictions=reject -> smtpd_sender_restrictions= " + hook + ", reject"},
		},
		"another account is stopped": {
			"smtpd_sender_restrictions = " + hook + ", permit\n", "", []string{line, "/etc/postfix/main.cf stays"},
		},
		"a service has its own in braces, and twice": {
			"myhostname = mx\n",
			"submission inet n - n - - smtpd\n  -o smtpd_sender_restrictions=none\n  -o { smtpd_sender_restrictions = permit_sasl_authenticated, reject }\n",
			[]string{
				line, "/etc/postfix/main.cf:  -> smtpd_sender_restrictions = " + hook,
				"/etc/postfix/master.cf: submission inet n - n - - smtpd\n  -o smtpd_sender_restrictions=none\n  -o { smtpd_sender_restrictions = permit_sasl_authenticated, reject }" +
					" -> submission inet n - n - - smtpd\n  -o smtpd_sender_restrictions=none\n  -o { smtpd_sender_restrictions = check_sasl_access,texthash:/etc/postfix/spoor_sasl_access,permit_sasl_authenticated, reject }",
			},
		},
		"a service has its own": {
			"myhostname = mx\n",
			"smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n  # -o smtpd_sender_restrictions=none\n  -o smtpd_sender_restrictions=permit_sasl_authenticated,reject\npickup unix n - n 60 1 pickup\n",
			[]string{
				line, "/etc/postfix/main.cf:  -> smtpd_sender_restrictions = " + hook,
				"/etc/postfix/master.cf: submission inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n  # -o smtpd_sender_restrictions=none\n  -o smtpd_sender_restrictions=permit_sasl_authenticated,reject" +
					" -> submission inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n  # -o smtpd_sender_restrictions=none\n  -o smtpd_sender_restrictions=check_sasl_access,texthash:/etc/postfix/spoor_sasl_access,permit_sasl_authenticated,reject",
			},
		},
	} {
		files := map[string]string{"etc/postfix/main.cf": c.main}
		if c.master != "" {
			files["etc/postfix/master.cf"] = c.master
		}
		if words, _ := proposed(t, files, account("Info@shop.test")); !slices.Equal(words, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(words, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestALoginHasTheRealmThatPostfixAdds(t *testing.T) {
	words, _ := proposed(t, map[string]string{"etc/postfix/main.cf": "smtpd_sasl_local_domain = shop.test\n"}, account("info@shop.test"))
	if len(words) != 3 || !strings.Contains(words[0], "-> info@shop.test REJECT") || !strings.Contains(words[1], "-> info REJECT") {
		t.Errorf("%q", words)
	}
}

// Postfix cannot refuse a login that it does not see.
func TestAPlanTellsWhatDovecotTakesAllTheSame(t *testing.T) {
	f := func(dovecot string, want bool) {
		t.Helper()
		_, m := proposed(t, map[string]string{"etc/postfix/main.cf": "", "etc/dovecot/dovecot.conf": dovecot}, account("info@shop.test"))
		if got := strings.Contains(strings.Join(m.Open, "\n"), "submission service"); got != want {
			t.Errorf("%q: %q", dovecot, m.Open)
		}
	}
	f("submission_relay_host = 127.0.0.1\n", true)
	f("submission_relay_host = 127.0.0.1\nsubmission_relay_trusted = yes\n", false)
	f("protocols = imap\n", false)
}

func TestWordsThatNeedQuotingAreRefused(t *testing.T) {
	for _, name := range []string{"a b@shop.test", "a\nb REJECT", "", "#x", "a:b", "-o", strings.Repeat("a", 300)} {
		words, m := proposed(t, map[string]string{"etc/postfix/main.cf": ""}, account(name))
		if len(words) > 0 || len(m.Refused) == 0 {
			t.Errorf("%q: %q", name, words)
		}
	}
}

func TestHowPostfixStopsAUserAndANetwork(t *testing.T) {
	files := map[string]string{
		"etc/postfix/main.cf": "mynetworks = 127.0.0.0/8, 203.0.113.0/24\nauthorized_submit_users = root, static:anyone\n",
		"usr/sbin/postdrop":   "", "usr/sbin/sendmail": "", "usr/lib/sendmail": "-> ../sbin/sendmail",
	}
	user := &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindUser, Name: "web1"}, UID: 10003, Login: "web1", Live: true}
	words, _ := proposed(t, files, user)
	want := []string{
		"/etc/postfix/spoor_submit_users:  -> web1",
		"/etc/postfix/main.cf: authorized_submit_users = root, static:anyone -> authorized_submit_users = !/etc/postfix/spoor_submit_users, root, static:anyone",
		"acl /usr/sbin/postdrop", "acl /usr/sbin/sendmail", "firewall uid 10003",
	}
	if !slices.Equal(words, want) {
		t.Errorf("a user:\n%s", strings.Join(words, "\n"))
	}
	network := &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindNetwork, Name: "203.0.113.9"}, Live: true}
	words, _ = proposed(t, files, network)
	want = []string{
		"firewall 203.0.113.9/32", "reload master", "/etc/postfix/spoor_networks:  -> 203.0.113.9/32",
		"/etc/postfix/main.cf: mynetworks = 127.0.0.0/8, 203.0.113.0/24 -> mynetworks = !/etc/postfix/spoor_networks, 127.0.0.0/8, 203.0.113.0/24", "reload master",
	}
	if !slices.Equal(words, want) {
		t.Errorf("a network:\n%s", strings.Join(words, "\n"))
	}
	network.Source.Name = "127.0.0.1"
	if words, m := proposed(t, files, network); len(words) > 0 || len(m.Refused) != 1 {
		t.Errorf("this machine: %q, %q", words, m.Refused)
	}
}

func TestHowPostfixStopsAForward(t *testing.T) {
	files := map[string]string{
		"etc/postfix/main.cf": "virtual_alias_maps = hash:/etc/postfix/virtual, texthash:/etc/postfix/more\nmydestination = shop.test\nalias_maps = hash:/etc/aliases\n",
		"etc/postfix/virtual": "a@club.test x@out.test\n@club.test owner@out.test,\n  other@out.test\nb@club.test y@out.test\n",
		"etc/postfix/more":    "@club.test z@out.test\n",
		"etc/aliases":         "root: admin\ninfo: me@out.test\n",
	}
	forward := &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindForward, Name: "@club.test"}}
	words, _ := proposed(t, files, forward)
	want := []string{
		"/etc/postfix/virtual.db:", "/etc/postfix/virtual: @club.test owner@out.test,\n  other@out.test -> ", "/etc/postfix/virtual.db: /usr/sbin/postmap -c /etc/postfix hash:/etc/postfix/virtual",
		"/etc/postfix/more: @club.test z@out.test -> ",
	}
	if !slices.Equal(words, want) {
		t.Errorf("a catch-all:\n%q", words)
	}
	forward.Source.Name = "info@shop.test"
	words, _ = proposed(t, files, forward)
	if want := []string{"/etc/aliases.db:", "/etc/aliases: info: me@out.test -> ", "/etc/aliases.db: /usr/sbin/postalias -c /etc/postfix hash:/etc/aliases"}; !slices.Equal(words, want) {
		t.Errorf("an alias:\n%q", words)
	}
	forward.Source.Name = "none@shop.test"
	if words, m := proposed(t, files, forward); len(words) > 0 || len(m.Refused) == 0 {
		t.Errorf("no entry: %q", words)
	}
}

func TestWhatAPanelWritesIsNotEdited(t *testing.T) {
	files := map[string]string{"etc/postfix/main.cf": "mynetworks = 10.0.0.0/8\nvirtual_alias_maps = hash:/etc/postfix/virtual\n", "etc/postfix/virtual": "@a.test b@c.test\n"}
	for _, source := range []string{"account:a@b.test", "user:web1", "network:10.1.2.3", "forward:@a.test"} {
		parsed, err := spoor.ParseSource(source)
		if err != nil {
			t.Fatal(err)
		}
		_, m := proposed(t, files, &spoor.Culprit{Source: parsed, UID: 5, Login: "web1", Managed: true, Live: true})
		for _, s := range m.Steps {
			if s.Edit != nil {
				t.Errorf("%s: %s is edited", source, s.Edit.Path)
			}
		}
	}
}

// FuzzStop reads any configuration: what is proposed must fit it, once.
func FuzzStop(f *testing.F) {
	f.Add("smtpd_sender_restrictions =\n  permit\nmynetworks = 10.0.0.0/8\n", "submission inet n - n - - smtpd\n -o smtpd_sender_restrictions=permit\n")
	f.Add("a = b\n\n# c\nauthorized_submit_users=\n", "x")
	f.Fuzz(func(t *testing.T, main, master string) {
		files := map[string]string{"etc/postfix/main.cf": main, "etc/postfix/master.cf": master}
		root := hosttest.Tree(t, files)
		conf, _ := ReadConfig(root, &host.Passwd{}, &spoor.Gaps{})
		q := LogOnly(root, conf)
		for _, source := range []string{"account:info@shop.test", "user:web1", "network:10.1.2.3"} {
			parsed, err := spoor.ParseSource(source)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range q.Stop(&spoor.Culprit{Source: parsed, UID: 10003, Login: "web1"}).Steps {
				if s.Edit == nil {
					continue
				}
				text := files[strings.TrimPrefix(s.Edit.Path, "/")]
				for _, c := range s.Edit.Changes {
					if c.Old != "" && !strings.Contains("\n"+text+"\n", "\n"+c.Old+"\n") {
						t.Fatalf("%s has no line %q", s.Edit.Path, c.Old)
					}
				}
			}
		}
	})
}
