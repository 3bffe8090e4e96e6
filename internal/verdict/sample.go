package verdict

import (
	"cmp"
	"slices"

	"spoor"
)

// The bounds of the sample whose bodies are read.
const (
	maxSamples       = 2000 // messages of a queue
	maxSourceSamples = 200  // messages of a source
)

// sample is one message of the sample.
type sample struct {
	message *spoor.Message
	source  spoor.Source
}

// body is what one or more sampled messages hold: they are the same byte for
// byte, as far as the scan hashed them.
type body struct {
	samples   []sample // at least one
	key       uint64   // of the signature, else of the content
	signature signature
	signed    bool // the body was read and is long enough for a signature
}

// read takes the signature of a body. It is false where no copy can be read.
func (b *body) read(contents Contents, signer *signer) bool {
	for _, one := range b.samples {
		text, err := contents.Body(one.message)
		if err != nil {
			continue // gone, or as damaged as another copy may not be
		}
		if b.signature, b.signed = signer.sign(text); b.signed {
			b.key = b.signature.key()
		}
		return true
	}
	return false
}

// sampleOf picks the sample, the sources with most messages first, and puts
// exact copies together: they cost one reading. The bodies are in the order of
// their first messages.
func sampleOf(traffic []spoor.Traffic) []*body {
	largest := make([]*spoor.Traffic, 0, len(traffic))
	for i := range traffic {
		if len(traffic[i].Samples) > 0 && worthReading(&traffic[i]) {
			largest = append(largest, &traffic[i])
		}
	}
	slices.SortFunc(largest, func(a, b *spoor.Traffic) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), a.Source.Compare(b.Source))
	})
	var picked []sample
	for _, t := range largest {
		for _, m := range spread(inOrder(t.Samples), min(maxSourceSamples, maxSamples-len(picked))) {
			picked = append(picked, sample{message: m, source: t.Source})
		}
	}
	slices.SortStableFunc(picked, func(a, b sample) int { return older(a.message, b.message) })
	return fold(picked)
}

// worthReading reports whether what the source's messages say can matter: it
// does not for bounces, which repeat what others wrote, and for inbound mail.
func worthReading(t *spoor.Traffic) bool {
	switch t.Source.Kind {
	case spoor.KindBounce:
		return false
	case spoor.KindNetwork:
		return t.Outbound > 0
	case spoor.KindUnknown, spoor.KindAccount, spoor.KindScript, spoor.KindSite,
		spoor.KindUser, spoor.KindForward, spoor.KindList:
	}
	return true
}

// spread returns at most n of the messages, evenly spread.
func spread(messages []*spoor.Message, n int) []*spoor.Message {
	if len(messages) <= n {
		return messages
	}
	picked := make([]*spoor.Message, n)
	for i := range picked {
		picked[i] = messages[i*len(messages)/n]
	}
	return picked
}

// fold puts exact copies together. Where nothing of the body was hashed, nothing
// is known to be a copy.
func fold(picked []sample) []*body {
	type content struct {
		hash  uint64
		bytes int
	}
	bodies := make([]*body, 0, len(picked))
	known := map[content]*body{}
	for _, one := range picked {
		id := content{hash: one.message.ContentHash, bytes: one.message.ContentBytes}
		b := known[id]
		if b == nil {
			b = &body{key: id.hash}
			bodies = append(bodies, b)
		}
		if id.bytes > 0 {
			known[id] = b
		}
		b.samples = append(b.samples, one)
	}
	return bodies
}
