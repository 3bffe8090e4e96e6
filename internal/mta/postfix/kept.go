package postfix

import (
	"path"
	"sync"
)

// kept is what is known of a message in the holding place.
type kept struct {
	folder string // below the queue directory: where it goes back to. In the holding place it lies in the folder of that name.
	fresh  bool   // taken in this run, which knows the rest
	logs   logsIn
	has    [len(logQueues)]bool // the logs that were moved
}

// logsIn is where the logs of deliveries of a taken message are.
type logsIn uint8

const (
	logsAnywhere logsIn = iota // an earlier run took it
	logsMoved                  // beside the message
	logsQueued                 // where Postfix writes them
)

// without reports whether a message is known to have no log of that kind.
func (k kept) without(queue int) bool { return k.logs == logsMoved && !k.has[queue] }

// logFolders are the folders in which a log may be, whose own one is name.
func (k kept) logFolders(s *spool, name string) []string {
	switch k.logs {
	case logsMoved:
		return []string{s.takenName(name)}
	case logsQueued:
		return []string{name}
	default:
		return []string{s.takenName(name), name}
	}
}

// takenName is where what was taken from a folder lies, below the queue directory.
func (s *spool) takenName(folder string) string {
	return s.holdingName(path.Join(takenFiles, folder))
}

// keptMessages are the messages in the holding place of the plan. Several
// goroutines may use it.
type keptMessages struct {
	mu  sync.Mutex
	all map[string]kept // nil before they were listed
}

func (m *keptMessages) of(id string) (kept, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.all[id]
	return k, ok
}

func (m *keptMessages) add(id string, k kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[id] = k
}

func (m *keptMessages) remove(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, id)
}
