package qmailgen

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The mail system's users, with the numbers of the captured server.
const (
	aliasUID   = 10989
	qmaildUID  = 10990
	qmailqUID  = 10993
	qmailrUID  = 10994
	qmailsUID  = 10995
	nofilesGID = 10989
	qmailGID   = 10990
	apacheUID  = 48
	apacheGID  = 48
)

const mailHost = "mail.host.example"

// caller is the process that hands a message to qmail-queue(8).
type caller struct{ uid, gid int }

func smtpd() caller     { return caller{uid: qmaildUID, gid: nofilesGID} }
func aliasUser() caller { return caller{uid: aliasUID, gid: nofilesGID} }
func qmailSend() caller { return caller{uid: qmailsUID, gid: qmailGID} }
func webServer() caller { return caller{uid: apacheUID, gid: apacheGID} }

// server is everything but the queue. It does not change once made.
type server struct {
	sites []site

	hacked     []site // send spam under their own UID, the worst first
	shell      site   // of hacked: runs a known script
	shellPath  string
	mailer     site // runs a spam script under the web server's UID
	mailerPath string
	form       site // has an honest contact form under the web server's UID
	formPath   string
	stolen     []account
	newsletter site
}

// account is a mailbox whose password others know, and where they log in from.
type account struct {
	address string
	clients []client
}

// client is an SMTP client as qmail-smtpd(8) records it. A host that could not
// be resolved is "unknown".
type client struct{ host, ip string }

func newServer() *server {
	s := &server{hacked: []site{siteNumber(3), siteNumber(31), siteNumber(88)}, newsletter: siteNumber(20)}
	for n := range siteCount {
		s.sites = append(s.sites, siteNumber(n+1))
	}
	s.shell = s.hacked[1]
	s.shellPath = s.shell.script("wp-includes/cache/sess.php")
	s.mailer = siteNumber(12)
	s.mailerPath = s.mailer.script("wp-content/plugins/x/mailer.php")
	s.form = siteNumber(40)
	s.formPath = s.form.script("contact.php")
	s.stolen = []account{
		{address: "info@site15.example", clients: []client{
			{"unknown", "198.51.100.23"},
			{"unknown", "198.51.100.24"},
			{"host25.botnet.example", "198.51.100.25"},
			{"unknown", "198.51.100.61"},
		}},
		{address: "sales@site77.example", clients: []client{
			{"unknown", "203.0.113.90"},
			{"dsl-91.isp.example", "203.0.113.91"},
			{"unknown", "192.0.2.140"},
		}},
	}
	return s
}

// honest is a site that sends no spam.
func (s *server) honest(n int) site {
	for {
		one := s.sites[n%len(s.sites)]
		if !s.compromised(one) {
			return one
		}
		n++
	}
}

func (s *server) compromised(one site) bool {
	for _, bad := range s.hacked {
		if one == bad {
			return true
		}
	}
	for _, bad := range s.stolen {
		if strings.HasSuffix(bad.address, "@"+one.domain) {
			return true
		}
	}
	return one == s.mailer
}

// write lays out the files below dir.
func (s *server) write(dir string) error {
	for name, text := range s.files() {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, one := range s.sites {
		folder := filepath.Join(dir, one.home(), "httpdocs")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := chown(folder, owner{uid: one.uid, gid: psaclnGID}); err != nil {
			return err
		}
	}
	return nil
}

// files are the contents by path below the root.
func (s *server) files() map[string]string {
	control := "/var/qmail/control/"
	return map[string]string{
		"/etc/hostname":              "plesk01\n",
		"/etc/passwd":                s.passwd(),
		"/etc/psa/psa.conf":          psaConf,
		"/usr/local/psa/version":     "9.5.4 CentOS 5 95101022.18\n",
		control + "me":               mailHost + "\n",
		control + "bouncehost":       mailHost + "\n",
		control + "doublebouncehost": "noc.example\n",
		control + "doublebounceto":   "abuse\n",
		control + "locals":           "localhost\n" + mailHost + "\nlocal.example\n",
		control + "queuelifetime":    "604800\n",
		control + "rcpthosts":        "host.example\n" + s.lines("%[2]s\n"),
		control + "virtualdomains":   s.lines("%[2]s:alias-%[1]s\n"),
		s.shellPath:                  "<?php\n",
		s.mailerPath:                 "<?php\n",
		s.formPath:                   "<?php\n",
	}
}

// lines prints one line for each site: its login, domain and UID.
func (s *server) lines(format string) string {
	var b strings.Builder
	for _, one := range s.sites {
		_, _ = fmt.Fprintf(&b, format, one.login, one.domain, one.uid)
	}
	return b.String()
}

func (s *server) passwd() string {
	return systemUsers + s.lines("%[1]s:x:%[3]d:2523::/var/www/vhosts/%[2]s:/bin/false\n")
}

const systemUsers = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
apache:x:48:48::/var/www:/bin/false
popuser:x:110:31::/var/qmail/popuser:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
alias:x:10989:10989::/var/qmail/alias:/usr/sbin/nologin
qmaild:x:10990:10989::/var/qmail:/usr/sbin/nologin
qmaill:x:10991:10989::/var/qmail:/usr/sbin/nologin
qmailp:x:10992:10989::/var/qmail:/usr/sbin/nologin
qmailq:x:10993:10990::/var/qmail:/usr/sbin/nologin
qmailr:x:10994:10990::/var/qmail:/usr/sbin/nologin
qmails:x:10995:10990::/var/qmail:/usr/sbin/nologin
`

const psaConf = `# Plesk tree
PRODUCT_ROOT_D /usr/local/psa
HTTPD_VHOSTS_D /var/www/vhosts
QMAIL_ROOT_D /var/qmail
PLESK_MAILNAMES_D /var/qmail/mailnames
`
