package logs

import "spoor/internal/word"

// beginningBytes is how long a beginning may be, and how long a text must be for a
// beginning to be looked for.
const beginningBytes = 32

// beginning is how many texts begin: the host in the lines of a log, or a program.
// Its bytes are compared all at once, since no processor foresees where a loop
// over them ends. The zero beginning begins nothing.
type beginning struct {
	words, masks [beginningBytes / word.Bytes]uint64
	length       int
}

// beginningOf returns the beginning that text is; the zero beginning if it is too long.
func beginningOf(text []byte) (o beginning) {
	if len(text) > beginningBytes {
		return o
	}
	var padded [beginningBytes]byte
	o.length = copy(padded[:], text)
	for i := range o.words {
		o.words[i] = word.At(padded[:], i*word.Bytes)
		o.masks[i] = word.Mask(max(0, min(word.Bytes, o.length-i*word.Bytes)))
	}
	return o
}

// begins reports whether a text begins so. One of less than beginningBytes never does.
func (o *beginning) begins(text []byte) bool {
	if len(text) < beginningBytes || o.length == 0 {
		return false
	}
	return (word.At(text, 0)^o.words[0])&o.masks[0]|
		(word.At(text, 8)^o.words[1])&o.masks[1]|
		(word.At(text, 16)^o.words[2])&o.masks[2]|
		(word.At(text, 24)^o.words[3])&o.masks[3] == 0
}
