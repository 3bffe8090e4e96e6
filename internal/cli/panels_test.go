package cli

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host/hosttest"
)

// examined opens the server of a tree.
func examined(t *testing.T, files map[string]string) *server {
	t.Helper()
	var out, problems bytes.Buffer
	o := &options{env: testEnvironment(&out, &problems), root: hosttest.Tree(t, files).Dir(), mta: "auto", panel: "auto"}
	s, err := o.examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// postfixQueue are the folders of an empty queue.
func postfixQueue() map[string]string {
	files := map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\npostfix:x:103:106::/var/spool/postfix:/bin/false\nwww-data:x:33:33::/var/www:/bin/false\nanna:x:1001:1001::/home/anna:/bin/false\n"}
	for _, name := range []string{"active", "incoming", "deferred", "maildrop", "hold"} {
		files["var/spool/postfix/"+name+"/"] = ""
	}
	return files
}

// TestPleskWithPostfix is the layout of Plesk since Postfix became its default:
// psa.conf still names qmail's folder, which has the mailboxes and no queue.
func TestPleskWithPostfix(t *testing.T) {
	files := postfixQueue()
	files["etc/psa/psa.conf"] = "HTTPD_VHOSTS_D /var/www/vhosts\nPLESK_MAILNAMES_D /var/qmail/mailnames\nPRODUCT_ROOT_D /usr/local/psa\n"
	files["usr/local/psa/version"] = "18.0.64 Ubuntu 22.04 1800240901.10\n"
	files["var/qmail/mailnames/shop.example/info/Maildir/"] = ""
	files["var/www/vhosts/shop.example/httpdocs/"] = ""
	plesk := "/var/spool/postfix/plesk/"
	files["etc/postfix/main.cf"] = "compatibility_level = 2\nmyhostname = mx.example.com\nmydestination = localhost\n" +
		"virtual_mailbox_maps = hash:" + plesk + "vmailbox\nvirtual_alias_maps = $virtual_maps, hash:" + plesk + "virtual\n" +
		"virtual_mailbox_domains = $virtual_mailbox_maps, hash:" + plesk + "virtual_domains\n" +
		"smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination\n" +
		"smtpd_milters = , inet:127.0.0.1:12768\nmilter_default_action = accept\nmynetworks = 203.0.112.0/20\n"
	files["etc/postfix/master.cf"] = "smtp inet n - n - - smtpd\n"
	files["var/spool/postfix/plesk/vmailbox"] = "info@shop.example shop.example/info/Maildir/\n"
	files["var/spool/postfix/plesk/virtual"] = "@shop.example boss@far.example\n"
	files["var/spool/postfix/plesk/virtual_domains"] = "shop.example 1\nmail-only.example 2\n"
	s := examined(t, files)
	if s.queue.MTA() != "postfix" || s.panel.Name() != "plesk" {
		t.Fatalf("%s with %s", s.queue.MTA(), s.panel.Name())
	}
	for domain, want := range map[string]bool{"shop.example": true, "mail-only.example": true, "far.example": false} {
		if got := s.facts().Serves(domain); got != want {
			t.Errorf("serves %s: %v", domain, got)
		}
	}
	a := &answer{survey: &survey{}}
	if err := s.audit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	want := []string{"high nonexistent-user shop.example", "high relay-list 203.0.112.0/20", "medium limits-off milter_default_action", "low submit-users authorized_submit_users"}
	if got := found(a.findings); !slices.Equal(got, want) {
		t.Errorf("findings:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func found(findings []spoor.Finding) []string {
	var words []string
	for _, f := range findings {
		words = append(words, f.Severity+" "+f.Check+" "+f.Subject)
	}
	return words
}

// TestAuditOfTheCapturedServers finds what was staged, and speaks of no other
// MTA.
func TestAuditOfTheCapturedServers(t *testing.T) {
	for _, name := range []string{"postfix", "exim", "exim499"} {
		var out, problems bytes.Buffer
		Main([]string{"--root", hosttest.Unpack(t, name), "audit", "ls", "-o", "ndjson"}, testEnvironment(&out, &problems))
		text := out.String()
		if !strings.Contains(text, `"severity":"high","subject":"127.0.5.0/24"`) {
			t.Errorf("%s: the network that spam came from is missing:\n%s", name, text)
		}
		if strings.Count(text, `"severity":"high"`) != 1 || strings.Contains(text, "qmail") || strings.Contains(text, "rcpthosts") {
			t.Errorf("%s: findings:\n%s", name, text)
		}
	}
}

func TestPanelsAreFoundByTheirFiles(t *testing.T) {
	f := func(want string, files ...string) {
		t.Helper()
		tree := postfixQueue()
		for _, name := range files {
			tree[name] = ""
		}
		if got := examined(t, tree).panel.Name(); got != want {
			t.Errorf("%v: %s, want %s", files, got, want)
		}
	}
	f("plain")
	f("plesk", "etc/psa/psa.conf")
	f("cpanel", "usr/local/cpanel/")
	f("cpanel", "etc/userdomains", "var/cpanel/")
	f("directadmin", "usr/local/directadmin/")
	f("directadmin", "etc/virtual/domainowners")
}

// TestScriptsOfEveryPanelAreCandidates sets requests against arrivals without
// Plesk.
func TestScriptsOfEveryPanelAreCandidates(t *testing.T) {
	var log strings.Builder
	traffic := spoor.Traffic{Source: spoor.Source{Kind: spoor.KindUser, Name: "anna"}, UID: 1001, Messages: 10}
	for i := range 10 {
		arrived := at().Add(time.Duration(i*i) * time.Minute)
		traffic.Arrivals = append(traffic.Arrivals, arrived.Add(time.Second))
		fmt.Fprintf(&log, "203.0.113.7 - - [%s] \"POST /m.php HTTP/1.1\" 200 1\n", arrived.Format("02/Jan/2006:15:04:05 -0700"))
	}
	f := func(name string, uid int, script, accessLog string, files map[string]string) {
		t.Helper()
		tree := postfixQueue()
		for file, text := range files {
			tree[file] = text
		}
		tree[script], tree[accessLog] = "", log.String()
		one := traffic
		one.UID = uid
		list := []spoor.Traffic{one}
		examined(t, tree).addCandidates(t.Context(), list)
		if c := list[0].Candidates; len(c) == 0 || c[0].Source.Name != filepath.Join("/", script) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	f("plain", 1001, "home/anna/www/m.php", "var/log/apache2/shop.log", map[string]string{
		"etc/apache2/sites-enabled/shop": "<VirtualHost *>\nServerName shop.example\nDocumentRoot /home/anna/www\nAssignUserID anna www\nCustomLog /var/log/apache2/shop.log combined\n</VirtualHost>\n",
	})
	f("the web server", 33, "var/www/html/m.php", "var/log/nginx/x.log", map[string]string{
		"etc/nginx/conf.d/x.conf": "server { server_name x.example; root /var/www/html; access_log /var/log/nginx/x.log; }\n",
	})
	f("cpanel", 1001, "home/anna/public_html/m.php", "usr/local/apache/domlogs/shop.example", map[string]string{
		"etc/userdomains": "shop.example: anna\n", "etc/trueuserdomains": "shop.example: anna\n",
	})
	f("directadmin", 1001, "home/anna/domains/shop.example/public_html/m.php", "var/log/httpd/domains/shop.example.log", map[string]string{
		"etc/virtual/domainowners": "shop.example: anna\n",
	})
}

func TestAScriptThatTheHeaderNamesIsACandidate(t *testing.T) {
	tree := postfixQueue()
	tree["etc/passwd"] += "nobody:x:99:99::/:/bin/false\n"
	tree["etc/userdomains"], tree["etc/trueuserdomains"] = "shop.example: anna\n*: nobody\n", "shop.example: anna\n"
	tree["home/anna/public_html/wp/m.php"] = ""
	list := []spoor.Traffic{{
		UID: 99, Messages: 4, Arrivals: []time.Time{at(), at(), at(), at()},
		ScriptURLs: spoor.Ranking{Distinct: 2, Top: []spoor.Tally{{Value: "shop.example/wp/m.php", Count: 4}, {Value: "shop.example/../../etc/passwd", Count: 1}}},
	}}
	examined(t, tree).addCandidates(t.Context(), list)
	if c := list[0].Candidates; len(c) != 1 || c[0].Source.Name != "/home/anna/public_html/wp/m.php" || !strings.Contains(c[0].Text, "X-PHP-Script") {
		t.Errorf("%+v", c)
	}
}

// What a panel that was replaced has left behind does not hide the one in its place.
func TestThePanelThatHasUsersIsTheOne(t *testing.T) {
	directadmin := map[string]string{
		"etc/virtual/domainowners": "shop.example: anna\n", "usr/local/directadmin/data/users/anna/user.conf": "domain=shop.example\n",
		"home/anna/domains/shop.example/public_html/": "",
	}
	cpanel := map[string]string{"usr/local/cpanel/version": "11.118.0.30\n", "etc/userdomains": "old.example: gone\n", "etc/trueuserdomains": "old.example: gone\n"}
	both := maps.Clone(directadmin)
	maps.Copy(both, cpanel)
	for name, files := range map[string]map[string]string{
		"directadmin": both, "cpanel": cpanel, "plain": {},
	} {
		maps.Copy(files, postfixQueue())
		s := examined(t, files)
		if got := s.panel.Name(); got != name {
			t.Errorf("%s, want %s", got, name)
		}
		if owner := s.owner(1001); name == "directadmin" && owner.Site != "shop.example" {
			t.Errorf("uid 1001 is of %+v", owner)
		}
	}
	maps.Copy(cpanel, map[string]string{"usr/local/directadmin/": ""})
	if got := examined(t, cpanel).panel.Name(); got != "cpanel" {
		t.Errorf("of two without users: %s", got)
	}
}
