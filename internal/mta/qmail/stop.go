package qmail

import (
	"path"

	"spoor"
	"spoor/internal/mta"
)

var _ mta.Stopper = (*Queue)(nil)

// Stops reports whether qmail can stop sources of a kind.
func (q *Queue) Stops(kind spoor.Kind) bool {
	switch kind {
	case spoor.KindSite, spoor.KindUser, spoor.KindNetwork:
		return true
	default:
		return false
	}
}

// Stop proposes how qmail takes nothing more from a source. qmail has no list of who
// may not submit, nor does its SMTP server: what remains is the right to run
// qmail-queue, the one program through which every message enters.
func (q *Queue) Stop(c *spoor.Culprit) spoor.Measures {
	switch c.Source.Kind {
	case spoor.KindSite, spoor.KindUser:
		bin := "/var/qmail/bin"
		if q.tree != nil && q.tree.name != "" {
			bin = path.Join("/", path.Dir(q.tree.name), "bin")
		}
		return mta.Bar(q.root, c, []string{
			path.Join(bin, "qmail-queue"), path.Join(bin, "qmail-inject"), path.Join(bin, "sendmail"), "/usr/sbin/sendmail", "/usr/lib/sendmail",
		})
	case spoor.KindNetwork:
		return q.stopNetwork(c)
	case spoor.KindAccount:
		return spoor.Measures{Refused: []string{"qmail's SMTP server knows no list of logins that may not send"}, ByHand: []string{"change the password of " + c.Source.Name}}
	case spoor.KindForward:
		return spoor.Measures{Refused: []string{"forwards of qmail are in .qmail files, which spoor does not edit"}}
	default:
		return spoor.Measures{}
	}
}

// stopNetwork has a network refused by the firewall, and the rules of tcpserver let
// it relay no more. Where there are none, or a panel has its own list, that is told.
func (q *Queue) stopNetwork(c *spoor.Culprit) spoor.Measures {
	m := mta.BarNetwork(c)
	prefix, ok := c.Network()
	if !ok || len(m.Refused) > 0 {
		return m
	}
	if c.Managed || len(q.ruleFiles()) == 0 {
		m.ByHand = append(m.ByHand, "take the network off the list of those who may relay: tcprules, or the panel")
	}
	if !c.Managed {
		m.Add(q.stopRelaying(prefix, c.Live))
	}
	return m
}
