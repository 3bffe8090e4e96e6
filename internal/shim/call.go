package shim

import (
	"bytes"
	"strings"
)

// call is how sendmail was called.
type call struct {
	name    string // of the program, without its folder
	submits bool   // a message follows on standard input
	fromTop bool   // -t: the recipients stand in the header

	hasSender  bool
	sender     string // -f, or -r
	recipients int    // on the command line
}

// parseCall reads arguments as sendmail(8) of Postfix, Exim and qmail agree on
// them. It is sure of one thing, whether the real one reads a message: what is
// told of sender and recipients is as good as the caller's own words.
func parseCall(args []string) call {
	c := call{name: base(args[0])}
	c.submits = c.name != "mailq" && c.name != "newaliases" && c.name != "hoststat" && c.name != "purgestat" && c.name != "smtpd"
	c.walk(args, func(...string) {})
	return c
}

// walk reads the arguments, and passes on those that are recipients.
func (c *call) walk(args []string, to func(recipients ...string)) {
	for i := 1; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			c.recipients += len(args) - i - 1
			to(args[i+1:]...)
			return
		}
		if len(arg) < 2 || arg[0] != '-' {
			c.recipients++
			to(arg)
			continue
		}
		i += c.option(arg, args[i+1:])
	}
}

// Envelope is what a command line of sendmail says of sender and recipients: its
// caller's own words.
type Envelope struct {
	Sender     string // of -f or -r; "" where there is none
	Recipients []string
	FromTop    bool // -t: those in the header too
}

// ReadEnvelope reads the arguments of sendmail(8), of which the first is its name.
func ReadEnvelope(args []string) Envelope {
	var e Envelope
	var c call
	c.walk(args, func(recipients ...string) { e.Recipients = append(e.Recipients, recipients...) })
	e.Sender, e.FromTop = c.sender, c.fromTop
	return e
}

// option reads one option, and returns how many of the arguments behind it are
// its value.
func (c *call) option(arg string, rest []string) int {
	switch arg[1] {
	case 'b':
		c.submits = c.submits && arg == "-bm"
	case 'q', 'M', 'I', 'R', 'S': // runs, changes or lists the queue
		c.submits = c.submits && arg[1] == 'R' && isReturn(arg, rest)
		return one(c.submits && len(arg) == 2)
	case 't', 'i', 'v', 'n', 'e', 'U', 'G', 'E', 'm':
		c.fromTop = c.fromTop || strings.Contains(arg, "t")
	case 'f', 'r':
		if c.hasSender = true; len(arg) > 2 {
			c.sender = arg[2:]
			return 0
		}
		if len(rest) > 0 {
			c.sender = rest[0]
		}
		return 1
	case 'F', 'B', 'C', 'D', 'h', 'L', 'N', 'p', 'O', 'X', 'V', 'A':
		return one(len(arg) == 2)
	case 'o':
		return one(len(arg) == 2 || strings.HasPrefix(arg, "-oM") || arg == "-oX" || arg == "-oP")
	}
	return 0
}

// isReturn tells -R full and -R hdrs, which say what a bounce returns, from -R of
// sendmail and Exim, which runs the queue.
func isReturn(arg string, rest []string) bool {
	value := arg[2:]
	if value == "" && len(rest) > 0 {
		value = rest[0]
	}
	return value == "full" || value == "hdrs"
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// realArgs are the arguments of the real sendmail: the same. Only a shim that is
// called by its own name, as from php.ini, is called sendmail: the real one acts
// on its name.
func (c *call) realArgs(args []string) []string {
	if c.name != Name {
		return args
	}
	return append([]string{"sendmail"}, args[1:]...)
}

// Name is the program's own.
const Name = "spoor-sendmail"

// summary is what is told of a header: counts, never addresses.
type summary struct {
	to, cc, bcc int
	messageID   string
}

// maxMessageID is how long a Message-ID may be that is told, in bytes.
const maxMessageID = 250

// summarise reads a header, which may be cut.
func summarise(head []byte) summary {
	var s summary
	for start := 0; start < len(head); {
		end := fieldEnd(head, start)
		name, value, ok := bytes.Cut(head[start:end], []byte{':'})
		start = end
		if !ok {
			continue
		}
		switch name = bytes.TrimRight(name, " \t"); {
		case bytes.EqualFold(name, []byte("to")):
			s.to += addresses(value)
		case bytes.EqualFold(name, []byte("cc")):
			s.cc += addresses(value)
		case bytes.EqualFold(name, []byte("bcc")):
			s.bcc += addresses(value)
		case bytes.EqualFold(name, []byte("message-id")) && s.messageID == "":
			value = bytes.TrimSpace(value)
			s.messageID = string(value[:min(len(value), maxMessageID)])
		}
	}
	return s
}

// fieldEnd returns the offset behind a field, its continuation lines included.
func fieldEnd(head []byte, start int) int {
	for end := start; ; {
		i := bytes.IndexByte(head[end:], '\n')
		if i < 0 {
			return len(head)
		}
		end += i + 1
		if end == len(head) || head[end] != ' ' && head[end] != '\t' {
			return end
		}
	}
}

// addresses counts addresses in a field, as far as quotes, comments and angle
// brackets tell (RFC 5322 §3.4). It is a count for the record, no more.
func addresses(value []byte) int {
	count, depth, quoted, word := 0, 0, false, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted, word = !quoted, true
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth = max(depth-1, 0)
		case depth > 0:
		case c == ',' || c == ';':
			count, word = count+one(word), false
		case c == ':': // the name of a group
			word = false
		case c > ' ':
			word = true
		}
	}
	return count + one(word)
}
