package exim

import (
	"errors"
	"io/fs"
	"path"
	"time"

	"spoor/internal/mta"
)

// Adapter is what the command line knows of Exim.
func Adapter() mta.Adapter {
	config := func(s *mta.Server) Config { return ReadConfig(s.Root, s.Passwd, s.Gaps) }
	return mta.Adapter{
		Name: "exim", Daemon: "exim", Servers: []string{"exim4", "exim"},
		Place: func(s *mta.Server) string {
			if c := config(s); c.Spool != "" {
				return c.Spool
			}
			return spools[0] + " and " + spools[1]
		},
		Detect: detect,
		Open: func(s *mta.Server) (mta.Queue, error) {
			q, err := Open(s.Root, config(s))
			if err != nil {
				return nil, err
			}
			return q, nil
		},
		Control:   openControl,
		Message:   openMessage,
		Parts:     fileParts,
		LogOnly:   func(s *mta.Server) mta.Queue { return LogOnly(s.Root, config(s)) },
		Programs:  mailPrograms,
		NewParser: func() mta.Parser { return NewParser() },
		Tools:     []mta.Tool{{Name: "exim-bp", Short: "the queue as exim -bp prints it", Write: writeBP}},
	}
}

// detect tells the last use by the folders of the spool.
func detect(s *mta.Server) (used time.Time, ok bool) {
	conf := ReadConfig(s.Root, s.Passwd, s.Gaps)
	if conf.Spool == "" {
		return used, false
	}
	input := path.Join(conf.Spool, "input")
	info, err := s.Root.Stat(input)
	if err != nil {
		return used, errors.Is(err, fs.ErrPermission)
	}
	used = info.ModTime()
	names, err := s.Root.List(input, 100) // the folders of a split spool
	for _, name := range names {
		if len(name) != 1 || err != nil {
			continue
		}
		if info, err := s.Root.Stat(path.Join(input, name)); err == nil && info.ModTime().After(used) {
			used = info.ModTime()
		}
	}
	return used, true
}
