package probe

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"spoor"
)

// Zones are the blocklists that many receivers ask.
func Zones() []string {
	return []string{"zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org", "psbl.surriel.com", "ips.backscatterer.org"}
}

// Resolver asks a DNS server.
type Resolver struct {
	client *dns.Client
	server string // host:port
}

const queryTimeout = 3 * time.Second

// NewResolver returns a resolver at host:port, or that of resolv.conf(5) for "".
func NewResolver(server, resolvConf string) (*Resolver, error) {
	if server == "" {
		conf, err := dns.ClientConfigFromFile(resolvConf)
		if err != nil {
			return nil, fmt.Errorf("read the resolver: %w", err)
		}
		if len(conf.Servers) == 0 {
			return nil, fmt.Errorf("%s names no server", resolvConf)
		}
		server = net.JoinHostPort(conf.Servers[0], conf.Port)
	}
	return &Resolver{client: &dns.Client{Timeout: queryTimeout}, server: server}, nil
}

// ErrRefused is returned where a list does not answer this resolver: Spamhaus and
// others refuse the resolvers of large providers.
var ErrRefused = errors.New("the list does not answer this resolver")

// Listed asks whether an address is on a list (RFC 5782). It returns nil where it is
// not. What the list answers is on it only if it lies in 127.0.0.0/8 and not in
// 127.255.255.0/24, which is an error of the list.
func (r *Resolver) Listed(ctx context.Context, addr netip.Addr, zone string) (*spoor.Listing, error) {
	name := dns.Fqdn(reversed(addr) + "." + zone)
	answer, err := r.ask(ctx, name, dns.TypeA)
	if err != nil || answer == nil {
		return nil, err
	}
	l := &spoor.Listing{Address: addr, Zone: zone}
	for _, record := range answer.Answer {
		a, ok := record.(*dns.A)
		if !ok {
			continue
		}
		code, _ := netip.AddrFromSlice(a.A.To4())
		switch {
		case faults.Contains(code):
			return nil, fmt.Errorf("%w: it answers %s", ErrRefused, code)
		case !answers.Contains(code):
			return nil, fmt.Errorf("%w: %s is no answer of a list: the resolver makes up names", ErrRefused, code)
		}
		l.Codes = append(l.Codes, code.String())
	}
	if len(l.Codes) == 0 {
		return nil, nil
	}
	slices.Sort(l.Codes)
	l.Reason = r.reason(ctx, name)
	return l, nil
}

var (
	answers = netip.MustParsePrefix("127.0.0.0/8")
	faults  = netip.MustParsePrefix("127.255.255.0/24")
)

// ask returns nil where there is no such name.
func (r *Resolver) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	question := new(dns.Msg)
	question.SetQuestion(name, kind)
	answer, _, err := r.client.ExchangeContext(ctx, question, r.server)
	switch {
	case err != nil:
		return nil, err
	case answer.Rcode == dns.RcodeNameError:
		return nil, nil
	case answer.Rcode != dns.RcodeSuccess:
		return nil, fmt.Errorf("%w: %s", ErrRefused, dns.RcodeToString[answer.Rcode])
	}
	return answer, nil
}

// reason is the text of a listing, which often leads to the page that says more.
func (r *Resolver) reason(ctx context.Context, name string) string {
	answer, err := r.ask(ctx, name, dns.TypeTXT)
	if err != nil || answer == nil {
		return ""
	}
	for _, record := range answer.Answer {
		if txt, ok := record.(*dns.TXT); ok {
			return strings.Join(txt.Txt, "")
		}
	}
	return ""
}

// reversed is an address as lists have it: its bytes in reverse, of IPv6 its
// nibbles (RFC 5782 §2.1, §2.4).
func reversed(addr netip.Addr) string {
	var labels []string
	if addr.Is4() {
		for _, b := range addr.As4() {
			labels = append(labels, strconv.Itoa(int(b)))
		}
	} else {
		bytes := addr.As16()
		labels = strings.Split(hex.EncodeToString(bytes[:]), "")
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}
