package postfix

import (
	"strings"
	"time"

	"spoor/internal/mta"
)

// Adapter is what the command line knows of Postfix.
func Adapter() mta.Adapter {
	config := func(s *mta.Server) Config {
		conf, _ := ReadConfig(s.Root, s.Passwd, s.Gaps)
		conf.MailSystem = s.MailSystem
		return conf
	}
	return mta.Adapter{
		Name:   "postfix",
		Daemon: "qmgr", Servers: []string{"smtpd"},
		Unseen: "not yet taken by the queue manager",
		Place:  func(s *mta.Server) string { return strings.Join(config(s).Dirs, ", ") },
		Detect: func(s *mta.Server) (time.Time, bool) { return used(s.Root, config(s).Dirs) },
		Open: func(s *mta.Server) (mta.Queue, error) {
			q, err := Open(s.Root, config(s))
			if err != nil {
				return nil, err
			}
			return q, nil
		},
		LogOnly:   func(s *mta.Server) mta.Queue { return LogOnly(s.Root, config(s)) },
		Control:   func(s *mta.Server, c mta.Control) (mta.Controller, error) { return openControl(s, config(s), c) },
		Message:   message,
		Parts:     fileParts,
		Programs:  mailPrograms,
		NewParser: func() mta.Parser { return NewParser() },
		Tools: []mta.Tool{
			{Name: "postqueue-j", Short: "the queue as JSON, as postqueue -j", Write: writePostqueue},
		},
	}
}
