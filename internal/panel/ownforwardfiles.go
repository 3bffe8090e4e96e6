package panel

import (
	"path"
	"strings"
)

// ownFound is what was found in one file.
type ownFound struct {
	lines []string
	list  []ownTarget
}

// ownTarget is an address that mail is passed on to; "" where it is answered.
type ownTarget struct {
	target string
	line   int // from 1
}

// maxTargets bounds the targets of one file.
const maxTargets = 1000

// address adds an address that is of another domain than the user's own name: one
// without a domain stays on this server.
func (f *ownFound) address(target string, line int) {
	target = strings.Trim(strings.TrimSpace(target), "<>")
	at := strings.LastIndexByte(target, '@')
	if at <= 0 || at == len(target)-1 || strings.ContainsAny(target, " \t\r\n") || len(target) > 320 || len(f.list) == maxTargets {
		return
	}
	f.list = append(f.list, ownTarget{target, line})
}

func (f *ownFound) answer(line int) {
	if len(f.list) < maxTargets {
		f.list = append(f.list, ownTarget{"", line})
	}
}

// program looks at a command that mail is given to: forward(1) of qmail passes it on,
// vacation(1) and its like answer it.
func (f *ownFound) program(command string, line int) {
	words := strings.Fields(strings.Trim(command, `"| `))
	if len(words) == 0 {
		return
	}
	switch name := path.Base(words[0]); {
	case name == "forward" || name == "condredirect":
		for _, word := range words[1:] {
			f.address(strings.Trim(word, `"'`), line)
			if name == "condredirect" {
				break // the rest is the command that decides
			}
		}
	case strings.HasPrefix(name, "vacation") || strings.HasPrefix(name, "autorespond") || name == "qmail-autoresponder":
		f.answer(line)
	}
}

// qmailForwards reads a .qmail file (dot-qmail(5)).
func qmailForwards(text string, found *ownFound) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "" || line[0] == '#' || line[0] == '/' || line[0] == '.':
		case line[0] == '|':
			found.program(line[1:], number)
		default:
			found.address(strings.TrimPrefix(line, "&"), number)
		}
	}
}

// aliasForwards reads a .forward in the form of aliases(5): addresses, files,
// commands and included lists, parted by commas or line ends.
func aliasForwards(text string, found *ownFound) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, item := range commaItems(strings.TrimSpace(line)) {
			bare := strings.Trim(item, `"`)
			switch {
			case bare == "" || bare[0] == '/' || bare[0] == '\\' || bare[0] == ':':
			case bare[0] == '|':
				found.program(bare[1:], number)
			default:
				found.address(bare, number)
			}
		}
	}
}

// commaItems parts a line at its commas, but for those in quotes.
func commaItems(line string) []string {
	var items []string
	start, quoted := 0, false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ',' && !quoted:
			items = append(items, strings.TrimSpace(line[start:i]))
			start = i + 1
		}
	}
	return append(items, strings.TrimSpace(line[start:]))
}

// filterForwards reads an Exim filter ("Exim's interfaces to mail filtering"): deliver
// passes mail on, mail and vacation answer it. A condition may be in front of each.
func filterForwards(text string, found *ownFound) {
	words := scriptWords(text, false)
	for i, w := range words {
		switch {
		case w.quoted:
		case w.text == "deliver" && i+1 < len(words):
			found.address(words[i+1].text, w.line)
		case w.text == "vacation" || w.text == "mail" && i+1 < len(words) && !words[i+1].quoted && mailWord(words[i+1].text):
			found.answer(w.line)
		}
	}
}

// mailWord reports whether a word can follow the command mail of an Exim filter.
func mailWord(word string) bool {
	switch word {
	case "to", "cc", "bcc", "from", "reply_to", "subject", "text", "file", "expand", "return", "log", "once", "once_repeat", "extra_headers":
		return true
	}
	return false
}

// sieveForwards reads a Sieve script (RFC 5228): redirect passes mail on, with or
// without a copy here (RFC 3894), vacation answers it (RFC 5230).
func sieveForwards(text string, found *ownFound) {
	words := scriptWords(text, true)
	for i, w := range words {
		switch {
		case w.quoted:
		case w.text == "redirect":
			for _, next := range words[i+1:] {
				if next.quoted {
					found.address(next.text, w.line)
				}
				if next.quoted || next.text[0] != ':' {
					break
				}
			}
		case w.text == "vacation":
			found.answer(w.line)
		}
	}
}

// scriptWord is a word of a filter, in small letters, or what stands in quotes.
type scriptWord struct {
	text   string
	quoted bool
	line   int
}

// scriptWords parts a filter into words and strings, without comments. Braces,
// brackets, commas and semicolons part words.
func scriptWords(text string, sieve bool) []scriptWord {
	var words []scriptWord
	line := 1
	for at := 0; at < len(text); {
		begin, word := at, scriptWord{line: line}
		switch c := text[at]; {
		case c == '"':
			word.text, at = quotedWord(text, at)
			word.quoted = true
		case c == '#':
			at = lineEnd(text, at)
		case sieve && strings.HasPrefix(text[at:], "/*"):
			end := strings.Index(text[at+2:], "*/")
			if end < 0 {
				end = len(text) - at - 4
			}
			at = min(len(text), at+2+end+2)
		case sieve && startsText(text, at):
			at = textEnd(text, at)
		case strings.IndexByte(" \t\r\n,;{}[]()", c) >= 0:
			at++
		default:
			for at < len(text) && strings.IndexByte(" \t\r\n,;{}[]()\"#", text[at]) < 0 {
				at++
			}
			word.text = text[begin:at]
			if !strings.Contains(word.text, "@") {
				word.text = strings.ToLower(word.text)
			}
		}
		line += strings.Count(text[begin:at], "\n")
		if word.text != "" {
			words = append(words, word)
		}
	}
	return words
}

// quotedWord is the string that begins at a place, and where it ends.
func quotedWord(text string, at int) (word string, end int) {
	var out strings.Builder
	for at++; at < len(text); at++ {
		switch {
		case text[at] == '\\' && at+1 < len(text):
			at++
			out.WriteByte(text[at])
		case text[at] == '"':
			return out.String(), at + 1
		default:
			out.WriteByte(text[at])
		}
	}
	return out.String(), len(text)
}

func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

// startsText reports whether a string of several lines begins at a place (RFC 5228
// §2.4.2, multi-line).
func startsText(text string, at int) bool {
	return len(text)-at >= 5 && strings.EqualFold(text[at:at+5], "text:") && (at == 0 || strings.IndexByte(" \t\r\n,;{[(", text[at-1]) >= 0)
}

// textEnd is where it ends: behind a line that is a dot.
func textEnd(text string, at int) int {
	for at = lineEnd(text, at); at < len(text); {
		end := lineEnd(text, at)
		if strings.TrimRight(text[at:end], "\r\n") == "." {
			return end
		}
		at = end
	}
	return len(text)
}
