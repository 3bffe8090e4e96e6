//go:build e2e

package postfix

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sink is another server. It takes mail for some domains, puts that for the others
// off until it is opened, and counts what it was given: by recipient, who is named
// once in each test.
type sink struct {
	port string
	open atomic.Bool  // takes mail for everybody
	slow atomic.Int64 // nanoseconds that an answer to RCPT takes

	mu    sync.Mutex
	given map[string]int
	stall map[string]chan struct{} // recipients of whom nothing is said before the channel is closed
	asked map[string]bool          // of those, who was asked for
}

// deferredDomain is the one whose mail is put off.
const deferredDomain = "later.test"

func newSink(t *testing.T) *sink {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{given: map[string]int{}, stall: map[string]chan struct{}{}, asked: map[string]bool{}}
	_, s.port, _ = net.SplitHostPort(listener.Addr().String())
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { s.serve(connection) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		sessions.Wait()
	})
	return s
}

// serve speaks SMTP (RFC 5321) with one client.
func (s *sink) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewScanner(connection)
	say := func(text string) { _, _ = connection.Write([]byte(text + "\r\n")) }
	say("220 sink.test ESMTP")
	var recipients []string
	for in.Scan() {
		verb, rest, _ := strings.Cut(in.Text(), ":")
		switch {
		case strings.HasPrefix(verb, "QUIT"):
			say("221 bye")
			return
		case strings.HasPrefix(verb, "RCPT"):
			time.Sleep(time.Duration(s.slow.Load()))
			address := strings.Trim(strings.Fields(rest)[0], "<>")
			s.wait(address)
			if strings.HasSuffix(address, "@"+deferredDomain) && !s.open.Load() {
				say("450 4.2.1 come back later")
				continue
			}
			recipients = append(recipients, address)
			say("250 ok")
		case strings.HasPrefix(verb, "DATA") && len(recipients) == 0:
			say("554 no recipients")
		case strings.HasPrefix(verb, "DATA"):
			say("354 go on")
			for in.Scan() && in.Text() != "." {
			}
			s.count(recipients)
			say("250 taken")
			recipients = nil
		case strings.HasPrefix(verb, "RSET"):
			recipients = nil
			say("250 ok")
		default:
			say("250 ok")
		}
	}
}

// wait says nothing about a recipient who is stalled.
func (s *sink) wait(address string) {
	s.mu.Lock()
	gate := s.stall[address]
	s.asked[address] = s.asked[address] || gate != nil
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

// stallFor lets a recipient wait until the returned function is called.
func (s *sink) stallFor(address string) (end func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stall[address] = gate
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.stall, address)
		close(gate)
	}
}

// wasAsked reports whether a stalled recipient was asked for.
func (s *sink) wasAsked(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[address]
}

func (s *sink) count(recipients []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range recipients {
		s.given[one]++
	}
}

// counts is how often each recipient was given a message.
func (s *sink) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]int, len(s.given))
	for address, n := range s.given {
		all[address] = n
	}
	return all
}
