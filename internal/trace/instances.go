package trace

import (
	"slices"

	"spoor"
)

// A service of Postfix may log under a name of its own (-o syslog_name in
// master.cf), as an instance with a queue of its own does. What it says is of a
// message that the others speak of too.

// elsewhere finds the message of an ID that was begun under another name, by the
// hash of the ID; or nil.
func (j *Journal) elsewhere(id, origin uint64) *flight {
	if len(j.origins) < 2 || id == 0 {
		return nil
	}
	services := 0
	for _, other := range j.origins {
		if other == origin || (other^origin)>>spoor.InstanceBits != 0 { // of another host
			continue
		}
		if services++; services > maxServices {
			break
		}
		if f := j.open.get(id ^ other); f != nil && f.logged && f.keyed && f.left == 0 {
			return f
		}
	}
	return nil
}

// maxServices bounds the names under which a message is looked for.
const maxServices = 16

// begun finds the other half of a message that enters the queue now: its line of
// origin, or that of its name. It goes on under the name of cleanup(8), which is
// that of the queue.
func (j *Journal) begun(e *spoor.Event, origin bool) *flight {
	f := j.elsewhere(e.Key, e.Origin)
	switch {
	case f == nil, f.traced == origin:
		return nil
	case j.hasQueue(e.Origin) && j.hasQueue(f.key^e.Key): // two instances with the same IDs
		return nil
	case origin: // the server's line is late
		if e.Time.Sub(f.heard) > disorder || f.book != nil || e.Kind != spoor.EventSubmitted {
			return nil
		}
	case f.queued || f.named != 0:
		return nil
	default:
		j.open.remove(f.key)
		f.key = e.Key ^ e.Origin
		j.open.put(f.key, f)
	}
	return f
}

// reportedOn finds the message that a service speaks of under its own name.
func (j *Journal) reportedOn(e *spoor.Event) *flight {
	if j.hasQueue(e.Origin) {
		return nil
	}
	return j.elsewhere(e.Key, e.Origin)
}

// hasQueue reports whether a queue manager or cleanup(8) has logged under a name:
// then it is an instance with a queue of its own.
func (j *Journal) hasQueue(origin uint64) bool { return slices.Contains(j.queues, origin) }

// queueOf notes that.
func (j *Journal) queueOf(origin uint64) {
	if j.queue != origin || len(j.queues) == 0 {
		j.queue = origin
		if len(j.queues) < maxOrigins && !j.hasQueue(origin) {
			j.queues = append(j.queues, origin)
		}
	}
}

// related is the other message of an event, if it is open.
func (j *Journal) related(e *spoor.Event) *flight {
	if f := j.open.get(j.relatedKey(e)); f != nil {
		return f
	}
	return j.elsewhere(spoor.IDHash(e.Related), e.Origin)
}
