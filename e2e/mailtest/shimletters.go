package mailtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// letters are messages that a careless shim would spoil.
func letters() []string {
	const mbox = "From web1@shop.example Thu Nov 26 10:15:00 2026\n"
	return []string{
		"Subject: plain\n\nhello\n",
		"Subject: no end of line\n\nhello",
		"Subject: CRLF\r\n\r\nhello\r\nworld\r\n",
		"\nempty header\n",
		"no header at all\nsecond line\n",
		mbox + "Subject: from a mailbox\n\nhello\n",
		mbox + "\nmailbox, empty header\n",
		" a blank first\nSubject: x\n\nhello\n",
		"From Bob with love\nsecond line\n",
		"Subject: 8 bits \xe4\xf6\xfc\n\n\xff\xfe\x80 gr\xc3\xbc\xc3\x9fe\n",
		"Subject: dots\n\n..\n.x\n",
		"Subject: folded\n header\nX-Spoor-Origin: forged\n\nhello\n",
		"Subject: long\n\n" + strings.Repeat(strings.Repeat("x", 70)+"\n", 2000),
	}
}

// sameMessages sends each letter with and without the shim, and wants the same in
// the queue but for the one line. Where the machine is so busy that the recorder is
// not waited for, a letter is sent again.
func (s *Server) sameMessages() {
	s.t.Helper()
	for i, letter := range letters() {
		direct, _ := s.queued(realPath, letter, fmt.Sprintf("r%d.real0", i))
		want := !strings.HasPrefix(letter, " ") && !strings.HasPrefix(letter, "From Bob")
		shimmed, field := "", false
		for try := 0; try < 5 && (try == 0 || want && !field); try++ {
			shimmed, field = s.queued(shimPath, letter, fmt.Sprintf("r%d.shim%d", i, try))
		}
		if direct != shimmed {
			s.t.Errorf("letter %q\n--- direct\n%s\n--- with the shim\n%s", letter[:min(len(letter), 80)], direct, shimmed)
		}
		if field != want {
			s.t.Errorf("letter %q: the field is there: %v", letter[:min(len(letter), 80)], field)
		}
	}
	s.clearQueue()
}

// settled reports whether a message is past what the MTA adds to it on its way in.
func (m *Message) settled() bool { return m.State == "deferred" || m.State == "queued" }

// queued sends a letter, and returns what is in the queue then.
func (s *Server) queued(program, letter, to string) (text string, field bool) {
	s.t.Helper()
	to += "@" + SlowDomain
	if status, out := s.sendmail(program, Web1, letter, "-i", to); status != 0 {
		s.t.Fatalf("%q: %d %s", letter[:min(len(letter), 80)], status, out)
	}
	id := ""
	s.Until("the letter to "+to, func() bool {
		for _, m := range s.Messages() {
			if m.Recipients[0].Address == to && m.settled() {
				id = m.ID
			}
		}
		return id != ""
	})
	return s.content(id)
}

var ownField = regexp.MustCompile(`(?m)^.*X-Spoor-Origin: 1\..*\n`)

// comparedBytes is how much is compared: spoor shows the beginning of a message.
const comparedBytes = 6000

// content is a message in the queue as spoor reads it, without the shim's field and
// what is another each time.
func (s *Server) content(id string) (text string, field bool) {
	s.t.Helper()
	_, text, _ = strings.Cut(s.Spoor("queue", "cat", id), "Content, escaped\n")
	text, _, _ = strings.Cut(text, "  not shown: ")
	field = ownField.MatchString(text)
	text = strip(ownField.ReplaceAllString(text, ""))
	return text[:min(len(text), comparedBytes)], field
}

// hugeMessage sends 100 MB, which fit into no pipe and should fit into no memory.
func (s *Server) hugeMessage() {
	s.t.Helper()
	const megabytes = 100
	line := strings.Repeat("0123456789abcdef", 4)[:63] + "\n"
	letter := "Subject: huge\n\n" + strings.Repeat(line, megabytes<<20/len(line))
	var sizes []int
	for _, program := range []string{realPath, shimPath} {
		if status, out := s.sendmail(program, Web1, letter, "-i", "huge@"+SlowDomain); status != 0 {
			s.t.Fatalf("%d %s", status, out)
		}
		s.Until("the huge message", func() bool {
			m := s.Messages()
			return len(m) == 1 && m[0].settled()
		})
		sizes = append(sizes, s.sizes()...)
		s.clearQueue()
	}
	if more := sizes[1] - sizes[0]; sizes[0] < len(letter) || more < 60 || more > 120 { // IDs of queues have not all the same length
		s.t.Errorf("%d bytes: directly %d, with the shim %d", len(letter), sizes[0], sizes[1])
	}
}

var sizeField = regexp.MustCompile(`"size":(\d+)`)

func (s *Server) sizes() (list []int) {
	s.t.Helper()
	for _, match := range sizeField.FindAllStringSubmatch(s.Spoor("queue", "ls", "-o", "ndjson"), -1) {
		size, err := strconv.Atoi(match[1])
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, size)
	}
	return list
}
