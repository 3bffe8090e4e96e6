package exim

import (
	"sync"

	"spoor"
)

// shelved is what this run has put on a shelf, so that the kernel need not be asked
// for it again. Nobody else can touch what is there.
type shelved struct {
	at  spot
	has [header + 1]bool
}

// shelvedMessages are those that this run has taken. Several goroutines may use it.
type shelvedMessages struct {
	mu  sync.Mutex
	all map[spoor.QueueID]shelved
}

func (m *shelvedMessages) of(id spoor.QueueID) (shelved, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one, ok := m.all[id]
	return one, ok
}

func (m *shelvedMessages) add(id spoor.QueueID, one shelved) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[spoor.QueueID]shelved{}
	}
	m.all[id] = one
}

func (m *shelvedMessages) forget(id spoor.QueueID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, id)
}

// shelved is what is on the shelf when a move has come to its end.
func (m *move) shelved(at spot) shelved {
	one := shelved{at: at}
	copy(one.has[:], m.both[:])
	one.has[header] = true
	return one
}
