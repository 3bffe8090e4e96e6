package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"spoor/internal/mta"
)

func compatCommand(o *options) *cobra.Command {
	compat := &cobra.Command{
		Use:   "compat",
		Short: "print what the MTA's own tool prints of the same queue",
		Long: `compat prints what the MTA's own tools print, byte for byte, for scripts that
read them and for servers whose tools are not at hand: mounted, captured, or
broken ones.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, adapter := range adapters() {
		for _, tool := range adapter.Tools {
			compat.AddCommand(&cobra.Command{
				Use:   tool.Name,
				Short: tool.Short,
				Args:  noArgs,
				RunE:  func(cmd *cobra.Command, _ []string) error { return o.compat(cmd.Context(), adapter.Name, tool) },
			})
		}
	}
	return compat
}

func (o *options) compat(ctx context.Context, name string, tool mta.Tool) error {
	if _, err := o.format("table"); err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if s.adapter.Name != name {
		return nothing("the queue of this server is not "+possessive(name), o.spoor("queue stat"))
	}
	return tool.Write(s.queue, o.env.Out)
}

// possessive is whose queue it is, in English.
func possessive(name string) string {
	if strings.HasSuffix(name, "x") {
		return name + "'"
	}
	return name + "'s"
}
