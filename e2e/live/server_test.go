//go:build e2e

package live

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"spoor/e2e/mailtest"
)

// apacheConf is an Apache with PHP in its own processes, which run as www-data,
// and a site whose PHP runs in a pool of php-fpm as its owner.
const apacheConf = `ServerRoot /etc/apache2
ServerName mx.shop.example
PidFile /run/apache2.pid
DefaultRuntimeDir /run
Mutex file:/run default
Listen 127.0.0.1:%s
User www-data
Group www-data
ErrorLog /var/log/apache2/error.log
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_host_module /usr/lib/apache2/modules/mod_authz_host.so
LoadModule status_module /usr/lib/apache2/modules/mod_status.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
LoadModule cgi_module /usr/lib/apache2/modules/mod_cgi.so
LoadModule php_module /usr/lib/apache2/modules/libphp8.2.so
StartServers 2
MinSpareServers 1
MaxSpareServers 3
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%O \"%%{Referer}i\" \"%%{User-Agent}i\"" combined
<Directory />
  Require all granted
</Directory>
<Location "/server-status">
  SetHandler server-status
  Require local
</Location>
IncludeOptional /etc/apache2/sites-enabled/*.conf
`

// modPHPSite is a site whose scripts the web server's own user runs.
const modPHPSite = `<VirtualHost *:*>
  ServerName forum.example
  DocumentRoot /var/www/vhosts/forum.example/httpdocs
  CustomLog /var/log/apache2/forum.log combined
  <FilesMatch "\.php$">
    SetHandler application/x-httpd-php
  </FilesMatch>
  <FilesMatch "\.cgi$">
    Options +ExecCGI
    SetHandler cgi-script
  </FilesMatch>
</VirtualHost>
`

const fpmSite = `<VirtualHost *:*>
  ServerName shop.example
  DocumentRoot /var/www/vhosts/shop.example/httpdocs
  CustomLog /var/log/apache2/shop.log combined
  <FilesMatch "\.php$">
    SetHandler "proxy:unix:/run/php/shop.sock|fcgi://localhost"
  </FilesMatch>
</VirtualHost>
`

const fpmConf = `[global]
error_log = /var/log/fpm.log
include = /etc/php/8.2/fpm/pool.d/*.conf
`

const fpmPool = `[shop]
user = web1
group = web1
listen = /run/php/shop.sock
listen.owner = www-data
pm = static
pm.max_children = 3
pm.status_path = /fpm-status
`

const mainCF = `compatibility_level = 3.6
myhostname = mx.shop.example
mydestination = mx.shop.example
inet_interfaces = 127.0.0.1
alias_maps =
maillog_file = /var/log/mail.log
`

// The scripts: one mail for each request, and time enough for a look.
const mailer = `<?php
for ($i = 0; $i < 3; $i++) {
    mail("victim$i@takes.test", "offer", "buy");
}
usleep(300000);
echo "sent\n";
`

// cgi is a script of the oldest kind.
const cgi = `#!/bin/sh
printf 'Content-Type: text/plain\n\n'
printf 'Subject: offer\n\nbuy\n' | /usr/sbin/sendmail -i victim@takes.test
echo sent
`

// Where things are on the server.
const (
	shopFolder  = "/var/www/vhosts/shop.example"
	forumFolder = "/var/www/vhosts/forum.example"
	shopScript  = shopFolder + "/httpdocs/forms/mailer.php"
	forumScript = forumFolder + "/httpdocs/old/send.php"
	forumCGI    = forumFolder + "/httpdocs/old/form.cgi"
)

// server is a web server with sites, and the part of Postfix that takes mail.
type server struct {
	*mailtest.Root
	t    *testing.T
	port string
}

func start(t *testing.T) *server {
	t.Helper()
	s := &server{Root: mailtest.New(t, "web"), t: t}
	s.port = s.Port()
	s.Write("/etc/apache2/apache2.conf", fmt.Sprintf(apacheConf, s.port))
	s.Write("/etc/apache2/sites-enabled/forum.conf", modPHPSite)
	s.Write("/etc/apache2/sites-enabled/shop.conf", fpmSite)
	s.Write("/etc/apache2/mime.types", "text/html html\n")
	s.Write("/etc/php/8.2/fpm/php-fpm.conf", fpmConf)
	s.Write("/etc/php/8.2/fpm/pool.d/shop.conf", fpmPool)
	s.Write("/etc/postfix/main.cf", mainCF)
	s.Folder("/var/log/apache2", 0o755, 0, 0)
	s.Folder("/run/php", 0o755, 0, 0)
	s.maildrop()
	s.Write(shopScript, mailer)
	s.Write(forumScript, mailer)
	s.Write(forumCGI, cgi)
	s.Own(forumCGI, 0o755, 0, 0)
	s.Folder(shopFolder, 0o755, mailtest.Web1, mailtest.Web1)
	s.Folder(shopFolder+"/httpdocs", 0o755, mailtest.Web1, mailtest.Web1)
	return s
}

// maildrop makes what sendmail and postdrop of Postfix need to take mail.
func (s *server) maildrop() {
	s.Folder("/var/spool/postfix", 0o755, 0, 0)
	s.Folder("/var/spool/postfix/maildrop", 0o1730, mailtest.Postfix, mailtest.Postdrop)
	s.Folder("/var/spool/postfix/public", 0o2710, mailtest.Postfix, mailtest.Postdrop)
	s.Folder("/var/spool/postfix/pid", 0o755, 0, 0)
	s.Folder("/var/lib/postfix", 0o700, mailtest.Postfix, mailtest.Postfix)
	s.Own("/usr/sbin/postdrop", 0o2555, 0, mailtest.Postdrop)
}

// web starts Apache and php-fpm.
func (s *server) web(opcache bool) {
	s.t.Helper()
	if opcache {
		s.Write("/etc/php/8.2/fpm/php.ini", s.opcache())
		s.Write("/etc/php/8.2/apache2/php.ini", s.opcache())
	}
	s.Daemon("/usr/sbin/php-fpm8.2", "-F", "-y", "/etc/php/8.2/fpm/php-fpm.conf")
	s.Until("the socket of php-fpm", func() bool { return s.Exists("/run/php/shop.sock") })
	s.Daemon("/usr/sbin/apache2", "-DFOREGROUND", "-f", "/etc/apache2/apache2.conf")
	s.Answers(s.port)
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("error log:\n%s%s", s.Read("/var/log/apache2/error.log"), s.Read("/var/log/fpm.log"))
		}
	})
}

// opcache is a php.ini that switches opcache on.
func (s *server) opcache() string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.Dir, "/usr/lib/php/*/opcache.so"))
	if err != nil || len(found) != 1 {
		s.t.Fatalf("opcache.so is %q, %v", found, err)
	}
	return "zend_extension = " + strings.TrimPrefix(found[0], s.Dir) + "\nopcache.enable = 1\nopcache.revalidate_freq = 3600\n"
}
