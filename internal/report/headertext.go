package report

import (
	"mime"
	"strings"
)

// subjectField is what the evidence that quotes a subject begins with.
const subjectField = "Subject: "

// unfold turns folded lines of a header field into one line (RFC 5322 §2.2.3):
// a line end with blanks after it becomes one space. Any other line end stays,
// and is escaped on its way to the page: no field can hold one.
func unfold(value string) string {
	if !strings.Contains(value, "\n") {
		return value
	}
	var out strings.Builder
	for {
		line, rest, found := strings.Cut(value, "\n")
		after := strings.TrimLeft(rest, " \t")
		if !found {
			out.WriteString(value)
			return out.String()
		}
		if len(after) == len(rest) {
			out.WriteString(line + "\n")
		} else {
			out.WriteString(strings.TrimSuffix(line, "\r") + " ")
		}
		value = after
	}
}

// receivedFields parts the fields that this server wrote of one hop, still
// folded: its text holds one below the other, as the header does.
func receivedFields(text string) []string {
	var fields []string
	for line := range strings.SplitSeq(text, "\n") {
		if last := len(fields) - 1; last >= 0 && line != "" && (line[0] == ' ' || line[0] == '\t') {
			fields[last] += "\n" + line
			continue
		}
		fields = append(fields, line)
	}
	return fields
}

// subject is a raw Subject field for a person: in one line and with its encoded
// words decoded (RFC 2047). One that holds a word of a charset that is not known
// here stays as it is.
func subject(raw string) string {
	line := unfold(raw)
	if decoded, err := new(mime.WordDecoder).DecodeHeader(line); err == nil {
		return decoded
	}
	return line
}

// quoted is the text of a fact for a person.
func quoted(text string) string {
	if raw, ok := strings.CutPrefix(text, subjectField); ok {
		return subjectField + subject(raw)
	}
	return unfold(text)
}
