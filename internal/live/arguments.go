package live

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// Bounds of what is kept of a command line.
const (
	maxArguments  = 64
	maxArgument   = 512 // bytes
	maxRecipients = 32
)

// parseArgs reads /proc/PID/cmdline. What is over the bounds is left out.
func parseArgs(text []byte) []string {
	var args []string
	for len(text) > 0 && len(args) < maxArguments {
		arg, rest, _ := bytes.Cut(text, []byte{0})
		args = append(args, string(arg[:min(len(arg), maxArgument)]))
		text = rest
	}
	return args
}

// command is the command line of a program that takes mail.
type command struct {
	submits    bool // false: it lists a queue, delivers it, is the daemon
	recipients []string
}

// parseCommand tells what a program does with its arguments. That of sendmail and
// of what stands in for it: sendmail(1) of Postfix, exim(8). What a program was
// called by decides too, for such a program does as it says.
func parseCommand(program string, args []string) command {
	if !takesOptions(path.Base(program)) {
		return command{submits: true}
	}
	if len(args) > 0 && slices.Contains([]string{"mailq", "newaliases", "runq", "hoststat", "purgestat"}, path.Base(args[0])) {
		return command{}
	}
	c := command{submits: true}
	for i := 1; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			c.add(args[i+1:])
			return c
		case !strings.HasPrefix(arg, "-"):
			c.add(args[i:])
			return c
		case otherMode(arg):
			return command{}
		case takesValue(arg):
			i++
		}
	}
	return c
}

func (c *command) add(words []string) {
	for _, word := range words {
		if len(c.recipients) < maxRecipients && !strings.HasPrefix(word, "-") {
			c.recipients = append(c.recipients, word)
		}
	}
}

// takesOptions reports whether a program has the options of sendmail.
func takesOptions(name string) bool {
	return strings.HasPrefix(name, "sendmail") || strings.HasPrefix(name, "exim") || name == "rmail"
}

// otherMode reports whether an option makes the program do something else than
// take a message: work as a daemon, list or run the queue, test.
func otherMode(arg string) bool {
	if len(arg) < 2 {
		return false
	}
	switch arg[1] {
	case 'b':
		return len(arg) > 2 && !slices.Contains([]string{"-bm", "-bs", "-bS", "-ba"}, arg)
	case 'q', 'M':
		return arg != "-Mn"
	case 'I':
		return arg == "-I"
	}
	return false
}

// takesValue reports whether the next argument belongs to an option.
func takesValue(arg string) bool {
	return slices.Contains([]string{"-f", "-F", "-r", "-B", "-C", "-h", "-N", "-O", "-R", "-V", "-X", "-L", "-p", "-A", "-D"}, arg)
}
