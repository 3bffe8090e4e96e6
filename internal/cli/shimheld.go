package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/recorder"
	"spoor/internal/report"
	"spoor/internal/shim"
)

func shimHeldCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "held",
		Short: "messages over a limit that wait to be released",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return o.shimHeld() },
	}
}

func (o *options) shimHeld() error {
	format, err := o.format("table", "wide", "json", "ids")
	if err != nil {
		return err
	}
	store, err := o.heldStore()
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	list, damaged, err := store.List()
	if err != nil {
		return err
	}
	page := &report.Held{Time: o.env.Now().UTC(), Messages: heldRows(list), Damaged: damaged}
	switch format {
	case "json":
		return page.JSON(o.env.Out)
	case "ids":
		return page.IDs(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}

func (o *options) heldStore() (*recorder.Store, error) {
	if o.root != "/" {
		return nil, usage(errors.New("held messages are handed to the running server's sendmail: without --root"))
	}
	state, err := disk.Open(o.stateDir(), o.env.Seam)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nothing("nothing was ever held here", o.spoor("shim status"))
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = state.Close() }()
	return recorder.OpenStore(state)
}

// releaseFlags say what becomes of held messages.
type releaseFlags struct {
	all    bool
	again  bool
	yes    bool
	dryRun bool
}

func shimReleaseCommand(o *options) *cobra.Command {
	f := &releaseFlags{}
	cmd := &cobra.Command{
		Use:   "release NAME…",
		Short: "hand held messages to the real sendmail",
		Long: `release hands held messages to the real sendmail, with the arguments and as the user
of the one who sent them. A message leaves the store when sendmail has accepted it.
One whose release was cut off may have been sent: it needs --again.`,
		Example: `  spoor shim held
  spoor shim release 20261126T101500-9f86d081884c7d65
  spoor shim release --all --yes`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.shimRelease(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.all, "all", false, "all that are held")
	flags.BoolVar(&f.again, "again", false, "also those whose release was cut off, and that may have been sent")
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "only say what would be released")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	return cmd
}

func (o *options) shimRelease(ctx context.Context, names []string, f *releaseFlags) error {
	if f.all == (len(names) > 0) {
		return usageTry(errors.New("name held messages, or give --all"), o.spoor("shim held"))
	}
	store, err := o.heldStore()
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	list, _, err := store.List()
	if err != nil {
		return err
	}
	if f.all {
		for i := range list {
			if f.again || !list[i].Releasing {
				names = append(names, list[i].Name)
			}
		}
	}
	if len(names) == 0 {
		return nothing("nothing is held", o.spoor("shim status"))
	}
	if err := o.confirmRelease(names, list, f); err != nil || f.dryRun {
		return err
	}
	return o.releaseAll(ctx, store, names, f.again)
}

func (o *options) confirmRelease(names []string, list []recorder.Held, f *releaseFlags) error {
	rows := heldRows(list)
	page := &report.Held{Time: o.env.Now().UTC(), Messages: slices.DeleteFunc(rows, func(h report.HeldMessage) bool { return !slices.Contains(names, h.Name) })}
	if err := page.Text(o.env.Err, o.style()); err != nil || f.yes || f.dryRun {
		return err
	}
	if !o.env.InTerminal || !o.env.ErrTerminal {
		return refuse("there is no terminal to ask on: give --yes", "nothing was released", "")
	}
	return o.askFor(fmt.Sprintf("release %d messages", len(names)))
}

func (o *options) releaseAll(ctx context.Context, store *recorder.Store, names []string, again bool) error {
	left := 0
	for _, name := range names {
		if err := release(ctx, store, name, again); err != nil {
			left++
			fmt.Fprintf(o.env.Err, "spoor: %s stays: %s\n", report.Escape(name), report.Escape(err.Error()))
		}
	}
	fmt.Fprintf(o.env.Err, "spoor: %d of %d messages are sendmail's now\n", len(names)-left, len(names))
	if left > 0 {
		return partial()
	}
	return nil
}

// release hands one message over. It goes back into the store only if sendmail said
// that it has not accepted it.
func release(ctx context.Context, store *recorder.Store, name string, again bool) error {
	h, f, err := store.Take(name, again)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	err = handOver(ctx, &h, f)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return store.Done(name)
	case errors.As(err, &exit) && exit.Exited(), !errors.As(err, &exit):
		return errors.Join(err, store.Back(name))
	}
	return err // ended by a signal: it is not known how far it came
}

// handOver runs the real sendmail as the user who sent the message.
func handOver(ctx context.Context, h *recorder.Held, message io.Reader) error {
	program := ""
	for _, place := range shim.RealPlaces() {
		if info, err := os.Stat(place); err == nil && info.Mode().IsRegular() && program == "" {
			program = place
		}
	}
	if program == "" {
		return &spoor.Problem{What: "there is no real sendmail", So: "the message stays held", Try: "spoor shim status"}
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Args = append([]string{"sendmail"}, h.Args[min(1, len(h.Args)):]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.Stdin = message
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(h.UID), Gid: uint32(h.GID)}}
	output, err := cmd.CombinedOutput()
	if words := strings.TrimSpace(string(output)); err != nil && words != "" {
		return fmt.Errorf("%w: %s", err, words)
	}
	return err
}
