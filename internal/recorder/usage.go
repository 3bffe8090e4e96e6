package recorder

import (
	"sync"
	"time"
)

// usage remembers how much of the store each user has. Messages are released by
// another process, so it is counted anew now and then.
type usage struct {
	mu      sync.Mutex
	counted time.Time
	users   map[int]share
}

type share struct {
	messages int
	bytes    int64
}

const usageAge = 10 * time.Second

func (u *usage) add(uid int, bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.users[uid]
	u.users[uid] = share{messages: s.messages + 1, bytes: s.bytes + bytes}
}

// of returns what a user has.
func (u *usage) of(uid int, store *Store, now time.Time) (share, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if age := now.Sub(u.counted); u.users == nil || age > usageAge || age < 0 {
		list, _, err := store.List()
		if err != nil {
			return share{}, err
		}
		u.users, u.counted = map[int]share{}, now
		for i := range list {
			s := u.users[list[i].UID]
			u.users[list[i].UID] = share{messages: s.messages + 1, bytes: s.bytes + list[i].SizeBytes}
		}
	}
	return u.users[uid], nil
}

// roomFor returns how many bytes more of a user may be held; none where he has too
// many messages.
func (r *Recorder) roomFor(uid int) (int64, error) {
	messages, bytes := r.counter.held()
	has, err := r.usage.of(uid, r.store, r.now())
	if err != nil || has.messages >= messages {
		return 0, err
	}
	return bytes - has.bytes, nil
}
