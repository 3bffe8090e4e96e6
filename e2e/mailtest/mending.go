package mailtest

import (
	"slices"
	"strings"
)

// CheckMended mends what the audit finds of a Postfix that relays for a network,
// forwards what it gets for users that do not exist in one domain, and takes such
// mail in another; then all is taken back.
func CheckMended(s *Stopping, network string) {
	s.t.Helper()
	stranger := &Client{Address: Beside, Port: s.SMTP}
	local := &Client{Address: "127.0.0.1", Port: s.SMTP}
	relayed := letter("prize@lotto.test")
	guessed := Mail{"prize@lotto.test", []string{"ghost@" + Forwarded}, relayed.Text}
	unknown := Mail{"prize@lotto.test", []string{"ghost@" + Domain}, relayed.Text}
	takes := func(c *Client, mail Mail, want bool) {
		s.t.Helper()
		s.Until("the server to take or refuse mail", func() bool {
			err := c.Send(mail)
			if err != nil && code(err) < 500 {
				s.t.Errorf("mail to %s is refused with: %v", mail.Recipients[0], err)
			}
			return (err == nil) == want
		})
	}
	takes(stranger, relayed, true)
	takes(local, guessed, true)
	takes(local, unknown, true)
	s.Until("the log to have the relayed mail", func() bool { return s.Operate("show", "network:"+Beside).Status == 0 })
	before := s.Manifest(s.Folders...)

	s.Says(s.Want(0, "audit", "fix", "-n", "relay-list", network), network+" is taken out of /etc/postfix/main.cf", Beside+" has sent ", "reads its configuration again")
	s.Same(before, s.Folders...)
	var plans []string
	for _, finding := range [][]string{{"relay-list", network}, {"nonexistent-user", Forwarded}, {"nonexistent-user", Domain}} {
		ran := s.Want(0, append([]string{"audit", "fix"}, append(finding, "--yes", "--reason", "audit")...)...)
		s.Says(ran, "done: audit-fix, ")
		_, plan, _ := strings.Cut(ran.Out, "spoor undo ")
		plans = append(plans, strings.TrimSpace(plan))
	}
	takes(stranger, relayed, false)
	takes(local, guessed, false)
	takes(local, unknown, false)
	for _, plan := range slices.Backward(plans) {
		s.Says(s.Want(0, "undo", plan, "--yes", "--reason", "it is needed"), "done: undo, ")
	}
	s.Same(before, s.Folders...)
	takes(stranger, relayed, true)
	takes(local, guessed, true)
	takes(local, unknown, true)
}
