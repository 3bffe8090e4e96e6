package redact

import "bytes"

// Log replaces names in lines of a log as Text does, and every word of the
// subjects that some MTAs and PHP write into it.
func (n *Names) Log(b []byte) {
	for line := range bytes.Lines(b) {
		n.logLine(line)
	}
}

func (n *Names) logLine(line []byte) {
	start, end := subjectIn(line)
	n.Text(line[:start])
	n.prose(line[start:end])
	n.Text(line[end:])
}

// subjectIn is where a subject is in a line; at its end if there is none. Exim
// writes T="…" (Log file fields, in its specification), Postfix "header Subject: …
// from host" (header_checks(5)), PHP "Subject: …" up to the next field or " --".
func subjectIn(line []byte) (start, end int) {
	if i := bytes.Index(line, []byte(` T="`)); i >= 0 {
		start = i + len(` T="`)
		for end = start; end < len(line) && line[end] != '"'; end++ {
			if line[end] == '\\' {
				end++
			}
		}
		return start, min(end, len(line))
	}
	i := bytes.Index(line, []byte("Subject: "))
	if i < 0 {
		return len(line), len(line)
	}
	start, end = i+len("Subject: "), len(bytes.TrimRight(line, "\r\n"))
	for _, stop := range [...]string{" from ", " -- ", " X-", " From: ", " To: ", " Date: ", " MIME-Version: ", " Content-Type: ", " Message-ID: ", " Message-Id: "} {
		if j := bytes.Index(line[start:end], []byte(stop)); j >= 0 {
			end = start + j
		}
	}
	return start, max(start, end)
}
