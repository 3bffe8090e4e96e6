package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/recorder"
	"spoor/internal/remedy"
	"spoor/internal/shim"
)

// shimFlags say how the shim is put in.
type shimFlags struct {
	changeFlags
	php     bool
	program string
}

func shimInstallCommand(o *options) *cobra.Command {
	f := &shimFlags{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "put the shim in front of sendmail",
		Long: `install puts spoor-sendmail in place of /usr/sbin/sendmail, which gets another name
by dpkg-divert: its package's next version goes under that name too. Where there is no
dpkg it is renamed, and a package's next version may take its name back. The recorder
becomes a service of systemd, which starts with its socket. With --php nothing is
replaced: files for PHP set sendmail_path, which PHP's mail() calls.

It shows a plan first. "spoor shim remove", or "spoor undo", takes it back.`,
		Example: `  spoor shim install -n
  spoor shim install
  spoor shim install --php --yes --reason "which script sends?"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.shimInstall(cmd.Context(), f) },
	}
	f.addTo(cmd)
	cmd.Flags().BoolVar(&f.php, "php", false, "only what PHP's mail() sends: sendmail_path in a file of its own for each PHP")
	cmd.Flags().StringVar(&f.program, "program", "", "the shim is `FILE` (default spoor-sendmail beside spoor, or in /usr/lib/spoor)")
	return cmd
}

// addTo adds the flags of changes that are no change of messages.
func (f *shimFlags) addTo(cmd *cobra.Command) {
	f.add(cmd)
	for _, name := range []string{"stop", "max"} {
		_ = cmd.Flags().MarkHidden(name)
	}
}

func (o *options) shimInstall(ctx context.Context, f *shimFlags) error {
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if !s.root.Live() {
		return refuse("the shim is put in on the running server only: it needs a recorder", "nothing was changed", "")
	}
	if _, err := o.finishCutOff(ctx, s, &f.changeFlags); err != nil {
		return err
	}
	programs := programsBeside()
	if f.program != "" {
		programs.Shim = f.program
	}
	if err := trusted(programs.Shim); err != nil {
		return err
	}
	propose, selector := recorder.InFront, []string(nil)
	if f.php {
		propose, selector = recorder.InPHP, []string{"--php"}
	}
	proposal, err := propose(s.root, programs)
	if err != nil {
		return refuse(err.Error(), "nothing was changed", o.spoor("shim status"))
	}
	return o.carryOut(ctx, s, &spoor.Plan{
		Action: spoor.ActionShim, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name, Selector: selector,
		Steps: proposal.Steps, Open: proposal.Open, ByHand: proposal.ByHand,
	}, &f.changeFlags)
}

// programsBeside finds the shim beside the program that runs.
func programsBeside() recorder.Programs {
	p := recorder.Programs{Shim: "/usr/lib/spoor/" + shim.Name, Spoor: "/usr/bin/spoor"}
	exe, err := os.Executable()
	if err != nil {
		return p
	}
	p.Spoor = exe
	if beside := filepath.Join(filepath.Dir(exe), shim.Name); regularFile(beside) {
		p.Shim = beside
	}
	return p
}

func regularFile(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}

// trusted refuses a program that others than root could replace: every user is going
// to run it.
func trusted(name string) error {
	if why := untrusted(name); why != "" {
		return refuse("the shim cannot be taken: "+why, "nothing was changed", "")
	}
	return nil
}

// untrusted says why others than root could replace a program; "" if they cannot.
func untrusted(name string) string {
	for at := filepath.Clean(name); ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		switch st, ok := sysStat(info); {
		case err != nil:
			return err.Error()
		case !ok || st.Uid != 0:
			return at + " does not belong to root"
		case info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0:
			return "others may write to " + at
		case at == name && !info.Mode().IsRegular():
			return at + " is no file"
		}
		if at == "/" || at == "." {
			break
		}
	}
	if !filepath.IsAbs(name) {
		return name + " is no absolute path"
	}
	return ""
}

func sysStat(info os.FileInfo) (*syscall.Stat_t, bool) {
	if info == nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}

func shimRemoveCommand(o *options) *cobra.Command {
	f := &shimFlags{}
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "take the shim away again",
		Long: `remove takes back what "spoor shim install" has done last, as "spoor undo" would. The
log and the key stay, so that messages that carry an ID can still be explained. So
do held messages: see "spoor shim held".`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.shimRemove(cmd.Context(), f) },
	}
	f.addTo(cmd)
	return cmd
}

func (o *options) shimRemove(ctx context.Context, f *shimFlags) error {
	plan, err := o.shimPlan(ctx)
	if err != nil {
		return err
	}
	return o.undo(ctx, []string{plan}, &f.changeFlags)
}

// shimPlan is the plan that has put the shim in.
func (o *options) shimPlan(ctx context.Context) (string, error) {
	s, err := o.examine(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	state, top, err := o.lookState(s)
	if err != nil {
		return "", err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	plans := state.Journal.Plans()
	i := slices.IndexFunc(plans, func(p *remedy.Past) bool {
		return p.Action == spoor.ActionShim.String() && p.UndoneBy == "" && p.Undoable()
	})
	if i < 0 {
		return "", nothing("spoor has put no shim in here that is not taken away", o.spoor("shim status"))
	}
	for j := len(plans) - 1; j > i; j-- {
		if p := plans[j]; p.Action == spoor.ActionShim.String() && p.UndoneBy == "" && p.Undoable() {
			i = j
			break
		}
	}
	return plans[i].Plan, nil
}
