package qmail

import (
	"path"
	"slices"
	"strings"

	"spoor/internal/mta"
)

// maxPrograms is how many names of qmail's bin are looked at.
const maxPrograms = 1000

// mailPrograms tells by what local mail enters: qmail-inject(8) and qmail-queue(8),
// and what stands in for either, under a name that begins with it.
func mailPrograms(s *mta.Server) mta.Programs {
	home := s.Home
	if home == "" {
		home = defaultHome
	}
	bin := path.Join(home, "bin")
	p := mta.Programs{Submit: mta.Sendmail(), Folders: []string{bin}}
	names, err := s.Root.List(bin, maxPrograms)
	if err != nil {
		return p
	}
	slices.Sort(names)
	for _, name := range names {
		for _, known := range []string{"sendmail", "qmail-inject", "new-inject", "qmail-queue"} {
			if strings.HasPrefix(name, known) {
				p.Submit = append(p.Submit, path.Join(bin, name))
			}
		}
	}
	return p
}
