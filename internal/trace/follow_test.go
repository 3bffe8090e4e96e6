package trace

import (
	"net/netip"
	"testing"

	"spoor"
)

func TestTheLogTellsWhatTheQueueDoesNot(t *testing.T) {
	network := func(client string) spoor.Hop {
		hop := spoor.Hop{Via: spoor.ViaNetwork, UID: -1, PID: -1}
		hop.Client, _ = netip.ParseAddr(client) // invalid where it is not known
		return hop
	}
	outside := func() *tape { return newTape().client("4A", "203.0.113.66", "").queued("4A", "x@far.test", 1) }
	user := newTape().keyed(spoor.EventSubmitted, "4A", func(e *spoor.Event) { e.UID = 10003 }).queued("4A", "www@site1.test", 1)
	middle := newTape().queued("4A", "x@far.test", 1)
	for name, test := range map[string]struct {
		tape *tape
		hops []spoor.Hop
		want string
	}{
		"an alias that the log alone tells of":             {outside().to("4A", "me@else.test", "deferred", "for=sales@here.test"), []spoor.Hop{network("203.0.113.66")}, "forward:sales@here.test"},
		"the same beside a recipient elsewhere":            {outside().to("4A", "me@else.test", "deferred", "for=sales@here.test").to("4A", "y@else.test", "deferred"), []spoor.Hop{network("203.0.113.66")}, "network:203.0.113.66"},
		"a user whose line was removed from the header":    {user, nil, "site:site1.test"},
		"a client whose address the header does not have":  {outside(), []spoor.Hop{network("")}, "network:203.0.113.66"},
		"a damaged file of a message older than the log":   {middle, nil, "unknown"},
		"a user whom the header names is not asked for":    {outside(), []spoor.Hop{{Via: spoor.ViaUID, UID: 10003, PID: -1}}, "site:site1.test"},
		"a client is what the header says without a route": {outside(), []spoor.Hop{network("203.0.113.67")}, "network:203.0.113.67"},
		"a login in front of a filter before the queue":    {outside().proxied("4A", "alice"), []spoor.Hop{network("203.0.113.66")}, "account:alice"},
	} {
		t.Run(name, func(t *testing.T) {
			tracer, _ := readTape(t, test.tape)
			m := &spoor.Message{ID: "4A", Arrived: test.tape.events[0].Time.Time(), CallerUID: -1, CallerGID: -1, Trail: spoor.Trail{Hops: test.hops}}
			if got := tracer.Attribute(m); got.Source.String() != test.want {
				t.Errorf("%s, want %s", got.Source, test.want)
			}
		})
	}
}

func TestAManyTimesDeferredMessageIsCountedInFull(t *testing.T) {
	p := newTape().client("4A", "198.51.100.7", "anna@here.test").queued("4A", "anna@here.test", 1)
	p.keyed(spoor.EventDeferred, "4A", func(e *spoor.Event) { e.Address, e.Answer, e.Repeat = []byte("x@far.test"), spoor.AnswerTooOld, 70_000 })
	h := p.removed("4A").sources(t)["account:anna@here.test"].History
	if h == nil || h.Deferrals != 70_000 || h.DeferredBy[spoor.AnswerTooOld] != 70_000 {
		t.Errorf("%+v", h)
	}
}

// A filter that does not tell the ID before, and an instance that relays by another one:
// the server's own lines in such mail are not forged.
func TestTheServersLinesInMailThatWasHereBeforeAreGenuine(t *testing.T) {
	tape := newTape().
		client("4A", "203.0.113.66", "anna@here.test").named("4A", "<1>").queued("4A", "anna@here.test", 1).
		client("5B", "127.0.0.1", "").named("5B", "<1>").queued("5B", "anna@here.test", 1).
		to("4A", "x@far.test", "sent", "next=5B").removed("4A").
		client("6C", "203.0.113.66", "anna@here.test").named("6C", "<2>").queued("6C", "anna@here.test", 1)
	f := func(id, earlier spoor.QueueID, want int) {
		t.Helper()
		tracer, _ := readTape(t, tape)
		tracer.facts.Host = "mx.here.test"
		m := &spoor.Message{
			ID: id, Earlier: earlier, Arrived: tape.events[0].Time.Time(), CallerUID: -1, CallerGID: -1, Outbound: true,
			Trail: spoor.Trail{
				Hops:      []spoor.Hop{{Via: spoor.ViaNetwork, UID: -1, PID: -1, Account: "anna@here.test", Authenticated: true}},
				Forgeable: []spoor.Claim{{Field: "Received", Value: "from pc (pc [203.0.113.66])\n\tby mx.here.test (Postfix) with ESMTPSA id 4A"}},
			},
		}
		if got := len(tracer.Attribute(m).Conflicts); got != want {
			t.Errorf("%s, before %q: %d lines are forged, want %d", id, earlier, got, want)
		}
	}
	f("5B", "", 0)
	f("5B", "5B", 0) // queued again
	f("5B", "4A", 0)
	f("5B", "7D", 1)
	f("6C", "", 1)
}
