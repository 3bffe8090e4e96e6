package verdict

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"spoor"
)

// maxQuoted bounds how many messages or conflicts a reason quotes.
const maxQuoted = 5

// listing is the command that lists the source's messages in one of the formats
// of the queue command: "ids" to count them, "ndjson" to count by the fields
// that each line shows. It is "" where the source's name would need quoting in a
// shell.
func (f *facts) listing(format string) string {
	source := f.t.Source.String()
	if !plain(source) {
		return ""
	}
	return "spoor queue ls source:" + source + " -o " + format
}

// recount is the command that lists n messages of the source, if they are all
// that it has: no selector tells the others from the rest.
func (f *facts) recount(n int) string {
	if n != f.t.Messages {
		return ""
	}
	return f.listing("ids")
}

// plain reports whether text can stand in a sentence and in a shell command as
// it is.
func plain(text string) bool {
	for i := range len(text) {
		c := text[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && strings.IndexByte("@._:/+-", c) < 0 {
			return false
		}
	}
	return text != ""
}

// ranked quotes the most frequent values of a ranking, each with its count. An
// empty one is the null sender.
func ranked(what string, r spoor.Ranking) []spoor.Evidence {
	quotes := make([]spoor.Evidence, len(r.Top))
	for i, tally := range r.Top {
		quotes[i] = spoor.Evidence{What: what, Text: strconv.Itoa(tally.Count) + " " + cmp.Or(tally.Value, "<>")}
	}
	return quotes
}

// sampled quotes the subjects of the first few samples that have something.
func (f *facts) sampled(what string, has func(m *spoor.Message) bool) []spoor.Evidence {
	var quotes []spoor.Evidence
	for _, m := range inOrder(f.t.Samples) {
		if len(quotes) == maxQuoted {
			break
		}
		if has(m) {
			quotes = append(quotes, quote(what, m))
		}
	}
	return quotes
}

// idsOf lists the IDs of all the messages: what was counted, to be counted again.
func idsOf(messages []*spoor.Message) string {
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = string(m.ID)
	}
	return strings.Join(ids, " ")
}

// quote is a message as evidence, by its Subject field, which is not decoded.
func quote(what string, m *spoor.Message) spoor.Evidence {
	e := spoor.Evidence{What: what, ID: m.ID, File: m.Path()}
	if m.Subject != "" {
		e.Text = "Subject: " + m.Subject
	}
	return e
}

// inOrder returns the messages by arrival and ID. The argument stays as it is.
func inOrder(messages []*spoor.Message) []*spoor.Message {
	sorted := slices.Clone(messages)
	slices.SortFunc(sorted, older)
	return sorted
}

// older orders messages by arrival, then by ID.
func older(a, b *spoor.Message) int {
	if c := a.Arrived.Compare(b.Arrived); c != 0 {
		return c
	}
	return strings.Compare(string(a.ID), string(b.ID))
}
