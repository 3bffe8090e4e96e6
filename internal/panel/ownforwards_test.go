package panel

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func ownForwards(t *testing.T, files map[string]string, managed bool, sites ...Site) (words []string, policy *spoor.MailPolicy) {
	t.Helper()
	var gaps spoor.Gaps
	passwd := host.ParsePasswd([]byte("root:x:0:0::/root:/bin/sh\nada:x:1001:1001::/home/ada:/bin/sh\nbin:x:2:2::/:/bin/false\nalias:x:7:7::/var/qmail/alias:/bin/true\nweb1:x:1002:1002::/srv/web1:/bin/false\n"), &gaps)
	policy = &spoor.MailPolicy{}
	OwnForwards(hosttest.Tree(t, files), passwd, sites, policy, managed)
	for _, f := range policy.Forwards {
		words = append(words, fmt.Sprintf("%s to %s at %s", f.Address, f.Target, f.Place.Place()))
	}
	for _, a := range policy.Answers {
		words = append(words, fmt.Sprintf("%s answers at %s", a.Address, a.Place.Place()))
	}
	return words, policy
}

func TestUsersOwnForwards(t *testing.T) {
	words, policy := ownForwards(t, map[string]string{
		"root/.forward":                               "# to the admin\n\\root, admin@far.test\n\"|/usr/bin/vacation root\", /var/mail/x, \"a,b@far.test\"\n",
		"home/ada/.forward+list":                      "one@far.test two@far.test\nthree@far.test,four@far.test\r\n",
		"home/ada/.qmail":                             "# me\n./Maildir/\n&ada@far.test\n|/var/qmail/bin/forward x@far.test y@far.test\n|autorespond 1 2 3 4\n|spam-filter z@far.test\nplain\n",
		"home/ada/.qmail-info:x":                      "boss@far.test\n",
		"home/ada/etc/shop.test/u/filter":             "# Exim filter\nif $h_subject: contains \"deliver no@far.test\" then\n unseen deliver \"Out@far.test\"\nendif\n# deliver no@far.test\nmail to $reply_to subject \"away\"\n",
		"var/qmail/alias/.qmail-sales":                "s@far.test\n",
		"var/qmail/alias/.qmail-default":              "d@far.test\n",
		".forward":                                    "no@far.test\n",
		"srv/web1/.dovecot.sieve":                     "-> sieve/on.sieve",
		"srv/web1/sieve/on.sieve":                     "/* redirect \"no@far.test\"; */ require [\"copy\",\"vacation\"]; # redirect \"no@far.test\";\nif true {\n  redirect :copy \"w@far.test\";\n}\nvacation text:\nredirect \"no@far.test\";\n.\n;\nREDIRECT \"v@far.test\";\n",
		"srv/web1/sieve/off.sieve":                    "redirect \"no@far.test\";\n",
		"var/vmail/shop.test/info/.dovecot.sieve":     "redirect \"i@far.test\";\n",
		"etc/vfilters/shop.test":                      "# Exim filter\ndeliver \"f@far.test\"\n",
		"home/vpopmail/domains/v.test/.qmail-help":    "&h@far.test\n",
		"home/vpopmail/domains/v.test/u/.qmail":       "/home/vpopmail/domains/v.test/u/Maildir/\n&u@far.test\n",
		"home/vpopmail/domains/v.test/.qmail-default": "&no@far.test\n",
	}, false, Site{Subscription: "shop.test", UID: 1002, Home: "/srv/web1"})
	want := []string{
		"root to admin@far.test at /root/.forward:2", "root to a,b@far.test at /root/.forward:3",
		"ada+list to three@far.test at /home/ada/.forward+list:2", "ada+list to four@far.test at /home/ada/.forward+list:2",
		"ada to ada@far.test at /home/ada/.qmail:3", "ada to x@far.test at /home/ada/.qmail:4", "ada to y@far.test at /home/ada/.qmail:4",
		"ada-info.x to boss@far.test at /home/ada/.qmail-info:x:1", "u@shop.test to Out@far.test at /home/ada/etc/shop.test/u/filter:3",
		"sales to s@far.test at /var/qmail/alias/.qmail-sales:1",
		"web1 to w@far.test at /srv/web1/.dovecot.sieve:3", "web1 to v@far.test at /srv/web1/.dovecot.sieve:9",
		"u@v.test to u@far.test at /home/vpopmail/domains/v.test/u/.qmail:2", "help@v.test to h@far.test at /home/vpopmail/domains/v.test/.qmail-help:1",
		"info@shop.test to i@far.test at /var/vmail/shop.test/info/.dovecot.sieve:1", "*@shop.test to f@far.test at /etc/vfilters/shop.test:2",
		"root answers at /root/.forward:3", "ada answers at /home/ada/.qmail:5", "u@shop.test answers at /home/ada/etc/shop.test/u/filter:6", "web1 answers at /srv/web1/.dovecot.sieve:5",
	}
	if got := strings.Join(words, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	for _, f := range policy.Forwards {
		if f.Place.Text == "" || !strings.Contains(strings.ToLower(f.Place.Text), strings.ToLower(f.Target)) {
			t.Errorf("%s is not proven by %q", f.Target, f.Place.Text)
		}
	}
}

// TestHostileForwards puts what customers can put in the way.
func TestHostileForwards(t *testing.T) {
	words, policy := ownForwards(t, map[string]string{
		"etc/secret":              "root@secret.test\n",
		"home/ada/.forward":       "-> /etc/secret",
		"home/ada/.qmail":         "-> ../../etc/secret",
		"home/ada/.qmail-x":       "-> /home/ada/.qmail-x",
		"home/ada/etc":            "-> /etc",
		"etc/shop.test/u/filter":  "# Exim filter\ndeliver root@secret.test\n",
		"home/ada/.dovecot.sieve": "redirect \"" + strings.Repeat("a", 400) + "@far.test\"; redirect \"\"; redirect; redirect \"x y@far.test\"; redirect \"@\"; \"unclosed",
		"home/ada/.qmail-long":    strings.Repeat("&a@far.test\n", 20_000),
		"home/ada/.sieve/x":       "a folder",
		"srv":                     "-> /etc",
		"var/vmail":               "-> /home",
	}, false)
	for _, word := range words {
		if strings.Contains(word, "secret") {
			t.Errorf("a link was followed: %s", word)
		}
	}
	if len(words) != maxTargets || len(policy.Gaps) != 1 {
		t.Errorf("%d are found, and there are the gaps %v", len(words), policy.Gaps)
	}
}

func TestWhatThePanelHasToldIsNotReadAgain(t *testing.T) {
	files := map[string]string{
		"var/qmail/mailnames/shop.test/info/.qmail":         "&i@far.test\n",
		"var/qmail/mailnames/shop.test/info/.dovecot.sieve": "redirect \"s@far.test\";\n",
	}
	if words, _ := ownForwards(t, files, true); len(words) != 1 || !strings.Contains(words[0], "s@far.test") {
		t.Errorf("%q", words)
	}
	if words, _ := ownForwards(t, files, false); len(words) != 2 {
		t.Errorf("%q", words)
	}
}

func FuzzOwnForwards(f *testing.F) {
	f.Add("redirect :copy \"a@b\"; text:\n.\n /* \" \\")
	f.Add("# Exim filter\ndeliver a@b")
	f.Add("\"|vacation\", a@b\n|forward a@b")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []forwardParser{qmailForwards, aliasForwards, filterForwards, sieveForwards} {
			found := &ownFound{lines: strings.Split(text, "\n")}
			parse(text, found)
			for _, one := range found.list {
				if one.line < 1 || one.line > len(found.lines) || !strings.Contains(text, "@") && one.target != "" {
					t.Fatalf("%q: %+v", text, one)
				}
			}
		}
	})
}

// A provider has thousands of mailboxes in one domain, and thousands of domains.
func TestForwardsOfManyMailboxesAreFound(t *testing.T) {
	const many = 1001
	files := map[string]string{}
	for n := range many {
		files[fmt.Sprintf("var/vmail/large.test/u%d/.dovecot.sieve", n)] = "redirect \"a@far.test\";\n"
		files[fmt.Sprintf("var/qmail/mailnames/d%d.test/info/.dovecot.sieve", n)] = "redirect \"b@far.test\";\n"
		files[fmt.Sprintf("etc/vfilters/e%d.test", n)] = "deliver \"c@far.test\"\n"
	}
	words, policy := ownForwards(t, files, true)
	if len(words) != 3*many || len(policy.Gaps) > 0 {
		t.Errorf("%d forwards of %d, gaps %v", len(words), 3*many, policy.Gaps)
	}
}

func TestAHomeWithTooManyFilesIsAGap(t *testing.T) {
	files := map[string]string{}
	for n := range maxHomeEntries + 1 {
		files[fmt.Sprintf("home/ada/%d", n)] = ""
	}
	if _, policy := ownForwards(t, files, false); len(policy.Gaps) != 1 || policy.Gaps[0].File != "/home/ada" {
		t.Errorf("gaps %v", policy.Gaps)
	}
}
