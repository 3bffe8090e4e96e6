package plesk

import (
	"fmt"
	"strings"
	"testing"

	"spoor/internal/panel"
)

// wantSites compares the sites, one a line: domain, subscription, UID, document
// roots, logs; folders of the sites written as ~.
func wantSites(t *testing.T, sites []panel.Site, want ...string) {
	t.Helper()
	var got []string
	for _, s := range sites {
		line := fmt.Sprintf("%s of %s %d %v %v", s.Domain, s.Subscription, s.UID, s.DocumentRoots, s.AccessLogs)
		got = append(got, strings.ReplaceAll(line, "/var/www/vhosts/", "~"))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sites:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSitesOfTheOldLayout(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd":                                                       passwdText,
		"var/www/vhosts/shop.example/httpdocs/":                            "",
		"var/www/vhosts/shop.example/httpsdocs/":                           "",
		"var/www/vhosts/shop.example/cgi-bin/":                             "",
		"var/www/vhosts/shop.example/subdomains/blog/httpdocs/":            "",
		"var/www/vhosts/shop.example/statistics/logs/access_log":           "",
		"var/www/vhosts/shop.example/statistics/logs/access_ssl_log":       "",
		"var/www/vhosts/shop.example/statistics/logs/access_log.processed": "",
		"var/www/vhosts/shop.example/statistics/logs/error_log":            "",
		"var/www/vhosts/other.example/httpdocs/":                           "",
		"var/www/vhosts/chroot/httpdocs/":                                  "",
		"var/www/vhosts/default/httpdocs/":                                 "",
		"var/www/vhosts/.skel/0/httpdocs/":                                 "",
		"var/www/vhosts/fs/":                                               "",
		"var/www/vhosts/a file":                                            "",
		"var/www/vhosts/link.example":                                      "-> shop.example",
	})
	wantSites(t, p.Sites(),
		"blog.shop.example of shop.example 10003 [~shop.example/subdomains/blog/httpdocs] []",
		"other.example of other.example 10003 [~other.example/httpdocs] []",
		"shop.example of shop.example 10003 [~shop.example/httpdocs ~shop.example/httpsdocs ~shop.example/cgi-bin] "+
			"[~shop.example/statistics/logs/access_log.processed ~shop.example/statistics/logs/access_log ~shop.example/statistics/logs/access_ssl_log]",
	)
	wantGaps(t, p)
}

func TestSitesOfTheNewLayout(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd":                                                        "a:x:10001:1::/var/www/vhosts/main.example:/bin/false\nb:x:10002:1::/var/www/vhosts/evil.example:/bin/false\n",
		"var/www/vhosts/main.example/httpdocs/":                             "",
		"var/www/vhosts/main.example/addon.example/":                        "",
		"var/www/vhosts/main.example/twice.example/":                        "",
		"var/www/vhosts/main.example/not.a.site/":                           "",
		"var/www/vhosts/evil.example/httpdocs/":                             "",
		"var/www/vhosts/evil.example/main.example/":                         "", // made by the customer
		"var/www/vhosts/evil.example/twice.example/":                        "",
		"var/www/vhosts/system/main.example/logs/access_log":                "",
		"var/www/vhosts/system/main.example/logs/proxy_access_ssl_log":      "",
		"var/www/vhosts/system/addon.example/logs/access_ssl_log":           "",
		"var/www/vhosts/system/twice.example/logs/":                         "",
		"var/www/vhosts/system/evil.example/logs/access_log":                "-> /etc/passwd",
		"var/www/vhosts/system/elsewhere.example/logs/access_log":           "",
		"var/www/vhosts/main.example/statistics/logs/access_log":            "",
		"var/www/vhosts/tenth.example/statistics/logs/access_log":           "", // Plesk 10 to 11.0
		"var/www/vhosts/main.example/tenth.example/":                        "",
		"var/www/vhosts/main.example/httpdocs/elsewhere.example/index.html": "",
	})
	wantSites(t, p.Sites(),
		"addon.example of main.example 10001 [~main.example/addon.example] [~system/addon.example/logs/access_ssl_log]",
		"elsewhere.example of  -1 [] [~system/elsewhere.example/logs/access_log]",
		"evil.example of evil.example 10002 [~evil.example/httpdocs] []",
		"main.example of main.example 10001 [~main.example/httpdocs] [~system/main.example/logs/access_log ~system/main.example/logs/proxy_access_ssl_log]",
		"tenth.example of main.example 10001 [~main.example/tenth.example] [~tenth.example/statistics/logs/access_log]",
		"twice.example of  -1 [] []",
	)
	wantGaps(t, p,
		"/var/www/vhosts/main.example/twice.example: several subscriptions have a folder of one domain: only the database knows whose it is")
}

func TestSitesWithCustomersLinks(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd":                           "",
		"var/www/vhosts/a.example/public/":     "",
		"var/www/vhosts/a.example/httpdocs":    "-> public",
		"var/www/vhosts/a.example/httpsdocs":   "-> /etc",
		"var/www/vhosts/a.example/cgi-bin":     "-> ../b.example/httpdocs",
		"var/www/vhosts/a.example/subdomains":  "-> /",
		"var/www/vhosts/a.example/statistics":  "-> statistics",
		"var/www/vhosts/b.example/httpdocs/":   "",
		"var/www/vhosts/b.example/httpsdocs":   "-> ../../../../../../..",
		"var/www/vhosts/b.example/cgi-bin":     "not a folder",
		"var/www/vhosts/b.example/subdomains/": "",
	})
	wantSites(t, p.Sites(),
		"a.example of a.example -1 [~a.example/httpdocs] []",
		"b.example of b.example -1 [~b.example/httpdocs] []",
	)
	wantGaps(t, p,
		"/var/www/vhosts/a.example/cgi-bin: document root leads out of its subscription: it was not followed",
		"/var/www/vhosts/a.example/httpsdocs: document root leads out of its subscription: it was not followed",
		"/var/www/vhosts/a.example/subdomains: folder cannot be read: leads out of its folder")
}
