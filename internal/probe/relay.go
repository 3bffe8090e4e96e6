// Package probe asks from outside what a configuration does not prove: the server's
// own mail server is offered mail that it should refuse, and DNS blocklists are
// asked about its addresses. Addresses come in, sessions and listings go out.
// Nothing is changed and no mail is sent.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"time"

	"spoor"
)

// Recipient and Sender are what is offered: domains that are never used (RFC 2606).
const (
	Recipient = "relay-test@example.org"
	Sender    = "relay-test@example.net"
)

// Bounds of one session.
const (
	connectTimeout = 3 * time.Second
	sessionTimeout = 45 * time.Second // postscreen and greet delays take their time
	maxReplyLines  = 50
)

// Relay offers mail for somebody elsewhere to the mail server at an address of this
// machine, from that same address, and ends the session before any mail. The error
// says that there was no session to its end: nothing is known then.
func Relay(ctx context.Context, server netip.AddrPort) (*spoor.RelayTest, error) {
	t := &spoor.RelayTest{
		Server: server.String(), Client: server.Addr().String(), Loopback: server.Addr().IsLoopback(), Recipient: Recipient,
	}
	dialer := net.Dialer{Timeout: connectTimeout, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(server.Addr(), 0))}
	raw, err := dialer.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return t, err
	}
	defer func() { _ = raw.Close() }()
	if err := raw.SetDeadline(time.Now().Add(sessionTimeout)); err != nil {
		return t, err
	}
	s := &session{conn: textproto.NewConn(raw), test: t}
	err = s.run()
	if err == nil {
		_, _ = s.command("QUIT") // what is to be known is known
	}
	return t, err
}

// session is one dialogue (RFC 5321 §3), kept line by line.
type session struct {
	conn *textproto.Conn
	test *spoor.RelayTest
}

func (s *session) run() error {
	if code, err := s.reply(); err != nil || code != 220 {
		return notServed("the greeting", code, err)
	}
	for _, step := range [...]struct{ words, what string }{
		{"EHLO relay-test.example.net", "EHLO"}, {"MAIL FROM:<" + Sender + ">", "MAIL FROM"},
	} {
		code, err := s.command(step.words)
		switch {
		case err != nil || code/100 == 4:
			return notServed(step.what, code, err)
		case code/100 != 2:
			return nil // refused: this client may not even begin
		}
	}
	code, err := s.command("RCPT TO:<" + Recipient + ">")
	if err != nil || code/100 == 4 {
		return notServed("RCPT TO", code, err)
	}
	s.test.Accepted = code/100 == 2
	_, err = s.command("RSET")
	return err
}

// errNoAnswer is in the chain of errors of servers that do not say yes or no.
var errNoAnswer = errors.New("the mail server did not decide")

func notServed(what string, code int, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errNoAnswer, what, err)
	}
	return fmt.Errorf("%w: %s was answered with %d", errNoAnswer, what, code)
}

func (s *session) command(words string) (code int, err error) {
	s.test.Lines = append(s.test.Lines, "> "+words)
	if err := s.conn.PrintfLine("%s", words); err != nil {
		return 0, err
	}
	return s.reply()
}

// reply reads one reply with all its lines.
func (s *session) reply() (code int, err error) {
	for range maxReplyLines {
		line, err := s.conn.ReadLine()
		if err != nil {
			return 0, err
		}
		s.test.Lines = append(s.test.Lines, "< "+line)
		if len(line) < 3 || strings.Trim(line[:3], "0123456789") != "" {
			return 0, fmt.Errorf("%q is no reply of SMTP", line)
		}
		if len(line) == 3 || line[3] != '-' {
			return int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0'), nil
		}
	}
	return 0, errors.New("a reply has too many lines")
}
