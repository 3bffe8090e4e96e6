package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"spoor/internal/recorder"
	"spoor/internal/report"
)

func shimStatusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "whether the shim is in front of sendmail, and the recorder answers",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.shimStatus(cmd.Context()) },
	}
}

func (o *options) shimStatus(ctx context.Context) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	if o.root != "/" {
		return usage(errors.New("spoor shim status is for the running server: without --root"))
	}
	programs := programsBeside()
	state := recorder.Look(ctx, recorder.System(o.stateDir(), programs.Shim), programs)
	held, damaged, err := o.heldMail()
	if err != nil {
		return err
	}
	page := &report.Shim{
		Time: o.env.Now().UTC(), InFront: state.InFront, Replaced: state.Replaced, Current: state.Current, PHP: state.PHP, Answers: state.Answers, HasKey: state.HasKey,
		LastLine: state.LastLine, LogBytes: state.LogBytes, Limits: state.Limits, Damaged: damaged, Held: heldRows(held),
	}
	if state.ConfigErr != nil {
		page.Config = state.ConfigErr.Error()
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}
