package cli

import (
	"strings"
	"testing"

	"spoor/internal/host/hosttest"
)

// A content filter runs under a login of any name, and hands back what others wrote:
// a real server's log, with the filter of Postfix' own FILTER_README.
func TestWhatAContentFilterHandsBackIsNotOfItsUser(t *testing.T) {
	const log = `Nov 26 22:47:13 mx postfix/filtered/smtpd[7402]: 4jbBWP6bwKz1SG4d: client=unknown[10.9.0.6]
Nov 26 22:47:13 mx postfix/cleanup[7384]: 4jbBWP6bwKz1SG4d: message-id=<4jbBWP6bwKz1SG4d@mx.shop.example>
Nov 26 22:47:13 mx postfix/qmgr[7349]: 4jbBWP6bwKz1SG4d: from=<a@far.example>, size=385, nrcpt=1 (queue active)
Nov 26 22:47:13 mx postfix/pipe[7406]: 4jbBWP6bwKz1SG4d: to=<m076@takes.example>, relay=spamc, delay=0.03, delays=0/0.01/0/0.01, dsn=2.0.0, status=sent (delivered via spamc service)
Nov 26 22:47:13 mx postfix/qmgr[7349]: 4jbBWP6bwKz1SG4d: removed
Nov 26 22:47:13 mx postfix/pickup[7348]: 4jbBWP6nt0z1SG3j: uid=200 from=<a@far.example>
Nov 26 22:47:13 mx postfix/cleanup[7384]: 4jbBWP6nt0z1SG3j: message-id=<4jbBWP6bwKz1SG4d@mx.shop.example>
Nov 26 22:47:13 mx postfix/qmgr[7349]: 4jbBWP6nt0z1SG3j: from=<a@far.example>, size=503, nrcpt=1 (queue active)
Nov 26 22:47:14 mx postfix/smtp[7372]: 4jbBWP6nt0z1SG3j: to=<m076@takes.example>, relay=127.0.0.1[127.0.0.1]:2525, conn_use=3, delay=0.05, delays=0.01/0/0/0.04, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as FARAWAY107)
Nov 26 22:47:14 mx postfix/qmgr[7349]: 4jbBWP6nt0z1SG3j: removed
`
	const service = "spamc unix - n - - - pipe\n  flags=Rq user=%s argv=/usr/local/bin/filter -f ${sender} -- ${recipient}\n"
	f := func(login, want string, times int) {
		t.Helper()
		root := hosttest.Tree(t, map[string]string{
			"etc/passwd":            "root:x:0:0::/root:/bin/sh\npostfix:x:101:101::/:/bin/sh\n" + login + ":x:200:200::/var/spool/filter:/bin/sh\n",
			"etc/postfix/main.cf":   "myhostname = mx.shop.example\n",
			"etc/postfix/master.cf": "smtp inet n - n - - smtpd -o content_filter=spamc:dummy\n" + strings.ReplaceAll(service, "%s", login),
			"var/log/mail.log":      log,
		})
		out := spoorPrints(t, "--root", root.Dir(), "--mta", "postfix", "trace", "m076@takes.example")
		if got := strings.Count(out, want); got != times {
			t.Errorf("the filter runs as %s, and %s is named %d times, want %d:\n%s", login, want, got, times, out)
		}
	}
	f("filter", "source         network:10.9.0.6", 2)
	f("www-data", "source         user:www-data", 1) // whose scripts send mail too
}
