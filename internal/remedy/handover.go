package remedy

import (
	"context"
	"errors"
	"fmt"

	"spoor"
	"spoor/internal/vault"
)

// Sender hands messages of the vault to a mail system that they have not met yet.
type Sender interface {
	// Ready reads a message whole and checks it, before anything is noted of it. The
	// caller closes what it returns.
	Ready(p *spoor.Parcel) (Handover, error)
	// Proof says of a message in doubt where the mail system has it; "" where nothing
	// shows that.
	Proof(ctx context.Context, t *spoor.Target) (string, error)
}

// Handover is a message that can be handed over once.
type Handover interface {
	// Send returns nil where the mail system has accepted the message, an error with
	// ErrInDoubt in its chain where nobody can tell, and any other where it has not.
	Send(ctx context.Context) error
	Close() error
}

// ErrInDoubt is in the chain of an error about a message that may have been sent.
var ErrInDoubt = errors.New("it may have been sent")

// handover moves messages from the vault to sendmail. That is no step that can be
// repeated: what is about to be sent is noted in the vault before, durably, and
// whoever finds such a note without its end does not send the message again.
type handover struct {
	restoration // for its writers of the vault

	again bool
}

// do hands over one message.
func (h *handover) do(ctx context.Context, batch []spoor.Target, span span) ([]spoor.Outcome, error) {
	outcomes := make([]spoor.Outcome, len(batch))
	for i := range batch {
		outcome, err := h.one(ctx, &batch[i], span)
		if outcomes[i] = outcome; err != nil {
			for n := i + 1; n < len(batch); n++ {
				outcomes[n] = failed(err)
			}
			return outcomes, err
		}
	}
	return outcomes, nil
}

// one hands a message over. The error is one of the vault, and ends the plan; the
// outcome is right all the same.
func (h *handover) one(ctx context.Context, t *spoor.Target, span span) (spoor.Outcome, error) {
	v, err := h.vault(t.Vault)
	if err != nil {
		return failed(err), err
	}
	entry, ok, err := v.Look(t.ID, t.Arrived)
	switch {
	case errors.Is(err, vault.ErrBroken):
		return failed(err), err
	case err != nil:
		return failed(err), nil
	case !ok:
		return spoor.Outcome{Result: spoor.ResultGone, Err: errors.New("it is not in the vault")}, nil
	}
	switch mark := entry.Mark; {
	case mark.Fate == vault.FateRestored && span.begun:
		return spoor.Outcome{}, nil // and the run was cut off behind that
	case mark.Fate == vault.FateRestored:
		return spoor.Outcome{Result: spoor.ResultGone, Err: errors.New("it was released already")}, nil
	case mark.Fate == vault.FateRestoring && (mark.By == h.plan || !h.again):
		return h.doubtful(ctx, t, &entry)
	case mark.Fate == vault.FateRestoring:
		if outcome, err := h.doubtful(ctx, t, &entry); err != nil || !errors.Is(outcome.Err, ErrInDoubt) {
			return outcome, err
		}
	}
	return h.send(ctx, &entry)
}

// doubtful is for a message whose release was cut off. Where the journal or the queue
// shows that it was sent, the vault learns it. Else it stays as it is.
func (h *handover) doubtful(ctx context.Context, t *spoor.Target, entry *vault.Entry) (spoor.Outcome, error) {
	where, err := h.proof(ctx, t, entry)
	if err != nil || where == "" {
		return failed(fmt.Errorf("its release was cut off: %w; --again sends it all the same", errors.Join(ErrInDoubt, err))), nil
	}
	if err := h.note(entry, vault.Mark{Fate: vault.FateRestored}); err != nil {
		return failed(err), err
	}
	if entry.Mark.By == h.plan {
		return spoor.Outcome{}, nil
	}
	return spoor.Outcome{Result: spoor.ResultGone, Err: fmt.Errorf("it was sent when its release was cut off: %s", where)}, nil
}

func (h *handover) proof(ctx context.Context, t *spoor.Target, entry *vault.Entry) (string, error) {
	if by := entry.Mark.By; by != "" && by != h.plan {
		p, err := h.work.State.Plan(by)
		if err != nil {
			return "", nil //nolint:nilerr // nothing is known of it any more
		}
		for _, done := range h.work.State.Journal.Of(by).Handled(p.Targets) {
			if done.ID == t.ID && done.Arrived.Equal(t.Arrived) {
				return "plan " + by + " has noted that", nil
			}
		}
	}
	return h.work.Sender.Proof(ctx, t)
}

// send notes that the message is about to be sent, and sends it.
func (h *handover) send(ctx context.Context, entry *vault.Entry) (spoor.Outcome, error) {
	parcel, err := h.work.State.Vault.Parcel(*entry)
	if err != nil {
		return failed(err), nil
	}
	ready, err := h.work.Sender.Ready(parcel)
	if err != nil {
		return failed(err), nil
	}
	defer func() { _ = ready.Close() }()
	doubt := vault.Mark{Fate: vault.FateRestoring, By: h.plan, Prepared: spoor.Prepared{Tag: "sendmail", OldID: entry.ID}}
	if err := h.note(entry, doubt); err != nil {
		return failed(err), err // nothing was sent
	}
	outcome, after := spoor.Outcome{}, vault.Mark{Fate: vault.FateRestored}
	if err := ready.Send(ctx); errors.Is(err, ErrInDoubt) {
		return failed(err), nil
	} else if err != nil {
		outcome, after = failed(err), vault.Mark{Fate: vault.FateStored}
	}
	return outcome, h.note(entry, after)
}

// note makes durable what the vault says of a message, or leaves it as it was.
func (h *handover) note(entry *vault.Entry, m vault.Mark) error {
	m.Time = h.work.Now().UTC()
	v := h.vaults[entry.Plan]
	err := v.Mark(entry.Ref, m)
	if err == nil {
		err = v.Sync()
	}
	if err != nil {
		delete(h.vaults, entry.Plan)
		return fmt.Errorf("write the vault: %w", errors.Join(err, v.Abandon()))
	}
	return nil
}
