package mailtest

import (
	"context"
	"fmt"
	"net"
	"net/smtp"
	"time"
)

// Port returns a port of 127.0.0.1 that was free a moment ago.
func (r *Root) Port() string {
	r.t.Helper()
	if len(r.ports) > 0 {
		port := r.ports[0]
		r.ports = r.ports[1:]
		return port
	}
	var config net.ListenConfig
	listener, err := config.Listen(r.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	return port
}

// Sinks are the ports of other people's servers: what they do with mail.
type Sinks struct {
	Slow    string // puts each recipient off with a 450
	Refuses string // refuses each recipient with a 5xx
	Takes   string // takes everything
}

// Sinks starts Postfix' smtp-sink three times.
func (r *Root) Sinks() Sinks {
	r.t.Helper()
	s := Sinks{Slow: r.Port(), Refuses: r.Port(), Takes: r.Port()}
	for port, answer := range map[string][]string{
		s.Slow:    {"-r", "rcpt", "-b", "450 4.7.1 Too many messages from your address, try again later"},
		s.Refuses: {"-f", "rcpt", "-B", "550 5.1.1 No such user here"},
		s.Takes:   nil,
	} {
		r.Daemon("/usr/sbin/smtp-sink", append(answer, "-u", "nobody", "-c", "inet:127.0.0.1:"+port, "100")...)
		r.Answers(port)
	}
	return s
}

// Answers waits until a server takes connections.
func (r *Root) Answers(port string) {
	r.t.Helper()
	r.Until("a server at port "+port, func() bool {
		connection, err := (&net.Dialer{}).DialContext(r.t.Context(), "tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		return connection.Close() == nil
	})
}

// Client is who sends mail by SMTP.
type Client struct {
	Address         string // an IP address of this machine
	Port            string // of the server
	Login, Password string // "" for a client without a login
}

// Mail is a message with its envelope.
type Mail struct {
	Sender     string
	Recipients []string
	Text       string // with lines that end in \n
}

// dial opens a session, up to the login.
func (c *Client) dial() (*smtp.Client, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.Address)}, Timeout: patience}
	connection, err := dialer.DialContext(context.Background(), "tcp", "127.0.0.1:"+c.Port)
	if err != nil {
		return nil, err
	}
	_ = connection.SetDeadline(time.Now().Add(patience))
	session, err := smtp.NewClient(connection, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	if err = session.Hello("client.test"); err == nil && c.Login != "" {
		err = session.Auth(smtp.PlainAuth("", c.Login, c.Password, "127.0.0.1"))
	}
	if err != nil {
		_ = session.Close()
		return nil, err
	}
	return session, nil
}

// Send sends messages in one session.
func (c *Client) Send(mails ...Mail) error {
	session, err := c.dial()
	if err != nil {
		return fmt.Errorf("%s as %q: %w", c.Address, c.Login, err)
	}
	for i := range mails {
		if err := mails[i].send(session); err != nil {
			return fmt.Errorf("%s as %q, message %d: %w", c.Address, c.Login, i, err)
		}
	}
	return session.Quit()
}

func (m *Mail) send(session *smtp.Client) error {
	if err := session.Mail(m.Sender); err != nil {
		return err
	}
	for _, recipient := range m.Recipients {
		if err := session.Rcpt(recipient); err != nil {
			return err
		}
	}
	content, err := session.Data()
	if err != nil {
		return err
	}
	if _, err := content.Write([]byte(m.Text)); err != nil {
		return err
	}
	return content.Close()
}
