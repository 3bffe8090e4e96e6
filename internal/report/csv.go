package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"spoor"
)

// csvMessages lists messages for a spreadsheet, one row each.
type csvMessages struct {
	out    *csv.Writer
	record []string
}

func newCSV(out io.Writer) *csvMessages {
	return &csvMessages{out: csv.NewWriter(out)}
}

// header writes the names of the columns before the first row.
func (c *csvMessages) header() error {
	if c.record != nil {
		return nil
	}
	c.record = []string{
		"id", "time", "size", "state", "bouncing", "unprocessed", "held", "sender", "recipients", "done",
		"source", "uid", "ip", "account", "script", "confidence", "subject", "message_id",
	}
	return c.out.Write(c.record)
}

// Row implements Messages.
func (c *csvMessages) Row(m *spoor.Message, a *spoor.Attribution) error {
	if err := c.header(); err != nil {
		return err
	}
	c.record = append(c.record[:0],
		cell(string(m.ID)), jsonTime(m.Arrived), strconv.FormatInt(m.SizeBytes, 10), m.State.String(),
		strconv.FormatBool(m.Bouncing), strconv.FormatBool(m.Unprocessed), strconv.FormatBool(m.Held),
		cell(m.Sender))
	c.record = appendRecipientCounts(c.record, m)
	c.record = appendBlame(c.record, m, a)
	c.record = append(c.record, cell(m.Subject), cell(m.MessageID))
	return c.out.Write(c.record)
}

// appendRecipientCounts appends how many recipients there are and how many are
// done, where that is known.
func appendRecipientCounts(record []string, m *spoor.Message) []string {
	if !m.HasEnvelope && m.Recipients.Len() == 0 {
		return append(record, "", "")
	}
	return append(record, strconv.Itoa(m.Recipients.Len()), strconv.Itoa(m.Recipients.Done()))
}

// appendBlame appends the six cells from source to confidence.
func appendBlame(record []string, m *spoor.Message, a *spoor.Attribution) []string {
	if a == nil {
		return append(record, "", "", "", "", "", "")
	}
	o, uid := originOf(m, a), ""
	if a.UID >= 0 {
		uid = strconv.Itoa(a.UID)
	}
	return append(record, cell(a.Source.String()), uid, cell(o.ip), cell(o.account), cell(o.script),
		strconv.FormatFloat(finite(a.Confidence), 'f', -1, 64))
}

// Close implements Messages.
func (c *csvMessages) Close() error {
	if err := c.header(); err != nil {
		return err
	}
	c.out.Flush()
	return c.out.Error()
}

// cell escapes s and keeps spreadsheets from running it: Excel and LibreOffice
// take a cell as a formula by its first character, in ASCII or full width.
func cell(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if !strings.ContainsRune("=+-@＝＋－＠", r) || size == 0 {
		return Escape(s)
	}
	escaped := appendHex([]byte(`\x`), r, 2)
	if r >= utf8.RuneSelf {
		escaped = appendHex([]byte(`\u`), r, 4)
	}
	return string(AppendEscaped(escaped, s[size:]))
}
