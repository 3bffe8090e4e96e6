package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"spoor/internal/report"
)

func shimHeldCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "held",
		Short: "messages over a limit that wait to be released",
		Long: `held lists the messages over a limit that were kept: in the vault, and those that are
on their way into it. "spoor vault ls", cat and export have them too, under the same
name. "spoor shim release" hands them to sendmail, "spoor vault purge" gives them up.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.shimHeld(cmd.Context()) },
	}
}

func (o *options) shimHeld(ctx context.Context) error {
	format, err := o.format("table", "wide", "json", "ids")
	if err != nil {
		return err
	}
	if o.root != "/" {
		return usageTry(errors.New("spoor shim held is for the running server: without --root"), o.spoor("vault ls"))
	}
	o.takeInToLook(ctx)
	list, damaged, err := o.heldMail()
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
