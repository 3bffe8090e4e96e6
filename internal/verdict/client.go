package verdict

import (
	"fmt"
	"net/netip"

	"spoor"
)

// manyClients reads MANY_CLIENTS: one account that several client addresses use
// at the same time, which weighs more if they lie in different networks. A
// person has an office, a home and a telephone; a stolen password is used from
// everywhere.
func manyClients(f *facts) reading {
	networks := networksOf(f.t.Clients)
	weight := 2*f.sharing() + 2*f.spreading(networks)
	weight *= f.enough()
	if weight == 0 {
		return reading{}
	}
	among := counted(len(networks), "network")
	if f.t.Clients.Distinct > len(f.t.Clients.Top) {
		among = "at least " + among
	}
	return reading{
		weight: weight,
		count:  f.t.Clients.Distinct,
		text: fmt.Sprintf("one account, used from %s in %s (/24 or /64)",
			counted(f.t.Clients.Distinct, "client address"), among),
		check:    f.listing("ndjson"),
		evidence: ranked("client", f.t.Clients),
	}
}

// sharing is how many clients share the account, from 0 for two to 1 for three
// that send about as much as each other.
func (f *facts) sharing() float64 {
	if f.t.Source.Kind != spoor.KindAccount {
		return 0
	}
	counts := make([]int, 0, len(f.t.Clients.Top))
	seen := 0
	for _, client := range f.t.Clients.Top {
		counts = append(counts, client.Count)
		seen += client.Count
	}
	if more := f.t.Clients.Distinct - len(counts); more > 0 && f.t.Messages > seen {
		counts = append(counts, evenly(f.t.Messages-seen, more)...)
	}
	return ramp(effective(counts), 2, 2.8)
}

// spreading is how many networks the clients lie in, from 0 for two to 1 for
// five that send about as much as each other.
func (f *facts) spreading(networks map[string]int) float64 {
	if f.t.Source.Kind != spoor.KindAccount {
		return 0
	}
	counts := make([]int, 0, len(networks))
	for _, count := range networks {
		counts = append(counts, count)
	}
	return ramp(effective(counts), 2, 5)
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
