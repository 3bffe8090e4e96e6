package trace

import (
	"bytes"
	"cmp"
	"slices"

	"spoor"
)

// Mailing lists that are programs of this machine: the MTA hands a post to the program,
// and that hands one copy, or one for each subscriber, back by SMTP. The copies have the
// Message-ID of the post and, as sender, the list's address with a word for its bounces.
// That the program got the post is often logged after the copies, which it has made
// meanwhile.

// posting is a post at an address here that may be a list's.
type posting struct {
	address string
	key     uint64         // listKey of address
	proven  bool           // a program of this machine that is no filter has got the post for it
	cause   spoor.Source   // who wrote the post
	place   spoor.LogPlace // where the log tells of the post's origin
}

const (
	// maxPostings bounds the addresses that copies of one post name, and maxPrograms those
	// for which programs got it.
	maxPostings = 8
	maxPrograms = 16
	// maxHeld bounds the copies that have left the queue and wait for that.
	maxHeld = 1 << 14
)

// bouncing are the words that lists of mlmmj, Mailman, Schleuder, ezmlm and Sympa have
// behind their names in the sender.
var bouncing = [...]string{"+bounce", "-bounce", "-return-", "-owner", "+owner"}

// copied notes that a message whose Message-ID is that of another may be a list's copy
// of it, by its sender.
func (j *Journal) copied(f *flight, sender []byte) {
	past := &j.past[f.copyOf&(maxNamed-1)]
	if f.copyOf == 0 || past.name != f.copyOf || past.book == nil {
		return
	}
	var list *posting
	if !f.nullSender && !f.foreign {
		list = j.postingBy(sender, past)
	}
	switch {
	case !f.handedBack:
	case list == nil || !list.proven:
		past.forgetPrograms() // it is the post itself
		return
	default: // it was taken for the post itself
		j.notBack(past)
		f.goesOn, f.filtered = false, true
	}
	if list == nil {
		return
	}
	f.list = list
	if list.proven {
		past.heard = max(past.heard, f.heard) // the program is at work
	}
}

// postingBy returns the post at the list whose sender an address is; nil if it is none.
func (j *Journal) postingBy(sender []byte, past *pastOrigin) *posting {
	at := bytes.LastIndexByte(sender, '@')
	if at < 0 || len(sender) > longestAddress {
		return nil
	}
	end := -1
	for _, word := range bouncing {
		if i := bytes.Index(sender[:at], []byte(word)); i > 0 && (end < 0 || i < end) {
			end = i
		}
	}
	if end < 0 {
		return nil
	}
	j.address = append(append(j.address[:0], sender[:end]...), sender[at:]...)
	key := j.listKey(j.address)
	kin := past.kinship()
	for _, known := range kin.postings {
		if known.key == key {
			return known
		}
	}
	if len(kin.postings) >= maxPostings {
		return nil
	}
	list := &posting{address: string(j.address), key: key, proven: slices.Contains(kin.programs, key), cause: past.book.named(), place: past.login}
	kin.postings = append(kin.postings, list)
	return list
}

// listKey is the hash of an address in lower case, which is changed.
func (j *Journal) listKey(address []byte) uint64 {
	for i, c := range address {
		if c >= 'A' && c <= 'Z' {
			address[i] = c + ('a' - 'A')
		}
	}
	key, _ := spoor.AddressHash(address)
	return key
}

// passedTo notes for which addresses a program of this machine has got a message. It is
// a filter if the message has come back, or the line says under which ID it does.
func (j *Journal) passedTo(f *flight, e *spoor.Event) {
	name := cmp.Or(f.named, f.copyOf)
	past := &j.past[name&(maxNamed-1)]
	if name == 0 || past.name != name || f.handedOn || len(e.Related) > 0 {
		return
	}
	kin := past.kinship()
	for _, address := range [...][]byte{e.Address, e.Parent} {
		if len(address) == 0 || len(address) > longestAddress {
			continue
		}
		j.address = append(j.address[:0], address...)
		key := j.listKey(j.address)
		if len(kin.programs) < maxPrograms && !slices.Contains(kin.programs, key) {
			kin.programs = append(kin.programs, key)
		}
		for _, list := range kin.postings {
			list.proven = list.proven || list.key == key
		}
	}
}

// isCopy reports whether a message is known for a list's.
func (f *flight) isCopy() bool { return f.list != nil && f.list.proven }

// mayBeCopy reports whether it may turn out to be.
func (f *flight) mayBeCopy() bool { return f.list != nil && !f.list.proven }

// source is the list.
func (p *posting) source() spoor.Source {
	return spoor.Source{Kind: spoor.KindList, Name: lowerDomain(p.address)}
}
