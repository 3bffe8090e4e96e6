package exim

import (
	"net/netip"
	"path"
	"strings"

	"spoor"
)

const (
	maxRelay = 100_000 // entries of the relay list
	maxLists = 10      // lists in lists
)

// listItems cuts a list at its separator: a colon, of which two stand for one,
// or what follows a "<".
func listItems(list string) []string {
	list = strings.TrimSpace(list)
	separator := ":"
	if rest, ok := strings.CutPrefix(list, "<"); ok && rest != "" {
		separator, list = rest[:1], rest[1:]
	}
	list = strings.ReplaceAll(list, separator+separator, "\x00")
	var items []string
	for item := range strings.SplitSeq(list, separator) {
		items = append(items, strings.ReplaceAll(strings.TrimSpace(item), "\x00", separator))
	}
	return items
}

// hosts adds the hosts of a list to those that may relay.
func (a *auditor) hosts(list string, place spoor.Evidence, depth int) {
	if strings.Contains(list, "${") {
		a.gap(place.File, "a list of hosts that may relay is computed: it is not known who is in it")
		return
	}
	for _, item := range listItems(list) {
		a.host(item, place, depth)
	}
}

// host adds one item of a host list. Empty items stand for mail that comes over
// no network, @ and @[] for this machine.
func (a *auditor) host(item string, place spoor.Evidence, depth int) {
	prefix, isPrefix := prefixOf(item)
	switch {
	case item == "", item == "@", item == "@[]", strings.HasPrefix(item, "!"):
	case strings.HasPrefix(item, "+"):
		if list, ok := a.conf.hosts[item[1:]]; ok && depth < maxLists {
			at := list.place()
			at.Text = item[1:] + " = " + at.Text
			a.hosts(list.text, at, depth+1)
		}
	case item == "*":
		a.entry(netip.PrefixFrom(netip.IPv4Unspecified(), 0), place)
	case isPrefix:
		a.entry(prefix, place)
	case strings.HasPrefix(item, "/"):
		a.hostFile(item, depth)
	case strings.Contains(item, ";"):
		kind, file, _ := strings.Cut(item, ";")
		if file = strings.TrimSpace(file); strings.Contains(kind, "lsearch") && strings.HasPrefix(file, "/") {
			a.hostFile(file, depth)
		} else {
			a.gap(place.File, "who may relay is also in "+item+", which is no file of lines")
		}
	default:
		a.weak(spoor.Weakness{Kind: spoor.WeakNamedRelay, Subject: "hosts", Value: item, Place: place})
	}
}

// hostFile adds the hosts of a file, one a line, as items of a list or as the
// keys of a lookup.
func (a *auditor) hostFile(name string, depth int) {
	data, err := a.queue.root.ReadFile(name, listBytes)
	if err != nil || depth >= maxLists {
		return // files that are not there list nobody
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if item := keyOf(line); item != "" {
			a.host(item, spoor.Evidence{What: "relay list", File: name, Line: number, Text: line}, depth+1)
		}
	}
}

// keyOf is the item of a line of a list, or its key for a lookup: that ends with
// a colon or a blank.
func keyOf(line string) string {
	word, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	word = strings.Trim(strings.TrimSuffix(word, ":"), `"`)
	if _, ok := prefixOf(word); ok {
		return word
	}
	key, _, _ := strings.Cut(word, ":")
	return key
}

// popFiles list those who read mail lately: POP before SMTP.
var popFiles = [...]string{"pophosts", "relayhosts", "recent_authed_mail_ips"}

// entry adds an entry of the relay list, once.
func (a *auditor) entry(prefix netip.Prefix, place spoor.Evidence) {
	key := prefix.String() + "\x00" + place.Place()
	if a.seen[key] || len(a.policy.Relay) >= maxRelay {
		return
	}
	a.seen[key] = true
	entry := spoor.RelayEntry{Prefix: prefix, Place: place}
	for _, name := range popFiles {
		entry.Temporary = entry.Temporary || path.Base(place.File) == name
	}
	a.policy.Relay = append(a.policy.Relay, entry)
}

func prefixOf(text string) (netip.Prefix, bool) {
	text = strings.NewReplacer("[", "", "]", "").Replace(text)
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Masked(), true
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), true
}
