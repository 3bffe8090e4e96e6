package cpanel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel"
	"spoor/internal/panel/paneltest"
)

// server is a cPanel server with two users.
func server() map[string]string {
	return map[string]string{
		"usr/local/cpanel/version": "11.110.0.17\n",
		"etc/passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:99:99::/:/sbin/nologin\nmailnull:x:47:47::/var/spool/mqueue:/sbin/nologin\n" +
			"apache:x:48:48::/var/www:/sbin/nologin\ncpaneleximfilter:x:201:201::/var/cpanel/userhomes/cpaneleximfilter:/sbin/nologin\n" +
			"anna:x:1001:1001::/home/anna:/bin/bash\nbert:x:1002:1002::/home2/bert:/bin/bash\n",
		"etc/trueuserdomains": "shop.example: anna\nbert.example: bert\n",
		"etc/userdomains":     "*: nobody\nshop.example: anna\nblog.shop.example: anna\naddon.example: anna\naddon.shop.example: anna\nbert.example: bert\n",
		"etc/userdatadomains": "shop.example: anna==root==main==shop.example==/home/anna/public_html==192.0.2.7:80======0==ea-php81\n" +
			"blog.shop.example: anna==root==sub==shop.example==/home/anna/blog==192.0.2.7:80======0==ea-php81\n" +
			"addon.shop.example: anna==root==sub==shop.example==/home/bert/public_html==192.0.2.7:80======0==ea-php81\n",
		"var/cpanel/userdata/anna/addon.example":            "---\ndocumentroot: /home/anna/addon.example\nip: 192.0.2.7\nserveralias:\n  - www.addon.example\n",
		"home/anna/public_html/mailer.php":                  "",
		"home/anna/blog/":                                   "",
		"home/anna/addon.example/":                          "",
		"home2/bert/public_html/":                           "",
		"etc/apache2/logs":                                  "-> /var/log/apache2",
		"var/log/apache2/domlogs/shop.example":              post("/mailer.php"),
		"var/log/apache2/domlogs/shop.example-ssl_log":      "",
		"var/log/apache2/domlogs/anna/shop.example":         "-> ../shop.example",
		"var/log/apache2/domlogs/bert/bert.example-ssl_log": "",
		"var/log/apache2/domlogs/shop.example-bytes_log":    "",
		"var/log/nginx/domains/shop.example":                "",
		"opt/cpanel/ea-php81/root/etc/php.ini":              "mail.log = /var/log/phpmail\n",
		"var/log/phpmail":                                   "[01-May-2024 12:00:01 UTC] mail() on [/home/anna/public_html/mailer.php:7]: To: a@b.example -- Headers: \n",
	}
}

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func post(path string) string {
	return fmt.Sprintf("203.0.113.7 - - [%s] \"POST %s HTTP/1.1\" 200 1\n", noon.Format("02/Jan/2006:15:04:05 -0700"), path)
}

func open(t *testing.T, files map[string]string) *Panel {
	t.Helper()
	root := hosttest.Tree(t, files)
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(root, passwd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCPanel(t *testing.T) {
	paneltest.Run(t, paneltest.Server{
		Adapter: Adapter(), Files: server(),
		Sites: []string{"addon.example", "addon.shop.example", "bert.example", "blog.shop.example", "shop.example"},
	})
}

func TestOwnersOfUIDs(t *testing.T) {
	p := open(t, server())
	for uid, want := range map[int]string{
		0: "root  [] false", 99: "web server  [] false", 48: "web server  [] false", 47: "mail system  [] false", 201: "mail system  [] false", 4711: "nobody  [] false",
		1001: "site shop.example [addon.example addon.shop.example blog.shop.example shop.example] true",
		1002: "site bert.example [bert.example] true",
	} {
		o := p.Owner(uid)
		if got := fmt.Sprint(o.Role, " ", o.Site, " ", o.Sites, " ", o.Exact); got != want {
			t.Errorf("uid %d is of %s, want %s", uid, got, want)
		}
	}
	proof := p.Owner(1001).Proof
	if len(proof) != 2 || proof[1].File != "/etc/trueuserdomains" || proof[1].Line != 1 || proof[1].Text != "shop.example: anna" {
		t.Errorf("proof: %+v", proof)
	}
}

func TestTheMainDomainIsLookedForElsewhere(t *testing.T) {
	files := server()
	delete(files, "etc/trueuserdomains")
	files["var/cpanel/users/anna"] = "# cPanel\nCONTACTEMAIL=\nDNS=shop.example\nDNS1=addon.example\n"
	p := open(t, files)
	if o := p.Owner(1001); o.Site != "shop.example" || !o.Exact || o.Proof[1].File != "/var/cpanel/users/anna" {
		t.Errorf("anna: %+v", o)
	}
	if o := p.Owner(1002); o.Site != "bert.example" || o.Exact {
		t.Errorf("bert, of whom no main domain is recorded: %+v", o)
	}
}

func TestSitesHaveTheirFoldersAndLogs(t *testing.T) {
	p := open(t, server())
	var got []string
	for _, s := range p.Sites() {
		got = append(got, fmt.Sprint(s.Domain, " of ", s.Subscription, " ", s.UID, " ", s.DocumentRoots, " ", s.AccessLogs))
	}
	logs := "/etc/apache2/logs/domlogs/"
	want := []string{
		"addon.example of shop.example 1001 [/home/anna/addon.example] []",
		"addon.shop.example of shop.example 1001 [] []",
		"bert.example of bert.example 1002 [/home2/bert/public_html] [" + logs + "bert/bert.example-ssl_log]",
		"blog.shop.example of shop.example 1001 [/home/anna/blog] []",
		"shop.example of shop.example 1001 [/home/anna/public_html] [" + logs + "shop.example " + logs + "shop.example-ssl_log /var/log/nginx/domains/shop.example]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("sites:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if p.Version() != "11.110.0.17" {
		t.Errorf("version %q", p.Version())
	}
	if gaps := p.Gaps(); len(gaps) != 0 {
		t.Errorf("gaps: %v", gaps)
	}
}

func TestScriptsAreFoundInLogsAndFolders(t *testing.T) {
	p := open(t, server())
	query := panel.Query{Window: panel.Window{From: noon, Until: noon.Add(time.Hour)}, UIDs: []int{1001}}
	hits, err := p.WebHits(t.Context(), query)
	if err != nil || len(hits) != 1 || hits[0].Script != "/home/anna/public_html/mailer.php" || hits[0].Site != "shop.example" {
		t.Errorf("hits %+v, %v", hits, err)
	}
	mails, err := p.ScriptMails(t.Context(), query)
	if err != nil || len(mails) != 1 || mails[0].Script != "/home/anna/public_html/mailer.php" {
		t.Errorf("mails %+v, %v", mails, err)
	}
	query.UIDs = []int{1002}
	if hits, err := p.WebHits(t.Context(), query); len(hits) != 0 || err != nil {
		t.Errorf("hits of another user: %+v, %v", hits, err)
	}
	query.UIDs = []int{99}
	if hits, err := p.WebHits(t.Context(), query); len(hits) != 1 || err != nil {
		t.Errorf("hits of the web server: %+v, %v", hits, err)
	}
}

func TestAPathOfARequestNamesAFile(t *testing.T) {
	p := open(t, server())
	for _, domain := range []string{"shop.example", "www.shop.example", "SHOP.example"} {
		if got := p.ScriptAt(domain, "/mailer.php"); got != "/home/anna/public_html/mailer.php" {
			t.Errorf("%s: %q", domain, got)
		}
	}
	for _, one := range [][2]string{{"bert.example", "/mailer.php"}, {"shop.example", "/../../../etc/passwd"}, {"", ""}} {
		if got := p.ScriptAt(one[0], one[1]); got != "" {
			t.Errorf("%v: %q", one, got)
		}
	}
}

func TestWhatCustomersCanWriteLeadsNowhere(t *testing.T) {
	files := server()
	delete(files, "home/anna/public_html/mailer.php")
	maps.Copy(files, map[string]string{
		"home/anna/public_html":                  "-> /home2/bert/public_html",
		"home2/bert/public_html/mailer.php":      "",
		"var/cpanel/userdata/anna/addon.example": "documentroot: /etc\n",
	})
	p := open(t, files)
	for _, site := range p.Sites() {
		if (site.Domain == "shop.example" || site.Domain == "addon.example") && len(site.DocumentRoots) > 0 {
			t.Errorf("%s has %v", site.Domain, site.DocumentRoots)
		}
	}
	if gaps := p.Gaps(); len(gaps) != 2 {
		t.Errorf("gaps: %v", gaps)
	}
}

func TestACopyIsKnownByItsFiles(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"yes: files of /etc": {"etc/userdomains": "", "etc/trueuserdomains": ""},
		"yes: var":           {"etc/userdomains": "", "var/cpanel/": ""},
		"yes: product":       {"usr/local/cpanel/": ""},
		"no: one file alone": {"etc/userdomains": ""},
		"no: nothing":        {"etc/passwd": ""},
	} {
		if got := Detect(hosttest.Tree(t, files)); got != strings.HasPrefix(name, "yes") {
			t.Errorf("%s: %v", name, got)
		}
	}
}
