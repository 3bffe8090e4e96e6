package qmail

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"spoor/internal/mta"
)

// Adapter is what the command line knows of qmail.
func Adapter() mta.Adapter {
	return mta.Adapter{
		Name:   "qmail",
		Daemon: "qmail-send", Servers: []string{"qmail-smtpd"},
		Unseen: "not yet preprocessed",
		Place:  func(s *mta.Server) string { return queueDir(s.Home) },
		Detect: detect,
		Open: func(s *mta.Server) (mta.Queue, error) {
			q, err := Open(s.Root, s.Passwd, optionsOf(s))
			if errors.Is(err, ErrNoQueue) {
				return nil, errors.Join(err, mta.ErrNoQueue)
			}
			if err != nil {
				return nil, err
			}
			return q, nil
		},
		Stops:     true,
		NoHold:    true,
		Recover:   recoverService,
		Interrupt: interrupt,
		Freezer:   openFreezer,
		LogOnly:   func(s *mta.Server) mta.Queue { return LogOnly(s.Root, s.Passwd, optionsOf(s)) },
		Control:   openControl,
		Message:   messageOf,
		Parts:     fileParts,
		Programs:  mailPrograms,
		NewParser: func() mta.Parser { return NewParser() },
		Tools: []mta.Tool{
			{Name: "qmail-qread", Short: "every preprocessed message with its recipients, as qmail-qread(8)", Write: tool((*Queue).WriteQread)},
			{Name: "qmail-qstat", Short: "the two counts of qmail-qstat(8)", Write: tool((*Queue).WriteQstat)},
		},
	}
}

func optionsOf(s *mta.Server) Options { return Options{Home: s.Home, MailSystem: s.MailSystem} }

func tool(write func(*Queue, io.Writer) error) func(mta.Queue, io.Writer) error {
	return func(q mta.Queue, w io.Writer) error {
		own, ok := q.(*Queue)
		if !ok {
			return mta.ErrNoQueue
		}
		return write(own, w)
	}
}

// detect tells the last use by the folders that every message passes.
func detect(s *mta.Server) (used time.Time, ok bool) {
	dir := queueDir(s.Home)
	for _, folder := range [...]string{"/mess", "/todo", "/intd", "/pid"} {
		info, err := s.Root.Stat(dir + folder)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return time.Time{}, true
		case err != nil:
		case folder == "/mess":
			ok = true
		}
		if err == nil && info.ModTime().After(used) {
			used = info.ModTime()
		}
	}
	return used, ok
}
