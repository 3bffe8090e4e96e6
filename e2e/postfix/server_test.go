//go:build e2e

package postfix

import (
	"fmt"
	"strings"
	"testing"

	"spoor/e2e/mailtest"
)

const mainCF = `compatibility_level = 3.6
myhostname = mx.shop.example
mydomain = shop.example
myorigin = $mydomain
mydestination = $myhostname, $mydomain, localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.1/32, 127.0.5.0/24
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
local_recipient_maps =
alias_maps =
alias_database =
virtual_alias_domains = club.example
virtual_alias_maps = texthash:/etc/postfix/virtual
transport_maps = texthash:/etc/postfix/transport
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_security_options = noanonymous
smtpd_error_sleep_time = 0
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_dns_support_level = disabled
smtp_host_lookup = native
maillog_file = /var/log/mail.log
`

// masterCF are the services, with the ports of SMTP and of submission.
const masterCF = `127.0.0.1:%s inet n - n - - smtpd
127.0.0.1:%s inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
local unix - n - - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

const dovecotConf = `protocols =
log_path = /var/log/dovecot.log
disable_plaintext_auth = no
auth_mechanisms = plain
auth_failure_delay = 0
ssl = no
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=dovenull gid=dovenull home=/nonexistent
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
`

// start runs Postfix, with Dovecot for its logins, beside the sinks of Stage.
func start(t *testing.T) *mailtest.Server {
	t.Helper()
	root := mailtest.New(t, "postfix")
	return startWith(root, root.Sinks(), "")
}

// startWith runs Postfix, which sends to sinks, with more parameters and services.
func startWith(root *mailtest.Root, sinks mailtest.Sinks, more string, services ...string) *mailtest.Server {
	s := &mailtest.Server{Root: root, SMTP: root.Port(), Submission: root.Port()}
	s.Write("/etc/postfix/main.cf", mainCF+more)
	s.Write("/etc/postfix/master.cf", fmt.Sprintf(masterCF, s.SMTP, s.Submission)+strings.Join(services, ""))
	s.Write("/etc/postfix/virtual", "@"+mailtest.Forwarded+" owner@"+mailtest.SlowDomain+"\n")
	s.Write("/etc/postfix/transport", strings.Join([]string{
		mailtest.RefusesDomain + " smtp:[127.0.0.1]:" + sinks.Refuses,
		mailtest.TakesDomain + " smtp:[127.0.0.1]:" + sinks.Takes,
		mailtest.Domain + " local:", mailtest.Host + " local:", "localhost local:",
		"* smtp:[127.0.0.1]:" + sinks.Slow, "",
	}, "\n"))
	s.Write("/etc/dovecot/dovecot.conf", dovecotConf)
	s.Write("/etc/dovecot/users", mailtest.Stolen+":"+mailtest.StolenPassword+"\n"+mailtest.Letter+":"+mailtest.LetterPassword+"\n")
	folders(s)
	s.Daemon("/usr/sbin/dovecot", "-F")
	s.Daemon("/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix")
	s.Answers(s.Submission)
	s.Answers(s.SMTP)
	s.Until("Dovecot's socket", func() bool { return s.Exists("/var/spool/postfix/private/auth") })
	return s
}

// folders makes those that Debian's package makes, as its postfix-files says.
func folders(s *mailtest.Server) {
	s.Folder("/var/log", 0o775, 0, 0)
	s.Folder("/var/lib/postfix", 0o700, mailtest.Postfix, mailtest.Postfix)
	s.Folder("/var/spool/postfix", 0o755, 0, 0)
	for _, name := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"} {
		s.Folder("/var/spool/postfix/"+name, 0o700, mailtest.Postfix, 0)
	}
	s.Folder("/var/spool/postfix/pid", 0o755, 0, 0)
	s.Folder("/var/spool/postfix/maildrop", 0o1730, mailtest.Postfix, mailtest.Postdrop)
	s.Folder("/var/spool/postfix/public", 0o2710, mailtest.Postfix, mailtest.Postdrop)
	s.Own("/usr/sbin/postdrop", 0o2555, 0, mailtest.Postdrop)
	s.Own("/usr/sbin/postqueue", 0o2555, 0, mailtest.Postdrop)
	s.Folder("/run/dovecot", 0o755, 0, 0)
}
