package exim

import (
	"bytes"

	"spoor"
)

// command reads that a program of Exim was started (log_selector +arguments).
// What submits a message is an event: its directory is that of the script.
//
//	cwd=/home/site1/public_html/wp-content 3 args: /usr/sbin/sendmail -t -i
func command(b []byte, e *spoor.Event) spoor.LineSort {
	if bytes.HasPrefix(b, []byte(" (failed) ")) {
		return spoor.LineKnown
	}
	for from := 0; ; {
		space := bytes.IndexByte(b[from:], ' ')
		if space < 0 {
			return spoor.LineUnknown
		}
		from += space + 1
		_, rest := digits(b[from:])
		args, ok := cut(rest, " args: ")
		if !ok || len(rest) == len(b[from:]) {
			continue
		}
		folder := b[:from-1]
		if !submits(args) || isSpool(folder) && bytes.Contains(args, []byte(" -E")) { // its own report of a failure
			return spoor.LineKnown
		}
		e.Kind, e.Text = spoor.EventInvoked, folder
		return spoor.LineEvent
	}
}

// isSpool knows the folder in which Exim's own processes run.
func isSpool(folder []byte) bool { return bytes.Contains(folder, []byte("/spool/exim")) }

// submits reports whether a command line takes in a message (exim.c). The value
// of an option is not one, whatever it looks like.
func submits(args []byte) bool {
	_, args, _ = cutWord(args) // the program
	skip := false
	for len(args) > 1 {
		var word []byte
		word, args, _ = cutWord(args[1:])
		if skip {
			skip = false
			continue
		}
		switch string(word) {
		case "-f", "-F", "-r", "-C", "-D", "-h", "-N", "-V", "-X", "-L", "-oMa", "-oMaa", "-oMai", "-oMas", "-oMi", "-oMm", "-oMr", "-oMs", "-oMt", "-oP", "-oX", "-oB", "-oA", "-p":
			skip = true
		}
		if isOperation(word) {
			return false
		}
		if string(word) == "--" {
			return true
		}
	}
	return true
}

// isOperation knows the options that do something else.
func isOperation(word []byte) bool {
	if len(word) < 2 || word[0] != '-' {
		return false
	}
	switch word[1] {
	case 'M', 'q', 'S':
		return true
	case 'R':
		return string(word) != "-Rhdrs" && string(word) != "-Rfull"
	case 'b':
		switch string(word) {
		case "-bm", "-bs", "-bS", "-bnq":
			return false
		}
		return true
	case 't':
		return string(word) == "-tls-on-connect"
	}
	return string(word) == "--version" || string(word) == "--help"
}
