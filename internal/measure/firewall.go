package measure

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/disk"
)

// firewall refuses connections in a table of spoor's own, through the kernel's own
// interface. Nothing of other tables is read or changed. The kernel forgets it all
// when the machine is restarted: Renew puts it back.
type firewall struct {
	server *Server
	spec   *spoor.Firewall
}

type firewallRecord struct {
	Had bool `json:"had,omitempty"` // the network was refused before, by another plan

	// Rule is set where the network has a rule of its own: a set holds no networks that
	// overlap, and one that other plans refuse is in it.
	Rule bool `json:"rule,omitempty"`
}

// mark names the rule of a step: its plan and number, which the folder of its
// records is named after.
func mark(records *disk.Dir) string {
	plan, number := path.Split(records.Name())
	return "spoor " + path.Base(plan) + "/" + number
}

func (w *firewall) do(_ context.Context, records *disk.Dir) (string, error) {
	if w.spec.UID <= 0 && !w.spec.Prefix.IsValid() {
		return "", fmt.Errorf("uid %d: %w", w.spec.UID, ErrUnsafe)
	}
	t, err := openTable(true)
	if err != nil {
		return "", noFirewall(err)
	}
	record := &firewallRecord{}
	found, err := load(records, beforeName, record)
	if err != nil {
		return "", err
	}
	if !w.spec.Prefix.IsValid() {
		if !found {
			err = save(records, beforeName, record)
		}
		if err != nil {
			return "", err
		}
		return "", t.refuseUser(w.spec, mark(records))
	}
	return w.doPrefix(t, record, found, records)
}

func (w *firewall) doPrefix(t *table, record *firewallRecord, found bool, records *disk.Dir) (string, error) {
	there, overlaps, err := t.refuses(w.spec.Prefix)
	if err != nil {
		return "", err
	}
	rule := record.Rule || !there && overlaps
	if !found || record.Had && !there || record.Rule != rule {
		record.Had, record.Rule = there, rule
		if err := save(records, beforeName, record); err != nil {
			return "", err
		}
	}
	if there && !record.Rule {
		return "", nil
	}
	left := time.Duration(0)
	if !w.spec.Until.IsZero() {
		if left = w.spec.Until.Sub(w.server.Now()).Round(time.Second); left <= 0 {
			return "it is over already", nil
		}
	}
	if record.Rule {
		return "", t.refuseByRule(w.spec.Prefix, mark(records))
	}
	return "", t.refuseNetwork(w.spec.Prefix, left)
}

func (w *firewall) undo(_ context.Context, records *disk.Dir) (string, error) {
	record := &firewallRecord{}
	if found, err := load(records, beforeName, record); err != nil || !found {
		return "", err
	}
	t, err := openTable(false)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // a restart has emptied the firewall
	}
	if err != nil {
		return "", noFirewall(err)
	}
	if !w.spec.Prefix.IsValid() {
		return "", t.allow(t.out, mark(records))
	}
	if record.Rule {
		return "", t.allow(t.in, mark(records))
	}
	if there, _, err := t.refuses(w.spec.Prefix); err != nil || !there || record.Had {
		return "", errors.Join(err, t.clear())
	}
	return "", t.allowNetwork(w.spec.Prefix)
}

// noFirewall says what an answer of the kernel means.
func noFirewall(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return fmt.Errorf("the kernel has no nftables here, or this process may not change it (%w): %w", err, ErrUnsafe)
	}
	return err
}

// table is "inet spoor".
type table struct {
	conn     *nftables.Conn
	table    *nftables.Table
	out, in  *nftables.Chain
	networks [2]*nftables.Set // refused ones: IPv4, IPv6
}

const tableName = "spoor"

// openTable finds the table, and describes it if it is not there and is to be made.
// It returns fs.ErrNotExist if it is not there and is not to be made.
func openTable(create bool) (*table, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	t := &table{conn: conn, table: &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}}
	t.describe()
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, err
	}
	for _, one := range tables {
		if one.Name == tableName {
			create = true
		}
	}
	if !create {
		return nil, fmt.Errorf("table inet %s: %w", tableName, fs.ErrNotExist)
	}
	return t, t.make()
}

func (t *table) describe() {
	accept := nftables.ChainPolicyAccept
	chain := func(name string, hook *nftables.ChainHook) *nftables.Chain {
		return &nftables.Chain{
			Name: name, Table: t.table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter, Policy: &accept,
		}
	}
	t.out, t.in = chain("out", nftables.ChainHookOutput), chain("in", nftables.ChainHookInput)
	t.networks = [2]*nftables.Set{
		{Table: t.table, Name: "networks4", KeyType: nftables.TypeIPAddr, Interval: true, HasTimeout: true},
		{Table: t.table, Name: "networks6", KeyType: nftables.TypeIP6Addr, Interval: true, HasTimeout: true},
	}
}

// make makes of table, chains and sets what is missing, in one step, and the rules
// that look into the sets.
func (t *table) make() error {
	t.conn.AddTable(t.table)
	t.conn.AddChain(t.out)
	t.conn.AddChain(t.in)
	for _, set := range t.networks {
		if err := t.conn.AddSet(set, nil); err != nil {
			return err
		}
	}
	if err := t.conn.Flush(); err != nil {
		return err
	}
	for i, set := range t.networks {
		if t.ruleOf(t.in, set.Name) != nil {
			continue
		}
		ports, err := t.ports()
		if err != nil {
			return err
		}
		t.conn.AddRule(&nftables.Rule{Table: t.table, Chain: t.in, Exprs: fromNetworks(i, set, ports), UserData: comment(set.Name)})
	}
	return t.conn.Flush()
}

// ruleOf finds the rule with a comment.
func (t *table) ruleOf(chain *nftables.Chain, words string) *nftables.Rule {
	rules, err := t.conn.GetRules(t.table, chain)
	if err != nil {
		return nil
	}
	for _, r := range rules {
		if bytes.Equal(r.UserData, comment(words)) {
			return r
		}
	}
	return nil
}

func (t *table) refuseUser(spec *spoor.Firewall, words string) error {
	if t.ruleOf(t.out, words) != nil {
		return nil
	}
	ports, err := t.ports()
	if err != nil {
		return err
	}
	t.conn.AddRule(&nftables.Rule{Table: t.table, Chain: t.out, Exprs: ofUser(spec, ports), UserData: comment(words)})
	return t.conn.Flush()
}

// refuseByRule is for a network that overlaps with others.
func (t *table) refuseByRule(p netip.Prefix, words string) error {
	if t.ruleOf(t.in, words) != nil {
		return nil
	}
	ports, err := t.ports()
	if err != nil {
		return err
	}
	t.conn.AddRule(&nftables.Rule{Table: t.table, Chain: t.in, Exprs: fromNetwork(p, ports), UserData: comment(words)})
	return t.conn.Flush()
}

// allow takes the rule with a comment out of a chain.
func (t *table) allow(chain *nftables.Chain, words string) error {
	if r := t.ruleOf(chain, words); r != nil {
		if err := t.conn.DelRule(r); err != nil {
			return err
		}
		if err := t.conn.Flush(); err != nil {
			return err
		}
	}
	return t.clear()
}

// set is the one for networks of this family.
func (t *table) set(p netip.Prefix) *nftables.Set {
	if p.Addr().Is4() {
		return t.networks[0]
	}
	return t.networks[1]
}

// refuses reports whether exactly this network is in its set, and whether one is with
// which it overlaps.
func (t *table) refuses(p netip.Prefix) (exactly, overlaps bool, err error) {
	elements, err := t.conn.GetSetElements(t.set(p))
	if err != nil {
		return false, false, err
	}
	slices.SortFunc(elements, func(a, b nftables.SetElement) int {
		return cmp.Or(bytes.Compare(a.Key, b.Key), cmp.Compare(beginsLast(a), beginsLast(b)))
	})
	first, behind := bounds(p)
	for i, e := range elements {
		if e.IntervalEnd {
			continue
		}
		var end []byte // nil: the last address of all is in it
		if i+1 < len(elements) && elements[i+1].IntervalEnd {
			end = elements[i+1].Key
		}
		exactly = exactly || bytes.Equal(e.Key, first) && bytes.Equal(end, behind)
		overlaps = overlaps || (len(behind) == 0 || bytes.Compare(e.Key, behind) < 0) && (len(end) == 0 || bytes.Compare(first, end) < 0)
	}
	return exactly, overlaps, nil
}

// beginsLast orders what begins at an address behind what ends there.
func beginsLast(e nftables.SetElement) int {
	if e.IntervalEnd {
		return 0
	}
	return 1
}

func (t *table) refuseNetwork(p netip.Prefix, left time.Duration) error {
	if err := t.conn.SetAddElements(t.set(p), interval(p, left)); err != nil {
		return err
	}
	return t.conn.Flush()
}

func (t *table) allowNetwork(p netip.Prefix) error {
	if err := t.conn.SetDeleteElements(t.set(p), interval(p, 0)); err != nil {
		return err
	}
	if err := t.conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return t.clear()
}

// clear removes the table when nothing is refused any more.
func (t *table) clear() error {
	rules, err := t.conn.GetRules(t.table, t.out)
	if err != nil || len(rules) > 0 {
		return err
	}
	if rules, err = t.conn.GetRules(t.table, t.in); err != nil || len(rules) > len(t.networks) {
		return err
	}
	for _, set := range t.networks {
		elements, err := t.conn.GetSetElements(set)
		if err != nil {
			return err
		}
		for _, e := range elements {
			if !e.IntervalEnd {
				return nil
			}
		}
	}
	t.conn.DelTable(t.table)
	return t.conn.Flush()
}
