package remedy

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"spoor"
	"spoor/internal/vault"
)

const (
	// packedFrom is how many messages are worth several goroutines.
	packedFrom = 64
	// packedAtOnce is how many a goroutine packs before it hands them on.
	packedAtOnce = 32
)

// storeAll stores the messages at these places of a batch, in this order. unreadable
// has one error for each of them, nil for those that are stored. err is one of the
// vault, and ends it.
func (r *removal) storeAll(batch []spoor.Target, places []int) (unreadable []error, err error) {
	unreadable = make([]error, len(places))
	if len(places) >= packedFrom {
		return unreadable, r.storeMany(batch, places, unreadable)
	}
	for n, i := range places {
		if unreadable[n], err = r.storeOne(&batch[i]); err != nil {
			return nil, err
		}
	}
	return unreadable, nil
}

// bundle is messages that one goroutine packs.
type bundle struct {
	places     []int
	packed     []*vault.Packed // nil for one that is too large for that
	unreadable []error
	done       chan struct{}
}

// storeMany reads and packs in several goroutines, and adds to the vault in this
// one.
func (r *removal) storeMany(batch []spoor.Target, places []int, unreadable []error) (err error) {
	bundles := bundlesOf(places, unreadable)
	work := make(chan *bundle)
	stop := make(chan struct{})
	var group sync.WaitGroup
	defer group.Wait()
	defer close(stop)
	now := r.work.Now().UTC()
	// How far the packing is ahead of the adding bounds what is in memory.
	ahead := make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	group.Go(func() { hand(bundles, work, ahead, stop) })
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() { r.pack(batch, work, now) })
	}
	for _, b := range bundles {
		<-b.done
		if err := r.add(batch, b); err != nil {
			return err
		}
		<-ahead
	}
	return nil
}

// bundlesOf divides the messages; unreadable is one slice that all of them share.
func bundlesOf(places []int, unreadable []error) (all []*bundle) {
	for from := 0; from < len(places); from += packedAtOnce {
		to := min(from+packedAtOnce, len(places))
		all = append(all, &bundle{places: places[from:to], unreadable: unreadable[from:to], done: make(chan struct{})})
	}
	return all
}

// hand gives out the bundles in their order.
func hand(bundles []*bundle, work chan<- *bundle, ahead chan<- struct{}, stop <-chan struct{}) {
	defer close(work)
	for _, b := range bundles {
		select {
		case ahead <- struct{}{}:
		case <-stop:
			return
		}
		select {
		case work <- b:
		case <-stop:
			return
		}
	}
}

// pack packs bundles until there are no more.
func (r *removal) pack(batch []spoor.Target, work <-chan *bundle, now time.Time) {
	packer, failed := vault.NewPacker()
	for b := range work {
		b.packed = make([]*vault.Packed, len(b.places))
		for n, i := range b.places {
			if failed != nil {
				continue // each is added by itself, and says what is wrong
			}
			b.packed[n], b.unreadable[n] = r.packOne(packer, &batch[i], now)
		}
		close(b.done)
	}
	if failed == nil {
		_ = packer.Close()
	}
}

// packOne reads one message. Neither of the results is there for one that is too
// large to be packed in memory.
func (r *removal) packOne(packer *vault.Packer, t *spoor.Target, now time.Time) (*vault.Packed, error) {
	parcel, err := r.parcel(t, now)
	if err != nil {
		return nil, err
	}
	packed, err := packer.Pack(parcel)
	if errors.Is(err, vault.ErrLarge) {
		return nil, nil //nolint:nilnil // it is neither packed nor unreadable
	}
	if err != nil {
		return nil, fmt.Errorf("read message %s: %w", t.ID, err)
	}
	return packed, nil
}

// add adds what was packed.
func (r *removal) add(batch []spoor.Target, b *bundle) (err error) {
	for n, i := range b.places {
		switch t := &batch[i]; {
		case b.unreadable[n] != nil:
		case b.packed[n] == nil:
			if b.unreadable[n], err = r.storeOne(t); err != nil {
				return err
			}
		default:
			if _, err := r.vault.AddPacked(b.packed[n]); err != nil {
				return fmt.Errorf("store message %s in the vault: %w", t.ID, err)
			}
		}
	}
	b.packed = nil
	return nil
}

// storeOne tells an error of the message from one of the vault.
func (r *removal) storeOne(t *spoor.Target) (unreadable, err error) {
	parcel, err := r.parcel(t, r.work.Now().UTC())
	if err != nil {
		return err, nil
	}
	_, err = r.vault.Add(parcel)
	if errors.Is(err, vault.ErrSource) {
		return fmt.Errorf("read message %s: %w", t.ID, err), nil
	}
	if err != nil {
		return nil, fmt.Errorf("store message %s in the vault: %w", t.ID, err)
	}
	return nil, nil
}

// parcel reads a message that was taken. Several goroutines may call it.
func (r *removal) parcel(t *spoor.Target, now time.Time) (*spoor.Parcel, error) {
	parcel, err := r.work.Controller.Pack(t)
	if err != nil {
		return nil, fmt.Errorf("read message %s: %w", t.ID, err)
	}
	if parcel.CallerUID < 0 {
		parcel.CallerUID = t.UID
	}
	parcel.Target, parcel.MTA, parcel.StoredTime = *t, r.plan.MTA, now
	parcel.Done = done(parcel.Envelope) // more may have got it since the plan was made
	return parcel, nil
}
