package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spoor/internal/disk"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/vault"
)

// retentionFlags say how long messages stay.
type retentionFlags struct {
	purgeFlags
	off    bool
	reason string
}

func vaultRetentionCommand(o *options) *cobra.Command {
	f := &retentionFlags{}
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "show or set how long messages are to stay in the vault",
		Long: `retention says how long messages are to stay in the vault, and with flags sets it:
by age, by the size of the vault, by its share of the disk, or by several of them.
Nothing is purged by that, nor later by itself: "spoor", "spoor vault ls" and each
receipt tell how much is past the retention, and "spoor vault purge" without
selectors purges that, and asks before.

What is set takes the place of what was set before, and is in the journal.`,
		Example: `  spoor vault retention
  spoor vault retention --older 30d --share 10
  spoor vault retention --off`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set := f.off || cmd.Flags().Changed("older") || cmd.Flags().Changed("size") || cmd.Flags().Changed("share")
			return o.vaultRetention(cmd.Context(), f, set)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.addLimits(flags)
	flags.BoolVar(&f.off, "off", false, "no limits: everything stays until it is purged")
	flags.StringVar(&f.reason, "reason", "", "why, for the journal: `TEXT`")
	return cmd
}

func (o *options) vaultRetention(ctx context.Context, f *retentionFlags, set bool) error {
	wanted, err := f.retention()
	switch {
	case err != nil:
	case f.off && wanted != vault.Retention{}:
		err = errors.New("--off sets no limits")
	case set && !f.off && wanted == vault.Retention{}:
		err = errors.New("a limit of nothing is none: --off says so")
	}
	if err != nil {
		return usageTry(err, "spoor vault retention --help")
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if set {
		return o.setRetention(s, wanted, f.reason)
	}
	state, top, err := o.lookState(s)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	return o.showRetention(state)
}

func (o *options) setRetention(s *server, wanted vault.Retention, reason string) error {
	top, err := disk.Open(s.root.Dir(), o.env.Seam)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	state, err := o.lockState(top)
	if err != nil {
		return err
	}
	defer state.Close()
	record := remedy.Record{
		Time: o.env.Now().UTC(), By: o.operator(), Reason: reason, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name,
		Selector: retentionWords(wanted),
	}
	if err := state.SetRetention(wanted, record); err != nil {
		return err
	}
	return o.showRetention(state)
}

func (o *options) showRetention(state *remedy.State) error {
	words := retentionWords(state.Retention())
	line := "everything stays until it is purged"
	if len(words) > 0 {
		line = "messages are to stay within: " + strings.Join(words, " ")
	}
	if _, err := fmt.Fprintln(o.env.Out, line); err != nil {
		return err
	}
	over := o.overdue(state)
	if over.Bytes == 0 {
		return nil
	}
	_, err := fmt.Fprintf(o.env.Out, "%d bytes are past that; to purge them: %s\n", over.Bytes, o.spoor("vault purge"))
	return err
}

// retentionWords are the flags that set a retention.
func retentionWords(r vault.Retention) []string {
	var words []string
	if r.MaxAge > 0 {
		age := r.MaxAge.String()
		if r.MaxAge%(24*time.Hour) == 0 {
			age = strconv.Itoa(int(r.MaxAge/(24*time.Hour))) + "d"
		}
		words = append(words, "--older", age)
	}
	if r.MaxBytes > 0 {
		words = append(words, "--size", sizeFlag(r.MaxBytes))
	}
	if r.MaxShare > 0 {
		words = append(words, "--share", strconv.FormatFloat(r.MaxShare*100, 'g', 6, 64))
	}
	return words
}

// sizeFlag is the inverse of bytesOf.
func sizeFlag(bytes int64) string {
	for _, unit := range []struct {
		letter string
		shift  int
	}{{"T", 40}, {"G", 30}, {"M", 20}, {"K", 10}} {
		if bytes%(1<<unit.shift) == 0 {
			return strconv.FormatInt(bytes>>unit.shift, 10) + unit.letter
		}
	}
	return strconv.FormatInt(bytes, 10)
}

// overdue is what of the vault is past its retention. Where that cannot be told,
// vault ls and purge say why.
func (o *options) overdue(state *remedy.State) report.Overdue {
	bytes, err := state.Overdue(o.env.Now())
	if err != nil {
		return report.Overdue{}
	}
	return report.Overdue{Bytes: bytes, Purge: "spoor vault purge"}
}

// overdueOf is overdue for a command that has no state folder open.
func (o *options) overdueOf(s *server) report.Overdue {
	state, top, err := o.lookState(s)
	if err != nil {
		return report.Overdue{}
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	return o.overdue(state)
}
