package plesk

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"spoor"
)

// utility is a neighbour in place of Plesk's proprietary "mail" utility: it says
// what that prints, as far as its manual has it.
type utility struct{ help, info string }

func (u utility) Run(_ context.Context, _ []byte, name string, args ...string) ([]byte, error) {
	switch {
	case name != "/usr/local/psa/bin/mail":
	case slices.Equal(args, []string{"--help"}) && u.help != "":
		return []byte(u.help), nil
	case len(args) == 2 && args[0] == "--info" && u.info != "":
		return []byte(u.info), nil
	}
	return nil, &exec.Error{Name: name, Err: errors.New("no such utility")}
}

const helpOfMail = `Usage: mail command <mail_name> [options]
    Available options:
        -outgoing-messages-mbox-limit <default|number>  Limit of outgoing messages
`

func TestHowPleskStopsAMailbox(t *testing.T) {
	p := open(t, map[string]string{"etc/psa/psa.conf": "PRODUCT_ROOT_D /usr/local/psa\n"})
	for name, c := range map[string]struct {
		run     utility
		account string
		want    []string // do and undo
	}{
		"with a limit":      {utility{helpOfMail, "Mailname: info\nOutgoing messages limit:   50\n"}, "info@shop.test", []string{"0", "50"}},
		"without one":       {utility{helpOfMail, "Mailname: info\n"}, "info@shop.test", []string{"0", "default"}},
		"a strange limit":   {utility{helpOfMail, "Outgoing messages limit: 5; rm -rf /\n"}, "info@shop.test", []string{"0", "default"}},
		"too old for it":    {utility{help: "Usage: mail\n"}, "info@shop.test", nil},
		"no such utility":   {utility{}, "info@shop.test", nil},
		"a name to be read": {utility{help: helpOfMail}, "-x@shop.test", nil},
		"a login, no box":   {utility{help: helpOfMail}, "info", nil},
	} {
		m := p.Stop(t.Context(), c.run, &spoor.Culprit{Source: spoor.Source{Kind: spoor.KindAccount, Name: c.account}, Live: true})
		if c.want == nil {
			if len(m.Steps) > 0 || len(m.ByHand)+len(m.Refused) == 0 {
				t.Errorf("%s: %+v", name, m)
			}
			continue
		}
		if len(m.Steps) != 1 {
			t.Errorf("%s: %+v", name, m)
			continue
		}
		do, undo := m.Steps[0].Command.Do, m.Steps[0].Command.Undo
		if !slices.Equal([]string{do[len(do)-1], undo[len(undo)-1]}, c.want) || !slices.Equal(do[:4], undo[:4]) || strings.Join(do[:3], " ") != "/usr/local/psa/bin/mail --update info@shop.test" {
			t.Errorf("%s: %q, %q", name, do, undo)
		}
	}
}
