package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/recorder"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/vault"
)

func vaultCommand(o *options) *cobra.Command {
	command := &cobra.Command{
		Use:   "vault",
		Short: "messages that were taken out of the queue, or held by the shim: list, read, put back, export, purge",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(vaultLsCommand(o), vaultCatCommand(o), vaultRestoreCommand(o), vaultExportCommand(o), vaultPurgeCommand(o), vaultRetentionCommand(o),
		&cobra.Command{
			Use: "check", Short: "read everything in the vault, and tell what is damaged", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return o.vaultCheck(cmd.Context()) },
		})
	return command
}

// vaultFlags narrow what a command of the vault works on.
type vaultFlags struct {
	plan string
	all  bool
}

func (f *vaultFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.plan, "plan", "", "only messages that this `PLAN` has taken out")
}

func vaultLsCommand(o *options) *cobra.Command {
	f := &vaultFlags{}
	cmd := &cobra.Command{
		Use:   "ls [SELECTOR…]",
		Short: "list what is in the vault",
		Long: `ls lists the messages that were taken out of the queue and are in the vault
still, and those that the shim holds (under DATE-held); with --all, those too that are in the queue again or were purged. The
selectors are those of "spoor queue ls".`,
		Example: `  spoor vault ls
  spoor vault ls from:@shop.test --plan 20261126T101500-rm`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.vaultLs(cmd.Context(), args, f) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "also what is not in the vault any more")
	return cmd
}

func (o *options) vaultLs(ctx context.Context, words []string, f *vaultFlags) error {
	format, err := o.format("table", "wide", "json", "ndjson", "ids")
	if err != nil {
		return err
	}
	s, state, done, err := o.openVault(ctx)
	if err != nil {
		return err
	}
	defer done()
	selector, err := spoor.ParseSelector(words, o.env.Now())
	if err != nil {
		return usageTry(err, "spoor queue ls --help")
	}
	page := &report.Vault{Head: s.pageHead(o), Overdue: o.overdue(state)}
	indexed := !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(word, "uid:") }) // not in the index
	if indexed {
		page.Messages, indexed = o.indexedMessages(ctx, state, selector, f)
	}
	if !indexed {
		entries, damage, err := o.stored(state, words, f)
		if err != nil {
			return err
		}
		page.Damage = damage
		for i := range entries {
			page.Messages = append(page.Messages, storedMessage(&entries[i]))
		}
	}
	if err := page.Write(o.env.Out, format, o.style()); err != nil {
		return err
	}
	if len(page.Damage) > 0 {
		return partial()
	}
	if len(page.Messages) == 0 && (len(words) > 0 || f.plan != "") {
		return nothing("no message in the vault matches", o.spoor("vault ls"))
	}
	return nil
}

// openVault opens the server and its state folder to read them, with what the shim
// holds in the vault.
func (o *options) openVault(ctx context.Context) (*server, *remedy.State, func(), error) {
	s, err := o.examine(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	o.takeInToLook(ctx)
	state, top, err := o.lookState(s)
	if err != nil {
		s.close()
		return nil, nil, nil, err
	}
	return s, state, func() {
		state.Close()
		_ = top.Close()
		s.close()
	}, nil
}

// stored are the messages of the vault that the selectors match, the oldest plan
// first, and what could not be read.
func (o *options) stored(state *remedy.State, words []string, f *vaultFlags) (entries []vault.Entry, damage []spoor.Gap, err error) {
	selector, err := spoor.ParseSelector(words, o.env.Now())
	if err != nil {
		return nil, nil, usageTry(err, "spoor queue ls --help")
	}
	plans, err := state.Vault.Plans()
	if err != nil {
		return nil, nil, err
	}
	if f.plan != "" {
		if !slices.Contains(plans, f.plan) {
			return nil, nil, nothing("nothing in the vault is of plan "+f.plan, o.spoor("journal"))
		}
		plans = []string{f.plan}
	}
	var gaps spoor.Gaps
	for _, plan := range plans {
		var to recipients
		if selector.NeedsAddresses() {
			if to, err = storedRecipients(state, plan); err != nil {
				return nil, nil, err
			}
		}
		for entry, err := range state.Vault.Entries(plan) {
			if errors.Is(err, vault.ErrDamaged) {
				gaps.Add("vault/"+plan, err.Error())
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			m := messageOf(&entry)
			to.addTo(m, entry.Sequence)
			if (f.all || waits(&entry)) && selector.Match(m, entry.Source, entry.CallerUID) {
				entries = append(entries, entry)
			}
		}
	}
	return entries, gaps.List(), nil
}

// messageOf is what selectors see of a stored message.
func messageOf(e *vault.Entry) *spoor.Message {
	m := &spoor.Message{
		ID: e.ID, Folder: e.Folder, Suffix: e.Suffix, Arrived: e.Arrived, SizeBytes: e.SizeBytes, State: e.State, Held: e.Held,
		HasEnvelope: true, Sender: e.Sender, Subject: e.Subject, CallerUID: e.CallerUID, CallerGID: -1,
	}
	m.Recipients.CountOnly = true
	for i := range e.Recipients {
		m.Recipients.Add(spoor.ChannelUndecided, i < e.Done, nil)
	}
	return m
}

func storedMessage(e *vault.Entry) report.StoredMessage {
	return report.StoredMessage{
		Target: targetOf(e), Fate: e.Mark.Fate.String(), NewID: cmp.Or(e.Mark.NewID, e.Mark.Prepared.NewID),
		Stored: e.Stored, PackedBytes: e.PackedBytes, Damaged: e.Damaged,
	}
}

func vaultCatCommand(o *options) *cobra.Command {
	f := &vaultFlags{}
	cmd := &cobra.Command{
		Use:   "cat ID",
		Short: "one message of the vault, escaped",
		Args:  oneArg("name one message by the queue ID that it had"),
		RunE:  func(cmd *cobra.Command, args []string) error { return o.vaultCat(cmd.Context(), args[0], f) },
	}
	f.add(cmd)
	return cmd
}

func (o *options) vaultCat(ctx context.Context, id string, f *vaultFlags) error {
	if _, err := o.format("table", "wide"); err != nil {
		return err
	}
	s, state, done, err := o.openVault(ctx)
	if err != nil {
		return err
	}
	defer done()
	f.all = true
	entries, _, err := o.stored(state, []string{"id:" + id}, f)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return nothing("no message in the vault had the ID "+id, o.spoor("vault ls"))
	}
	entry := entries[len(entries)-1]
	parcel, err := state.Vault.Parcel(entry)
	if err != nil {
		return err
	}
	content, err := s.message(parcel, report.MaxCat)
	if err != nil {
		return err
	}
	return (&report.Cat{Message: messageOfParcel(&entry, parcel), Content: content}).Text(o.env.Out, o.style())
}

func messageOfParcel(e *vault.Entry, p *spoor.Parcel) *spoor.Message {
	m := messageOf(e)
	m.Recipients = spoor.Recipients{}
	for _, r := range p.Envelope {
		m.Recipients.Add(r.Channel, r.Done, []byte(r.Address))
	}
	return m
}

// message reads at most bytes of the message in a parcel.
func (s *server) message(p *spoor.Parcel, most int) ([]byte, error) {
	content, err := openMessage(p)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	return io.ReadAll(io.LimitReader(content, int64(most)))
}

// openMessage opens the message in a parcel as it was received.
func openMessage(p *spoor.Parcel) (io.ReadCloser, error) {
	if p.MTA == recorder.MTA {
		return recorder.Message(p)
	}
	list := adapters()
	i := slices.IndexFunc(list, func(a mta.Adapter) bool { return a.Name == p.MTA })
	if i < 0 || list[i].Message == nil {
		return nil, fmt.Errorf("message %s: %q is no MTA that spoor knows", p.ID, p.MTA)
	}
	return list[i].Message(p)
}

func vaultRestoreCommand(o *options) *cobra.Command {
	v, f := &vaultFlags{}, &changeFlags{}
	cmd := &cobra.Command{
		Use:   "restore SELECTOR…",
		Short: "put messages back into the queue",
		Long: `restore puts messages of the vault back into the queue, with the marks of what
was delivered: no recipient gets a second copy. Exim's messages keep their queue
ID; those of qmail and Postfix get a new one, since theirs is the number of an
inode.`,
		Example: `  spoor vault restore -n from:info@shop.test
  spoor vault restore id:2996948`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.vaultRestore(cmd.Context(), args, v, f) },
	}
	v.add(cmd)
	f.add(cmd)
	return cmd
}

func (o *options) vaultRestore(ctx context.Context, words []string, v *vaultFlags, f *changeFlags) error {
	if len(words) == 0 && v.plan == "" {
		return usageTry(errors.New("select messages, or give --plan"), "spoor vault restore --help")
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := o.finishCutOff(ctx, s, f); err != nil {
		return err
	}
	state, top, err := o.lookState(s)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	entries, _, err := o.stored(state, words, v)
	if err != nil {
		return err
	}
	p := &spoor.Plan{Action: spoor.ActionRestore, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name, Selector: words}
	for i := range entries {
		if entries[i].MTA == s.adapter.Name {
			p.Targets = append(p.Targets, targetOf(&entries[i]))
		}
	}
	if len(p.Targets) == 0 && slices.ContainsFunc(entries, func(e vault.Entry) bool { return e.MTA == recorder.MTA }) {
		return nothing("what matches is held by the shim and was in no queue yet: spoor shim release hands it to sendmail", o.spoor("vault ls"))
	}
	if len(p.Targets) == 0 {
		return nothing("no message in the vault matches", o.spoor("vault ls"))
	}
	sumUp(p)
	return o.carryOut(ctx, s, p, f)
}

// heldInVault is the plan that releases what was held in the vault.
func (o *options) heldInVault(s *server, words []string) (*spoor.Plan, error) {
	p := &spoor.Plan{Action: spoor.ActionRelease, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name, Selector: words}
	state, top, err := o.lookState(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	for _, past := range state.Journal.Plans() {
		if past.Action != spoor.ActionHold.String() || past.Record.MTA != s.adapter.Name {
			continue
		}
		if _, err := state.Vault.Stat(past.Plan); errors.Is(err, fs.ErrNotExist) {
			continue // all of it was purged
		}
		entries, _, err := o.stored(state, words, &vaultFlags{plan: past.Plan})
		if err != nil {
			return nil, err
		}
		for i := range entries {
			p.Targets = append(p.Targets, targetOf(&entries[i]))
		}
	}
	sumUp(p)
	return p, nil
}
