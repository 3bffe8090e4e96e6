package plesk

import (
	"slices"
	"sync"
	"testing"

	"spoor"
	"spoor/internal/panel"
)

const passwdText = `root:x:0:0:root:/root:/bin/bash
apache:x:48:48::/var/www/vhosts/apache.example:/bin/false
popuser:x:110:31::/var/qmail/popuser:/bin/false
psaadm:x:500:500::/usr/local/psa/admin:/bin/false
bad line
shop:x:10003:2523::/var/www/vhosts/shop.example:/bin/false
shopftp:x:10003:2523::/var/www/vhosts/other.example:/bin/false
anna:x:10004:2523::/var/www/vhosts/./shop.example//web_users/anna/:/bin/false
chrooted:x:10005:2523::/var/www/vhosts/chroot:/bin/false
sys:x:10006:2523::/var/www/vhosts/system/shop.example:/bin/false
skel:x:10007:2523::/var/www/vhosts/.skel:/bin/false
top:x:10008:2523::/var/www/vhosts:/bin/false
near:x:10009:2523::/var/www/vhosts2/shop.example:/bin/false
up:x:10010:2523::/var/www/vhosts/../vhosts/up.example:/bin/false
moved:x:10011:2523::/data/vhosts/moved.example:/bin/false
`

func TestOwnerByHomeFolder(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd":   passwdText,
		"var/www/":     "",
		"data/vhosts/": "",
		"var/www/vhosts/system/blog.shop.example/logs/":  "",
		"var/www/vhosts/shop.example/blog.shop.example/": "",
		"var/www/vhosts/shop.example/httpdocs/":          "",
	})
	want := func(uid int, role spoor.Role, login, site string, sites ...string) {
		t.Helper()
		got := p.Owner(uid)
		if got.UID != uid || got.Role != role || got.Login != login || got.Site != site || got.Exact || !slices.Equal(got.Sites, sites) {
			t.Errorf("Owner(%d) = %+v, want %s %s %s %v", uid, got, role, login, site, sites)
		}
		if login != "" && (len(got.Proof) != 1 || got.Proof[0].File != "/etc/passwd" || got.Proof[0].Line == 0) {
			t.Errorf("Owner(%d): proof %v", uid, got.Proof)
		}
	}
	want(0, spoor.RoleRoot, "root", "")
	want(48, spoor.RoleWebServer, "apache", "")
	want(110, spoor.RoleMailSystem, "popuser", "")
	want(500, spoor.RoleUser, "psaadm", "")
	want(10003, spoor.RoleSite, "shop", "shop.example", "blog.shop.example", "shop.example")
	want(10004, spoor.RoleSite, "anna", "shop.example", "blog.shop.example", "shop.example")
	want(10005, spoor.RoleUser, "chrooted", "")
	want(10006, spoor.RoleUser, "sys", "")
	want(10007, spoor.RoleUser, "skel", "")
	want(10008, spoor.RoleUser, "top", "")
	want(10009, spoor.RoleUser, "near", "")
	want(10010, spoor.RoleSite, "up", "up.example", "up.example")
	want(4711, spoor.RoleNobody, "", "")
	want(-1, spoor.RoleNobody, "", "")
	wantGaps(t, p)
}

func TestOwnerWhereTheFolderOfTheSitesIsALink(t *testing.T) {
	p := open(t, map[string]string{
		"etc/passwd":      passwdText,
		"var/www/vhosts":  "-> ../../data/vhosts",
		"data/vhosts/":    "",
		"etc/psa/version": "",
	})
	for uid, site := range map[int]string{10003: "shop.example", 10011: "moved.example"} {
		if got := p.Owner(uid); got.Site != site {
			t.Errorf("Owner(%d) = %+v, want %s", uid, got, site)
		}
	}
}

func TestPanelServesManyAtOnce(t *testing.T) {
	p := open(t, map[string]string{"etc/passwd": passwdText, "var/www/vhosts/shop.example/httpdocs/": ""})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for uid := range 100 {
				p.Owner(10_000 + uid)
			}
			p.Sites()
			p.Gaps()
			_, _ = p.WebHits(t.Context(), panel.Query{})
			_, _ = p.ScriptMails(t.Context(), panel.Query{})
		})
	}
	all.Wait()
}
