package qmailgen

import "strings"

// words are the lists that addresses and texts are made of.
type words struct {
	given, surnames, providers, boxes []string
	subjects, ordinary                []string
	campaigns                         []campaign
}

func newWords() words {
	return words{
		given: givenNames(), surnames: surnames(), providers: providers(), boxes: boxes(),
		subjects: subjects(), ordinary: ordinaryWords(), campaigns: campaigns(),
	}
}

// campaign is the template of one spam run. In braces stands what changes from
// message to message; the padding is repeated word by word.
type campaign struct{ subject, body, padding string }

// The campaigns, by what each is for. Two sites share one, as sites that the
// same people hacked do.
const (
	campaignHacked = iota // one for each of server.hacked but the last, which has the first one's
	campaignHacked2
	campaignMailer
	campaignStolen // one for each of server.stolen
	campaignStolen2
	campaignRelay
	campaignBackscatter
)

func (a *author) hackedCampaign(s site) campaign {
	if s == a.server.shell {
		return a.words.campaigns[campaignHacked2]
	}
	return a.words.campaigns[campaignHacked]
}

func campaigns() []campaign {
	return []campaign{
		campaignHacked: {
			"Cheap replica watches, {name}",
			"Hello {name}!\n\nWhy pay thousands? Our replica watches cannot be told from the originals.\n" +
				"This week every model is {number} dollars, with free worldwide delivery.\n\nSee the catalogue: http://watches.example/{code}\n\n",
			"Steel, gold and leather models for ladies and gentlemen. Sapphire glass, automatic movement, engraved\n" +
				"serial numbers and a box with certificate. Thousands of happy owners on five continents.\n",
		},
		campaignHacked2: {
			"{name}, your account is suspended",
			"Dear customer {name},\n\nwe have noticed unusual activity and limited your account.\n" +
				"To restore full access please confirm your data within {number} hours:\n\nhttp://secure-login.example/verify?id={code}\n\n",
			"For your own protection our security team asks each member once a year to verify identity and password.\n" +
				"Accounts that remain unverified are closed, and their balance is kept until the owner calls at a branch.\n",
		},
		campaignMailer: {
			"Pharmacy -{number}% today only",
			"Dear {name},\n\nour licensed pharmacy has reduced all prices by {number} percent until tonight.\n" +
				"No prescription is needed.\n\nYour personal discount code is {code}. Order here:\nhttp://pills.example/{code}\n\n",
			"Generic tablets and capsules of certified laboratories. Plain parcels, tracked shipping, refund within a\n" +
				"month. Ask our doctors day and night by chat, and collect bonus pills with every repeat order.\n",
		},
		campaignStolen: {
			"You are the WINNER {code}",
			"Congratulations {name}!\n\nYour address has won {number},000 in our international draw.\n" +
				"To claim the prize contact our agent today and quote the winning number {code}.\n\n",
			"Tickets were drawn by computer from two million electronic addresses under the eyes of a notary. Claims\n" +
				"expire at the end of the month; taxes and courier fees are paid by the winner in advance.\n",
		},
		campaignStolen2: {
			"Earn {number}00 a week from home",
			"Hi {name},\n\nwe look for part-time assistants in your town. Two hours a day are enough to make {number}00 every week.\n" +
				"Experience is not required. Apply now with the reference {code}: http://jobs.example/{code}\n\n",
			"Duties: receive parcels, change labels, forward them by post; accept bank payments and pass them on less\n" +
				"your commission. We train newcomers, supply stationery, and employ students and pensioners too.\n",
		},
		campaignRelay: {
			"URGENT business proposal",
			"Dear {name},\n\nI am the manager of a bank where a client left {number} million dollars and no heir.\n" +
				"I ask for your assistance in the transfer of this fund and offer you a share of 40 percent. Reference: {code}\n\n",
			"The late engineer perished with his whole family in a plane crash, and our laws give dormant deposits to\n" +
				"the treasury. As a foreigner you may stand as next of kin; my attorney prepares the affidavits.\n",
		},
		campaignBackscatter: {
			"{name}, your loan of {number},000 is approved",
			"Good day {name},\n\nyour credit line of {number},000 was approved without a look at your history.\n" +
				"Accept it online before midnight: http://loans.example/{code}\n\n",
			"Fixed rate for the first year, no collateral, money in cash or by wire on the same afternoon. Previous\n" +
				"refusals and bankruptcies don't matter. Representative example on request at any agency.\n",
		},
	}
}

// fill replaces what stands in braces.
func (a *author) fill(template string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		slot, after, _ := strings.Cut(rest, "}")
		b.WriteString(a.slot(slot))
		template = after
	}
}

func (a *author) slot(name string) string {
	switch name {
	case "name":
		return pick(a, a.words.given)
	case "number":
		return pick(a, []string{"20", "25", "30", "40", "50", "70", "90"})
	}
	const letters = "abcdefghjkmnpqrstuvwxyz23456789"
	code := make([]byte, 8)
	for i := range code {
		code[i] = letters[a.rng.IntN(len(letters))]
	}
	return string(code)
}

// size is how long a message is to become, in bytes: most fit one block of the
// file system, as they do on real servers.
func (a *author) size() int {
	switch {
	case a.chance(830):
		return 1000 + a.rng.IntN(2900)
	case a.chance(700):
		return 4000 + a.rng.IntN(4000)
	}
	return 8000 + a.rng.IntN(4000)
}

// pitch writes the body of a spam message.
func (a *author) pitch(c campaign) {
	size := a.size()
	l := &a.letter
	l.content = append(l.content, a.fill(c.body)...)
	for len(l.content)+len(c.padding) < size {
		l.content = append(l.content, c.padding...)
	}
	a.sentence() // tells the copies apart, as spammers do
}

// chat writes the body of an honest message.
func (a *author) chat() {
	for size := a.size() - 100; ; {
		a.sentence()
		if len(a.letter.content) >= size {
			return
		}
	}
}

func (a *author) sentence() {
	l := &a.letter
	for range 10 {
		l.content = append(l.content, pick(a, a.words.ordinary)...)
		l.content = append(l.content, ' ')
	}
	l.content[len(l.content)-1] = '\n'
}

func subjects() []string {
	return []string{"Hello", "Re: meeting", "Invoice", "Our appointment", "Re: your question", "Minutes of Monday", "Photos", "Draft of the contract"}
}

func ordinaryWords() []string {
	return []string{
		"account", "agenda", "answer", "appointment", "attached", "call", "colleague", "contract", "customer", "date",
		"delivery", "draft", "figures", "invoice", "kind", "meeting", "minutes", "monday", "office", "order", "please",
		"printer", "project", "question", "regards", "report", "schedule", "service", "team", "thanks", "today", "train",
		"update", "week",
	}
}
