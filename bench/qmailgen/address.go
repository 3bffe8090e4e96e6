package qmailgen

import "strconv"

func givenNames() []string {
	return []string{
		"anna", "betty", "brian", "chen", "david", "helen", "ivan", "james", "john", "jose", "karen", "kevin", "linda",
		"lisa", "maria", "mark", "mary", "nancy", "oleg", "paul", "peter", "robert", "susan", "wei", "yuki",
	}
}

func surnames() []string {
	return []string{
		"baker", "brown", "davis", "garcia", "green", "hall", "hill", "jones", "king", "lee", "lopez", "miller", "moore",
		"nelson", "smith", "taylor", "walker", "wilson", "wright", "young",
	}
}

func providers() []string {
	return []string{
		"aol.example", "bigisp.example", "corpmx.example", "gmail.example", "hotmail.example", "mail.example",
		"telco.example", "univ.example", "wanadoo.example", "yahoo.example",
	}
}

func boxes() []string {
	return []string{"contact", "info", "office", "orders", "sales", "service", "webmaster"}
}

// person is an address elsewhere.
func (a *author) person() string {
	return pick(a, a.words.given) + "." + pick(a, a.words.surnames) + strconv.Itoa(a.rng.IntN(1000)) + "@" + pick(a, a.words.providers)
}

// persons adds n recipients elsewhere.
func (a *author) persons(n int) {
	for range n {
		a.letter.recipients = append(a.letter.recipients, recipient{address: a.person()})
	}
}

// localBox adds a recipient on this server.
func (a *author) localBox(s site) string {
	box := pick(a, a.words.boxes)
	a.letter.recipients = append(a.letter.recipients, recipient{address: s.alias(box), local: true})
	return box + "@" + s.domain
}
