package recorder

import (
	"fmt"
	"sync"

	"spoor/internal/disk"
	"spoor/internal/vault"
)

// usage is how much is held of each user, in the store and in the vault. Whoever asks
// has a shim waiting, so it is counted beside that, now and then: messages are released
// and purged by other processes.
type usage struct {
	mu    sync.Mutex
	users map[int]share
	fresh map[int]share // that came since the last count began

	counted map[string]container // of the vault, as they were counted last
}

func newUsage() usage { return usage{users: map[int]share{}, fresh: map[int]share{}} }

type share struct {
	messages int
	bytes    int64
}

func (s share) plus(o share) share {
	return share{messages: s.messages + o.messages, bytes: s.bytes + o.bytes}
}

// container is what a file of the vault holds, as long as it does not change.
type container struct {
	stat  disk.Stat
	users map[int]share
}

func (u *usage) add(uid int, bytes int64) {
	one := share{messages: 1, bytes: bytes}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users[uid] = u.users[uid].plus(one)
	u.fresh[uid] = u.fresh[uid].plus(one)
}

func (u *usage) of(uid int) share {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.users[uid]
}

// count counts anew. One goroutine at a time calls it.
func (u *usage) count(state *disk.Dir, v *vault.Vault) error {
	u.mu.Lock()
	u.fresh = map[int]share{}
	u.mu.Unlock()
	list, _, err := outside(state)
	if err != nil {
		return fmt.Errorf("list the store of held messages: %w", err)
	}
	users := map[int]share{}
	for i := range list {
		users[list[i].UID] = users[list[i].UID].plus(share{messages: 1, bytes: list[i].SizeBytes})
	}
	if err := u.countVault(v, users); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for uid, s := range u.fresh { // perhaps twice: better than not
		users[uid] = users[uid].plus(s)
	}
	u.users = users
	return nil
}

func (u *usage) countVault(v *vault.Vault, users map[int]share) error {
	plans, err := v.Plans()
	if err != nil {
		return err
	}
	known := map[string]container{}
	for _, plan := range plans {
		if !IsContainer(plan) {
			continue
		}
		c, err := u.containerOf(v, plan)
		if err != nil {
			return fmt.Errorf("read the vault: %w", err)
		}
		known[plan] = c
		for uid, s := range c.users {
			users[uid] = users[uid].plus(s)
		}
	}
	u.counted = known
	return nil
}

func (u *usage) containerOf(v *vault.Vault, plan string) (container, error) {
	st, err := v.Stat(plan)
	if err != nil {
		return container{}, err
	}
	last, ok := u.counted[plan]
	if ok && last.stat.Inode == st.Inode && last.stat.SizeBytes == st.SizeBytes && last.stat.Modified.Equal(st.Modified) {
		return last, nil
	}
	c := container{stat: st, users: map[int]share{}}
	for entry, err := range v.Entries(plan) {
		if err != nil {
			continue // what is damaged takes room, and cannot be told whose it is
		}
		if fate := entry.Mark.Fate; fate == vault.FateStored || fate == vault.FateRestoring {
			c.users[entry.CallerUID] = c.users[entry.CallerUID].plus(share{messages: 1, bytes: entry.SizeBytes})
		}
	}
	return c, nil
}

// roomFor returns how many bytes more of a user may be held; none where he has too
// many messages.
func (r *Recorder) roomFor(uid int) int64 {
	messages, bytes := r.counter.held()
	has := r.usage.of(uid)
	if has.messages >= messages {
		return 0
	}
	return bytes - has.bytes
}
