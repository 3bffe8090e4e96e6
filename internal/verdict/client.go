package verdict

import (
	"fmt"
	"net/netip"

	"spoor"
)

// manyClients reads MANY_CLIENTS: one account that several client addresses use
// at the same time, which weighs more if they lie in different networks. A
// person has an office, a home and a telephone; a stolen password is used from
// everywhere. Logins count where the mail that they brought is not known.
func manyClients(f *facts) reading {
	if f.t.Source.Kind != spoor.KindAccount {
		return reading{}
	}
	u := f.usage()
	weight := (2*u.sharing() + 2*u.spreading()) * u.enough
	if weight == 0 {
		return reading{}
	}
	n, among := len(networksOf(u.clients)), ""
	if u.inLog && u.networks > n {
		n = u.networks
	} else if u.clients.Distinct > len(u.clients.Top) {
		among = "at least "
	}
	r := reading{
		weight: weight,
		count:  u.clients.Distinct,
		text: fmt.Sprintf("one account, used from %s in %s (/24 or /64)",
			counted(u.clients.Distinct, "client address"), among+counted(n, "network")),
		check:    f.listing("ndjson"),
		evidence: ranked("client", u.clients),
		inLog:    u.inLog,
	}
	if u.inLog {
		r.evidence = append(r.evidence, firstOf(f.t.History.Evidence)...)
	}
	return r
}

// usage is who uses an account.
type usage struct {
	clients  spoor.Ranking
	networks int     // in the log
	messages int     // that brought clients; logins count too
	patience float64 // how many times as many clients as at one time are no wonder
	enough   float64
	inLog    bool
}

// usage tells who uses the account, by the queue or by the log: whichever tells
// more of them.
func (f *facts) usage() usage {
	queued := usage{clients: f.t.Clients, messages: f.t.Messages, patience: 1, enough: f.enough()}
	if f.t.History == nil {
		return queued
	}
	logged := f.loggedUsage()
	if f.logged || logged.sharing()+logged.spreading() > queued.sharing()+queued.spreading() {
		return logged
	}
	return queued
}

// loggedUsage tells who uses the account by the log. What an office, a home and a
// telephone send in a day is no wonder there, and over two weeks a telephone is
// given many more addresses.
func (f *facts) loggedUsage() usage {
	h := f.t.History
	u := usage{
		clients: h.Clients, networks: h.Networks, messages: h.Accepted + h.Logins,
		patience: 1.5 + 2.5*ramp(f.norms.days(), 0, 14), enough: f.enough(), inLog: true,
	}
	if h.Accepted < h.Logins/2 {
		u.patience *= 2 // nothing tells what an honest person's logins were for
		u.enough = max(u.enough, ramp(float64(h.Logins), 5, 20))
	}
	return u
}

// sharing is how many clients share the account, see usage.sharing; 0 for what
// is no account.
func (f *facts) sharing() float64 {
	if f.t.Source.Kind != spoor.KindAccount {
		return 0
	}
	u := f.usage()
	return u.sharing()
}

// sharing is from 0 for two clients to 1 for three that send about as much as
// each other.
func (u *usage) sharing() float64 {
	counts := make([]int, 0, len(u.clients.Top))
	for _, client := range u.clients.Top {
		counts = append(counts, client.Count)
	}
	return ramp(effective(u.rest(counts, u.clients.Distinct)), 2*u.patience, 2.8*u.patience)
}

// spreading is how many networks the clients lie in, from 0 for two to 1 for
// five that send about as much as each other.
func (u *usage) spreading() float64 {
	networks := networksOf(u.clients)
	counts := make([]int, 0, len(networks))
	for _, count := range networks {
		counts = append(counts, count)
	}
	return ramp(effective(u.rest(counts, u.networks)), 2*u.patience, 5*u.patience)
}

// rest adds what is not among the most frequent to the counts of those: as many
// as there are in all, each as frequent as the others.
func (u *usage) rest(counts []int, all int) []int {
	seen := 0
	for _, n := range counts {
		seen += n
	}
	if more := all - len(counts); more > 0 && u.messages > seen {
		counts = append(counts, evenly(u.messages-seen, more)...)
	}
	return counts
}

// effective is the number of equal parts that are as concentrated as the counts
// are (the inverse of the Simpson index): a hundred messages from one address
// and one from another are 1.02 clients.
func effective(counts []int) float64 {
	sum, squares := 0.0, 0.0
	for _, n := range counts {
		sum += float64(n)
		squares += float64(n) * float64(n)
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / squares
}

// evenly splits n into at most parts counts that differ by one at most.
func evenly(n, parts int) []int {
	parts = min(n, parts)
	counts := make([]int, parts)
	for i := range counts {
		counts[i] = (n + i) / parts
	}
	return counts
}

// networksOf sums up client addresses by their network: /24 for IPv4, /64 for
// IPv6. What is no address is its own network.
func networksOf(clients spoor.Ranking) map[string]int {
	networks := map[string]int{}
	for _, client := range clients.Top {
		networks[networkOf(client.Value)] += client.Count
	}
	return networks
}

func networkOf(client string) string {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(addr, bits).Masked().String()
}

// unauthenticated reads UNAUTHENTICATED_RELAY: mail for other servers that this
// one took over SMTP from a client that did not log in. A relay list that is too
// wide, or a machine on it that was taken over. Under made-up senders it weighs
// double.
func unauthenticated(f *facts) reading {
	if f.t.Source.Kind != spoor.KindNetwork {
		return reading{}
	}
	relayed := max(f.t.Submitted+f.t.Outbound-f.t.Messages, 0) // those that must be both
	weight := (1.5 + 1.5*f.forgery()) * f.share(relayed) * f.enough()
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  relayed,
		text: partOf(relayed, f.t.Messages, "messages") +
			" are for recipients elsewhere and came in over SMTP without authentication",
		check:    f.listing("ndjson"),
		evidence: ranked("client", f.t.Clients),
	}
}
