//go:build e2e

package postfix

import (
	"testing"

	"spoor/e2e/mailtest"
)

// restless lets Postfix try everything again each two seconds.
const restless = `queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 4s
default_destination_concurrency_failed_cohort_limit = 0
`

// cleaning is a Postfix of which spoor is a program.
func cleaning(t *testing.T) *mailtest.Cleaning {
	t.Helper()
	receiver := mailtest.NewReceiver(t, 40)
	s := startWith(mailtest.New(t, "postfix"), mailtest.Sinks{Slow: receiver.Port, Refuses: receiver.Port, Takes: receiver.Port}, restless)
	s.Install()
	return &mailtest.Cleaning{
		Server: s, Receiver: receiver, Holding: "/var/spool/postfix/spoor",
		Waiting: func() (waiting int) {
			for _, queue := range []string{"maildrop", "incoming", "active", "deferred", "hold", "corrupt", "defer", "bounce"} {
				waiting += s.Files("/var/spool/postfix/" + queue)
			}
			return waiting
		},
	}
}

func TestAnIncidentIsCleanedUp(t *testing.T)  { mailtest.CheckIncident(cleaning(t)) }
func TestMailIsHeldAndReleased(t *testing.T)  { mailtest.CheckHolds(cleaning(t)) }
func TestSpoorIsKilled(t *testing.T)          { mailtest.CheckKills(cleaning(t)) }
func TestOneSpoorAtATime(t *testing.T)        { mailtest.CheckTwoAtOnce(cleaning(t)) }
func TestWhatIsNotSafeIsRefused(t *testing.T) { mailtest.CheckRefusals(cleaning(t)) }
