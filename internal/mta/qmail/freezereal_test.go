package qmail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor/internal/host"
	"spoor/internal/mta"
)

// freezer works on the running mail system.
func (s *mailSystem) freezer(t *testing.T) *Freezer {
	t.Helper()
	root, err := host.Open("/")
	noError(t, err)
	t.Cleanup(func() { noError(t, root.Close()) })
	c := s.control(t)
	c.Plan = "p1"
	return NewFreezer(&mta.Server{Root: root, Home: s.home}, c)
}

// frozenSystem is a notqmail that is frozen, with a message that would otherwise
// reach a host.
func frozenSystem(t *testing.T, method FreezeMethod) (*mailSystem, *silent, *Frozen) {
	t.Helper()
	s := newMailSystem(t)
	if !s.real {
		t.Skip("needs SPOOR_NOTQMAIL")
	}
	h := silentHost(t, true)
	s.route(t, h.listener.Addr())
	s.start(t)
	t.Cleanup(func() { s.end(t); s.empty(t) })
	f := s.freezer(t)
	r, err := f.Plan(t.Context(), method)
	noError(t, err)
	noError(t, f.Freeze(t.Context(), r))
	s.inject(t)
	return s, h, r
}

func (h *silent) expectNothing(t *testing.T) {
	t.Helper()
	select {
	case <-h.reached:
		t.Error("a message has left a frozen server")
	default:
	}
}

func TestFrozenRoutesStopMailAtOnce(t *testing.T) {
	s, h, r := frozenSystem(t, FreezeRoutes)
	before := s.running(t)
	s.logs(t, "deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/")
	h.expectNothing(t)
	noError(t, s.freezer(t).Thaw(t.Context(), r, false))
	noError(t, daemonOf(t, s).alarm(t.Context()))
	h.await(t)
	if !s.running(t).is(before) {
		t.Error("qmail-send was started again for nothing")
	}
}

func TestFrozenConcurrencyLeavesMessagesAlone(t *testing.T) {
	s, h, r := frozenSystem(t, FreezeConcurrency)
	s.logs(t, "status: local 0/10 remote 0/0")
	s.logs(t, "info msg ") // it was taken in and preprocessed
	h.expectNothing(t)
	before := s.running(t)
	log, err := os.ReadFile(s.log[2])
	if err != nil || strings.Contains(string(log), "to remote") {
		t.Errorf("a delivery was tried: %s, %v", log, err)
	}
	noError(t, s.freezer(t).Thaw(t.Context(), r, false))
	h.await(t)
	if s.running(t).is(before) {
		t.Error("qmail-send was not started again")
	}
	if _, err := os.Stat(filepath.Join(s.home, "control/concurrencyremote")); err == nil {
		t.Error("control/concurrencyremote was not there before")
	}
}
