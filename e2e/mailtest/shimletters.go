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
// the queue but for the one line.
func (s *Server) sameMessages() {
	s.t.Helper()
	for i, letter := range letters() {
		for _, way := range []struct{ name, program string }{{"real", realPath}, {"shim", shimPath}} {
			if status, out := s.sendmail(way.program, Web1, letter, "-i", fmt.Sprintf("r%d.%s@%s", i, way.name, SlowDomain)); status != 0 {
				s.t.Fatalf("letter %d: %d %s", i, status, out)
			}
		}
	}
	s.Until("all letters", func() bool { return len(s.Messages()) == 2*len(letters()) })
	ids := map[string]string{}
	for _, m := range s.Messages() {
		ids[strings.TrimSuffix(m.Recipients[0].Address, "@"+SlowDomain)] = m.ID
	}
	for i, letter := range letters() {
		direct, _ := s.content(ids[fmt.Sprintf("r%d.real", i)])
		shimmed, field := s.content(ids[fmt.Sprintf("r%d.shim", i)])
		if direct != shimmed {
			s.t.Errorf("letter %q\n--- direct\n%s\n--- with the shim\n%s", letter[:min(len(letter), 80)], direct, shimmed)
		}
		if want := !strings.HasPrefix(letter, " ") && !strings.HasPrefix(letter, "From Bob"); field != want {
			s.t.Errorf("letter %q: the field is there: %v", letter[:min(len(letter), 80)], field)
		}
	}
	s.clearQueue()
}

var ownField = regexp.MustCompile(`(?m)^.*X-Spoor-Origin: 1\..*\n`)

// content is a message in the queue as spoor reads it, without the shim's field and
// what is another each time.
func (s *Server) content(id string) (text string, field bool) {
	s.t.Helper()
	_, text, _ = strings.Cut(s.Spoor("queue", "cat", id), "Content, escaped\n")
	text, _, _ = strings.Cut(text, "  not shown: ")
	return strip(ownField.ReplaceAllString(text, "")), ownField.MatchString(text)
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
		s.Until("the huge message", func() bool { return len(s.Messages()) == 1 })
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
