package report

import (
	"fmt"
	"strings"
	"time"

	"spoor"
)

// writeEnvelope tells what a message is and whom it goes to. It names at most
// named recipients.
func writeEnvelope(p *page, m *spoor.Message, now time.Time, named int) {
	p.row(0, "Message", clip(string(m.ID), maxQuote))
	p.row(0, "File", clip(m.Path(), maxQuote))
	p.row(0, "Arrived", p.style.since(now, m.Arrived))
	if !m.Routed.IsZero() {
		p.row(0, "Preprocessed", p.style.since(now, m.Routed))
	}
	p.row(0, "Size", plural(m.SizeBytes, "byte"))
	p.row(0, "State", stateOf(m, ", "))
	p.row(0, "Sender", clip(senderOf(m), maxQuote))
	if m.Subject != "" {
		p.row(0, "Subject", clip(subject(m.Subject), maxQuote))
	}
	if m.MessageID != "" {
		p.row(0, "Message-ID", clip(m.MessageID, maxQuote))
	}
	total, done := m.Recipients.Len(), m.Recipients.Done()
	if !m.HasEnvelope && total == 0 {
		p.row(0, "Recipients", "unknown")
		return
	}
	p.row(0, "Recipients", fmt.Sprintf("%s: %s done, %s pending", count(total), count(done), count(total-done)))
	writeRecipients(p, &m.Recipients, named)
}

func writeRecipients(p *page, r *spoor.Recipients, named int) {
	n := 0
	for one := range r.All() {
		if n == named {
			break
		}
		n++
		p.row(detail, recipientState(one), clip(one.Address, maxQuote))
	}
	if more := r.Len() - n; more > 0 && n > 0 {
		p.row(detail, "", "and "+count(more)+" more: see --json")
	}
}

// recipientState has the words of qmail-qread(8).
func recipientState(r spoor.Recipient) string {
	words := r.Channel.String()
	if r.Done {
		words = strings.TrimSpace(words + " done")
	}
	return words
}

// stateOf is the state of a message with everything that is odd about it.
func stateOf(m *spoor.Message, comma string) string {
	words := m.State.String()
	if m.Unprocessed && m.State != spoor.StateTodo {
		words += comma + "unprocessed"
	}
	if m.Bouncing {
		words += comma + "bouncing"
	}
	if m.Held {
		words += comma + "held"
	}
	return words
}
