// Package vault keeps whole messages outside their queue. They come in from a
// remedy that takes them out of a queue, and leave to be restored, exported or
// purged.
//
// All messages of a plan are in one file, the container, which only grows until
// it is purged. docs/vault.md describes it; every byte that is read from one is
// taken to be hostile.
package vault

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"spoor/internal/disk"
)

// ErrDamaged is in the chain of every error about bytes that are not those that
// were written.
var ErrDamaged = errors.New("damaged")

// ErrForeign is returned for a container that somebody else may have written: it
// belongs to another user, others may write to it, or it has a second name.
var ErrForeign = errors.New("not a file of this vault")

// ErrVersion is returned for a container of a format that is not known.
var ErrVersion = errors.New("written by a newer spoor")

// ErrName is returned for a plan whose name can not be that of a container.
var ErrName = errors.New("not a name of a plan")

// FolderName is what the vault is called in a state folder.
const FolderName = "vault"

// extension ends the name of every container.
const extension = ".spoorvault"

// Vault is a directory of containers. Its methods may be called by several
// goroutines at once; a plan has one Writer at a time.
type Vault struct {
	dir    *disk.Dir
	naming sync.Mutex // disk.Dir.Names is for one goroutine at a time
	unpack *zstd.Decoder
}

// Open opens the vault in dir, which stays the caller's to close and must stay
// open as long as the vault, its writers and parcels are used.
func Open(dir *disk.Dir) (*Vault, error) {
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxRaw), zstd.WithDecoderMaxWindow(maxRaw))
	if err != nil {
		return nil, fmt.Errorf("open the vault: %w", err)
	}
	return &Vault{dir: dir, unpack: unpack}, nil
}

// Plans lists the plans that have a container, by name.
func (v *Vault) Plans() ([]string, error) {
	v.naming.Lock()
	names, err := v.dir.Names()
	v.naming.Unlock()
	if err != nil {
		return nil, fmt.Errorf("list the vault: %w", err)
	}
	var plans []string
	for _, name := range names {
		if plan, ok := strings.CutSuffix(name, extension); ok && validPlan(plan) {
			plans = append(plans, plan)
		}
	}
	slices.Sort(plans)
	return plans, nil
}

// Stat describes the container of a plan. It returns fs.ErrNotExist where there
// is none.
func (v *Vault) Stat(plan string) (disk.Stat, error) {
	if !validPlan(plan) {
		return disk.Stat{}, fmt.Errorf("%q: %w", plan, ErrName)
	}
	return v.dir.Stat(plan + extension)
}

// open opens a container to read it.
func (v *Vault) open(plan string) (*disk.File, error) {
	if !validPlan(plan) {
		return nil, fmt.Errorf("%q: %w", plan, ErrName)
	}
	f, err := v.dir.Open(plan + extension)
	if err != nil {
		return nil, err
	}
	if err := checkOwner(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// checkOwner returns ErrForeign for a file that this user has not made.
func checkOwner(f *disk.File) error {
	st, err := f.Stat()
	switch {
	case err != nil:
		return err
	case st.UID != os.Geteuid():
		return fmt.Errorf("%s belongs to uid %d: %w", f.Name(), st.UID, ErrForeign)
	case st.Mode&0o022 != 0:
		return fmt.Errorf("%s has mode %04o: %w", f.Name(), st.Mode, ErrForeign)
	case st.Links > 1:
		return fmt.Errorf("%s has %d names: %w", f.Name(), st.Links, ErrForeign)
	}
	return nil
}

// validPlan is whether a plan's ID is one: letters, digits and hyphens.
func validPlan(plan string) bool {
	for _, c := range []byte(plan) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' {
			return false
		}
	}
	return plan != "" && len(plan) <= 128
}
