package report

import (
	"path"
	"strings"

	"spoor"
)

// maxCommand is the longest name, in bytes, that a suggested command carries.
const maxCommand = 500

// showCommand is the command that shows the evidence against a source. A name
// that no shell word can safely hold is never put into a command.
func showCommand(s spoor.Source) string {
	word, ok := shellWord(s.String())
	if !ok {
		return "spoor --json  (this name cannot be typed safely)"
	}
	return "spoor show " + word
}

// endCommand is the command that ends what a source of spam does, or "" for a name
// that cannot be typed.
func endCommand(v *spoor.Verdict) string {
	word, ok := shellWord(v.Source.String())
	if !ok || v.Class != spoor.Spam {
		return ""
	}
	return "spoor fix -n " + word
}

// sureScript is how sure it has to be that mail is from a script for the script to be
// offered.
const sureScript = 0.5

// sealCommand is the command that stops the script behind the mail of a web server, whose
// end would be the end of the mail of all its sites; "" if no script is likely enough.
func sealCommand(t *spoor.Traffic, v *spoor.Verdict) string {
	if v.Class != spoor.Spam || t.Source.Kind != spoor.KindUser || t.WebServer == 0 {
		return ""
	}
	for _, c := range t.Candidates {
		if word, ok := shellWord(c.Source.String()); ok && c.Source.Kind == spoor.KindScript && c.Confidence >= sureScript {
			return "spoor stop -n " + word
		}
	}
	return ""
}

// rooted is a command of spoor for the server below root. A root whose name no
// shell word can safely hold is left for the reader to fill in.
func rooted(command, root string) string {
	args, ok := strings.CutPrefix(command, "spoor")
	if !ok || args != "" && args[0] != ' ' || root == "" || path.Clean(root) == "/" {
		return command
	}
	word, ok := shellWord(root)
	if !ok {
		word = "DIR"
	}
	return "spoor --root " + word + args
}

// shellWord returns text as one word of a POSIX shell, or false where it holds
// something that would not survive being copied from a terminal. In single
// quotes only the single quote is special; a bare ! stays out of history.
func shellWord(text string) (string, bool) {
	if bareWord(text) {
		return text, true
	}
	if text == "" || len(text) > maxCommand || strings.Contains(text, "'") || Escape(text) != text {
		return "", false
	}
	return "'" + text + "'", true
}

// bareWord says whether text means itself in every shell without quotes.
func bareWord(text string) bool {
	if text == "" || text[0] == '-' || len(text) > maxCommand {
		return false
	}
	for i := range len(text) {
		if !alphanumeric(text[i]) && strings.IndexByte("@._:/+-", text[i]) < 0 {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// copyable says whether a command that another room made can be shown. One that
// holds more than plain words and single quotes is not: a name inside it may
// have been chosen to do harm.
func copyable(command string) bool {
	if command == "" || len(command) > 2*maxCommand || strings.Count(command, "'")%2 != 0 {
		return false
	}
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 && Escape(part) != part {
			return false
		}
		if i%2 == 0 && strings.ContainsFunc(part, unquotable) {
			return false
		}
	}
	return true
}

// unquotable says whether r means more than itself to a shell, outside quotes.
func unquotable(r rune) bool {
	return r > '~' || !alphanumeric(byte(r)) && !strings.ContainsRune("@._:/+-=,% ", r)
}

// Command is a command line of some words, or "" where one of them cannot be
// typed safely.
func Command(words ...string) string {
	line := make([]string, len(words))
	for i, word := range words {
		quoted, ok := shellWord(word)
		if !ok {
			return ""
		}
		line[i] = quoted
	}
	return strings.Join(line, " ")
}
