//go:build e2e

package exim

import (
	"strings"
	"testing"

	"spoor/e2e/mailtest"
)

// stopping is an Exim in a network of its own, of which spoor is a program.
func stopping(t *testing.T) *mailtest.Stopping {
	t.Helper()
	mailtest.OwnNetwork(t)
	root := mailtest.New(t, "exim")
	sinks := root.Sinks()
	root.UsePorts("25", "587")
	s := startWith(root, sinks)
	s.End("/usr/sbin/exim4")
	s.Write("/etc/exim4/exim4.conf", strings.Replace(s.Read("/etc/exim4/exim4.conf"), "127.0.5.0/24", "203.0.113.0/24", 1))
	s.Daemon("/usr/sbin/exim4", "-bdf")
	s.Answers(s.Submission)
	s.Answers(s.SMTP)
	s.Install()
	return &mailtest.Stopping{Server: s, Folders: []string{"/etc", "/usr/sbin"}}
}

func TestAStolenAccountIsStopped(t *testing.T) { mailtest.CheckAccountStopped(stopping(t)) }
func TestAnAccountIsStoppedUnderFire(t *testing.T) {
	mailtest.CheckAccountStoppedUnderFire(stopping(t))
}
func TestASiteIsStopped(t *testing.T)          { mailtest.CheckUserStopped(stopping(t)) }
func TestANetworkIsStopped(t *testing.T)       { mailtest.CheckNetworkStopped(stopping(t)) }
func TestAScriptIsSealed(t *testing.T)         { mailtest.CheckScriptSealed(stopping(t)) }
func TestAnIncidentIsEndedAtOnce(t *testing.T) { mailtest.CheckFix(stopping(t)) }
