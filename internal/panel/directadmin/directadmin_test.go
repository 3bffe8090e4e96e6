package directadmin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel"
	"spoor/internal/panel/paneltest"
)

// server is a DirectAdmin server with two users.
func server() map[string]string {
	users := "usr/local/directadmin/data/users/"
	return map[string]string{
		"etc/passwd":                                            "root:x:0:0::/root:/bin/sh\napache:x:48:48::/var/www:/bin/false\nanna:x:1001:1001::/home/anna:/bin/bash\nbert:x:1002:1002::/home/bert:/bin/bash\n",
		"etc/virtual/domainowners":                              "shop.example: anna\naddon.example: anna\nbert.example: bert\n",
		users + "anna/user.conf":                                "account=ON\ncreator=admin\ndomain=shop.example\nsuspended=no\n",
		users + "anna/domains.list":                             "shop.example\naddon.example\n",
		users + "bert/user.conf":                                "domain=\n",
		users + "anna/domains/shop.example.subdomains":          "blog\n",
		"home/anna/domains/shop.example/public_html/blog/x.php": "",
		"home/anna/domains/shop.example/private_html":           "-> ./public_html",
		"home/anna/domains/addon.example/public_html/":          "",
		"home/bert/domains/bert.example/public_html":            "-> /etc",
		"var/log/httpd/domains/shop.example.log":                "",
		"var/log/httpd/domains/shop.example.blog.log":           "203.0.113.7 - - [01/May/2024:12:00:00 +0000] \"POST /x.php HTTP/1.1\" 200 1\n",
		"var/log/httpd/domains/shop.example.error.log":          "",
		"var/log/nginx/domains/shop.example.log":                "",
	}
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

func TestDirectAdmin(t *testing.T) {
	paneltest.Run(t, paneltest.Server{
		Adapter: Adapter(), Files: server(),
		Sites: []string{"addon.example", "bert.example", "blog.shop.example", "shop.example"},
	})
}

func TestOwnersOfUIDs(t *testing.T) {
	p := open(t, server())
	for uid, want := range map[int]string{
		0: "root  [] false", 48: "web server  [] false", 4711: "nobody  [] false",
		1001: "site shop.example [addon.example shop.example] true",
		1002: "site bert.example [bert.example] false", // no main domain is recorded
	} {
		o := p.Owner(uid)
		if got := fmt.Sprint(o.Role, " ", o.Site, " ", o.Sites, " ", o.Exact); got != want {
			t.Errorf("uid %d is of %s, want %s", uid, got, want)
		}
	}
	if proof := p.Owner(1001).Proof; proof[1].File != "/usr/local/directadmin/data/users/anna/user.conf" || proof[1].Line != 3 {
		t.Errorf("proof: %+v", proof)
	}
}

func TestSitesHaveTheirFoldersAndLogs(t *testing.T) {
	p := open(t, server())
	var got []string
	for _, s := range p.Sites() {
		got = append(got, fmt.Sprint(s.Domain, " of ", s.Subscription, " ", s.UID, " ", s.DocumentRoots, " ", s.AccessLogs))
	}
	want := []string{
		"addon.example of shop.example 1001 [/home/anna/domains/addon.example/public_html] []",
		"bert.example of  1002 [] []",
		"blog.shop.example of shop.example 1001 [/home/anna/domains/shop.example/public_html/blog] [/var/log/httpd/domains/shop.example.blog.log]",
		"shop.example of shop.example 1001 [/home/anna/domains/shop.example/public_html] [/var/log/httpd/domains/shop.example.log /var/log/nginx/domains/shop.example.log]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("sites:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	gaps := p.Gaps()
	if len(gaps) != 1 || gaps[0].File != "/home/bert/domains/bert.example/public_html" {
		t.Errorf("gaps: %v", gaps)
	}
}

func TestRequestsNameScriptsOfSubdomains(t *testing.T) {
	p := open(t, server())
	noon := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	hits, err := p.WebHits(t.Context(), panel.Query{Window: panel.Window{From: noon, Until: noon}, UIDs: []int{1001}})
	if err != nil || len(hits) != 1 || hits[0].Script != "/home/anna/domains/shop.example/public_html/blog/x.php" || hits[0].Site != "blog.shop.example" {
		t.Errorf("hits %+v, %v", hits, err)
	}
}
