package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
	"spoor/internal/redact"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/vault"
)

// handoutFlags say whom a report is for and where it goes.
type handoutFlags struct {
	abuse    bool
	customer bool
	full     bool
	to       string
}

func reportCommand(o *options) *cobra.Command {
	f := &handoutFlags{}
	cmd := &cobra.Command{
		Use:   "report SOURCE",
		Short: "a report on one source, to hand to its owner or to an abuse desk",
		Long: `report tells of one source what others need to know: how much it sent and when,
what shows it, how the source is known, what was done about it, and the headers
of a few messages, from the queue or from the vault. --abuse is for a blocklist,
a receiver or the network that the mail came from; --customer is for the owner
of the account or site, with what to do now.

Other sources of the server are not in it. Addresses, and the names of people that
stand beside them, are masked but for those of the source itself; --full leaves
them. Read it before you give it away.`,
		Example: `  spoor report account:info@shop.test --customer
  spoor report site:shop.test --abuse --to /root/reports    text and HTML
  spoor report site:shop.test --abuse -o html > report.html`,
		Args: oneArg("name one source, such as site:shop.test"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.report(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.abuse, "abuse", false, "for an abuse desk")
	flags.BoolVar(&f.customer, "customer", false, "for the owner of the source")
	flags.BoolVar(&f.full, "full", false, "mask no addresses and no names")
	flags.StringVar(&f.to, "to", "", "write it as text and as HTML into `DIR`, which is made if needed")
	return cmd
}

func (o *options) report(ctx context.Context, name string, f *handoutFlags) error {
	format, err := o.format("table", "html")
	if err != nil {
		return err
	}
	if f.abuse == f.customer {
		return usageTry(errors.New("say whom the report is for: --abuse or --customer"), "spoor report --help")
	}
	source, err := spoor.ParseSource(name)
	if err != nil {
		return usageTry(err, o.spoor(""))
	}
	h, err := o.handout(ctx, source, f)
	if err != nil {
		return err
	}
	if err := o.writeHandout(h, format, f.to); err != nil || h.Complete {
		return err
	}
	return partial()
}

func (o *options) handout(ctx context.Context, source spoor.Source, f *handoutFlags) (*report.Handout, error) {
	s, err := o.examine(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	a, err := s.answer(ctx, o)
	if err != nil {
		return nil, err
	}
	h := &report.Handout{Head: s.pageHead(o), Complete: a.complete}
	if f.customer {
		h.Audience = report.ForCustomer
	}
	h.Source, h.Known = a.find(source)
	h.Source.Traffic.Source = source
	if !h.Known {
		h.Source.Traffic.UID = -1
	}
	if !f.full {
		h.Mask = masker(source, &h.Source.Traffic)
	}
	s.queueSamples(h)
	if err := o.remembered(s, h); err != nil {
		return nil, err
	}
	if !h.Known && len(h.Done) == 0 && len(h.Samples) == 0 {
		return nil, nothing("neither queue, log, journal nor vault has anything of "+source.String(), o.spoor(""))
	}
	return h, nil
}

// masker masks every address but those of the source, and the names of people beside them.
func masker(source spoor.Source, t *spoor.Traffic) func(string) string {
	own := strings.ToLower(source.Name)
	login := strings.ToLower(t.Login)
	return func(text string) string {
		return redact.Header(text, func(address string) bool {
			address = strings.ToLower(strings.Trim(address, "<>"))
			local, domain, _ := strings.Cut(address, "@")
			if strings.ContainsAny(local, "=%!") {
				return address == own // it may hold somebody else's: VERP, SRS, source routes
			}
			return address == own || domain == own || login != "" && local == login
		})
	}
}

// handoutSamples is how many messages are quoted.
const handoutSamples = 3

// headerBytes is how much of a message is read for its header.
const headerBytes = 64 << 10

// queueSamples adds headers of messages that are in the queue.
func (s *server) queueSamples(h *report.Handout) {
	for _, m := range h.Source.Traffic.Samples {
		if len(h.Samples) == handoutSamples {
			return
		}
		head := make([]byte, headerBytes)
		n, err := s.queue.Head(m, head)
		if err != nil {
			continue // it has left meanwhile
		}
		h.Samples = append(h.Samples, report.HandoutSample{
			ID: m.ID, Arrived: m.Arrived, Recipients: m.Recipients.Len(), Header: headerOf(head[:n]),
		})
	}
}

func headerOf(content []byte) []byte {
	end, _ := mta.BodyStart(content)
	return content[:end]
}

// remembered adds what was done about the source, and headers from the vault if
// the queue has none. A server that was never changed has nothing to add.
func (o *options) remembered(s *server, h *report.Handout) error {
	state, top, err := o.lookState(s)
	if isNothing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	for _, past := range state.Journal.Plans() {
		if act, ok := actOn(state, past, h.Source.Traffic.Source); ok {
			h.Done = append(h.Done, act)
		}
	}
	return s.vaultSamples(state, h)
}

// actOn is what a plan did about a source, if it did.
func actOn(state *remedy.State, past *remedy.Past, source spoor.Source) (report.HandoutAct, bool) {
	act := report.HandoutAct{Time: past.Start, Action: past.Action, Plan: past.Plan, UndoneBy: past.UndoneBy, Failure: past.Failure}
	if !past.Finished {
		return act, false
	}
	p, err := state.Plan(past.Plan)
	if err != nil {
		return act, slices.Contains(past.Record.Selector, source.String())
	}
	for _, t := range past.Handled(p.Targets) {
		if t.Source == source {
			act.Messages++
		}
	}
	return act, act.Messages > 0 || len(p.Targets) == 0 && slices.Contains(p.Selector, source.String())
}

func (s *server) vaultSamples(state *remedy.State, h *report.Handout) error {
	plans, err := state.Vault.Plans()
	if err != nil {
		return err
	}
	for _, plan := range slices.Backward(plans) {
		for entry, err := range state.Vault.Entries(plan) {
			if len(h.Samples) >= handoutSamples {
				return nil
			}
			if errors.Is(err, vault.ErrDamaged) {
				continue
			}
			if err != nil {
				return err
			}
			if entry.Source == h.Source.Traffic.Source && waits(&entry) {
				s.vaultSample(state, &entry, h)
			}
		}
	}
	return nil
}

func (s *server) vaultSample(state *remedy.State, e *vault.Entry, h *report.Handout) {
	parcel, err := state.Vault.Parcel(*e)
	if err != nil {
		return // spoor vault check tells
	}
	content, err := s.message(parcel, headerBytes)
	if err != nil {
		return
	}
	h.Samples = append(h.Samples, report.HandoutSample{
		ID: e.ID, Arrived: e.Arrived, Recipients: e.Recipients, Vault: true, Header: headerOf(content),
	})
}

func (o *options) writeHandout(h *report.Handout, format, to string) error {
	switch {
	case to != "":
		return o.saveHandout(h, to)
	case format == "html":
		return h.HTML(o.env.Out)
	default:
		return h.Text(o.env.Out)
	}
}

// saveHandout writes both forms into a folder. No file is overwritten.
func (o *options) saveHandout(h *report.Handout, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	dir, err := disk.Open(to, o.env.Seam)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	for ending, write := range map[string]func(io.Writer) error{".txt": h.Text, ".html": h.HTML} {
		if err := saveNew(dir, h.FileName()+ending, write); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(o.env.Out, "%s/%s.txt\n%s/%s.html\n", to, h.FileName(), to, h.FileName())
	return err
}

func saveNew(dir *disk.Dir, name string, write func(io.Writer) error) error {
	file, err := dir.Create(name, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
