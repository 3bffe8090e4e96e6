package mailtest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Receiver is other people's server, which counts each copy that each recipient
// gets. Those in SlowDomain are put off but for one of Takes, until it is open.
type Receiver struct {
	Port  string
	Takes int64
	Open  atomic.Bool // nobody is put off any more
	asks  atomic.Int64

	mu     sync.Mutex
	copies map[string]int // by subject, blank, recipient
}

// NewReceiver starts one that takes one of so many. It ends with the test.
func NewReceiver(t *testing.T, takes int64) *Receiver {
	t.Helper()
	s := &Receiver{Takes: takes, copies: map[string]int{}}
	s.Port = Serve(t, s.talk)
	return s
}

// Serve runs a server on a port of 127.0.0.1, which it returns, with talk for each
// session. It ends with the test.
func Serve(t *testing.T, talk func(net.Conn)) (port string) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, port, err = net.SplitHostPort(listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
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
				talk(connection)
				_ = connection.Close()
			})
		}
	})
	return port
}

// talk is one session of SMTP (RFC 5321 §3).
func (s *Receiver) talk(connection net.Conn) {
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

func (s *Receiver) takes(recipient string) bool {
	return !strings.HasSuffix(recipient, "@"+SlowDomain) || s.Open.Load() || s.asks.Add(1)%s.Takes == 0
}

// count reads a message and counts it for each recipient.
func (s *Receiver) count(in *bufio.Reader, recipients []string) {
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

// Taken is how many copies a recipient got: of a subject, a blank, and an address.
func (s *Receiver) Taken(copies string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies[copies]
}
