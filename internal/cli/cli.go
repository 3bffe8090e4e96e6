// Package cli is the command line: the only place where the rooms are
// connected. Arguments come in; each command, in a file of its own, asks host,
// mta, panel, trace and verdict, and hands what they say to report.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"spoor/internal/disk"
	"spoor/internal/guard"
	"spoor/internal/report"
)

// Environment is what a command may use of the process it runs in.
type Environment struct {
	In       io.Reader
	Out, Err io.Writer
	Now      func() time.Time
	Zone     *time.Location // of the times that a person reads
	Getenv   func(string) string

	OutColumns  int                        // width of the terminal behind Out; 0 where it is none
	OutSize     func() (columns, rows int) // of that terminal now; nil where it does not change
	ErrTerminal bool                       // whether progress may be drawn on Err
	InTerminal  bool                       // whether a question can be answered on In

	Seam disk.Seam // of all changes; nil but in tests
}

// System is the environment of the running process.
func System() Environment {
	env := Environment{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now, Zone: time.Local, Getenv: os.Getenv}
	if columns, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		env.OutColumns, env.OutSize = columns, outSize
	}
	env.ErrTerminal = term.IsTerminal(int(os.Stderr.Fd()))
	env.InTerminal = term.IsTerminal(int(os.Stdin.Fd()))
	return env
}

// outSize asks the terminal behind standard output.
func outSize() (columns, rows int) {
	columns, rows, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || columns < 1 || rows < 1 {
		return 80, 24
	}
	return columns, rows
}

// Main runs spoor with arguments and returns its exit status.
func Main(args []string, env Environment) int {
	if len(args) > 0 && args[0] == guard.Word {
		return guard.Main(args[1:]) // no command of people
	}
	guard.CatchHangups()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := Command(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	status := exitStatus(ctx, err, env)
	if isUsage(err) && slices.Contains(args, "--check") {
		return int(report.StatusUnknown) // to a monitoring system, 2 is a spam source
	}
	return status
}

// Command is the tree of all commands, for running and for making documents.
func Command(env Environment) *cobra.Command {
	o := &options{env: env}
	root := &cobra.Command{
		Use:   "spoor",
		Short: "who sends the spam in this mail server's queue, and what proves it",
		Long: `spoor reads the queue and the log of a mail server (qmail, Postfix or Exim) and
says who sends the spam: an account, a site, a script's user, an address that
relays, with the proof of each. It needs no configuration. What it changes, it
changes on demand only, after showing a plan, and takes back with "spoor undo".

Without a command it does what "spoor who" does.

Exit status:

    0    done
    1    failure
    2    the command line is wrong
    3    nothing matched
    4    partial: what could not be read or done is told
    5    refused: not confirmed, more than --max, or not safe now
    6    no supported MTA, or no permission
    7    another spoor is changing this server
    130  interrupted`,
		Example: `  spoor                          the answer for this server
  spoor --root /mnt/disk         the answer for a mounted or captured server
  spoor show site:shop.test      everything that speaks for and against a source
  spoor explain 2996948          where one message came from
  spoor queue ls site:shop.test  its messages`,
		Args:                       noCommand,
		SilenceErrors:              true,
		SilenceUsage:               true,
		DisableAutoGenTag:          true,
		SuggestionsMinimumDistance: 2,
		PersistentPreRunE:          o.refuseCheck,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return o.who(cmd.Context()) },
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	o.addFlags(root)
	root.AddCommand(
		whoCommand(o), showCommand(o), explainCommand(o), traceCommand(o), logsCommand(o), compatCommand(o),
		queueCommand(o), vaultCommand(o),
		liveCommand(o), stopCommand(o), unstopCommand(o), fixCommand(o), auditCommand(o), shimCommand(o),
		undoCommand(o), journalCommand(o),
		reportCommand(o), bundleCommand(o),
	)
	root.InitDefaultCompletionCmd()
	return root
}

// noArgs refuses words behind a command that takes none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageTry(fmt.Errorf("%s takes no argument, and got %q", cmd.CommandPath(), args[0]), cmd.CommandPath()+" --help")
}

// refuseCheck refuses --check where it means nothing.
func (o *options) refuseCheck(cmd *cobra.Command, _ []string) error {
	if o.check && cmd.HasParent() && cmd.Name() != "who" {
		return usage(errors.New("--check belongs to spoor who"))
	}
	return nil
}

// noCommand refuses words that are no command, with the nearest that is.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usageTry(err, "spoor "+near[0])
	}
	return usageTry(err, "spoor --help")
}
