package postfix

import (
	"errors"
	"io/fs"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"spoor"
)

// maxRelay bounds the entries of one list of clients.
const maxRelay = 100_000

// networks adds what mynetworks lists. Where it is not set, mynetworks_style
// says which networks around the server's own addresses are meant. What is set for a
// service that only this machine reaches lets nobody else in.
func (a *auditor) networks(s *smtpService) {
	setting, set := s.main.Setting("mynetworks")
	general, _ := a.main.Setting("mynetworks")
	switch {
	case s.local && (!set || setting != general):
	case !set:
		a.networksStyle(s.main)
	default:
		for _, item := range s.main.List("mynetworks") {
			a.network(s.main, item, setting.Place, 0)
		}
	}
}

func (a *auditor) networksStyle(main *MainCF) {
	style := main.Get("mynetworks_style")
	if _, set := main.Setting("mynetworks_style"); !set {
		style = "host"
		if level(main.Get("compatibility_level")) < 2 {
			style = "subnet"
		}
	}
	if style == "subnet" || style == "class" {
		place := a.place(main, "mynetworks_style")
		if place.Line == 0 {
			place.Text = "mynetworks is not set, nor is mynetworks_style: the networks of this server's addresses are meant"
		}
		a.weak(spoor.Weakness{Kind: spoor.WeakWholeNetworks, Subject: "mynetworks", Value: style, Place: place})
	}
}

// level reads a compatibility_level such as 3.6; 0 where there is none.
func level(text string) int {
	major, _, _ := strings.Cut(text, ".")
	n, err := strconv.Atoi(strings.TrimSpace(major))
	if err != nil {
		return 0
	}
	return n
}

// network adds an item of mynetworks: an address, a network, a file of them, or
// a table whose keys they are. Those behind a ! are not meant.
func (a *auditor) network(main *MainCF, item string, place spoor.Evidence, depth int) {
	switch {
	case strings.HasPrefix(item, "!"):
	case strings.HasPrefix(item, "/"):
		if depth < 3 {
			a.networkFile(main, item, depth)
		}
	default:
		if prefix, ok := prefixOf(item); ok {
			a.entry(prefix, place)
		} else if strings.Contains(item, ":") {
			a.networkTable(main, item)
		} else {
			a.gap(place.File, "an entry of mynetworks was not understood: "+item)
		}
	}
}

func (a *auditor) networkFile(main *MainCF, name string, depth int) {
	data, err := main.root.ReadFile(name, configBytes)
	if err != nil {
		a.gap(name, "list of clients that may relay cannot be read: "+cause(err))
		return
	}
	for line := range logicalLines(string(data)) {
		place := spoor.Evidence{What: "relay list", File: name, Line: line.number, Text: line.text}
		for _, item := range strings.Fields(line.text) {
			a.network(main, item, place, depth+1)
		}
	}
}

// networkTable adds the keys of a table, whatever their values.
func (a *auditor) networkTable(main *MainCF, spec string) {
	lines, ok := a.lines(main, spec)
	if !ok {
		return
	}
	for _, line := range lines {
		if prefix, ok := prefixOf(line.key); ok {
			a.entry(prefix, line.place)
		}
	}
}

// entry adds an entry of the relay list, once.
func (a *auditor) entry(prefix netip.Prefix, place spoor.Evidence) {
	key := prefix.String() + "\x00" + place.Place()
	if a.seen[key] || len(a.policy.Relay) >= maxRelay {
		return
	}
	a.seen[key] = true
	a.policy.Relay = append(a.policy.Relay, spoor.RelayEntry{Prefix: prefix, Place: place})
}

// prefixOf reads 192.0.2.1, 192.0.2.0/24, [::1]/128 and, as access(5) has them,
// 192.0.2 for a whole network.
func prefixOf(text string) (netip.Prefix, bool) {
	text = strings.NewReplacer("[", "", "]", "").Replace(text)
	if prefix, err := netip.ParsePrefix(text); err == nil {
		const mapped = 96 // bits of ::ffff:0:0
		if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
		}
		return prefix.Masked(), true
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	given := strings.Count(text, ".") + 1
	if given > 3 || text == "" {
		return netip.Prefix{}, false
	}
	addr, err := netip.ParseAddr(text + strings.Repeat(".0", 4-given))
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, 8*given), true
}

// tableLine is a line of a table whose source is a text.
type tableLine struct {
	key, value string
	place      spoor.Evidence
}

// lines reads a table in its order: those of Table, and cidr_table(5). ok is false
// where the content is elsewhere, which is a gap.
func (a *auditor) lines(main *MainCF, spec string) (list []tableLine, ok bool) {
	kind, name, found := strings.Cut(strings.TrimPrefix(spec, "proxy:"), ":")
	if !found {
		kind, name = "", spec
	}
	if kind != "cidr" && !tableTypes[kind] || !strings.HasPrefix(name, "/") {
		if kind != "static" && kind != "inline" {
			a.gap(path.Join(main.folder, "main.cf"), "who may relay is also in "+spec+", whose content is not a text")
		}
		return nil, false
	}
	data, err := main.root.ReadFile(name, configBytes)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.gap(name, "table of clients cannot be read: "+cause(err))
		}
		return nil, false
	}
	for line := range logicalLines(string(data)) {
		key, value := line.text, ""
		if end := strings.IndexAny(line.text, " \t"); end >= 0 {
			key, value = line.text[:end], strings.TrimSpace(line.text[end:])
		}
		list = append(list, tableLine{key, value, spoor.Evidence{What: "table", File: name, Line: line.number, Text: line.text}})
	}
	return list, true
}

// accepts reports whether the value of an access table lets mail pass: OK, a
// number, or a restriction that permits (access(5)).
func accepts(value string) bool {
	word, _, _ := strings.Cut(strings.ToLower(value), " ")
	if word == "ok" || word == "relay" || strings.HasPrefix(word, "permit") {
		return true
	}
	return word != "" && strings.Trim(word, "0123456789") == ""
}

// clients adds the clients that an access table lets pass before strangers are
// refused.
func (a *auditor) clients(main *MainCF, spec string) {
	lines, _ := a.lines(main, spec)
	for _, line := range lines {
		if !accepts(line.value) {
			continue
		}
		if prefix, ok := prefixOf(line.key); ok {
			a.entry(prefix, line.place)
		} else {
			a.weak(spoor.Weakness{Kind: spoor.WeakNamedRelay, Subject: "check_client_access", Value: line.key, Place: line.place})
		}
	}
}

// forgeable adds an access table that lets pass who calls itself something.
func (a *auditor) forgeable(main *MainCF, r restriction) {
	what := "HELO name"
	if r.word == "check_sender_access" {
		what = "sender address"
	}
	lines, _ := a.lines(main, r.argument)
	for _, line := range lines {
		if accepts(line.value) {
			a.weak(spoor.Weakness{Kind: spoor.WeakForgeableRelay, Subject: r.word + " " + r.argument, Value: what, Place: line.place})
			return
		}
	}
}
