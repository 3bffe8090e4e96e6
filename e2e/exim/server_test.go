//go:build e2e

package exim

import (
	"fmt"
	"strings"
	"testing"

	"spoor/e2e/mailtest"
)

// exim4Conf has the ports of SMTP, of submission, and of the three sinks.
const exim4Conf = `primary_hostname = mx.shop.example
exim_path = /usr/sbin/exim4
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%%slog
pid_file_path = /run/exim4/exim.pid
split_spool_directory = true
local_interfaces = 127.0.0.1
daemon_smtp_ports = %[1]s : %[2]s
qualify_domain = shop.example
tls_advertise_hosts =
keep_environment =
never_users =
untrusted_set_sender = *
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
message_size_limit = 0
domainlist local_domains = mx.shop.example : shop.example : localhost
domainlist forwarded = club.example
hostlist relay_hosts = 127.0.0.1 : 127.0.5.0/24
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = accept

begin acl
acl_rcpt:
  accept authenticated = *
         control = submission/sender_retain
  deny   condition = ${if eq{$received_port}{%[2]s}}
         message = authentication required
  accept hosts = +relay_hosts
  accept domains = +forwarded : +local_domains
  deny   message = relay not permitted

begin routers
forwards:
  driver = redirect
  domains = +forwarded
  data = ${lookup{$local_part@$domain}lsearch*@{/etc/exim4/virtual}}
nobody:
  driver = redirect
  domains = +local_domains
  data = :fail: no such user here
  allow_fail
refuses:
  driver = manualroute
  domains = refuses.test
  transport = to_refuses
  route_list = * 127.0.0.1
  self = send
takes:
  driver = manualroute
  domains = takes.test
  transport = to_takes
  route_list = * 127.0.0.1
  self = send
rest:
  driver = manualroute
  transport = to_slow
  route_list = * 127.0.0.1
  self = send

begin transports
to_slow:
  driver = smtp
  port = %[3]s
  allow_localhost
to_refuses:
  driver = smtp
  port = %[4]s
  allow_localhost
to_takes:
  driver = smtp
  port = %[5]s
  allow_localhost

begin retry
* * F,2h,15m; F,4d,6h

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if eq{$auth3}{${lookup{$auth2}lsearch{/etc/exim4/users}}}}
  server_set_id = $auth2
  server_prompts = :
  server_advertise_condition = *
`

// start runs Exim beside the sinks of Stage.
func start(t *testing.T) *mailtest.Server {
	t.Helper()
	root := mailtest.New(t, "exim")
	return startWith(root, root.Sinks())
}

// startWith runs Exim, which sends to sinks, with words of its configuration replaced by
// others.
func startWith(root *mailtest.Root, sinks mailtest.Sinks, edits ...string) *mailtest.Server {
	s := &mailtest.Server{Root: root, SMTP: root.Port(), Submission: root.Port()}
	s.Write("/etc/exim4/exim4.conf", strings.NewReplacer(edits...).Replace(fmt.Sprintf(exim4Conf, s.SMTP, s.Submission, sinks.Slow, sinks.Refuses, sinks.Takes)))
	s.Write("/etc/exim4/virtual", "*@"+mailtest.Forwarded+": owner@"+mailtest.SlowDomain+"\n")
	s.Write("/etc/exim4/users", mailtest.Stolen+": "+mailtest.StolenPassword+"\n"+mailtest.Letter+": "+mailtest.LetterPassword+"\n")
	for _, name := range []string{"/var/spool/exim4", "/var/log/exim4", "/run/exim4"} {
		s.Folder(name, 0o750, mailtest.DebianExim, mailtest.DebianExim)
	}
	s.Own("/usr/sbin/exim4", 0o4755, 0, 0)
	s.Daemon("/usr/sbin/exim4", "-bdf")
	s.Answers(s.Submission)
	s.Answers(s.SMTP)
	return s
}
