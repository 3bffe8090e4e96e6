package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"spoor"
	"spoor/internal/logs"
	"spoor/internal/mta"
	"spoor/internal/mta/exim"
	"spoor/internal/mta/postfix"
	"spoor/internal/mta/qmail"
	"spoor/internal/panel"
	"spoor/internal/panel/cpanel"
	"spoor/internal/panel/directadmin"
	"spoor/internal/panel/plain"
	"spoor/internal/panel/plesk"
)

// adapters are the MTAs that spoor knows. Without a queue and without --mta, the
// one is taken that most lines of the log are of.
func adapters() []mta.Adapter {
	return []mta.Adapter{qmail.Adapter(), postfix.Adapter(), exim.Adapter()}
}

// mtaWords are the words for --mta.
func mtaWords() []string {
	words := []string{"auto"}
	for _, a := range adapters() {
		words = append(words, a.Name)
	}
	return words
}

// panels are the control panels that spoor knows. The first that is found is
// asked; plain is always found.
func panels() []panel.Adapter {
	return []panel.Adapter{plesk.Adapter(), cpanel.Adapter(), directadmin.Adapter(), plain.Adapter()}
}

// panelWords are the words for --panel.
func panelWords() []string {
	words := []string{"auto"}
	for _, a := range panels() {
		words = append(words, a.Name)
	}
	return words
}

// orList writes words as a list with "or".
func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// chosen are the adapters that --mta leaves.
func (o *options) chosen() ([]mta.Adapter, error) {
	list := adapters()
	if o.mta == "auto" {
		return list, nil
	}
	list = slices.DeleteFunc(list, func(a mta.Adapter) bool { return a.Name != o.mta })
	if len(list) == 0 {
		return nil, usage(errors.New("--mta " + o.mta + ": want " + orList(mtaWords())))
	}
	return list, nil
}

// mtaServer is what adapters are told of the server.
func (s *server) mtaServer() *mta.Server {
	m := &mta.Server{Root: s.root, Passwd: s.passwd, MailSystem: s.isMailSystem, Gaps: s.gaps}
	if s.plesk != nil {
		m.Home = s.plesk.Conf().Qmail
	}
	return m
}

// inUse returns the adapter whose queue was written to last, or nil.
func inUse(list []mta.Adapter, s *mta.Server) *mta.Adapter {
	var best *mta.Adapter
	var newest time.Time
	for i := range list {
		used, ok := list[i].Detect(s)
		if ok && (best == nil || used.After(newest)) {
			best, newest = &list[i], used
		}
	}
	return best
}

// openQueue opens the queue of the MTA in use.
func (s *server) openQueue(ctx context.Context, o *options) error {
	list, err := o.chosen()
	if err != nil {
		return err
	}
	m := s.mtaServer()
	adapter := inUse(list, m)
	if adapter == nil {
		return s.withoutQueue(ctx, o, list, m)
	}
	s.adapter = *adapter
	s.queue, err = adapter.Open(m)
	switch {
	case errors.Is(err, mta.ErrNoQueue):
		return s.withoutQueue(ctx, o, list, m)
	case errors.Is(err, fs.ErrPermission):
		return &statusError{status: exitNoMTA, err: &spoor.Problem{
			What: fmt.Sprintf("cannot read the %s queue %s: permission denied", adapter.Name, adapter.Place(m)),
			So:   "no message was looked at", Try: "sudo " + s.spoor(""), Err: err,
		}}
	}
	return err
}

// withoutQueue goes on without a queue if there is a log that may be an MTA's.
func (s *server) withoutQueue(ctx context.Context, o *options, list []mta.Adapter, m *mta.Server) error {
	var places []string
	for i := range list {
		places = append(places, list[i].Place(m))
	}
	s.noQueue = &statusError{status: exitNoMTA, err: &spoor.Problem{
		What: "no queue of a supported MTA below " + s.root.Dir(),
		So:   "there is nothing to read; queues are looked for in " + strings.Join(places, ", "),
		Try:  "spoor --root DIR", Err: mta.ErrNoQueue,
	}}
	streams, err := s.streams(o)
	if err != nil {
		return err
	}
	if len(streams) == 0 {
		return s.noQueue
	}
	s.adapter = list[max(0, logs.Recognise(ctx, s.root, streams, parsers(list)))]
	s.partial = true
	s.queue = s.adapter.LogOnly(m)
	return nil
}

// parsers are those of the logs of some MTAs.
func parsers(list []mta.Adapter) []func() logs.Parser {
	made := make([]func() logs.Parser, 0, len(list))
	for _, a := range list {
		made = append(made, func() logs.Parser { return a.NewParser() })
	}
	return made
}
