package report

import (
	"strconv"

	"spoor"
)

// appendMessage appends the object that spoor queue ls -o ndjson has for a
// message. It is written by hand since a queue has hundreds of thousands of
// them. Without an attribution, source and origin are absent.
func appendMessage(dst []byte, m *spoor.Message, a *spoor.Attribution) []byte {
	dst = appendJSONString(append(dst, `{"id":`...), string(m.ID))
	dst = appendJSONTime(append(dst, `,"time":`...), m.Arrived)
	dst = strconv.AppendInt(append(dst, `,"size":`...), m.SizeBytes, 10)
	if m.HasEnvelope {
		dst = appendJSONString(append(dst, `,"sender":`...), m.Sender)
	}
	dst = appendJSONString(append(dst, `,"state":`...), m.State.String())
	dst = strconv.AppendBool(append(dst, `,"bouncing":`...), m.Bouncing)
	dst = strconv.AppendBool(append(dst, `,"unprocessed":`...), m.Unprocessed)
	dst = strconv.AppendBool(append(dst, `,"held":`...), m.Held)
	dst = appendRecipients(dst, &m.Recipients)
	if a != nil {
		dst = appendJSONSource(append(dst, `,"source":`...), a.Source)
		dst = appendOrigin(dst, m, a)
	}
	dst = appendJSONString(append(dst, `,"subject":`...), m.Subject)
	dst = appendJSONString(append(dst, `,"message_id":`...), m.MessageID)
	return append(dst, '}')
}

// appendRecipients appends the key recipients, unless they were only counted.
func appendRecipients(dst []byte, r *spoor.Recipients) []byte {
	if r.CountOnly && r.Len() > 0 {
		return dst
	}
	dst = append(dst, `,"recipients":[`...)
	first := true
	for one := range r.All() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendJSONString(append(dst, `{"address":`...), one.Address)
		if one.Channel != spoor.ChannelUndecided {
			dst = appendJSONString(append(dst, `,"channel":`...), one.Channel.String())
		}
		dst = strconv.AppendBool(append(dst, `,"done":`...), one.Done)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendJSONSource appends what Source.String returns, without making it.
func appendJSONSource(dst []byte, s spoor.Source) []byte {
	dst = append(append(dst, '"'), s.Kind.String()...)
	if s.Name == "" {
		return append(dst, '"')
	}
	colon := len(dst)
	dst = appendJSONString(dst, s.Name)
	dst[colon] = ':' // where the name's own quote was
	return dst
}

func appendOrigin(dst []byte, m *spoor.Message, a *spoor.Attribution) []byte {
	o := originOf(m, a)
	dst = append(append(append(dst, `,"origin":{"kind":"`...), a.Source.Kind.String()...), '"')
	dst = appendJSONString(append(dst, `,"name":`...), a.Source.Name)
	if a.UID >= 0 {
		dst = strconv.AppendInt(append(dst, `,"uid":`...), int64(a.UID), 10)
	}
	dst = appendJSONString(append(dst, `,"ip":`...), o.ip)
	dst = appendJSONString(append(dst, `,"account":`...), o.account)
	dst = appendJSONString(append(dst, `,"script":`...), o.script)
	dst = appendJSONFloat(append(dst, `,"confidence":`...), a.Confidence)
	dst = append(dst, `,"evidence":[`...)
	for i := range a.Evidence {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendEvidence(dst, &a.Evidence[i])
	}
	return append(dst, `]}`...)
}

func appendEvidence(dst []byte, e *spoor.Evidence) []byte {
	dst = appendJSONString(append(dst, `{"what":`...), e.What)
	dst = appendJSONString(append(dst, `,"id":`...), string(e.ID))
	dst = appendJSONString(append(dst, `,"file":`...), e.File)
	dst = strconv.AppendInt(append(dst, `,"line":`...), int64(e.Line), 10)
	dst = appendJSONString(append(dst, `,"text":`...), e.Text)
	return append(dst, '}')
}

// origin is what is proven of how a message entered the server.
type origin struct{ ip, account, script string }

// originOf reads the trail's entry and the source. The entry of a bounce is
// that of the message behind it: it says nothing of the bounce itself.
func originOf(m *spoor.Message, a *spoor.Attribution) origin {
	var o origin
	if hop := m.Trail.Entry(); hop != nil && hop.Via == spoor.ViaNetwork && a.Source.Kind != spoor.KindBounce {
		if hop.Client.IsValid() {
			o.ip = hop.Client.String()
		}
		if hop.Authenticated {
			o.account = hop.Account
		}
	}
	if a.Source.Kind == spoor.KindAccount {
		o.account = a.Source.Name
	}
	if o.script = a.Script; a.Source.Kind == spoor.KindScript {
		o.script = a.Source.Name
	}
	return o
}
