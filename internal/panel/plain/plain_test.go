package plain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel"
	"spoor/internal/panel/paneltest"
)

func open(t *testing.T, files map[string]string) *Panel {
	t.Helper()
	root := hosttest.Tree(t, files)
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	if err != nil {
		passwd = &host.Passwd{}
	}
	p, err := Open(root, passwd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlainAnswersFromPasswd(t *testing.T) {
	p := open(t, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n" +
		"www-data:x:33:33::/var/www:/usr/sbin/nologin\n" +
		"Debian-exim:x:101:103::/var/spool/exim4:/usr/sbin/nologin\n" +
		"anna:x:1000:1000::/var/www/vhosts/shop.example:/bin/bash\n" +
		"bad line\n"})
	for uid, want := range map[int]spoor.Role{
		0: spoor.RoleRoot, 33: spoor.RoleWebServer, 101: spoor.RoleMailSystem, 1000: spoor.RoleUser, 4711: spoor.RoleNobody,
	} {
		if got := p.Owner(uid); got.Role != want || got.UID != uid || got.Site != "" || got.Exact {
			t.Errorf("Owner(%d) = %+v, want %s", uid, got, want)
		}
	}
	if p.Name() != "plain" || p.Version() != "" || len(p.Sites()) != 0 || len(p.Gaps()) != 0 || p.Close() != nil {
		t.Error("a server without panel and web server has no version, sites or gaps")
	}
}

func TestPlainWithoutPasswd(t *testing.T) {
	if got := open(t, map[string]string{}).Owner(0); got.Role != spoor.RoleNobody || got.GID != -1 {
		t.Errorf("Owner(0) = %+v", got)
	}
}

// server has Apache and nginx, PHP by FPM, suexec and the web server.
func server() map[string]string {
	return map[string]string{
		"etc/passwd": "www-data:x:33:33::/var/www:/bin/false\nanna:x:1001:1001::/home/anna:/bin/bash\nbert:x:1002:1002::/home/bert:/bin/bash\n",
		"etc/apache2/sites-available/shop.conf": `# a comment
<VirtualHost *:80>
	ServerName www.shop.example:80
	ServerAlias shop.example *.shop.example
	DocumentRoot "/home/anna/www"
	CustomLog ${APACHE_LOG_DIR}/shop.log \
		combined
	<FilesMatch \.php$>
		SetHandler "proxy:unix:/var/run/php/shop.sock|fcgi://localhost"
	</FilesMatch>
	IncludeOptional conf-sites/*.conf
</VirtualHost>
<VirtualHost *:443>
	ServerName shop.example
	DocumentRoot /home/anna/www
	CustomLog ${APACHE_LOG_DIR}/shop-ssl.log combined
</VirtualHost>
`,
		"etc/apache2/sites-enabled/shop.conf":    "-> ../sites-available/shop.conf",
		"etc/apache2/conf-sites/more.conf":       "CustomLog /var/log/apache2/more.log combined\nInclude conf-sites/more.conf\n",
		"etc/apache2/sites-enabled/000-def.conf": "<VirtualHost *:80>\nDocumentRoot /var/www/html\nCustomLog \"|/usr/bin/rotatelogs x\" combined\n</VirtualHost>\n",
		"etc/apache2/sites-enabled/suexec.conf":  "<VirtualHost *:80>\nServerName bert.example\nSuexecUserGroup bert www\nDocumentRoot /home/bert/www\n</VirtualHost>\n",
		"etc/php/8.2/fpm/pool.d/shop.conf":       "[shop]\nuser = anna\nlisten = /run/php/$pool.sock\n[www]\nuser = www-data\nlisten = 9000 ; tcp\n",
		"etc/nginx/sites-enabled/blog":           "server {\n  listen 80 default_server;\n  server_name _ blog.example www.blog.example; # names\n  root /home/anna/blog;\n  access_log /var/log/nginx/blog.log combined;\n  include snippets/php.conf;\n}\n",
		"etc/nginx/snippets/php.conf":            "location ~ \\.php$ { fastcgi_pass unix:/run/php/shop.sock; root /elsewhere; }\n",
		"etc/nginx/conf.d/tcp.conf":              "server { server_name \"tcp.example\"; root /var/www/tcp; access_log off; location / { fastcgi_pass 127.0.0.1:9000; } }\n",
		"home/anna/www/":                         "",
		"home/anna/blog/":                        "",
		"home/bert/www":                          "-> /home/anna/www",
		"var/www/html/":                          "",
		"var/www/tcp/":                           "",
		"var/log/apache2/shop.log":               "",
		"var/log/apache2/shop-ssl.log":           "",
		"var/log/apache2/more.log":               "",
		"var/log/nginx/blog.log":                 "",
	}
}

func TestPlain(t *testing.T) {
	paneltest.Run(t, paneltest.Server{
		Adapter: Adapter(), Files: server(),
		Sites: []string{"bert.example", "blog.example", "default", "shop.example", "tcp.example"},
	})
}

func TestSitesAreThoseOfTheWebServers(t *testing.T) {
	p := open(t, server())
	var got []string
	for _, s := range p.Sites() {
		got = append(got, fmt.Sprint(s.Domain, " ", s.UID, " ", s.Home, " ", s.DocumentRoots, " ", s.AccessLogs))
	}
	want := []string{
		"bert.example 1002 /home/bert [] []",
		"blog.example 1001 /home/anna [/home/anna/blog] [/var/log/nginx/blog.log]",
		"default -1 /var/www [/var/www/html] []",
		"shop.example 1001 /home/anna [/home/anna/www] [/var/log/apache2/shop.log /var/log/apache2/more.log /var/log/apache2/shop-ssl.log]",
		"tcp.example 33 /var/www [/var/www/tcp] []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("sites:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if gaps := p.Gaps(); len(gaps) != 2 || gaps[1].File != "/home/bert/www" {
		t.Errorf("gaps: %v", gaps)
	}
}

// ISPConfig has a link to the customer's folder for each domain, and no log in the
// virtual host: one program writes those of all. Jailkit's users have another home.
func TestSitesOfISPConfig(t *testing.T) {
	vhost := func(domain, user string) string {
		return "<VirtualHost *:80>\nServerName " + domain + "\nDocumentRoot /var/www/" + domain + "/web\nSuexecUserGroup " + user + " client1\n</VirtualHost>\n"
	}
	p := open(t, map[string]string{
		"etc/passwd": "web12:x:5012:5005::/var/www/clients/client1/web12:/bin/false\n" +
			"web13:x:5013:5005::/var/www/clients/client1/web13/./home/web13:/usr/sbin/jk_chrootsh\n",
		"etc/apache2/sites-enabled/100-shop.example.vhost":         vhost("shop.example", "web12"),
		"etc/apache2/sites-enabled/100-jail.example.vhost":         vhost("jail.example", "web13"),
		"var/www/shop.example":                                     "-> clients/client1/web12",
		"var/www/jail.example":                                     "-> /var/www/clients/client1/web13",
		"var/www/clients/client1/web12/web/":                       "",
		"var/www/clients/client1/web13/web/":                       "",
		"var/log/ispconfig/httpd/shop.example/20261127-access.log": "",
		"var/log/ispconfig/httpd/shop.example/access.log":          "-> 20261127-access.log",
	})
	for _, want := range []panel.Site{
		{Domain: "jail.example", UID: 5013, Home: "/var/www/clients/client1/web13", DocumentRoots: []string{"/var/www/jail.example/web"}},
		{Domain: "shop.example", UID: 5012, Home: "/var/www/clients/client1/web12", DocumentRoots: []string{"/var/www/shop.example/web"}, AccessLogs: []string{"/var/log/ispconfig/httpd/shop.example/access.log"}},
	} {
		i := slices.IndexFunc(p.Sites(), func(s panel.Site) bool { return s.Domain == want.Domain })
		if i < 0 {
			t.Fatalf("no site %s", want.Domain)
		}
		got := p.Sites()[i]
		if got.UID != want.UID || got.Home != want.Home || !slices.Equal(got.DocumentRoots, want.DocumentRoots) || !slices.Equal(got.AccessLogs, want.AccessLogs) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestAUserOfAPoolStaysAUser(t *testing.T) {
	p := open(t, server())
	anna := p.Owner(1001)
	if anna.Role != spoor.RoleUser || anna.Site != "" || anna.Exact || !slices.Equal(anna.Sites, []string{"blog.example", "shop.example"}) {
		t.Errorf("anna: %+v", anna)
	}
	if web := p.Owner(33); web.Role != spoor.RoleWebServer || web.Sites != nil {
		t.Errorf("www-data: %+v", web)
	}
}

func TestConfigurationThatNamesItselfEnds(t *testing.T) {
	p := open(t, map[string]string{
		"etc/apache2/sites-enabled/a": "<VirtualHost *>\nServerName a.example\nInclude /etc/apache2/sites-enabled/*\nInclude \"\"\n</VirtualHost>\n",
		"etc/nginx/conf.d/b.conf":     "server { include conf.d/*.conf; include \"\"; server_name b.example; }\n",
	})
	if got := len(p.Sites()); got < 2 {
		t.Errorf("%d sites", got)
	}
	if gaps := p.Gaps(); len(gaps) == 0 {
		t.Error("the circle is not told of")
	}
}

func FuzzWebServers(f *testing.F) {
	for _, text := range server() {
		f.Add(text)
	}
	f.Add("server { root \"")
	f.Add("<VirtualHost>\nInclude *\nServerName \"")
	f.Fuzz(func(t *testing.T, text string) {
		r := &reading{gaps: &spoor.Gaps{}, texts: map[string]string{}, root: empty(t)}
		r.texts["/x"] = text
		a := &apacheConf{reading: r, root: "/etc/apache2", seen: map[string]bool{}, variables: map[string]string{}}
		a.read("/x", 0)
		n := &nginxConf{reading: r, seen: map[string]bool{}}
		n.read("/x", 0)
		for _, v := range slices.Concat(a.done, n.done) {
			for _, name := range slices.Concat(v.roots, v.logs) {
				if name[0] != '/' || strings.IndexByte(name, 0) >= 0 {
					t.Fatalf("%q", name)
				}
			}
			if siteName(v.names) == "" {
				t.Fatal("a site without a name")
			}
		}
	})
}

func empty(t *testing.T) *host.Root {
	t.Helper()
	return hosttest.Tree(t, map[string]string{})
}
