//go:build e2e

package exim

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// sink is other people's server, which counts each copy that each recipient gets.
// Those in slow.test are put off nine times out of ten, until it is open.
type sink struct {
	Port string
	open atomic.Bool
	asks atomic.Int64

	mu     sync.Mutex
	copies map[string]int // by subject, blank, recipient
}

func newSink(t *testing.T) *sink {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{Port: port, copies: map[string]int{}}
	var sessions sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		sessions.Wait()
	})
	sessions.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() {
				s.talk(connection)
				_ = connection.Close()
			})
		}
	})
	return s
}

// talk is one session of SMTP (RFC 5321 §3).
func (s *sink) talk(connection net.Conn) {
	in := bufio.NewReader(connection)
	say := func(answer string) { _, _ = fmt.Fprintf(connection, "%s\r\n", answer) }
	say("220 sink.test")
	var recipients []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), ":"); verb {
		case "MAIL FROM":
			recipients = nil
			say("250 ok")
		case "RCPT TO":
			if recipient := line[strings.IndexByte(line, '<')+1 : strings.IndexByte(line, '>')]; s.takes(recipient) {
				recipients = append(recipients, recipient)
				say("250 ok")
			} else {
				say("450 4.7.1 try again later")
			}
		case "DATA":
			say("354 go on")
			s.count(in, recipients)
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *sink) takes(recipient string) bool {
	return !strings.HasSuffix(recipient, "@slow.test") || s.open.Load() || s.asks.Add(1)%10 == 0
}

// count reads a message and counts it for each recipient.
func (s *sink) count(in *bufio.Reader, recipients []string) {
	subject := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		if line == "." {
			break
		}
		if text, ok := strings.CutPrefix(line, "Subject: "); ok {
			subject = text
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, recipient := range recipients {
		s.copies[subject+" "+recipient]++
	}
}

// taken is how many copies a recipient got.
func (s *sink) taken(copies string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies[copies]
}
