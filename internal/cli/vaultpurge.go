package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"spoor/internal/recorder"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/vault"
)

// purgeFlags say what may be given up.
type purgeFlags struct {
	vaultFlags
	older  string
	most   string
	share  float64
	dryRun bool
	yes    bool
}

func vaultPurgeCommand(o *options) *cobra.Command {
	f := &purgeFlags{}
	cmd := &cobra.Command{
		Use:   "purge [SELECTOR…]",
		Short: "give up messages for good",
		Long: `purge removes messages from the vault: those that selectors and --plan match, or
those that are older than --older, or the oldest ones until the vault is smaller
than --size or --share. Without any of them, "spoor vault retention" says what
goes. Messages that the shim holds are in the vault, and go in the same way. It cannot be undone, so it always asks; --yes answers in a
script. What is in the queue again takes no room after the next purge either.`,
		Example: `  spoor vault purge --older 30d
  spoor vault purge --size 2G --yes
  spoor vault purge --plan 20261126T101500-rm
  spoor vault purge --plan 20261126-held uid:10003`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.vaultPurge(cmd.Context(), args, f) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.SortFlags = false
	f.addLimits(flags)
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "only say how much would go")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	return cmd
}

// addLimits adds the flags of a retention.
func (f *purgeFlags) addLimits(flags *pflag.FlagSet) {
	flags.StringVar(&f.older, "older", "", "what was stored more than `AGE` ago (30d, 12h)")
	flags.StringVar(&f.most, "size", "", "the oldest, until the vault takes at most `SIZE` (500M, 2G)")
	flags.Float64Var(&f.share, "share", 0, "the oldest, until the vault takes at most `PERCENT` of its disk")
}

func (o *options) vaultPurge(ctx context.Context, words []string, f *purgeFlags) error {
	retention, err := f.retention()
	if err != nil {
		return usageTry(err, "spoor vault purge --help")
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	o.takeInToLook(ctx)
	looked, top, err := o.lookState(s)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	looked.Close()
	state, err := o.lockState(top)
	if err != nil {
		return err
	}
	defer state.Close()
	done, err := o.takeInToPurge(ctx, state)
	if err != nil {
		return err
	}
	defer done()
	if len(words) == 0 && f.plan == "" && retention == (vault.Retention{}) {
		if retention = state.Retention(); retention == (vault.Retention{}) {
			return usageTry(errors.New("say what may go: --older, --size, --share, --plan or selectors; or set a retention"), "spoor vault retention --help")
		}
	}
	doomed, bytes, err := o.doomed(state, words, f, retention)
	if err != nil {
		return err
	}
	if len(doomed) == 0 {
		return nothing("nothing in the vault is to go", o.spoor("vault ls"))
	}
	count := 0
	for _, plan := range doomed {
		count += len(plan)
	}
	fmt.Fprintf(o.env.Err, "spoor: %d messages of %d plans, %d bytes, leave the vault for good\n", count, len(doomed), bytes)
	if f.dryRun {
		return nil
	}
	if err := o.confirmPurge(f); err != nil {
		return err
	}
	return o.purge(state, doomed)
}

// takeInToPurge moves what the shim holds into the vault, where a purge finds it, and
// keeps others from doing so until it is done. What cannot be moved is not purged.
func (o *options) takeInToPurge(ctx context.Context, state *remedy.State) (done func(), err error) {
	in, err := o.intake(ctx, state, changeWait)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := takeAll(ctx, in); err != nil {
		fmt.Fprintln(o.env.Err, "spoor: not all that is held can be purged:", report.Escape(err.Error()))
	}
	return func() { _ = in.Close() }, nil
}

func (f *purgeFlags) retention() (r vault.Retention, err error) {
	if f.older != "" {
		if r.MaxAge, err = days(f.older); err != nil {
			return r, fmt.Errorf("--older %q: want an age such as 30d or 12h", f.older)
		}
	}
	if f.most != "" {
		if r.MaxBytes, err = bytesOf(f.most); err != nil {
			return r, fmt.Errorf("--size %q: want a size such as 500M or 2G", f.most)
		}
	}
	if f.share < 0 || f.share > 100 {
		return r, errors.New("--share: want a percentage from 0 to 100")
	}
	r.MaxShare = f.share / 100
	return r, nil
}

// days reads a duration that may be in days.
func days(text string) (time.Duration, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("negative")
	}
	return d, err
}

// bytesOf reads a size with K, M, G or T, of 1024.
func bytesOf(text string) (int64, error) {
	shift := strings.IndexByte("KMGT", text[len(text)-1])
	if shift >= 0 {
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return int64(n) << (10 * (shift + 1)), err
}

// doomed are the sequence numbers of what goes, by plan.
func (o *options) doomed(state *remedy.State, words []string, f *purgeFlags, r vault.Retention) (map[string]map[uint64]bool, int64, error) {
	plans, bytes := map[string]map[uint64]bool{}, int64(0)
	mark := func(e *vault.Entry) {
		if plans[e.Plan] == nil {
			plans[e.Plan] = map[uint64]bool{}
		}
		if !plans[e.Plan][e.Sequence] {
			plans[e.Plan][e.Sequence] = true
			bytes += e.PackedBytes
		}
	}
	unfinished := map[string]bool{}
	for _, past := range state.Journal.Unfinished() {
		unfinished[past.Plan] = true
	}
	if len(words) > 0 || f.plan != "" {
		f.all = true
		entries, _, err := o.stored(state, words, &f.vaultFlags)
		if err != nil {
			return nil, 0, err
		}
		for i := range entries {
			if e := &entries[i]; !unfinished[e.Plan] && (e.Mark.Fate != vault.FateRestoring || e.MTA == recorder.MTA && !unfinished[e.Mark.By]) {
				mark(e)
			}
		}
	}
	if r == (vault.Retention{}) {
		return plans, bytes, nil
	}
	for entry, err := range state.Vault.Expired(r, o.env.Now(), func(plan string) bool { return !unfinished[plan] }) {
		if err != nil && !errors.Is(err, vault.ErrDamaged) {
			return nil, 0, err
		}
		mark(&entry)
	}
	return plans, bytes, nil
}

func (o *options) confirmPurge(f *purgeFlags) error {
	if f.yes {
		return nil
	}
	if !o.env.InTerminal || !o.env.ErrTerminal {
		return refuse("there is no terminal to ask on: give --yes", "nothing was purged", "")
	}
	if _, err := fmt.Fprint(o.env.Err, "purge them? this cannot be undone [y/N] "); err != nil {
		return err
	}
	line, _ := bufio.NewReader(o.env.In).ReadString('\n')
	if !isYes(line) {
		return refuse("not confirmed", "nothing was purged", "")
	}
	return nil
}

func (o *options) purge(state *remedy.State, doomed map[string]map[uint64]bool) error {
	for plan, sequences := range doomed {
		done, err := state.Vault.Purge(plan, func(e vault.Entry) bool { return !sequences[e.Sequence] })
		if err != nil {
			return err
		}
		if err := state.Journal.Write(remedy.Record{Time: o.env.Now().UTC(), Plan: plan, Event: remedy.EventPurged, Messages: done.Purged}); err != nil {
			return err
		}
		fmt.Fprintf(o.env.Err, "spoor: %s: %d messages purged, %d kept, %d bytes freed\n", plan, done.Purged, done.Kept, done.FreedBytes)
	}
	return nil
}
