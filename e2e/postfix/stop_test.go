//go:build e2e

package postfix

import (
	"testing"

	"spoor/e2e/mailtest"
)

// stopping is a Postfix in a network of its own, of which spoor is a program.
func stopping(t *testing.T, more string) *mailtest.Stopping {
	t.Helper()
	mailtest.OwnNetwork(t)
	root := mailtest.New(t, "postfix")
	sinks := root.Sinks()
	root.UsePorts("25", "587")
	s := startWith(root, sinks, more)
	s.Install()
	return &mailtest.Stopping{Server: s, Folders: []string{"/etc", "/usr/sbin"}}
}

func TestAStolenAccountIsStopped(t *testing.T) { mailtest.CheckAccountStopped(stopping(t, "")) }
func TestAnAccountIsStoppedUnderFire(t *testing.T) {
	mailtest.CheckAccountStoppedUnderFire(stopping(t, ""))
}
func TestASiteIsStopped(t *testing.T) { mailtest.CheckUserStopped(stopping(t, "")) }
func TestANetworkIsStopped(t *testing.T) {
	mailtest.CheckNetworkStopped(stopping(t, "mynetworks = 127.0.0.1/32, 203.0.113.0/24\n"))
}
func TestAScriptIsSealed(t *testing.T)         { mailtest.CheckScriptSealed(stopping(t, "")) }
func TestAnIncidentIsEndedAtOnce(t *testing.T) { mailtest.CheckFix(stopping(t, "")) }
