package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"spoor"
	"spoor/internal/disk"
)

// Undo puts the old tree back in the place of the queue, with all that was queued
// into the new one since, and removes the new one. It returns mta.ErrRunning, or
// ErrUsed if a message was delivered, bounced or removed in the new tree: it
// would be sent again.
func (r *Rebuild) Undo(ctx context.Context) (*spoor.Rebuilding, error) {
	rec, err := r.load()
	if err != nil {
		return nil, err
	}
	if rec.Phase == phasePurging {
		return nil, fmt.Errorf("the old tree of plan %s is being removed: %w", r.plan, ErrUnfit)
	}
	p, err := r.locate(rec)
	if err != nil {
		return nil, err
	}
	old, made, err := r.openTrees(p)
	if err != nil {
		return nil, err
	}
	defer closeTrees(old, made)
	if old == nil || made == nil && rec.Phase != phaseUndone {
		return nil, fmt.Errorf("plan %s: one of the two trees is missing: %w", r.plan, ErrUnfit)
	}
	for _, tree := range []*disk.Dir{old, made} {
		if tree == nil {
			continue
		}
		if err := r.lock(tree); err != nil {
			return nil, err
		}
	}
	// A run that was interrupted before the exchange may have let qmail work on.
	if p.new == r.name || rec.Phase != phaseUndoing && rec.Phase != phaseUndone {
		if err := r.unused(ctx, made); err != nil {
			return nil, err
		}
		if err := r.save(rec, phaseUndoing); err != nil {
			return nil, err
		}
	}
	return r.goBack(ctx, rec, trees{old, made})
}

// unused returns ErrUsed unless each message that was carried over is in the new
// tree still, with as many recipients to do.
func (r *Rebuild) unused(ctx context.Context, made *disk.Dir) error {
	dir, err := r.aside()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	known, _, err := readMoved(dir)
	if err != nil {
		return err
	}
	list, err := r.readTree(made, func(uint64) bool { return false })
	if err != nil {
		return err
	}
	for i := range list {
		m := &list[i]
		undone, was := known.undone[m.id]
		if was && m.carriedStage() && m.newID() == m.id && m.undone == undone {
			delete(known.undone, m.id)
		}
	}
	if n := len(known.undone); n > 0 {
		return fmt.Errorf("%d messages were delivered, bounced or removed there, at least in part: the old tree would send them again; "+
			"to go back to the old layout, rebuild with it: %w", n, ErrUsed)
	}
	return ctx.Err()
}

// goBack does what is left of an undo.
func (r *Rebuild) goBack(ctx context.Context, rec *rebuildRecord, t trees) (*spoor.Rebuilding, error) {
	p, err := r.locate(rec)
	if err != nil {
		return nil, err
	}
	away := r.name + newInfix + r.plan
	if err := r.swap(p.old, away); err != nil {
		return nil, fmt.Errorf("put the old tree in place: %w", err)
	}
	if p, err = r.locate(rec); err != nil {
		return nil, err
	}
	if err := r.settleNames(p.new, away); err != nil {
		return nil, err
	}
	report := rec.Report
	report.Phase, report.OldTree = "undone", ""
	if rec.Phase == phaseUndoing {
		if report.Late, err = r.bringBack(ctx, rec, t); err != nil {
			return nil, err
		}
		if err := r.save(rec, phaseUndone); err != nil {
			return nil, err
		}
	}
	if err := removeTree(r.home, away); err != nil {
		return nil, err
	}
	return &report, r.forget()
}

// bringBack carries what was queued into the new tree into the old one. It
// returns ErrWriting while somebody writes there.
func (r *Rebuild) bringBack(ctx context.Context, rec *rebuildRecord, t trees) (total int, err error) {
	st, err := t.made.Stat(".")
	if err != nil {
		return 0, err
	}
	looks := r.options.Looks
	if looks == 0 {
		looks = maxLooks
	}
	for {
		writing := writers(st)
		n, err := r.carryBack(rec, t)
		total += n
		if err != nil {
			return total, err
		}
		if looks--; writing == 0 {
			return total, nil
		}
		if looks <= 0 {
			return total, fmt.Errorf("%d processes write into the new tree still; the old one is in place again: undo once more when they have ended: %w", writing, ErrWriting)
		}
		if err := r.pause(ctx); err != nil {
			return total, err
		}
	}
}

func (r *Rebuild) carryBack(rec *rebuildRecord, t trees) (int, error) {
	dir, err := r.aside()
	if err != nil {
		return 0, err
	}
	defer func() { _ = dir.Close() }()
	known, back, err := readMoved(dir)
	if err != nil {
		return 0, err
	}
	list, err := r.readTree(t.made, known.has)
	if err != nil {
		return 0, err
	}
	for i := range list {
		if m := &list[i]; !m.carried() && (m.stage() != stagePartial || m.has(pieceBounce)) {
			return 0, fmt.Errorf("message %d of the new tree is damaged and cannot be carried back; the old tree is in place again, the new one is %s%s%s: %w",
				m.id, r.place, newInfix, r.plan, ErrUnfit)
		}
	}
	c, err := r.careful(t.made, t.old, rec.Before.layout())
	if err != nil {
		return 0, err
	}
	defer c.close()
	arrived := func(m *queueMessage) bool {
		_, was := known.undone[m.newID()]
		return !was && !back[m.newID()]
	}
	again := func(m *queueMessage) bool { return back[m.newID()] }
	return c.bring(dir, list, choice{lineBack, arrived, again})
}

// forget removes the folder of the plan. What was set aside in it is in the old
// tree too.
func (r *Rebuild) forget() error {
	dir, err := r.aside()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	for _, folder := range []string{quarantineDir, lostDir} {
		if err := removeTree(dir, folder); err != nil {
			return err
		}
	}
	return r.retire()
}
