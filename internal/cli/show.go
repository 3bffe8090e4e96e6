package cli

import (
	"context"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/report"
)

func showCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "show SOURCE",
		Short: "all that speaks for and against one source: reasons, quoted proof, sample messages",
		Long: `show prints the evidence of one source, named as "spoor" prints it: kind:name.
Each number comes with the command or the facts that let you count it again.`,
		Example: `  spoor show site:shop.test
  spoor show account:info@shop.test --json`,
		Args: oneArg("name one source, such as site:shop.test"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.show(cmd.Context(), args[0]) },
	}
}

func (o *options) show(ctx context.Context, name string) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	source, err := spoor.ParseSource(name)
	if err != nil {
		return usageTry(err, o.spoor(""))
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	a, err := s.answer(ctx, o)
	if err != nil {
		return err
	}
	line, ok := a.find(source)
	if !ok {
		return nothing("neither queue nor log has a message from "+source.String(), o.spoor(""))
	}
	page := &report.Show{
		Root: s.root.Dir(), Host: s.host, Time: o.env.Now().UTC(), MTA: s.queue.MTA(), Panel: s.panel.Name(),
		Source: line, Complete: a.complete, Gaps: a.gaps,
	}
	if format == "json" {
		err = page.JSON(o.env.Out)
	} else {
		err = page.Text(o.env.Out, o.style())
	}
	if err == nil && !a.complete {
		err = partial()
	}
	return err
}

// oneArg wants one argument and says what it is for.
func oneArg(hint string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usageTry(&spoor.Problem{What: cmd.CommandPath() + ": " + hint}, cmd.CommandPath()+" --help")
	}
}
