package vault

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"spoor"
)

// WriteEML writes a message as it is: header, empty line, body, byte by byte
// (RFC 5322). body is what the MTA's adapter makes of the stored files.
func WriteEML(w io.Writer, body io.Reader) error {
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	return nil
}

// WriteMbox appends a message to an mbox file: a From line with the envelope's
// sender and the time of arrival in UTC (RFC 4155), then the message with a '>'
// more before each "From " that has none or some at the start of a line
// (mboxrd), then an empty line.
func WriteMbox(w io.Writer, p *spoor.Parcel, body io.Reader) error {
	out := bufio.NewWriter(w)
	_, _ = fmt.Fprintf(out, "From %s %s\n", mboxSender(p.Sender), p.Arrived.UTC().Format(time.ANSIC))
	if err := quoteFrom(out, bufio.NewReader(body)); err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	if err := out.Flush(); err != nil { // it keeps the first error of all writes
		return fmt.Errorf("write the message: %w", err)
	}
	return nil
}

// mboxSender is the sender as the From line can hold it: no space, nothing that
// ends the line.
func mboxSender(sender string) string {
	if sender == "" {
		return "MAILER-DAEMON"
	}
	clean := []byte(sender)
	for i, c := range clean {
		if c <= ' ' || c == 0x7f {
			clean[i] = '_'
		}
	}
	return string(clean)
}

// quoteFrom copies lines. Where in a run of '>' the new one goes is all the same.
func quoteFrom(out *bufio.Writer, in *bufio.Reader) error {
	fresh, last := true, byte('\n')
	for {
		if fresh {
			if next, _ := in.Peek(5); bytes.Equal(next, []byte("From ")) {
				_ = out.WriteByte('>')
			}
		}
		c, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		_ = out.WriteByte(c)
		fresh = c == '\n' || fresh && c == '>'
		last = c
	}
	if last != '\n' {
		_ = out.WriteByte('\n')
	}
	return out.WriteByte('\n')
}
