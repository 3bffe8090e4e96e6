//go:build e2e

package exim

import (
	"crypto/md5" // one of the forms that crypteq of Exim knows
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"spoor/e2e/mailtest"
)

// updateConf is what the package exim4-config writes of the answers that debconf has: a
// server that sends all mail to another one, which nobody reaches from here.
const updateConf = `# /etc/exim4/update-exim4.conf.conf
dc_eximconfig_configtype='smarthost'
dc_other_hostnames='shop.example'
dc_local_interfaces='127.0.0.1.25 ; 127.0.0.1.587'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets='%s'
dc_smarthost='192.0.2.1::25'
CFILEMODE='644'
dc_use_split_config='%t'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
`

// loginExample is how the package has its authenticator for a file of passwords, and
// how it is when README.Debian was followed.
const loginExample = `# plain_server:
#   driver = plaintext
#   public_name = PLAIN
#   server_condition = "${if crypteq{$auth3}{${extract{1}{:}{${lookup{$auth2}lsearch{CONFDIR/passwd}{$value}{*:*}}}}}{1}{0}}"
#   server_set_id = $auth2
#   server_prompts = :
#   .ifndef AUTH_SERVER_ALLOW_NOTLS_PASSWORDS
#   server_advertise_condition = ${if eq{$tls_in_cipher}{}{}{*}}
#   .endif
`

// macros are an administrator's own settings.
var macros = []string{"MAIN_HARDCODE_PRIMARY_HOSTNAME", mailtest.Host, "AUTH_SERVER_ALLOW_NOTLS_PASSWORDS", "yes"}

// debian is Exim as Debian's packages have it, in a network of its own: the
// configuration is made by update-exim4.conf(8), of many files or of one.
func debian(t *testing.T, split bool, nets string) *mailtest.Stopping {
	t.Helper()
	mailtest.OwnNetwork(t)
	s := &mailtest.Server{Root: mailtest.New(t, "exim-debian"), SMTP: "25", Submission: "587"}
	settings := fmt.Sprintf(updateConf, nets, split)
	file, local := "/etc/exim4/exim4.conf.template", ""
	if split {
		file = "/etc/exim4/conf.d/auth/30_exim4-config_examples"
	}
	for i := 0; i < len(macros); i += 2 {
		local += macros[i] + " = " + macros[i+1] + "\n"
		if !split { // there words with a capital letter become macros, too
			settings += macros[i] + "=" + macros[i+1] + "\n"
		}
	}
	if split {
		s.Write("/etc/exim4/conf.d/main/000_localmacros", local)
	}
	s.Write("/etc/exim4/update-exim4.conf.conf", settings)
	s.Write("/etc/mailname", mailtest.Host+"\n")
	s.Write("/etc/services", "smtp 25/tcp\nsubmission 587/tcp\n")
	s.Write("/etc/passwd", s.Read("/etc/passwd")+"uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin\n") // trusted_users
	template := s.Read(file)
	if !strings.Contains(template, loginExample) {
		t.Fatalf("%s has not the example of a login", file)
	}
	enabled := strings.ReplaceAll("\n"+loginExample, "\n# ", "\n")
	enabled = strings.ReplaceAll(enabled, "\n#", "\n")
	s.Write(file, strings.Replace(template, loginExample, strings.TrimPrefix(enabled, "\n"), 1))
	users := ""
	for _, user := range [][2]string{{mailtest.Stolen, mailtest.StolenPassword}, {mailtest.Letter, mailtest.LetterPassword}} {
		sum := md5.Sum([]byte(user[1]))
		users += user[0] + ":{md5}" + hex.EncodeToString(sum[:]) + "\n"
	}
	s.Write("/etc/exim4/passwd", users)
	for _, name := range []string{"/var/spool/exim4", "/var/log/exim4", "/run/exim4"} {
		s.Folder(name, 0o750, mailtest.DebianExim, mailtest.DebianExim)
	}
	s.Own("/usr/sbin/exim4", 0o4755, 0, 0)
	s.Run(0, "", "/usr/sbin/update-exim4.conf")
	s.Daemon("/usr/sbin/exim4", "-bdf")
	s.Answers(s.Submission)
	s.Answers(s.SMTP)
	s.Install()
	return &mailtest.Stopping{Server: s, Folders: []string{"/etc", "/usr/sbin", "/var/lib/exim4"}}
}

// onDebian runs a check on both kinds of configuration.
func onDebian(t *testing.T, check func(s *mailtest.Stopping)) {
	t.Helper()
	for name, c := range map[string]struct {
		split bool
		nets  string
	}{
		"one file": {false, "203.0.113.0/24"}, "many files": {true, "203.0.113.0/24 ; 2001:db8::/64"},
	} {
		t.Run(name, func(t *testing.T) { check(debian(t, c.split, c.nets)) })
	}
}

func TestDebianAnAccountIsStopped(t *testing.T)      { onDebian(t, mailtest.CheckAccountStopped) }
func TestDebianASiteIsStopped(t *testing.T)          { onDebian(t, mailtest.CheckUserStopped) }
func TestDebianANetworkIsStopped(t *testing.T)       { onDebian(t, mailtest.CheckNetworkStopped) }
func TestDebianAScriptIsSealed(t *testing.T)         { onDebian(t, mailtest.CheckScriptSealed) }
func TestDebianAnIncidentIsEndedAtOnce(t *testing.T) { onDebian(t, mailtest.CheckFix) }

// TestDebianAStopOutlivesANewConfiguration has an administrator make the configuration
// anew, as each upgrade of the package does, while an account is stopped.
func TestDebianAStopOutlivesANewConfiguration(t *testing.T) {
	onDebian(t, func(s *mailtest.Stopping) {
		thief := &mailtest.Client{Address: mailtest.Thief1, Port: s.Submission, Login: mailtest.Stolen, Password: mailtest.StolenPassword}
		mail := mailtest.Mail{Sender: mailtest.Stolen, Recipients: []string{"x@takes.test"}, Text: "Subject: win\n\nyou have won\n"}
		if err := thief.Send(mail); err != nil {
			t.Fatal(err)
		}
		s.Until("the log to have the account", func() bool { return s.Operate("show", "account:"+mailtest.Stolen).Status == 0 })
		before := s.Manifest(s.Folders...)
		s.Want(0, "stop", "account:"+mailtest.Stolen, "--yes", "--reason", "incident")
		s.Run(0, "", "/usr/sbin/update-exim4.conf")
		s.End("/usr/sbin/exim4")
		s.Daemon("/usr/sbin/exim4", "-bdf")
		s.Answers(s.Submission)
		if err := thief.Send(mail); err == nil || !strings.Contains(err.Error(), "stopped for this account") {
			t.Errorf("after the configuration was made anew: %v", err)
		}
		s.Want(0, "unstop", "account:"+mailtest.Stolen, "--yes", "--reason", "it is over")
		s.Same(before, s.Folders...)
		s.Until("mail of the account to be taken", func() bool { return thief.Send(mail) == nil })
	})
}
