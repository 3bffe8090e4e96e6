package postfix

import (
	"slices"
	"strings"
)

// restrictionLists are the lists that smtpd(8) walks for each recipient; mail is
// taken if none of them refuses it.
var restrictionLists = [...]string{
	"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions",
	"smtpd_relay_restrictions", "smtpd_recipient_restrictions",
}

// relayDefault is what smtpd_relay_restrictions is where main.cf does not set it
// (since Postfix 2.10).
const relayDefault = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"

// restriction is one word of a list, with its argument if it takes one.
type restriction struct{ word, argument string }

// passage is what a list does with mail of a stranger to somebody else's domain.
type passage struct {
	list   string
	open   bool          // nothing in the list refuses it
	trusts []restriction // what would have let it pass before
}

// passages walks the lists of a service.
func (c *MainCF) passages() []passage {
	var all []passage
	for _, name := range restrictionLists {
		if _, set := c.Setting(name); !set && name == "smtpd_relay_restrictions" {
			c = c.with(map[string]Setting{name: {Value: relayDefault}})
		}
		p := passage{list: name, open: true}
		c.walk(&p, c.restrictions(c.List(name)), 0)
		all = append(all, p)
	}
	return all
}

// maxClasses bounds restriction classes in restriction classes.
const maxClasses = 10

// walk goes through a list and reports whether it ends here.
func (c *MainCF) walk(p *passage, list []restriction, depth int) (ended bool) {
	classes := c.List("smtpd_restriction_classes")
	for i := 0; i < len(list); i++ {
		switch r := list[i]; {
		case r.word == "permit":
			return true
		case r.word == "warn_if_reject":
			i++ // the next one only warns
		case refuses(r.word):
			p.open = false
			return true
		case slices.Contains(classes, r.word) && depth < maxClasses:
			if c.walk(p, c.restrictions(c.List(r.word)), depth+1) {
				return true
			}
		default:
			p.trusts = append(p.trusts, r)
		}
	}
	return false
}

// refuses reports whether a restriction refuses every stranger who writes to
// somebody else's domain.
func refuses(word string) bool {
	switch word {
	case "reject", "defer", "defer_if_permit", "reject_unauth_destination", "defer_unauth_destination", "check_relay_domains":
		return true
	}
	return false
}

// restrictions joins words with their arguments, which may be in braces:
//
//	check_policy_service { inet:host:port, timeout=10s }
func (c *MainCF) restrictions(words []string) []restriction {
	var list []restriction
	for i := 0; i < len(words); i++ {
		r := restriction{word: strings.ToLower(words[i])}
		if takesArgument(r.word) && i+1 < len(words) {
			i++
			r.argument = words[i]
			for strings.HasPrefix(r.argument, "{") && !strings.HasSuffix(r.argument, "}") && i+1 < len(words) {
				i++
				r.argument += " " + words[i]
			}
		}
		list = append(list, r)
	}
	return list
}

func takesArgument(word string) bool {
	switch word {
	case "check_relay_domains":
		return false
	case "sleep", "reject_rbl_client", "permit_dnswl_client", "permit_rhswl_client":
		return true
	}
	return strings.HasPrefix(word, "check_") || strings.HasPrefix(word, "reject_rhsbl_")
}

// trusted lists what lets mail pass the lists that refuse strangers: each of
// these must have it.
func trusted(all []passage) []restriction {
	var common []restriction
	first := true
	for _, p := range all {
		if p.open {
			continue
		}
		if first {
			common, first = slices.Clone(p.trusts), false
			continue
		}
		common = slices.DeleteFunc(common, func(r restriction) bool { return !slices.Contains(p.trusts, r) })
	}
	return common
}

// open reports whether no list refuses strangers.
func open(all []passage) bool {
	return !slices.ContainsFunc(all, func(p passage) bool { return !p.open })
}
