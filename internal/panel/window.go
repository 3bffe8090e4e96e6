package panel

import "time"

// Window is a span of time, both ends included.
type Window struct{ From, Until time.Time }

// Contains reports whether t lies in w.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.From) && !t.After(w.Until) }
