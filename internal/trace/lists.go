package trace

import (
	"bytes"

	"spoor"
)

// Mailing lists that are programs of this machine: the MTA hands a post to the program,
// and that hands one copy, or one for each subscriber, back by SMTP. The copies have the
// Message-ID of the post and, as sender, the list's address with a word for its bounces.
// That the program got the post is often logged after the copies, which it has made
// meanwhile.

// mailingList is an address here that may be a list's.
type mailingList struct {
	address string
	proven  bool // a program of this machine has got mail for it
}

// listCopy is what a message is if the list is one.
type listCopy struct {
	list  *mailingList
	cause spoor.Source   // who wrote the post
	place spoor.LogPlace // where the log tells of the post's origin
}

const (
	// maxLists bounds the addresses that are taken for lists', and maxPassed those for
	// which programs got mail of late, by the low bits of the hash.
	maxLists  = 1 << 10
	maxPassed = 1 << 12
	// maxHeld bounds the copies that have left the queue and wait for that.
	maxHeld = 1 << 14
)

// bouncing are the words that lists of mlmmj, Mailman, ezmlm and Sympa have behind
// their names in the sender.
var bouncing = [...]string{"+bounces", "-bounces", "-return-", "-owner", "+owner"}

// copied notes that a message whose Message-ID is that of another may be a list's copy
// of it, by its sender.
func (j *Journal) copied(f *flight, sender []byte) {
	past := &j.past[f.copyOf&(maxNamed-1)]
	if f.copyOf == 0 || past.name != f.copyOf || past.book == nil || f.nullSender || f.foreign {
		return
	}
	list := j.listBehind(sender)
	back := f.goesOn && past.next == f.key // it was taken for the post itself
	if list == nil || back && !list.proven {
		return
	}
	if back {
		j.notBack(past)
		f.goesOn, f.filtered = false, true
	}
	f.list = &listCopy{list: list, cause: past.book.named(), place: past.login}
}

// listBehind returns the list whose sender an address is; nil if it is none.
func (j *Journal) listBehind(sender []byte) *mailingList {
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
	list := j.lists[key]
	if list == nil && len(j.lists) < maxLists {
		list = &mailingList{address: string(j.address), proven: j.passedFor[key&(maxPassed-1)] == key}
		j.lists[key] = list
	}
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

// passedTo notes that a program of this machine has got mail for an address.
func (j *Journal) passedTo(address []byte) {
	if len(address) == 0 || len(address) > longestAddress {
		return
	}
	j.address = append(j.address[:0], address...)
	key := j.listKey(j.address)
	j.passedFor[key&(maxPassed-1)] = key
	if list := j.lists[key]; list != nil {
		list.proven = true
	}
}

// isCopy reports whether a message is known for a list's.
func (f *flight) isCopy() bool { return f.list != nil && f.list.list.proven }

// mayBeCopy reports whether it may turn out to be.
func (f *flight) mayBeCopy() bool { return f.list != nil && !f.list.list.proven }

// source is the list.
func (c *listCopy) source() spoor.Source {
	return spoor.Source{Kind: spoor.KindList, Name: lowerDomain(c.list.address)}
}
