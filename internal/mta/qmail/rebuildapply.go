package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// Apply builds the new tree, verifies it, puts it in the place of the old one,
// and carries over what was queued into the old one meanwhile. qmail-send must
// be stopped, and is kept from starting until Close. It returns mta.ErrRunning,
// ErrUnfit, or an error after which the queue is whole: the old one, or the new.
// Called again it goes on, or begins anew if the trees were not exchanged yet.
func (r *Rebuild) Apply(ctx context.Context) (*spoor.Rebuilding, error) {
	report, err := r.apply(ctx)
	if err != nil {
		r.unlock()
	}
	return report, err
}

func (r *Rebuild) apply(ctx context.Context) (*spoor.Rebuilding, error) {
	rec, err := r.load()
	switch {
	case errors.Is(err, ErrNoRebuild):
		rec = nil
	case err != nil:
		return nil, err
	}
	if rec != nil {
		p, err := r.locate(rec)
		if err != nil {
			return nil, err
		}
		switch {
		case rec.Phase == phaseBuilt && p.old == r.name:
			rec = nil // the old queue may have been worked on since: what was built is stale
		case rec.Phase != phaseBuilt && rec.Phase != phaseDone, p.old == r.name:
			return nil, fmt.Errorf("plan %s is being undone or purged: %w", r.plan, ErrUnfit)
		}
	}
	if rec == nil {
		if rec, err = r.build(ctx); err != nil {
			return nil, err
		}
	}
	return r.finish(ctx, rec)
}

// build makes the new tree beside the queue, and the record of it.
func (r *Rebuild) build(ctx context.Context) (*rebuildRecord, error) {
	old, err := r.home.OpenDir(r.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = old.Close() }()
	if err := r.lock(old); err != nil {
		return nil, err
	}
	if err := r.clear(); err != nil {
		return nil, err
	}
	s, err := r.survey(ctx, r.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.top.Close() }()
	if r.options.Empty {
		s.emptied()
	}
	rec, err := r.construct(ctx, s)
	if err != nil {
		// A half-built tree is of no use, and may be what fills the disk.
		return nil, errors.Join(err, r.clear())
	}
	return rec, nil
}

// clear removes what an interrupted run built. The record goes first: without it
// the rest is nothing.
func (r *Rebuild) clear() error {
	aside := r.name + asideInfix + r.plan
	dir, err := r.aside()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return removeTree(r.home, r.name+newInfix+r.plan)
	case err != nil:
		return err
	}
	defer func() { _ = dir.Close() }()
	if err := removeIfThere(dir, recordFile); err != nil {
		return err
	}
	if err := dir.Sync(); err != nil {
		return err
	}
	if err := removeTree(r.home, aside); err != nil {
		return err
	}
	return removeTree(r.home, r.name+newInfix+r.plan)
}

// emptied makes the plan one that carries nothing over.
func (s *survey) emptied() {
	p := &s.report
	p.Todo, p.Queued, p.Recipients, p.Done, p.Renamed, p.Bytes, p.Quarantined, p.Lost = 0, 0, 0, 0, 0, 0, 0, 0
}

// construct builds, verifies and records.
func (r *Rebuild) construct(ctx context.Context, s *survey) (*rebuildRecord, error) {
	made, err := r.makeTree(r.name+newInfix+r.plan, s.after, s.top)
	if err != nil {
		return nil, fmt.Errorf("make the new tree: %w", err)
	}
	defer func() { _ = made.Close() }()
	if !r.options.Empty {
		if err := r.fill(ctx, s, made); err != nil {
			return nil, err
		}
	}
	if err := made.SyncAll(); err != nil {
		return nil, err
	}
	if err := r.verify(ctx, s, made); err != nil {
		return nil, fmt.Errorf("verify the new tree: %w", err)
	}
	return r.record(s, made)
}

// record writes which messages were carried over, then that the tree is whole.
func (r *Rebuild) record(s *survey, made *disk.Dir) (*rebuildRecord, error) {
	oldStat := s.dirs[""]
	newStat, err := made.Stat(".")
	if err != nil {
		return nil, err
	}
	dir, err := r.home.MakeDir(r.name+asideInfix+r.plan, 0o700)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	var lines []byte
	kind := byte(lineMoved)
	if r.options.Empty {
		kind = lineKept
	}
	for _, m := range s.taken {
		lines = appendMoved(lines, kind, m)
	}
	if err := logMoved(dir, lines); err != nil {
		return nil, err
	}
	rec := &rebuildRecord{
		OldInode: oldStat.Inode, NewInode: newStat.Inode, Empty: r.options.Empty,
		Before: recordLayout{s.layout.split, s.layout.bigTodo}, After: recordLayout{s.after.split, s.after.bigTodo},
		Report: s.report,
	}
	if err := r.save(rec, phaseBuilt); err != nil {
		return nil, err
	}
	return rec, r.home.Sync()
}

// finish exchanges the trees and does what comes after that.
func (r *Rebuild) finish(ctx context.Context, rec *rebuildRecord) (*spoor.Rebuilding, error) {
	p, err := r.locate(rec)
	if err != nil {
		return nil, err
	}
	old, made, err := r.openTrees(p)
	if err != nil {
		return nil, err
	}
	defer closeTrees(old, made)
	if old == nil || made == nil {
		return nil, fmt.Errorf("plan %s: one of the two trees is missing: %w", r.plan, ErrUnfit)
	}
	// After a crash qmail may run on the new tree already: nothing that is left to
	// do disturbs it.
	if err := r.lock(made); err != nil && (p.new != r.name || !errors.Is(err, mta.ErrRunning)) {
		return nil, err
	}
	away := r.name + oldInfix + r.plan
	if err := r.swap(p.new, away); err != nil {
		return nil, fmt.Errorf("put the new tree in place: %w", err)
	}
	if p, err = r.locate(rec); err != nil {
		return nil, err
	}
	if err := r.settleNames(p.old, away); err != nil {
		return nil, err
	}
	rec.Report.OldTree = r.place + oldInfix + r.plan
	if rec.Phase == phaseBuilt {
		if err := r.settle(ctx, rec, trees{old, made}); err != nil {
			return nil, err
		}
	}
	report := rec.Report
	report.Phase = string(phaseDone)
	return &report, nil
}

// trees are both trees, open.
type trees struct{ old, made *disk.Dir }

// settle carries late messages over, sets aside what was left, and records that
// all is done.
func (r *Rebuild) settle(ctx context.Context, rec *rebuildRecord, t trees) error {
	list, err := r.late(ctx, rec, t)
	if err != nil {
		return err
	}
	if err := r.setAside(rec, t.old, list); err != nil {
		return err
	}
	return r.save(rec, phaseDone)
}

// Late carries over what was queued into the old tree since Apply. qmail may be
// running: they come as if they were queued now.
func (r *Rebuild) Late(ctx context.Context) (*spoor.Rebuilding, error) {
	rec, err := r.load()
	if err != nil {
		return nil, err
	}
	if rec.Phase != phaseDone {
		return nil, fmt.Errorf("plan %s is not done: %w", r.plan, ErrUnfit)
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
	if old == nil || made == nil || p.new != r.name {
		return nil, fmt.Errorf("plan %s: the old tree is not there any more: %w", r.plan, ErrUnfit)
	}
	if err := r.settle(ctx, rec, trees{old, made}); err != nil {
		return nil, err
	}
	report := rec.Report
	report.Phase = string(phaseDone)
	return &report, nil
}
