package remedy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"spoor"
	"spoor/internal/vault"
)

// Whereabouts is where a message of a plan is that was cut off.
type Whereabouts uint8

// The places. Nobody can tell of a disk that does not answer: then it is unknown.
const (
	InQueue  Whereabouts = iota // the MTA delivers it
	InVault                     // there, and out of the MTA's reach
	Beside                      // in the holding place of the plan alone
	Departed                    // in none of them: it was delivered or removed meanwhile
	Unknown                     // the disk does not tell
)

var whereaboutsNames = [...]string{"queue", "vault", "beside", "gone", "unknown"}

// AllWhereabouts lists every Whereabouts, in the order of their constants.
func AllWhereabouts() []Whereabouts {
	return []Whereabouts{InQueue, InVault, Beside, Departed, Unknown}
}

// String returns the word of reports.
func (w Whereabouts) String() string {
	if int(w) < len(whereaboutsNames) {
		return whereaboutsNames[w]
	}
	return fmt.Sprintf("whereabouts(%d)", uint8(w))
}

// Located is a message with its place.
type Located struct {
	Target *spoor.Target
	index  int // in the plan
	entry  *vault.Entry
	Where  Whereabouts
	Left   bool  // a second copy, of no use, is left in the holding place
	Err    error // why it is not known, or could not be brought to where it belongs
}

// GivingUp is what the caller knows: of the queue, and who gives up a plan.
type GivingUp struct {
	By     string
	Reason string

	// InQueue reports whether the MTA will deliver a message.
	InQueue func(ctx context.Context, t *spoor.Target) (bool, error)
	// Gone reports whether an error of Controller.Pack says that nothing is in the
	// holding place.
	Gone func(err error) bool
}

// ErrWhole is returned for a plan that is one step, not one for each message: such a
// plan is given up by GiveUpWhole.
var ErrWhole = errors.New("is one step, and has no messages to be told of one by one")

// Locate tells where the messages are of the batches that a plan has begun and not
// finished. Those of other batches are as the journal says, or were not touched. It
// changes nothing.
func (w *Work) Locate(ctx context.Context, p *spoor.Plan, with GivingUp) ([]Located, error) {
	marks, err := w.marks(p)
	if err != nil {
		return nil, err
	}
	var list []Located
	for _, batch := range w.State.Journal.Of(p.ID).begun {
		for i := max(batch.from, 0); i < min(batch.to, len(p.Targets)); i++ {
			l := Located{Target: &p.Targets[i], index: i}
			if entry, ok := marks[storedAs(p, l.Target)]; ok {
				l.entry = &entry
			}
			w.locate(ctx, p, &l, with)
			list = append(list, l)
		}
	}
	return list, nil
}

// storedKey names a message in the vault.
type storedKey struct {
	plan string // whose container it is in
	spoor.Key
}

// storedAs names a message of a plan in the vault.
func storedAs(p *spoor.Plan, t *spoor.Target) storedKey {
	key := storedKey{p.ID, spoor.Key{ID: t.ID, Arrived: t.Arrived.UnixNano()}}
	if fromVault(p) {
		key.plan = t.Vault
	}
	return key
}

// fromVault reports whether the messages of a plan are in the vault when it begins.
func fromVault(p *spoor.Plan) bool {
	action := effective(p)
	return action == spoor.ActionRestore || action == spoor.ActionShimRelease
}

// marks are what the vault has of the messages of a plan.
func (w *Work) marks(p *spoor.Plan) (map[storedKey]vault.Entry, error) {
	marks := map[storedKey]vault.Entry{}
	plans := map[string]bool{}
	switch effective(p) {
	case spoor.ActionRemove:
		plans[p.ID] = true
	case spoor.ActionRestore, spoor.ActionShimRelease:
		for i := range p.Targets {
			plans[p.Targets[i].Vault] = true
		}
	case spoor.ActionFreeze, spoor.ActionThaw, spoor.ActionRebuild:
		return nil, fmt.Errorf("%s %w", p.Action, ErrWhole)
	default:
	}
	for plan := range plans {
		if err := w.marksOf(plan, marks); err != nil {
			return nil, err
		}
	}
	return marks, nil
}

func (w *Work) marksOf(plan string, marks map[storedKey]vault.Entry) error {
	if _, err := w.State.Vault.Stat(plan); errors.Is(err, fs.ErrNotExist) {
		return nil // it has stored nothing yet
	} else if err != nil {
		return fmt.Errorf("read the vault: %w", err)
	}
	for entry, err := range w.State.Vault.Entries(plan) {
		if errors.Is(err, vault.ErrDamaged) {
			continue // such a message is not in the vault for sure
		}
		if err != nil {
			return fmt.Errorf("read the vault: %w", err)
		}
		if fate := entry.Mark.Fate; !entry.Damaged && fate != vault.FateVoid && fate != vault.FatePurged {
			marks[storedKey{plan, entry.Key()}] = entry
		}
	}
	return nil
}

func (w *Work) locate(ctx context.Context, p *spoor.Plan, l *Located, with GivingUp) {
	if fromVault(p) {
		l.restoring(p)
		return
	}
	beside, err := w.beside(p, l.Target, with)
	queued, failed := with.InQueue(ctx, l.Target)
	switch {
	case queued && (l.entry == nil || !beside && err == nil):
		l.Where, l.Left = InQueue, beside
	case l.entry != nil:
		l.Where, l.Left, l.Err = InVault, beside || err != nil, err
	case beside:
		l.Where = Beside
	case err != nil || failed != nil:
		l.Where, l.Err = Unknown, errors.Join(err, failed)
	default:
		l.Where = Departed
	}
}

// beside reports whether a message is in the holding place. Only a removal puts
// any there.
func (w *Work) beside(p *spoor.Plan, t *spoor.Target, with GivingUp) (bool, error) {
	if effective(p) != spoor.ActionRemove {
		return false, nil
	}
	_, err := w.Controller.Pack(t)
	if err != nil && with.Gone(err) {
		return false, nil
	}
	return err == nil, err
}

// restoring is locate for a message that was about to return.
func (l *Located) restoring(p *spoor.Plan) {
	switch {
	case l.entry == nil:
		l.Where = Departed
	case l.entry.Mark.Fate == vault.FateRestored:
		l.Where = InQueue
	case l.entry.Mark.Fate == vault.FateStored:
		l.Where = InVault
	case p.Action == spoor.ActionShimRelease:
		l.Where, l.Err = Unknown, ErrInDoubt
	default:
		l.Where, l.Err = Unknown, fmt.Errorf("it is in the queue as %s, or waits beside it", l.entry.Mark.Prepared.NewID)
	}
}

// GiveUp ends a plan that was cut off and cannot be finished, so that no later one
// has to wait for it. Message by message it brings to an end what can be: what is
// beside the queue alone goes back into the queue, and what was about to return is
// published. Nothing is removed that is not stored elsewhere, and what fails stays
// where it is. It returns where the messages are then. Of a plan that is given up
// already it tries the same again.
func (w *Work) GiveUp(ctx context.Context, p *spoor.Plan, with GivingUp) ([]Located, error) {
	list, err := w.Locate(ctx, p, with)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	switch effective(p) {
	case spoor.ActionRemove:
		err = w.settleRemoval(ctx, p, list)
	case spoor.ActionRestore:
		err = w.settleRestoration(ctx, p, list)
	default:
	}
	if err != nil {
		return nil, err
	}
	after, err := w.Locate(ctx, p, with)
	if err != nil {
		return nil, err
	}
	for i := range after {
		after[i].Err = errors.Join(list[i].Err, after[i].Err)
	}
	return after, w.State.Journal.Write(Record{
		Time: w.Now().UTC(), Plan: p.ID, Event: EventGivenUp, By: with.By, Reason: with.Reason, Messages: len(after), Counts: countWhere(after),
	})
}

// GiveUpWhole ends a plan that is one step, of which the caller has made sure that it
// can be left as it is. state says for people how that is.
func (w *Work) GiveUpWhole(p *spoor.Plan, with GivingUp, state string) error {
	return w.State.Journal.Write(Record{
		Time: w.Now().UTC(), Plan: p.ID, Event: EventGivenUp, By: with.By, Reason: with.Reason + " (" + state + ")",
	})
}

func countWhere(list []Located) map[string]int {
	counts := map[string]int{}
	for i := range list {
		counts[list[i].Where.String()]++
	}
	return counts
}

// settleRemoval puts back what is not in the vault, each message by itself: also of
// what is in the queue there may be a second name beside it, or it is on hold. What
// is in the queue whole is not in the vault too.
func (w *Work) settleRemoval(ctx context.Context, p *spoor.Plan, list []Located) error {
	for i := range list {
		l := &list[i]
		if l.entry != nil || l.Where == Departed {
			continue
		}
		results, err := w.Controller.PutBack(ctx, []spoor.Target{*l.Target})
		l.Err = err
		if err == nil && results[0].Result != spoor.ResultDone && results[0].Result != spoor.ResultGone {
			l.Err = results[0].Err
		}
	}
	return errors.Join(w.Controller.Settle(), w.voidCopies(p, list))
}

// voidCopies marks what the vault has of messages that are in the queue.
func (w *Work) voidCopies(p *spoor.Plan, list []Located) error {
	var out *vault.Writer
	for i := range list {
		if list[i].Where != InQueue || list[i].entry == nil {
			continue
		}
		if out == nil {
			var err error
			if out, err = w.State.Vault.Append(p.ID); err != nil {
				return fmt.Errorf("open the vault: %w", err)
			}
		}
		if err := out.Mark(list[i].entry.Ref, vault.Mark{Fate: vault.FateVoid, Time: w.Now().UTC()}); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	if out == nil {
		return nil
	}
	return errors.Join(out.Sync(), out.Close())
}

// settleRestoration publishes what was prepared, each message by itself. Where that
// fails, the vault's note stays: no later plan takes the message for one that is
// not in the queue.
func (w *Work) settleRestoration(ctx context.Context, p *spoor.Plan, list []Located) error {
	r := &restoration{work: w, plan: p.ID, vaults: map[string]*vault.Writer{}}
	defer r.close()
	for i := range list {
		switch l := &list[i]; l.Where {
		case Unknown:
			l.Err = r.publishOne(ctx, l.Target)
		case InVault: // of which the files may have been written already
			l.Err = w.Controller.Withdraw(ctx, []spoor.Prepared{half(l.entry, spoor.Prepared{Tag: tagOf(l.index)})})
		default:
		}
	}
	return w.Controller.Settle()
}

func (r *restoration) publishOne(ctx context.Context, t *spoor.Target) error {
	entry, outcome, err := r.look(t)
	if err != nil || entry == nil || entry.Mark.Fate != vault.FateRestoring {
		return errors.Join(err, outcome.Err)
	}
	outcomes := make([]spoor.Outcome, 1)
	err = r.publish(ctx, []waiting{{entry: *entry, prepared: entry.Mark.Prepared}}, outcomes)
	return errors.Join(err, outcomes[0].Err)
}
