package probe

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// server is a mail server on loopback that answers each command by its first word.
func server(t *testing.T, answers map[string]string) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at the end
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "%s\r\n", answers["greeting"])
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			word, _, _ := strings.Cut(lines.Text(), " ")
			answer := answers[word]
			if answer == "" {
				answer = "250 ok"
			}
			_, _ = fmt.Fprintf(conn, "%s\r\n", answer)
		}
	}()
	addr, err := netip.ParseAddrPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestRelay(t *testing.T) {
	f := func(accepted, undecided bool, answers map[string]string) {
		t.Helper()
		test, err := Relay(t.Context(), server(t, answers))
		if test.Accepted != accepted || errors.Is(err, errNoAnswer) != undecided {
			t.Errorf("%v: accepted %v, %v\n%s", answers, test.Accepted, err, strings.Join(test.Lines, "\n"))
		}
		for _, line := range test.Lines {
			if strings.HasPrefix(line, "> DATA") {
				t.Error("mail was begun")
			}
		}
	}
	f(true, false, map[string]string{"greeting": "220 mx ESMTP"})
	f(true, false, map[string]string{"greeting": "220-mx\r\n220 ESMTP", "EHLO": "250-mx\r\n250-SIZE 1\r\n250 HELP"})
	f(false, false, map[string]string{"greeting": "220 mx", "RCPT": "554 5.7.1 Relay access denied"})
	f(false, false, map[string]string{"greeting": "220 mx", "MAIL": "530 5.7.0 Authentication required"})
	f(false, true, map[string]string{"greeting": "220 mx", "RCPT": "451 4.7.1 greylisted"})
	f(false, true, map[string]string{"greeting": "421 busy"})
	f(false, true, map[string]string{"greeting": "HTTP/1.1 400"})
	f(false, true, map[string]string{"greeting": strings.Repeat("220-x\r\n", 100)})
}

func TestNobodyListens(t *testing.T) {
	if _, err := Relay(t.Context(), netip.MustParseAddrPort("127.0.0.1:1")); err == nil {
		t.Error("a session without a server")
	}
}

// lists is a DNS server on loopback that answers for two lists.
func lists(t *testing.T) *Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // closed at the end
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		name := q.Question[0].Name
		add := func(text string) {
			if record, err := dns.NewRR(text); err == nil && record.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, record)
			}
		}
		switch name {
		case "7.113.0.203.bl.test.":
			add(name + " 60 IN A 127.0.0.4")
			add(name + " 60 IN A 127.0.0.2")
			add(name + ` 60 IN TXT "listed, see " "https://bl.test/"`)
		case "7.113.0.203.refuses.test.":
			add(name + " 60 IN A 127.255.255.254")
		case "7.113.0.203.invents.test.":
			add(name + " 60 IN A 192.0.2.1")
		case "7.113.0.203.broken.test.":
			m.Rcode = dns.RcodeServerFailure
		case "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test.":
			add(name + " 60 IN A 127.0.0.9")
		default:
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})}
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() { _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
	r, err := NewResolver(conn.LocalAddr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestListed(t *testing.T) {
	r := lists(t)
	f := func(addr, zone, want string) {
		t.Helper()
		l, err := r.Listed(t.Context(), netip.MustParseAddr(addr), zone)
		got := ""
		switch {
		case errors.Is(err, ErrRefused):
			got = "refused"
		case err != nil:
			got = err.Error()
		case l != nil:
			got = strings.Join(l.Codes, " ") + ": " + l.Reason
		}
		if got != want {
			t.Errorf("%s on %s: %q, want %q", addr, zone, got, want)
		}
	}
	f("203.0.113.7", "bl.test", "127.0.0.2 127.0.0.4: listed, see https://bl.test/")
	f("203.0.113.8", "bl.test", "")
	f("2001:db8::1", "bl.test", "127.0.0.9: ")
	f("203.0.113.7", "refuses.test", "refused")
	f("203.0.113.7", "invents.test", "refused")
	f("203.0.113.7", "broken.test", "refused")
}

func TestWhatABlocklistCanHave(t *testing.T) {
	for text, want := range map[string]bool{"8.8.8.8": true, "10.1.1.1": false, "127.0.0.1": false, "100.64.3.1": false, "fe80::1": false, "2606:4700::1": true, "fd00::1": false} {
		if got := Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if list, err := Addresses(); err != nil || len(list) == 0 || !list[0].IsLoopback() {
		t.Errorf("%v, %v", list, err)
	}
}
