//go:build e2e

package live

import (
	"testing"

	"spoor/e2e/mailtest"
)

// eximConf delivers to a mail server at port 25 of the loopback.
const eximConf = `primary_hostname = mx.shop.example
exim_path = /usr/sbin/exim4
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
qualify_domain = shop.example
local_interfaces = 127.0.0.1
tls_advertise_hosts =
keep_environment =
never_users =

begin routers
all:
  driver = manualroute
  transport = out
  route_list = * 127.0.0.1
  self = send

begin transports
out:
  driver = smtp
  port = 25
  allow_localhost
`

// Exim takes mail, runs itself again to deliver it, and connects to port 25: that
// is one submission, and the connection is the mail system's own.
func TestEximIsOneSubmission(t *testing.T) {
	ownNetwork(t)
	s := &server{Root: mailtest.New(t, "exim"), t: t}
	s.Write("/etc/exim4/exim4.conf", eximConf)
	for _, name := range []string{"/var/spool/exim4", "/var/log/exim4", "/run/exim4"} {
		s.Folder(name, 0o750, mailtest.DebianExim, mailtest.DebianExim)
	}
	s.Own("/usr/sbin/exim4", 0o4755, 0, 0)
	s.Daemon("/usr/sbin/smtp-sink", "-u", "nobody", "-c", "inet:127.0.0.1:25", "100")
	s.Answers("25")
	w := watch(t, s)
	s.Run(mailtest.Web1, "Subject: offer\n\nbuy\n", "/usr/sbin/sendmail", "-odf", "-f", "info@shop.example", "victim@takes.test")
	s.Run(0, "", "/usr/sbin/exim4", "-bp")
	m := w.next(submission)
	wants(t, "the source", m.Source, "user:web1")
	wants(t, "the UID", *m.UID, mailtest.Web1)
	wants(t, "the program", m.Program, "/usr/sbin/sendmail")
	if len(m.Recipients) != 1 || m.Recipients[0] != "victim@takes.test" {
		t.Errorf("its recipients are %q", m.Recipients)
	}
	list, sum := w.end()
	if len(list) > 0 {
		t.Errorf("more was told: %+v", *list[0])
	}
	own := map[string]int{}
	for _, one := range sum.Own {
		own[one.User] = one.Count
	}
	if own["Debian-exim"] == 0 {
		t.Errorf("of the mail system it says %v; the log:\n%s", own, s.Read("/var/log/exim4/mainlog"))
	}
}
