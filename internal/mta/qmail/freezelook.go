package qmail

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"spoor/internal/mta"
)

// Look tells what a freeze has come to: which file is in the place of the control
// file. It changes nothing.
func (f *Freezer) Look(r *Frozen) (mta.FreezeState, error) {
	if !plain(r.Plan) || r.Name == "" || strings.Contains(r.Name, "/") {
		return mta.FreezeState{}, fmt.Errorf("the record of the freeze names %q: %w", r.Name, errUntrusted)
	}
	dir, err := f.control.Top.OpenDir(r.Folder)
	if err != nil {
		return mta.FreezeState{}, err
	}
	state, err := swap{dir: dir, r: r}.look()
	return state, errors.Join(err, dir.Close())
}

func (s swap) look() (mta.FreezeState, error) {
	state := mta.FreezeState{Standing: mta.StandingEdited, File: path.Join("/", s.r.Folder, s.r.Name)}
	now, found, err := s.read(s.r.Name)
	if err != nil {
		return state, err
	}
	for _, name := range [...]string{s.keep(), s.between()} {
		kept, there, err := s.read(name)
		if err != nil {
			return state, err
		}
		if there && s.r.Existed && bytes.Equal(kept, s.r.Original) {
			state.Kept = path.Join("/", s.r.Folder, name)
		}
	}
	switch {
	case s.isOriginal(now, found):
		state.Standing = mta.StandingBefore
	case s.isContent(now, found):
		state.Standing = mta.StandingFrozen
	case !found:
		state.Standing = mta.StandingTorn
	}
	return state, nil
}
