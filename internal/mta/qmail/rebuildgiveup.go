package qmail

import (
	"errors"
	"fmt"
	"path"
)

// ErrHalf is returned by GiveUp where what was begun must be finished: the text says
// why, and what to do.
var ErrHalf = errors.New("it cannot be given up as it is")

// GiveUp tells for people what a rebuild leaves that is not finished: nothing of which
// a message depends on is left half done. verb is what was being done: rebuild, undo,
// late or purge. dry changes nothing; else what was built and is not in place is
// removed. It returns ErrHalf where messages would be left in a tree that qmail does
// not work on.
func (r *Rebuild) GiveUp(verb string, dry bool) (string, error) {
	rec, err := r.load()
	if err != nil && !errors.Is(err, ErrNoRebuild) {
		return "", err
	}
	if _, err := r.home.Stat(r.name); err != nil {
		return "", fmt.Errorf("%s is not there, since two trees were changing places: %w: have it finished by any command that changes something, or put %s back under that name by hand",
			r.place, ErrHalf, path.Join(path.Dir(r.place), r.name+oldInfix+r.plan))
	}
	switch {
	case rec == nil && verb == "rebuild":
		return r.giveUpBuilt(dry)
	case rec == nil:
		return "nothing of it is left: " + r.place + " is the queue", nil
	}
	p, err := r.locate(rec)
	if err != nil {
		return "", err
	}
	old := path.Join(path.Dir(r.place), p.old)
	switch {
	case rec.Phase == phaseBuilt && p.old == r.name && verb == "rebuild":
		return r.giveUpBuilt(dry)
	case rec.Phase == phaseDone && p.new == r.name && p.old != "":
		return "the new tree is the queue, and is whole; the old one stays as " + old + ": queue rebuild --late, --undo and --purge go on with it", nil
	case rec.Phase == phasePurging && p.new == r.name:
		return "the new tree is the queue, and is whole; of the old one, of which nothing is needed, a part may be left: queue rebuild --purge removes it", nil
	case rec.Phase == phaseBuilt:
		return "", fmt.Errorf("the new tree is the queue already, and what was queued meanwhile may be in %s alone: %w: only the rest of the rebuild carries that over, which any command that changes something does once the disk can be written", old, ErrHalf)
	default:
		return "", fmt.Errorf("the old tree is being put back, and messages of the new one may be in it alone: %w: any command that changes something does the rest once the disk can be written", ErrHalf)
	}
}

// giveUpBuilt gives up a tree that is not in place.
func (r *Rebuild) giveUpBuilt(dry bool) (string, error) {
	const words = "the queue is the tree that it was, and nothing in it was changed"
	if dry {
		return words + "; what was built beside it is to be removed", nil
	}
	if err := r.clear(); err != nil {
		return words + "; what was built beside it could not be removed (" + err.Error() + "): it has no message that the queue has not", nil //nolint:nilerr // it is told, and harms nobody
	}
	return words + "; what was built beside it is removed", nil
}
