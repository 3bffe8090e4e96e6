//go:build e2e

package exim

import (
	"fmt"
	"testing"

	"spoor/e2e/mailtest"
)

// cleaning is an Exim of which spoor is a program.
func cleaning(t *testing.T) *mailtest.Cleaning {
	t.Helper()
	receiver := mailtest.NewReceiver(t, 40)
	s := startWith(mailtest.New(t, "exim"), mailtest.Sinks{Slow: receiver.Port, Refuses: receiver.Port, Takes: receiver.Port})
	s.Install()
	return &mailtest.Cleaning{
		Server: s, Receiver: receiver, Holding: "/var/spool/exim4/spoor",
		Waiting: func() int { return s.Files("/var/spool/exim4/input") },
		Push: func() error {
			out, err := s.Command(0, "/usr/sbin/exim4", "-qf").CombinedOutput()
			if err != nil {
				return fmt.Errorf("exim -qf: %w: %s", err, out)
			}
			return nil
		},
	}
}

func TestAnIncidentIsCleanedUp(t *testing.T)  { mailtest.CheckIncident(cleaning(t)) }
func TestMailIsHeldAndReleased(t *testing.T)  { mailtest.CheckHolds(cleaning(t)) }
func TestSpoorIsKilled(t *testing.T)          { mailtest.CheckKills(cleaning(t)) }
func TestOneSpoorAtATime(t *testing.T)        { mailtest.CheckTwoAtOnce(cleaning(t)) }
func TestWhatIsNotSafeIsRefused(t *testing.T) { mailtest.CheckRefusals(cleaning(t)) }
