package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/origin"
	"spoor/internal/recorder"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/vault"
)

// How long a command waits while another process moves held messages: one that only
// looks does without, one that changes something must not miss any.
const (
	lookWait   = time.Second
	changeWait = 30 * time.Second
)

// takeIn moves what the shim holds into the vault, so that the command that follows
// finds all of it there. Where nothing was ever held it does nothing.
func (o *options) takeIn(ctx context.Context, wait time.Duration) error {
	top, err := disk.Open(o.root, o.env.Seam)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	parent, name, err := o.statePlace(top)
	if err != nil {
		return err
	}
	if parent != top {
		defer func() { _ = parent.Close() }()
	}
	if held, err := holds(parent, name); err != nil || !held {
		return err
	}
	state, err := remedy.OpenState(parent, name)
	if err != nil {
		return unusable(err)
	}
	defer state.Close()
	in, err := o.intake(ctx, state, wait)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return takeAll(ctx, in)
}

// holds reports whether there is a folder of held messages.
func holds(parent *disk.Dir, name string) (bool, error) {
	dir, err := parent.OpenDir(name + "/" + origin.HeldName)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // which the command itself tells
		return false, nil
	}
	if err != nil {
		return false, unusable(err)
	}
	return true, dir.Close()
}

// intake locks the store of held messages.
func (o *options) intake(ctx context.Context, state *remedy.State, wait time.Duration) (*recorder.Intake, error) {
	in, err := recorder.WaitIntake(ctx, state.Dir(), state.Vault, o.env.Now, wait)
	if errors.Is(err, disk.ErrLocked) {
		return nil, &statusError{status: exitLocked, err: &spoor.Problem{What: "another process is moving held messages: " + err.Error(), So: "nothing was changed", Err: err}}
	}
	return in, err
}

// takeAll moves all that can be moved. The error tells of what cannot, too.
func takeAll(ctx context.Context, in *recorder.Intake) error {
	done, err := in.Take(ctx, 0)
	if err == nil && done.Failed > 0 {
		err = fmt.Errorf("%d cannot be taken into the vault: %w", done.Failed, done.Err)
	}
	return err
}

// takeInToLook is takeIn for a command that only looks: it goes on without what is
// not in the vault, and says so.
func (o *options) takeInToLook(ctx context.Context) {
	if err := o.takeIn(ctx, lookWait); err != nil {
		fmt.Fprintln(o.env.Err, "spoor: held messages that are not in the vault are not told of:", report.Escape(err.Error()))
	}
}

// heldMail lists what the shim holds, in the vault and outside.
func (o *options) heldMail() (list []recorder.Held, damaged int, err error) {
	top, err := disk.Open(o.root, nil)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = top.Close() }()
	parent, name, err := o.statePlace(top)
	if err != nil {
		return nil, 0, err
	}
	if parent != top {
		defer func() { _ = parent.Close() }()
	}
	state, err := parent.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = state.Close() }()
	vaults, err := state.OpenDir(vault.FolderName)
	if errors.Is(err, fs.ErrNotExist) {
		return recorder.Waiting(state, nil)
	}
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = vaults.Close() }()
	v, err := vault.Open(vaults)
	if err != nil {
		return nil, 0, err
	}
	return recorder.Waiting(state, v)
}

func heldRows(list []recorder.Held) []report.HeldMessage {
	var rows []report.HeldMessage
	for i := range list {
		h := &list[i]
		row := report.HeldMessage{
			Name: h.Name, Time: h.Time, UID: h.UID, User: h.User, Script: h.Script, Limit: h.Limit, Sender: h.Sender, MessageID: h.MessageID,
			Recipients: h.Recipients, SizeBytes: h.SizeBytes, Uncertain: h.InDoubt, Plan: h.By,
		}
		if h.Entry != nil {
			row.Vault, row.Sender, row.Subject, row.Recipients = h.Entry.Plan, h.Entry.Sender, h.Entry.Subject, h.Entry.Recipients
		}
		rows = append(rows, row)
	}
	return rows
}
