package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"spoor"
)

func queueRemoveCommand(o *options) *cobra.Command {
	return o.changeCommand(spoor.ActionRemove, "take messages out of the queue, into the vault", `rm takes the messages that all selectors match out of the queue. They are not
deleted: they wait in the vault, whole, with the marks of what was delivered, and
"spoor undo" puts them back so that no recipient gets a second copy.

Each message is looked at again under the MTA's own lock just before it is
touched. One that has left meanwhile, whose queue ID belongs to another message
now, or that is being delivered at that moment is left alone and told.

Nothing is lost where spoor or the machine is stopped in the middle: the next
command that changes something finishes the rest first.`, `  spoor queue rm -n site:shop.test            what would be done
  spoor queue rm site:shop.test 'age:>2h'
  spoor queue rm account:info@shop.test --yes --reason "stolen password"`)
}

func queueHoldCommand(o *options) *cobra.Command {
	return o.changeCommand(spoor.ActionHold, "keep messages from being delivered until they are released", `hold keeps messages in the queue, and no attempt is made to deliver them:
Postfix's hold queue, Exim's frozen messages. qmail has no such thing; there,
held messages wait in the vault.`, `  spoor queue hold from:@shop.test
  spoor queue ls state:held`)
}

func queueReleaseCommand(o *options) *cobra.Command {
	return o.changeCommand(spoor.ActionRelease, "let held messages be delivered again", `release is the inverse of hold. It releases what the operator has put on hold by
other means, too; with qmail, what "spoor queue hold" has put into the vault.`,
		`  spoor queue release from:@shop.test`)
}

func queueRetryCommand(o *options) *cobra.Command {
	return o.changeCommand(spoor.ActionRetry, "attempt to deliver messages now", `retry asks the MTA to attempt a delivery now instead of at the next scheduled
time. It cannot be undone: what is delivered is delivered.

qmail-send can only be told to try everything; the plan says so.`,
		`  spoor queue retry to:@gmail.com`)
}

func (o *options) changeCommand(action spoor.Action, short, long, example string) *cobra.Command {
	f := &changeFlags{}
	cmd := &cobra.Command{
		Use: action.String() + " SELECTOR…", Short: short, Long: long, Example: example,
		RunE: func(cmd *cobra.Command, args []string) error { return o.changeQueue(cmd.Context(), action, args, f) },
	}
	f.add(cmd)
	return cmd
}

func (o *options) changeQueue(ctx context.Context, action spoor.Action, words []string, f *changeFlags) error {
	if len(words) == 0 {
		return usageTry(errors.New("select messages, for example site:shop.test or 'age:>0s' for all"), "spoor queue "+action.String()+" --help")
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if s.noQueue != nil {
		return s.noQueue
	}
	if _, err := o.finishCutOff(ctx, s, f); err != nil {
		return err
	}
	var p *spoor.Plan
	if action == spoor.ActionRelease && s.adapter.NoHold {
		p, err = o.heldInVault(s, words)
	} else {
		p, err = s.plan(ctx, o, action, words)
	}
	if err != nil {
		return err
	}
	p.ThroughVault = s.adapter.NoHold && (action == spoor.ActionHold || action == spoor.ActionRelease)
	if len(p.Targets) == 0 {
		return nothing("no message matches", o.spoor("queue ls"))
	}
	return o.carryOut(ctx, s, p, f)
}
