package spoor

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Selector picks messages, the same way in every command: terms of different
// keys must all match, values between commas are alternatives, and a leading
// exclamation mark negates a term:
//
//	site:shop.test,blog.test from:@x.test !rcpts:<20
//
// The zero value matches every message.
type Selector struct {
	// Campaign names the campaign that a message belongs to, or "". It must be
	// set before Match if NeedsCampaigns.
	Campaign func(m *Message) string

	terms []term
	now   time.Time
}

// ErrSelector is returned for text that is no selector.
var ErrSelector = errors.New("not a selector")

// term is key:value,value.
type term struct {
	key    string
	negate bool
	any    []matcher
}

// matcher decides on one value of a term.
type matcher func(c *candidate) bool

// candidate is a message with what trace says of it.
type candidate struct {
	message *Message
	source  Source
	uid     int
	now     time.Time
	name    func(m *Message) string // of its campaign
}

// SelectorKeys lists the keys with an example of each, for help texts.
func SelectorKeys() []string {
	return []string{
		"account:info@x.test", "uid:10003", "site:shop.test", "user:apache", "script:/var/www/x.php", "network:203.0.113.45",
		"forward:box@x.test", "list:news@x.test", "bounce:x.test", "source:site:shop.test", "ip:203.0.113.0/24", "kind:bounce", "from:@x.test",
		"to:@gmail.com", "subject:/re/", "age:>2h", "size:>1M", "rcpts:>20", "state:todo", "id:2996948", "campaign:c7f3",
	}
}

// ParseSelector reads the terms of a command line. now is what ages are
// measured from. It returns ErrSelector for a term that it does not know.
func ParseSelector(args []string, now time.Time) (*Selector, error) {
	s := &Selector{now: now}
	for _, arg := range args {
		t, err := parseTerm(arg)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(s.terms, func(o term) bool { return o.key == t.key && !o.negate && !t.negate }); i >= 0 {
			s.terms[i].any = append(s.terms[i].any, t.any...)
			continue
		}
		s.terms = append(s.terms, t)
	}
	return s, nil
}

func parseTerm(arg string) (term, error) {
	text, negate := strings.CutPrefix(arg, "!")
	key, values, ok := strings.Cut(text, ":")
	if !ok || values == "" {
		return term{}, fmt.Errorf("%q: %w (want key:value, such as %s)", arg, ErrSelector, strings.Join(SelectorKeys()[:3], " "))
	}
	t := term{key: key, negate: negate}
	for _, value := range splitValues(key, values) {
		m, err := parseValue(key, value)
		if err != nil {
			return term{}, fmt.Errorf("%q: %w: %w", arg, ErrSelector, err)
		}
		t.any = append(t.any, m)
	}
	return t, nil
}

// splitValues cuts at commas. A regular expression keeps its own.
func splitValues(key, values string) []string {
	if key == "subject" && strings.HasPrefix(values, "/") {
		return []string{values}
	}
	return strings.Split(values, ",")
}

func parseValue(key, value string) (matcher, error) {
	if kind, ok := ParseKind(key); ok && kind != KindUnknown {
		return matchSource(kind, value), nil
	}
	switch key {
	case "source":
		want, err := ParseSource(value)
		return func(c *candidate) bool { return c.source == want }, err
	case "kind":
		want, ok := ParseKind(value)
		return func(c *candidate) bool { return c.source.Kind == want }, invalid(ok, "no such kind of source")
	case "uid":
		want, err := strconv.Atoi(value)
		return func(c *candidate) bool { return c.hasUID(want) }, err
	case "id":
		return func(c *candidate) bool { return string(c.message.ID) == value }, nil
	case "ip":
		return matchClient(value)
	case "campaign":
		return func(c *candidate) bool { return c.name != nil && strings.HasPrefix(c.name(c.message), value) }, nil
	case "from":
		return func(c *candidate) bool { return c.message.HasEnvelope && matchAddress(c.message.Sender, value) }, nil
	case "to":
		return matchRecipient(value), nil
	case "subject":
		return matchSubject(value)
	case "state":
		return matchState(value)
	case "age", "size", "rcpts":
		return matchNumber(key, value)
	}
	return nil, fmt.Errorf("unknown key %q", key)
}

func invalid(ok bool, why string) error {
	if ok {
		return nil
	}
	return errors.New(why)
}

// Match reports whether the selector picks a message of that source, queued
// under that UID (-1 if none is known).
func (s *Selector) Match(m *Message, source Source, uid int) bool {
	c := candidate{message: m, source: source, uid: uid, now: s.now, name: s.Campaign}
	for _, t := range s.terms {
		if t.negate == slices.ContainsFunc(t.any, func(match matcher) bool { return match(&c) }) {
			return false
		}
	}
	return true
}

// NeedsAddresses reports whether messages must carry their recipients'
// addresses to be matched.
func (s *Selector) NeedsAddresses() bool { return s.has("to") }

// NeedsCampaigns reports whether Campaign must be set.
func (s *Selector) NeedsCampaigns() bool { return s.has("campaign") }

// NeedsSources reports whether the source of a message must be known to match
// it.
func (s *Selector) NeedsSources() bool {
	return slices.ContainsFunc(s.terms, func(t term) bool {
		_, isKind := ParseKind(t.key)
		return isKind || t.key == "kind" || t.key == "source"
	})
}

func (s *Selector) has(key string) bool {
	return slices.ContainsFunc(s.terms, func(t term) bool { return t.key == key })
}

// hasUID looks at the process that queued the message and at its trail.
func (c *candidate) hasUID(uid int) bool {
	return c.uid == uid || c.message.CallerUID == uid ||
		slices.ContainsFunc(c.message.Trail.Hops, func(h Hop) bool { return h.UID == uid })
}

// matchSource matches the name of a source of one kind. @domain stands for
// every address of the domain, a path that ends in a slash for every script
// below it.
func matchSource(kind Kind, value string) matcher {
	return func(c *candidate) bool {
		name := c.source.Name
		switch {
		case c.source.Kind != kind:
			return false
		case strings.HasPrefix(value, "@"):
			return matchAddress(name, value)
		case kind == KindScript && strings.HasSuffix(value, "/"):
			return strings.HasPrefix(name, path.Clean(value)+"/")
		}
		return strings.EqualFold(name, value)
	}
}

func matchClient(value string) (matcher, error) {
	prefix, err := netip.ParsePrefix(value)
	if err != nil {
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return nil, errors.New("no address and no prefix")
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	return func(c *candidate) bool {
		entry := c.message.Trail.Entry()
		return entry != nil && entry.Client.IsValid() && prefix.Contains(entry.Client)
	}, nil
}

// matchAddress compares an address with another, with @domain, or with <> for
// the null sender.
func matchAddress(address, value string) bool {
	switch {
	case value == "<>":
		return address == ""
	case strings.HasPrefix(value, "@"):
		at := strings.LastIndexByte(address, '@')
		return at >= 0 && strings.EqualFold(address[at:], value)
	}
	return strings.EqualFold(address, value)
}

func matchRecipient(value string) matcher {
	return func(c *candidate) bool {
		for r := range c.message.Recipients.All() {
			if matchAddress(r.Address, value) {
				return true
			}
		}
		return false
	}
}

// matchSubject takes /re/ (RE2 syntax) or a piece of text, whatever its case.
func matchSubject(value string) (matcher, error) {
	if inner, ok := strings.CutPrefix(value, "/"); ok && len(inner) > 0 {
		re, err := regexp.Compile(strings.TrimSuffix(inner, "/"))
		return func(c *candidate) bool { return re.MatchString(c.message.Subject) }, err
	}
	want := strings.ToLower(value)
	return func(c *candidate) bool { return strings.Contains(strings.ToLower(c.message.Subject), want) }, nil
}

func matchState(value string) (matcher, error) {
	switch value {
	case "bouncing":
		return func(c *candidate) bool { return c.message.Bouncing }, nil
	case "held":
		return func(c *candidate) bool { return c.message.Held }, nil
	}
	want, ok := ParseState(value)
	return func(c *candidate) bool { return c.message.State == want }, invalid(ok, "no such state")
}

// matchNumber takes an optional <, <=, >, >= or = and a number with its unit:
// s, m, h, d, w for ages, k, M, G (powers of 1024) for sizes.
func matchNumber(key, value string) (matcher, error) {
	digits := strings.TrimLeft(value, "<>=")
	compare, ok := comparisons()[value[:len(value)-len(digits)]]
	if !ok {
		return nil, errors.New("want one of < <= > >= = before the number")
	}
	switch key {
	case "age":
		want, err := parseAge(digits)
		return func(c *candidate) bool { return compare(int64(c.now.Sub(c.message.Arrived)), int64(want)) }, err
	case "size":
		want, err := parseSize(digits)
		return func(c *candidate) bool { return compare(c.message.SizeBytes, want) }, err
	}
	want, err := strconv.ParseInt(digits, 10, 64)
	return func(c *candidate) bool { return compare(int64(c.message.Recipients.Len()), want) }, err
}

func comparisons() map[string]func(a, b int64) bool {
	equal := func(a, b int64) bool { return a == b }
	return map[string]func(a, b int64) bool{
		"": equal, "=": equal,
		"<": func(a, b int64) bool { return a < b }, "<=": func(a, b int64) bool { return a <= b },
		">": func(a, b int64) bool { return a > b }, ">=": func(a, b int64) bool { return a >= b },
	}
}

func parseAge(text string) (time.Duration, error) {
	days := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if n := len(text) - 1; n > 0 && days[text[n]] > 0 {
		count, err := strconv.ParseFloat(text[:n], 64)
		return time.Duration(count * float64(days[text[n]])), err
	}
	return time.ParseDuration(text)
}

func parseSize(text string) (int64, error) {
	units := map[byte]int64{'k': 1 << 10, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}
	unit := int64(1)
	if n := len(text) - 1; n > 0 && units[text[n]] > 0 {
		unit, text = units[text[n]], text[:n]
	}
	count, err := strconv.ParseInt(text, 10, 64)
	return count * unit, err
}
