package mta

import (
	"bytes"
	"strings"
	"testing"

	"spoor"
)

// beside is what a line of a program beside the MTA becomes.
func beside(host, program, body string) string {
	l := spoor.Line{Text: []byte(body), Host: []byte(host), Program: []byte(program), PID: -1, Body: []byte(body)}
	var e spoor.Event
	sort, ok := ParseLogin(&l, []byte(program), &e)
	if !ok {
		sort = ParseFilter(&l, []byte(program), &e)
	}
	if sort != spoor.LineEvent {
		return sort.String()
	}
	words := []string{e.Kind.String()}
	if e.Address != nil {
		words = append(words, "<"+string(e.Address)+">")
	}
	if e.Client != nil {
		words = append(words, string(e.Client))
	}
	switch e.Kind {
	case spoor.EventRedirected:
		words = append(words, string(e.Text))
	case spoor.EventReplied:
		words = append(words, string(e.Text), "to", string(e.Parent))
	default:
	}
	if e.Account != nil {
		words = append(words, string(e.ID), "account="+string(e.Account))
	}
	return strings.Join(words, " ")
}

func TestDovecotsLoginServices(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := beside("mx1", "dovecot", "imap-login: "+body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
		if got := beside("mx1", "imap-login", body); got != want {
			t.Errorf("by its own name: %s\n got %s\nwant %s", body, got, want)
		}
		if got := beside("", "imap-login", "Info: "+body); got != want {
			t.Errorf("in its own log: %s\n got %s\nwant %s", body, got, want)
		}
		if got := beside("", "Info", "pop3-login: "+body); got != want {
			t.Errorf("in the log of Dovecot 1: %s\n got %s\nwant %s", body, got, want)
		}
	}
	const client = "user=<a@example.com>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1"
	f("Login: "+client+", mpid=77, TLS, session=<YADINsQCDs5BH8Pg>", "access <a@example.com> 192.0.2.4")
	f("Login: user=<a>, method=PLAIN, rip=::ffff:192.0.2.4, lip=::ffff:192.0.2.1", "access <a> 192.0.2.4")
	f("Login: user=<anna>, PID=77, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1", "access <anna> 192.0.2.4")
	f("Login: user=<a>b>, PID=77, rip=192.0.2.4, lip=192.0.2.1", "access <a>b> 192.0.2.4")
	f("Login: user=<anna>, session=<YADINsQCDs5BH8Pg>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1", "access <anna> 192.0.2.4")
	f("Login: user=<anna>, session=<YADINsQCDs5BH8Pg>, rip=192.0.2.4, lip=192.0.2.1, mpid=77", "access <anna> 192.0.2.4")
	f("Login: user=<a, rip=192.0.2.4", "access <a> 192.0.2.4")
	f("Disconnected (auth failed, 1 attempts in 2 secs): user=<>, method=X>, rip=192.0.2.4, lip=192.0.2.1", "access failed <> 192.0.2.4")
	f("Logged in: "+client+", mpid=77, secured, session=<YADINsQCDs5BH8Pg>", "access <a@example.com> 192.0.2.4")
	f("Login aborted: Logged out (auth failed, 1 attempts in 2 secs) (auth_failed): user=<x> Logged in: user=<a@example.com>, method=PLAIN, rip=192.0.2.9>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1",
		"access failed <x> Logged in: user=<a@example.com>, method=PLAIN, rip=192.0.2.9> 192.0.2.4")
	f("Login: user=<a>, method=CRAM-MD5, rip=2001:db8::4, lip=2001:db8::1, mpid=7, secured", "access <a> 2001:db8::4")
	for _, reason := range []string{
		"Disconnected (auth failed, 7 attempts in 111 secs)", "Aborted login (auth failed, 1 attempts)", "Disconnected: Inactivity (auth failed, 1 attempts in 180 secs)",
		"Disconnected: Connection closed (auth failed, 3 attempts in 12 secs)", "Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed)",
		"Disconnected: Connection closed: read(size=1016) failed: Connection reset by peer (auth failed, 1 attempts in 2 secs)", "Aborted login (1 authentication attempts)",
	} {
		f(reason+": "+client+", TLS, session=<YADINsQCDs5BH8Pg>", "access failed <a@example.com> 192.0.2.4")
	}
	f("Disconnected (proxy dest auth failed): "+client, "access failed <a@example.com> 192.0.2.4")
	f("Login aborted: Logged out (proxy dest authentication failure to mx2, 1 attempts in 2 secs) (proxy_dest_auth_failed): "+client, "access failed <a@example.com> 192.0.2.4")
	f("Disconnected (auth failed, 1 attempts): method=PLAIN, rip=192.0.2.4, lip=192.0.2.1, TLS: Disconnected", "access failed 192.0.2.4")
	f("Aborted login (auth failed, 1 attempts): user=<>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1", "access failed <> 192.0.2.4")
	f("Aborted login (auth failed, 1 attempts): user=<x>, rip=6.6.6.6, lip=y>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1", "access failed <x>, rip=6.6.6.6, lip=y> 192.0.2.4")
	f("Disconnected (no auth attempts in 7 secs): user=<>, rip=192.0.2.4, lip=192.0.2.1, TLS: SSL_read() failed", "known")
	f("Aborted login (tried to use disabled plaintext auth): rip=192.0.2.4, lip=192.0.2.1", "known")
	f("Disconnected: Auth process broken (disconnected before auth was ready, waited 144 secs): user=<>, rip=192.0.2.4, lip=192.0.2.1, TLS handshaking", "known")
	f("Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10): "+client, "known")
	f("proxy(a@example.com): started proxying to 10.0.0.1:143: "+client, "access <a@example.com> 192.0.2.4")
	f("proxy(a@example.com): disconnecting 192.0.2.4 (Disconnected by client)", "known")
	f("Login party", "unknown")
	f(client+", TLS Login", "access <a@example.com> 192.0.2.4") // login_log_format = %s %$
	f("user=<a>, method=PLAIN, rip=192.0.2.4 Logged in", "access <a> 192.0.2.4")
	f("user=<a>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1, TLS: Disconnected Aborted login (auth failed, 1 attempts)", "access failed <a> 192.0.2.4")
	f("method=PLAIN, rip=192.0.2.4, lip=192.0.2.1 Disconnected (auth failed, 2 attempts)", "access failed 192.0.2.4")
	f("rip=192.0.2.4, lip=192.0.2.1 Disconnected (no auth attempts)", "known")
	f("user=<x: user=<a>, method=PLAIN, rip=192.0.2.9 Login>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1 Aborted login (auth failed, 1 attempts)",
		"access failed <x: user=<a>, method=PLAIN, rip=192.0.2.9 Login> 192.0.2.4")
}

func TestWhatDovecotsSubmissionServiceHandsToTheMTA(t *testing.T) {
	const session = "<307><aVGlFT1hMZbLAHEC>"
	f := func(user, body, want string) {
		t.Helper()
		tag := "submission(" + user + ")" + session
		if got := beside("mx1", "dovecot", tag+": "+body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
		if got := beside("", tag, "Info: "+body); got != want {
			t.Errorf("in its own log: %s\n got %s\nwant %s", body, got, want)
		}
	}
	const envelope = "Successfully relayed message: from=<x@far.example>, size=90, id=1phmE2wyCWszAQAAMzN6MA, nrcpt=1, "
	f("anna@shop.example", envelope+"reply=`250 2.0.0 Ok: 283 bytes queued as 53F9B9DC073'", "proxied 53F9B9DC073 account=anna@shop.example")
	f("alice", envelope+"reply=`250 2.0.0 Ok: queued as 4hHlpt3xM1z9k7'", "proxied 4hHlpt3xM1z9k7 account=alice")
	f("alice", envelope+"reply=`250 OK id=1xNPm4-000000001Qa-3Zbl'", "proxied 1xNPm4-000000001Qa-3Zbl account=alice") // Exim
	f("anna", "Successfully relayed message: from=<\" id=1xNPm4-000000001Qa-3Zbl'\"@x.test>, size=1, id=x, nrcpt=1, reply=`250 OK'", "known")
	f("we%ird)x+y", envelope+"reply=`250 2.0.0 Ok: queued as 53F9B9DC073'", "proxied 53F9B9DC073 account=we%ird)x+y")
	f("anna", "Successfully relayed message: from=<\", reply=`250 Ok: queued as 4FA8DC0101'\"@x.test>, size=1, id=x, nrcpt=1, reply=`250 2.0.0 Ok: queued as 53F9B9DC073'", "proxied 53F9B9DC073 account=anna")
	f("anna", "Successfully relayed message: from=<\", reply=`250 Ok: queued as 4FA8DC0101'\"@x.test>, size=1, id=x, nrcpt=1, reply=`250 OK'", "known")
	f("anna", envelope+"reply=`250 2.0.0 Ok: queued as ../x'", "known")
	f("anna", envelope+"reply=`250 2.0.0 Ok: queued as 4FA'", "known")
	f("anna", envelope, "known")
	f("", envelope+"reply=`250 2.0.0 Ok: queued as 53F9B9DC073'", "known")
	f("anna", "Disconnected: Logged out (state=READY) in=158 out=120", "known")
	f("anna", "Failed to relay message: from=<x@far.example>, size=90, id=x, nrcpt=1, reply=`550 queued as 53F9B9DC073'", "known")
}

func TestWhatTheScriptOfAMailboxSendsOn(t *testing.T) {
	f := func(tag, body, want string) {
		t.Helper()
		if got := beside("mx1", "dovecot", tag+": "+body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
		if got := beside("", tag, "Info: "+body); got != want {
			t.Errorf("in its own log: %s\n got %s\nwant %s", body, got, want)
		}
	}
	const tag = "lmtp(fwd@shop.example)<281><CIM4LWsyCWsZAQAAMzN6MA:R2>"
	const sent = "redirected <fwd@shop.example> "
	f(tag, "sieve: msgid=<v01@id.example>: redirect action: forwarded to <private@slow.example>", sent+"<v01@id.example>")
	f("lda(fwd@shop.example)", "sieve: msgid=<v01@id.example>: forwarded to <private@slow.example>", sent+"<v01@id.example>")
	f(tag, "sieve: msgid=unspecified: redirect action: forwarded to <private@slow.example>", sent+"unspecified")
	f(tag, "sieve: msgid=<v01: forwarded to <x>: redirect action: forwarded to <private@slow.example>", sent+"<v01: forwarded to <x>")
	const answered = "replied <fwd@shop.example> "
	f(tag, "sieve: msgid=<v02@id.example>: vacation action: sent vacation response to <victim@slow.example>", answered+"<v02@id.example> to victim@slow.example")
	f(tag, "sieve: msgid=<v02: forwarded to <x>: vacation action: sent vacation response to <victim@slow.example>", answered+"<v02: forwarded to <x> to victim@slow.example")
	f("lda(fwd@shop.example)", "sieve: msgid=unspecified: sent vacation response to <victim@slow.example>", answered+"unspecified to victim@slow.example")
	f(tag, "sieve: msgid=<v05@id.example>: reject action: rejected message from <victim@slow.example> (reject)", answered+"<v05@id.example> to victim@slow.example")
	f(tag, "sieve: msgid=<v05@id.example>: reject action: discarded message", "known")
	f(tag, "sieve: msgid=<v06: sent vacation response to <x>: stored mail into mailbox 'INBOX>'", "known")
	f(tag, "sieve: msgid=<v06: sent vacation response to <x>: stored mail into mailbox 'a>", "known")
	f(tag, "sieve: msgid=<v07@id.example>: vacation action: sent vacation response to <>", "known")
	f(tag, "sieve: msgid=<v02: forwarded to <x>: stored mail into mailbox 'INBOX'", "known")
	f(tag, "sieve: msgid=<v02@id.example>: redirect action: forwarded to <", "known")
	f(tag, "msgid=<v04: forwarded to <x>: saved mail to INBOX", "known")
	f("lmtp(281)", "Disconnect from local: Logged out (state=READY)", "known")
	f("lmtp()", "sieve: msgid=<v01@id.example>: redirect action: forwarded to <private@slow.example>", "known")
}

func TestDovecotsSubmissionLoginsAreLoginsToSend(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := beside("mx1", "dovecot", body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	const client = ": user=<a@example.com>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1, mpid=77, TLS"
	f("submission-login: Login"+client, "login <a@example.com> 192.0.2.4")
	f("submission-login: Logged in"+client, "login <a@example.com> 192.0.2.4")
	f("submission-login: Disconnected (auth failed, 1 attempts in 2 secs)"+client, "login failed <a@example.com> 192.0.2.4")
	for _, reason := range []string{"Client has quit the connection", "Remote closed connection", "Remote closed connection unexpectedly"} {
		f("submission-login: "+reason+" (auth failed, 1 attempts in 2 secs)"+client, "login failed <a@example.com> 192.0.2.4")
		f("submission-login: "+reason+" (no auth attempts in 1 secs): user=<>, rip=192.0.2.4, lip=192.0.2.1", "known")
	}
	f("managesieve-login: Login"+client, "access <a@example.com> 192.0.2.4")
}

func TestDovecotsPasswordChecks(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		for _, process := range []string{"auth", "auth-worker(4711)", "auth(default)", "auth-worker(default)"} {
			if got := beside("mx1", "dovecot", process+": "+body); got != want {
				t.Errorf("%s: %s\n got %s\nwant %s", process, body, got, want)
			}
			if got := beside("", process, "Info: "+body); got != want {
				t.Errorf("in its own log: %s: %s\n got %s\nwant %s", process, body, got, want)
			}
		}
	}
	f("passwd-file(anna@example.com,192.0.2.4): Password mismatch", "access failed <anna@example.com> 192.0.2.4")
	f("sql(anna@example.com,192.0.2.4,<YADINsQCDs5BH8Pg>): unknown user (SHA1 of given password: ecde9f)", "access failed <anna@example.com> 192.0.2.4")
	f("ldap(anna,2001:db8::4,<x/y>): invalid credentials (given password: x)", "access failed <anna> 2001:db8::4")
	f("ldap(anna,192.0.2.4,): invalid credentials", "access failed <anna> 192.0.2.4") // without a session
	f("pam(anna,::ffff:192.0.2.4): pam_authenticate() failed: Authentication failure (password mismatch?)", "access failed <anna> 192.0.2.4")
	f("conn unix:auth-worker (pid=12,uid=97): auth-worker<7>: sql(anna,192.0.2.4): Password mismatch", "access failed <anna> 192.0.2.4")
	f("login(?,192.0.2.4): Username character disallowed by auth_username_chars: 0x27 (username: x)", "access failed 192.0.2.4")
	f("sql(anna,192.0.2.4): unknown user - trying the next passdb", "known")
	f("sql(anna,192.0.2.4): unknown user (given password: x): pam(victim,6.6.6.6): Password mismatch", "access failed <anna> 192.0.2.4")
	f("passwd-file(list@example.com): unknown user", "known") // a recipient
	f("userdb(anna,::ffff:127.0.0.1): user not found from userdb", "known")
	f("sql(anna,192.0.2.4): lookup", "known")
	f("pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=web rhost=192.0.2.4", "access failed <web> 192.0.2.4")
	f("pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=rhost=1.2.3.4 rhost=192.0.2.4", "access failed <rhost=1.2.3.4> 192.0.2.4")
	f("pam_sss(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=root rhost=192.0.2.4  user=root", "access failed <root> 192.0.2.4")
	f("pam_unix(dovecot:auth): check pass; user unknown", "known")
	f("all is well", "unknown")
}

func TestDovecot24NamesTheAccountInTheTag(t *testing.T) {
	f := func(tag, body, want string) {
		t.Helper()
		if got := beside("mx1", "dovecot", tag+": "+body); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", tag, body, got, want)
		}
		if got := beside("", tag, "Info: "+body); got != want {
			t.Errorf("in its own log: %s: %s\n got %s\nwant %s", tag, body, got, want)
		}
	}
	const refused = "access failed <anna@example.com> 192.0.2.4"
	f("auth(anna@example.com,192.0.2.4,sasl:login)<CvN+E95Uf4e7eEnj>", "sql: Password mismatch", refused)
	f("auth(anna@example.com,192.0.2.4,sasl:scram-sha-256)", "passwd-file: unknown user", refused)
	f("auth-worker(anna@example.com,192.0.2.4,sasl:plain)<77><CvN+E95Uf4e7eEnj>", "request [7]: pam: pam_authenticate() failed: Authentication failure (Password mismatch?)", refused)
	f("auth(anna@example.com,192.0.2.4,sasl:plain,master)<CvN+E95Uf4e7eEnj>", "passwd-file: Password mismatch", refused)
	f("auth(a,b)(c,192.0.2.4,sasl:plain)<CvN+E95Uf4e7eEnj>", "sql: Password mismatch", "access failed <a,b)(c> 192.0.2.4")
	f("auth(?,192.0.2.4,sasl:plain)", "sql: Username character disallowed by auth_username_chars: 0x20", "access failed 192.0.2.4")
	f("auth(anna@example.com,192.0.2.4,sasl:plain)", "sql: Password mismatch - trying the next passdb", "known")
	f("auth(anna@example.com,192.0.2.4)<CvN+E95Uf4e7eEnj>", "sql: something else", "known")
	f("auth(anna@example.com,sasl:plain)", "sql: unknown user", "known") // a recipient was looked up
}

func TestDovecotsOtherProcesses(t *testing.T) {
	f := func(host, program, body, want string) {
		t.Helper()
		if got := beside(host, program, body); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", program, body, got, want)
		}
	}
	f("mx1", "dovecot", "imap(a@example.com)<77><YADINsQCDs5BH8Pg>: Logged out in=92 out=1041", "known")
	f("mx1", "dovecot", "lmtp(a@example.com)<77><x>: msgid=<x: Login: user=<b>, rip=1.2.3.4>: saved mail to INBOX", "known")
	f("mx1", "dovecot", "lda(a@example.com): sieve: msgid=<x>: stored mail into mailbox 'INBOX'", "known")
	f("mx1", "dovecot", "master: Warning: Killed with signal 15 (by pid=1 uid=0 code=kill)", "known")
	f("mx1", "dovecot", "Dovecot v1.2.17 starting up (core dumps disabled)", "known")
	f("mx1", "dovecot", "Fatal: Auth process died too early - shutting down", "known")
	f("mx1", "dovecot", "dovecot: auth(default): pam(a@example.com,192.0.2.4): pam_authenticate() failed: User not known", "access failed <a@example.com> 192.0.2.4")
	f("mx1", "dovecot", "never heard of", "unknown")
	f("", "imap(a@example.com)<77><x/y>", "Info: Logged out in=92 out=1041", "known")
	f("", "imap-login", "Error: Diffie-Hellman key exchange requested, but no DH parameters provided.", "known")
	f("mx1", "dovecot", "auth: Error: PASSV: master is not ready", "known")
	f("", "Warn", "auth(default): userdb(username,::ffff:127.0.0.1): user not found from userdb", "known")
	f("mx1", "Info", "imap-login: Login: user=<a>, rip=1.2.3.4", "foreign")
	f("mx1", "master", "hello", "foreign")
	f("mx1", "dovecot-auth", "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=web rhost=192.0.2.4", "access failed <web> 192.0.2.4")
	f("", "dovecot", "last message repeated 2 times", "known") // of a syslogd that leaves the host out
}

func TestCourierOnPlesk(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := beside("mx1", "pop3d", body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	const connect = "IMAP connect from @ [::ffff:192.0.2.4]"
	f(connect+"INFO: LOGIN, user=anna@example.com, ip=[::ffff:192.0.2.4], protocol=IMAP", "access <anna@example.com> 192.0.2.4")
	f(connect+"ERR: LOGIN FAILED, ip=[::ffff:192.0.2.4]", "access failed 192.0.2.4")
	f(connect+"ERR: 1390648707.677664 LOGOUT, user=anna@example.com, ip=[::ffff:192.0.2.4], top=0, retr=0, time=1, maildir=/var/qmail/mailnames/example.com/anna/Maildir", "known")
	f(connect+"checkmailpasswd: FAILED: anna - short names not allowed from @ [::ffff:192.0.2.4]ERR: LOGIN FAILED, ip=[::ffff:192.0.2.4]", "access failed <anna> 192.0.2.4")
	f(connect+"checkmailpasswd: FAILED: x from @ [192.0.2.9]INFO: LOGIN, user=anna, ip=[192.0.2.9] - no such user from @ [::ffff:192.0.2.4]ERR: LOGIN FAILED, ip=[::ffff:192.0.2.4]",
		"access failed <x from @ [192.0.2.9]INFO: LOGIN, user=anna, ip=[192.0.2.9]> 192.0.2.4")
	f(connect+"checkmailpasswd: FAILED: anna", "access failed 192.0.2.4")
	f(connect, "known")
	f("IMAP connect from @ [192.0.2.4", "unknown")
}

func TestCourierAndCyrus(t *testing.T) {
	f := func(program, body, want string) {
		t.Helper()
		if got := beside("mx1", program, body); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", program, body, got, want)
		}
	}
	f("courierpop3login", "LOGIN FAILED, user=USER@EXAMPLE.org, ip=[::ffff:192.0.2.4]", "access failed <USER@EXAMPLE.org> 192.0.2.4")
	f("courier-imapd-ssl", "LOGIN FAILED, method=PLAIN, ip=[::ffff:192.0.2.4]", "access failed 192.0.2.4")
	f("imapd", "LOGIN FAILED, user=x, ip=[6.6.6.6], ip=[192.0.2.4], port=[255]", "access failed <x, ip=[6.6.6.6]> 192.0.2.4")
	f("imapd", "LOGOUT, user=x, ip=[::ffff:192.0.2.4], headers=0, body=0", "known")
	f("imapd", "LOGIN FAILED, what", "unknown")
	f("imaplogin", "LOGIN FAILED, ip=[::ffff:192.0.2.4]", "access failed 192.0.2.4")
	f("pop3d", "LOGIN FAILED, ip=[::ffff:192.0.2.4], port=[4242]", "access failed 192.0.2.4")
	f("pop3d", "ERR: LOGIN FAILED, ip=[::ffff:192.0.2.4], port=4242", "access failed 192.0.2.4")
	f("pop3d", "INFO: LOGIN, user=anna, ip=[::ffff:192.0.2.4]", "access <anna> 192.0.2.4")
	f("pop3d", "INFO: hello", "known")
	f("pop3d", "LOGIN, ip=[::ffff:192.0.2.4]", "unknown")
	f("timsieved", "badlogin: web4[192.0.2.4] OTP authentication failure", "access failed 192.0.2.4")
	f("sieve", "badlogin: example.com[192.0.2.4] PLAIN authentication failure", "access failed 192.0.2.4")
	f("timsieved", "badlogin: h.example [192.0.2.4] plaintext anna SASL(-13): authentication failure: checkpass failed", "access failed <anna> 192.0.2.4")
	f("timsieved", "login: h.example [192.0.2.4] anna plaintext User logged in", "access <anna> 192.0.2.4")
	f("timsieved", "badlogin: nothing", "unknown")
	f("imapd", "badlogin: h.example [192.0.2.4] plaintext anna SASL(-13): authentication failure: checkpass failed", "access failed <anna> 192.0.2.4")
	f("pop3d", "login: h.example [192.0.2.4] anna plaintext User logged in", "access <anna> 192.0.2.4")
	for _, washington := range []string{
		"imap service init from 192.0.2.4", "connect from 192.0.2.4", "AUTHENTICATE LOGIN failure host=h.example [192.0.2.4]", "Login user=anna host=h.example [192.0.2.4]",
		"Command stream end of file, while reading line user=??? host=[192.0.2.4]", "Failed admin override of user=anna host=h.example [192.0.2.4]",
	} {
		f("imapd", washington, "known")
	}
}

func TestSASLDaemonsAndFilters(t *testing.T) {
	f := func(program, body, want string) {
		t.Helper()
		if got := beside("mx1", program, body); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", program, body, got, want)
		}
	}
	f("plesk_saslauthd", "failed mail authentication attempt for user 'a' (password len=1)' (password len=8)", "login failed <a' (password len=1)>")
	f("plesk_saslauthd", "failed mail authenticatication attempt for user 'a@example.com' (password len=8)", "login failed <a@example.com>")
	f("plesk_saslauthd", "No such user 'a@example.com' in mail authorization database", "known")
	f("saslauthd", "auth_zimbra: sender@example.com auth OK", "known")
	f("saslauthd", "do_auth         : auth failure: [user=anna] [service=smtp] [realm=x.test] [mech=pam] [reason=PAM auth error]", "login failed <anna>")
	f("saslauthd", "do_auth         : auth success: [user=x: auth failure: [user=anna] [service=smtp]", "known")
	f("psa-pc-remote", "Message aborted.", "known")
	f("psa-pc-spf", "x", "known")
	f("mailman3", "x", "known")
	f("rspamd", "<8ae27d>; proxy; rspamd_message_parse: loaded message", "known")
	f("sshd", "Failed password for root", "foreign")
}

func FuzzParseLogin(f *testing.F) {
	for _, seed := range [...][2]string{
		{"dovecot", "imap-login: Login: user=<a@example.com>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1, mpid=77, TLS"},
		{"dovecot", "submission-login: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed): user=<a>, method=PLAIN, rip=192.0.2.4"},
		{"dovecot", "auth-worker(1): conn unix:auth-worker (pid=12,uid=97): auth-worker<7>: sql(anna,192.0.2.4,<x>): Password mismatch"},
		{"auth", "pam_unix(dovecot:auth): authentication failure; logname= ruser=a rhost=192.0.2.4  user=a"},
		{"Info", "auth(default): pam(a,::ffff:1.2.3.4): unknown user"},
		{"pop3d", "1257871619.663804 LOGIN, user=a, ip=[::ffff:192.0.2.4]"},
		{"timsieved", "badlogin: h [192.0.2.4] plaintext a SASL(-13)"},
		{"plesk_saslauthd", "failed mail authentication attempt for user 'a' (password len=8)"},
		{"saslauthd", "do_auth : auth failure: [user=a] [service=smtp] [realm=]"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, program, body string) {
		l := spoor.Line{Text: []byte(body), Program: []byte(program), PID: -1, Body: []byte(body)}
		var e spoor.Event
		sort, ok := ParseLogin(&l, l.Program, &e)
		if !ok {
			sort = ParseFilter(&l, l.Program, &e)
		}
		if string(l.Body) != body {
			t.Fatal("the line was changed")
		}
		if sort != spoor.LineEvent {
			return
		}
		switch e.Kind {
		case spoor.EventAccess, spoor.EventAccessFailed, spoor.EventLogin, spoor.EventLoginFailed:
		default:
			t.Fatalf("%q of %q is %v", body, program, e.Kind)
		}
		if !bytes.Contains(l.Body, e.Address) || !bytes.Contains(l.Body, e.Client) || bytes.ContainsAny(e.Client, " []<>,") {
			t.Fatalf("%q of %q from %q", body, e.Address, e.Client)
		}
	})
}
