package recorder

import (
	"sync"
	"time"
)

// crowd counts connections by user. A shim that is turned away passes its message
// without an ID.
type crowd struct {
	now func() time.Time

	mu    sync.Mutex
	users map[int]*visitor
}

// visitor is a user with connections, or who had some lately.
type visitor struct {
	open int
	left float64 // connections that he may make now
	at   time.Time
}

// What one user may take of the recorder, for the others to have enough.
const (
	maxConnections = 64  // at once
	visitsSecond   = 200 // in the long run
	visitsAtOnce   = 1000
)

// enter reports whether a user may connect once more.
func (c *crowd) enter(uid int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	v := c.users[uid]
	if v == nil {
		c.forget(now)
		v = &visitor{left: visitsAtOnce, at: now}
		c.users[uid] = v
	}
	if span := now.Sub(v.at); span > 0 {
		v.left = min(visitsAtOnce, v.left+visitsSecond*span.Seconds())
	}
	v.at = now
	if v.open >= maxConnections || v.left < 1 {
		return false
	}
	v.open++
	v.left--
	return true
}

func (c *crowd) leave(uid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.users[uid]; v != nil {
		v.open--
	}
}

// forget drops those who have not been here for a while, when there are many.
func (c *crowd) forget(now time.Time) {
	if len(c.users) < maxUsers {
		return
	}
	for uid, v := range c.users {
		if v.open == 0 && now.Sub(v.at) > visitsAtOnce/visitsSecond*time.Second {
			delete(c.users, uid)
		}
	}
}
