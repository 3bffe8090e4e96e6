package plesk

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel"
	"spoor/internal/panel/plesk/plesktest"
)

// openWith opens the panel of a server whose database is m.
func openWith(t *testing.T, m *plesktest.MariaDB, socket string, files map[string]string) *Panel {
	t.Helper()
	if _, ok := files["etc/psa/.psa.shadow"]; !ok {
		files["etc/psa/.psa.shadow"] = plesktest.Shadow + "\n"
	}
	files[strings.TrimPrefix(filepath.Dir(socket), "/")+"/"] = ""
	files["etc/psa/psa.conf"] = "HTTPD_VHOSTS_D /var/www/vhosts\n"
	root := hosttest.Tree(t, files)
	if err := os.Link(m.Socket, root.Dir()+socket); err != nil { // a second name of the socket
		t.Fatal(err)
	}
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), root, passwd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const redHatSocket = "/var/lib/mysql/mysql.sock"

// TestDatabase asks a real server: one for all, since it takes seconds to start.
func TestDatabase(t *testing.T) {
	m := plesktest.Start(t)
	t.Run("Plesk 10 and later", func(t *testing.T) { testNewSchema(t, m) })
	t.Run("Plesk 8 and 9", func(t *testing.T) { testOldSchema(t, m) })
	t.Run("every place of the socket", func(t *testing.T) {
		m.Load(t, "testdata/psa-8.sql")
		for _, socket := range sockets() {
			p := openWith(t, m, socket, map[string]string{"etc/passwd": oldPasswd, "var/www/vhosts/": ""})
			if owner := p.Owner(10003); !owner.Exact || owner.Proof[1].File != socket {
				t.Errorf("by %s: %+v", socket, owner)
			}
		}
	})
	t.Run("psa that cannot be used", func(t *testing.T) { testUselessDatabase(t, m) })
}

const newPasswd = `apache:x:48:48::/var/www:/bin/false
shopftp:x:10007:2523::/var/www/vhosts/shop.example/httpdocs:/bin/false
web7:x:10007:2523::/var/www/vhosts/shop.example:/bin/false
unknown:x:10010:2523::/var/www/vhosts/wrong.example:/bin/false
web10:x:10010:2523::/var/www/vhosts/other.example:/bin/false
anna:x:10009:2523::/var/www/vhosts/shop.example/web_users/anna:/bin/false
idle:x:10011:2523::/var/www/vhosts/gone.example:/bin/false
dangling:x:10012:2523::/home/dangling:/bin/false
`

func testNewSchema(t *testing.T, m *plesktest.MariaDB) {
	m.Load(t, "testdata/psa-10.sql", "testdata/psa-10-rows.sql")
	p := openWith(t, m, redHatSocket, map[string]string{
		"etc/passwd": newPasswd,
		"var/www/vhosts/shop.example/httpdocs/blog/":              "",
		"var/www/vhosts/shop.example/addon.example/":              "",
		"var/www/vhosts/shop.example/cgi-bin/":                    "",
		"var/www/vhosts/other.example/httpdocs/":                  "",
		"var/www/vhosts/other.example/shop.example/httpdocs/":     "",
		"var/www/vhosts/system/addon.example/logs/access_ssl_log": posts("/x.php"),
		"var/www/vhosts/shop.example/addon.example/x.php":         "",
	})
	shop := []string{"addon.example", "blog.shop.example", "forward.example", "shop.example"}
	wantExact(t, p, 10007, "shopftp", "shop.example", shop,
		"sys_users: id=7 login=web7 home=/var/www/vhosts/shop.example; hosting: dom_id=3 sys_user_id=7; domains: id=3 name=shop.example webspace_id=0")
	wantExact(t, p, 10009, "anna", "shop.example", []string{"shop.example"},
		"sys_users: id=9 login=anna home=/var/www/vhosts/shop.example/web_users/anna; web_users: id=1 dom_id=3 sys_user_id=9; domains: id=3 name=shop.example webspace_id=0")
	wantExact(t, p, 10010, "unknown", "other.example", []string{"evil.example", "other.example"},
		"sys_users: id=10 login=web10 home=/var/www/vhosts/other.example; hosting: dom_id=8 sys_user_id=10; domains: id=8 name=other.example webspace_id=0")
	const ftp = "sys_users: id=8 login=shopftp home=/var/www/vhosts/shop.example/httpdocs; ftp_users: id=1 dom_id=3 sys_user_id=8; domains: id=3 name=shop.example webspace_id=0"
	if proof := p.Owner(10007).Proof; len(proof) != 4 || proof[1].Text != ftp || proof[2].Line != 3 {
		t.Errorf("proof of a UID with two logins: %+v", proof)
	}
	if owner := p.Owner(48); owner.Role != spoor.RoleWebServer || owner.Exact {
		t.Errorf("apache, which psa lists too: %+v", owner)
	}
	if owner := p.Owner(10011); owner.Site != "gone.example" || owner.Exact {
		t.Errorf("a user without hosting, by its home: %+v", owner)
	}
	if owner := p.Owner(10012); owner.Role != spoor.RoleUser || owner.Exact {
		t.Errorf("a user whose hosting has no domain: %+v", owner)
	}
	wantSites(t, p.Sites(),
		"addon.example of shop.example 10007 [~shop.example/addon.example] [~system/addon.example/logs/access_ssl_log]",
		"blog.shop.example of shop.example 10007 [~shop.example/httpdocs/blog] []",
		"evil.example of other.example 10010 [~other.example/shop.example/httpdocs] []",
		"other.example of other.example 10010 [~other.example/httpdocs] []",
		"shop.example of shop.example 10007 [~shop.example/httpdocs ~shop.example/cgi-bin] []",
	)
	wantHits(t, p, panel.Query{Window: hour, UIDs: []int{10007}}, "addon.example /x.php ~shop.example/addon.example/x.php")
	wantGaps(t, p)
}

const oldPasswd = `site1:x:10003:2523::/var/www/vhosts/site1.example:/bin/false
blogger:x:10004:2523::/var/www/vhosts/site1.example/subdomains/blog:/bin/false
webuser:x:10005:2523::/var/www/vhosts/site1.example/web_users/webuser:/bin/false
site2:x:10006:2523::/var/www/vhosts/site2.example:/bin/false
`

func testOldSchema(t *testing.T, m *plesktest.MariaDB) {
	m.Load(t, "testdata/psa-8.sql")
	p := openWith(t, m, redHatSocket, map[string]string{
		"etc/passwd":                                              oldPasswd,
		"var/www/vhosts/site1.example/httpdocs/":                  "",
		"var/www/vhosts/site1.example/httpsdocs/":                 "",
		"var/www/vhosts/site1.example/subdomains/blog/httpdocs/":  "",
		"var/www/vhosts/site1.example/subdomains/shop/httpdocs/":  "",
		"var/www/vhosts/site1.example/statistics/logs/access_log": "",
	})
	wantExact(t, p, 10003, "site1", "site1.example", []string{"same.site1.example", "shop.site1.example", "site1.example"},
		"sys_users: id=1 login=site1 home=/var/www/vhosts/site1.example; hosting: dom_id=10 sys_user_id=1; domains: id=10 name=site1.example")
	wantExact(t, p, 10004, "blogger", "site1.example", []string{"blog.site1.example", "site1.example"},
		"sys_users: id=2 login=blogger home=/var/www/vhosts/site1.example/subdomains/blog; subdomains: id=1 dom_id=10 name=blog sys_user_id=2; domains: id=10 name=site1.example")
	wantExact(t, p, 10005, "webuser", "site1.example", []string{"site1.example"},
		"sys_users: id=3 login=webuser home=/var/www/vhosts/site1.example/web_users/webuser; web_users: id=1 dom_id=10 sys_user_id=3; domains: id=10 name=site1.example")
	wantSites(t, p.Sites(),
		"blog.site1.example of site1.example 10004 [~site1.example/subdomains/blog/httpdocs] []",
		"same.site1.example of site1.example 10003 [] []",
		"shop.site1.example of site1.example 10003 [~site1.example/subdomains/shop/httpdocs] []",
		"site1.example of site1.example 10003 [~site1.example/httpdocs ~site1.example/httpsdocs] [~site1.example/statistics/logs/access_log]",
		"site2.example of site2.example 10006 [] []",
	)
	wantGaps(t, p, "/var/www/vhosts/site2.example: folder of the subscription cannot be read: its scripts are not known")
}

func wantExact(t *testing.T, p *Panel, uid int, login, site string, sites []string, proof string) {
	t.Helper()
	owner := p.Owner(uid)
	if !owner.Exact || owner.Role != spoor.RoleSite || owner.UID != uid || owner.Login != login || owner.Site != site || !slices.Equal(owner.Sites, sites) {
		t.Errorf("Owner(%d) = %+v, want %s %s %v", uid, owner, login, site, sites)
	}
	last := owner.Proof[len(owner.Proof)-1]
	if last.What != "psa" || last.File != redHatSocket || last.Text != proof {
		t.Errorf("Owner(%d): proof %+v\nwant %s", uid, last, proof)
	}
	if owner.Proof[0].File != "/etc/passwd" {
		t.Errorf("Owner(%d): proof %+v", uid, owner.Proof)
	}
}

func testUselessDatabase(t *testing.T, m *plesktest.MariaDB) {
	want := func(name, reason string, files map[string]string) {
		t.Run(name, func(t *testing.T) {
			files["etc/passwd"], files["var/www/vhosts/"] = oldPasswd, ""
			p := openWith(t, m, redHatSocket, files)
			if owner := p.Owner(10003); owner.Site != "site1.example" || owner.Exact {
				t.Errorf("owner by home: %+v", owner)
			}
			gaps := p.Gaps()
			if len(gaps) != 1 || gaps[0].File != redHatSocket || !strings.Contains(gaps[0].Reason, reason) || strings.Contains(gaps[0].Reason, "wrong password") {
				t.Errorf("gaps %v, want one with %q", gaps, reason)
			}
		})
	}
	m.Load(t, "testdata/psa-8.sql")
	want("wrong password", "Access denied for user 'admin'", map[string]string{"etc/psa/.psa.shadow": "wrong password\n"})
	want("empty password", "Access denied for user 'admin'", map[string]string{"etc/psa/.psa.shadow": ""})
	m.Exec(t, "ALTER TABLE psa.domains DROP COLUMN name")
	want("no names", "it has no column domains.name", map[string]string{})
	m.Load(t, "testdata/psa-8.sql")
	m.Exec(t, "REVOKE SELECT ON psa.hosting FROM admin@localhost")
	want("forbidden table", "it has no table hosting", map[string]string{})
	m.Exec(t, "DROP DATABASE psa; CREATE DATABASE psa; GRANT SELECT ON psa.* TO admin@localhost")
	want("empty psa", "it has no table sys_users", map[string]string{})
	m.Exec(t, "DROP DATABASE psa")
	want("no psa", "Unknown database 'psa'", map[string]string{})
}

func listen(t *testing.T, socket string) *net.UnixListener {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// A socket whose other end is no database must not hang or break anything.
func TestDatabaseThatIsNone(t *testing.T) {
	want := func(name, reason string, answer func(net.Conn)) {
		t.Run(name, func(t *testing.T) {
			root := hosttest.Tree(t, map[string]string{
				"etc/psa/psa.conf": "", "etc/psa/.psa.shadow": "secret\n", "var/www/vhosts/": "", "tmp/": "",
			})
			listener := listen(t, root.Dir()+"/tmp/mysql.sock")
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					answer(conn)
					_ = conn.Close()
				}
			}()
			p, err := Open(t.Context(), root, &host.Passwd{})
			_ = listener.Close()
			<-done
			if err != nil {
				t.Fatal(err)
			}
			gaps := p.Gaps()
			if len(gaps) != 1 || gaps[0].File != "/tmp/mysql.sock" || !strings.Contains(gaps[0].Reason, reason) {
				t.Errorf("gaps %v, want %q", gaps, reason)
			}
		})
	}
	want("silent", "deadline exceeded", func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	want("closes at once", "invalid connection", func(net.Conn) {})
	want("speaks something else", "", func(conn net.Conn) { _, _ = conn.Write([]byte("220 mail.example ESMTP\r\n")) })
}

func TestDatabaseWithoutPasswordOrServer(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"etc/psa/psa.conf": "", "var/www/vhosts/": ""})
	p, err := Open(t.Context(), root, &host.Passwd{})
	if err != nil {
		t.Fatal(err)
	}
	wantGaps(t, p) // a captured server has no database to ask

	root = hosttest.Tree(t, map[string]string{"etc/psa/psa.conf": "", "var/www/vhosts/": "", "var/lib/mysql/": ""})
	forgotten := listen(t, root.Dir()+redHatSocket)
	defer func() { _ = forgotten.Close() }()
	if p, err = Open(t.Context(), root, &host.Passwd{}); err != nil {
		t.Fatal(err)
	}
	wantGaps(t, p, "/etc/psa/.psa.shadow: psa database could not be reached (no such file or directory): UIDs are resolved from home folders")

	root = hosttest.Tree(t, map[string]string{"etc/psa/psa.conf": "", "etc/psa/.psa.shadow": "x", "var/www/vhosts/": "", "var/lib/mysql/": ""})
	listener := listen(t, root.Dir()+redHatSocket)
	listener.SetUnlinkOnClose(false) // as a crash leaves it
	_ = listener.Close()
	if p, err = Open(t.Context(), root, &host.Passwd{}); err != nil {
		t.Fatal(err)
	}
	wantGaps(t, p, redHatSocket+": psa database could not be reached (connection refused): UIDs are resolved from home folders")
}

func TestDatabaseIsTrustedOnlyOfRootAndMySQL(t *testing.T) {
	var gaps spoor.Gaps
	passwd := host.ParsePasswd([]byte("mysql:x:27:27::/var/lib/mysql:/bin/false\ncustomer:x:10003:1::/:/bin/false\n"), &gaps)
	for uid, want := range map[int]bool{0: true, 27: true, 10003: false, 4711: false, -1: false} {
		if got := isMySQL(uid, passwd); got != want {
			t.Errorf("isMySQL(%d) = %v", uid, got)
		}
	}
	if isMySQL(27, &host.Passwd{}) {
		t.Error("a UID that no passwd knows is trusted")
	}
}
