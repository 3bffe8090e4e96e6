package vault

import (
	"bytes"
	"fmt"

	"spoor"
)

// The envelope of a message is the first piece of its content, a line for each
// recipient: its channel, its state, a space, its address. The line of one whose
// delivery was under way when the message was taken begins with '?'.
const (
	channelLetters = "ulr" // in the order of spoor.Channel
	letterUndone   = '-'
	letterDone     = 'd'
	letterUnsure   = '?'
)

// maxEnvelope is how long an envelope may be, in bytes.
const maxEnvelope = 64 << 20

// appendEnvelope appends the lines of the recipients.
func appendEnvelope(dst []byte, p *spoor.Parcel) []byte {
	for i := range p.Envelope {
		one := &p.Envelope[i]
		state := byte(letterUndone)
		if one.Done {
			state = letterDone
		}
		dst = append(dst, channelLetters[min(int(one.Channel), len(channelLetters)-1)], state, ' ')
		dst = append(appendEscaped(dst, one.Address), '\n')
	}
	for _, address := range p.Uncertain {
		dst = append(dst, letterUnsure, letterUnsure, ' ')
		dst = append(appendEscaped(dst, address), '\n')
	}
	return dst
}

// parseEnvelope is the inverse of appendEnvelope.
func parseEnvelope(text []byte, p *spoor.Parcel) error {
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte{'\n'})
		if !whole || len(line) < 3 || line[2] != ' ' {
			return fmt.Errorf("the recipient %q %w", line, errRecord)
		}
		address, err := unescape(string(line[3:]))
		channel := bytes.IndexByte([]byte(channelLetters), line[0])
		switch {
		case err != nil:
			return fmt.Errorf("the recipient %q: %w", line, err)
		case line[0] == letterUnsure:
			p.Uncertain = append(p.Uncertain, address)
		case channel < 0:
			return fmt.Errorf("the recipient %q %w", line, errRecord)
		default:
			p.Envelope = append(p.Envelope, spoor.Recipient{Address: address, Channel: spoor.Channel(channel), Done: line[1] == letterDone})
		}
		text = rest
	}
	return nil
}
