package qmail

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink is a host that takes mail, or defers it: a recipient that begins with
// "later" until accept is called, others after a moment.
type sink struct {
	listener net.Listener
	mu       sync.Mutex
	all      bool
	got      map[string]int // "number recipient"
	group    sync.WaitGroup
}

func newSink(t *testing.T) *sink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test
	must(t, err)
	k := &sink{listener: listener, got: map[string]int{}}
	k.group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			k.group.Go(func() { k.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); k.group.Wait() })
	return k
}

func (k *sink) accept() { k.mu.Lock(); k.all = true; k.mu.Unlock() }

func (k *sink) later(to string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.all && strings.HasPrefix(to, "later")
}

func (k *sink) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = conn.Write([]byte(text + "\r\n")) }
	say("220 sink")
	to := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch word := strings.ToUpper(line[:min(4, len(line))]); word {
		case "RCPT":
			to = strings.Trim(strings.TrimSpace(line[8:]), "<>")
			if k.later(to) {
				time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
				say("451 later")
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go")
			k.data(in, to)
			time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// data counts a message when its last line is here: from then on it is delivered.
func (k *sink) data(in *bufio.Reader, to string) {
	var text bytes.Buffer
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	_, rest, _ := strings.Cut(text.String(), "X-Number: ")
	number, _, _ := strings.Cut(rest, "\r\n")
	k.mu.Lock()
	k.got[number+" "+to]++
	k.mu.Unlock()
}
