package measure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"time"

	"spoor/internal/disk"
)

// accountsLock is what programs lock that change the lists of users and groups
// (lckpwdf(3)): passwd(1), useradd(8) and their kin, PAM.
const accountsLock = ".pwd.lock"

// How long the lock is waited for, as in lckpwdf(3), and between two looks.
const (
	accountsWait  = 15 * time.Second
	accountsAgain = 100 * time.Millisecond
)

// accounts reports whether a file is one of these lists.
func (p *place) accounts() bool {
	return path.Dir(p.path) == "/etc" && slices.Contains([]string{"passwd", "shadow", "group", "gshadow"}, p.name)
}

// lockAccounts keeps other programs from changing the lists of users meanwhile, if the
// place is one of them.
func (p *place) lockAccounts(ctx context.Context) (unlock func(), err error) {
	if !p.accounts() {
		return func() {}, nil
	}
	f, err := p.openLock()
	if err != nil {
		return nil, fmt.Errorf("%s: lock the list: %w", p.path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, accountsWait)
	defer cancel()
	for {
		err := f.LockRangeOFD(0)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, disk.ErrLocked) {
			_ = f.Close()
			return nil, fmt.Errorf("%s: lock the list: %w", p.path, err)
		}
		select {
		case <-time.After(accountsAgain):
			continue
		case <-ctx.Done():
		}
		holder := "another program"
		if pid := f.LockHolder(); pid > 0 {
			holder = "process " + strconv.Itoa(pid)
		}
		_ = f.Close()
		return nil, fmt.Errorf("%s was not changed: %s is changing the users of this machine, and has not given back the lock %s for %s; when it has ended, try again: %w",
			p.path, holder, f.Name(), accountsWait, err)
	}
}

// openLock opens the file to be locked. Where there is none it is made, as the others
// do, and the folder keeps its times.
func (p *place) openLock() (*disk.File, error) {
	f, err := p.dir.OpenWrite(accountsLock)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	times, err := p.folderTimes()
	if err != nil {
		return nil, err
	}
	if f, err = p.dir.Create(accountsLock, 0o600); errors.Is(err, fs.ErrExist) {
		return p.dir.OpenWrite(accountsLock)
	}
	if err != nil {
		return nil, err
	}
	if err := p.dir.SetTimes(".", times.Accessed, times.Modified); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
