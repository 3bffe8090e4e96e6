package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"spoor"
)

// originField is what the sendmail shim adds to a message.
const originField = "X-Spoor-Origin"

// sureRecorded is the most that a script can be, which the shim's recorder saw: its
// user could have opened the file so as to put it there.
const sureRecorded = 0.95

// stamp is the shim's field in a message, with what is known of it.
type stamp struct {
	spoor.Origin
	line  int
	sound bool // signed for the user who queued the message, as the MTA recorded
}

// stampOf reads the topmost of such fields: the shim writes it above all that it was
// given. It counts only in mail that entered through sendmail.
func (t *Tracer) stampOf(m *spoor.Message) *stamp {
	if t.facts.Origin == nil {
		return nil
	}
	i := slices.IndexFunc(m.Trail.Claims, func(c spoor.Claim) bool { return c.Field == originField })
	if i < 0 {
		return nil
	}
	claim := m.Trail.Claims[i]
	s := &stamp{Origin: t.facts.Origin(claim.Value), line: claim.Line}
	entry := m.Trail.Entry()
	s.sound = s.Proof == spoor.OriginSigned && entry != nil && entry.Via == spoor.ViaUID && entry.UID == s.UID
	return s
}

// ruleStamp takes from the shim's record what the MTA cannot know: which site's
// script it was, where all sites send as the web server's user.
func (t *Tracer) ruleStamp(m *spoor.Message, r ruling) ruling {
	if r.stamp = t.stampOf(m); r.stamp == nil || !r.stamp.sound || !r.stamp.Recorded {
		return r
	}
	if r.owner.Role != spoor.RoleWebServer || r.source.Kind != spoor.KindUser || r.uid != r.stamp.UID {
		return r
	}
	site := ""
	for _, place := range [...]string{r.stamp.Script, r.stamp.Dir + "/"} {
		if site == "" && place != "/" {
			site = t.facts.SiteAt(place[:strings.LastIndexByte(place, '/')+1])
		}
	}
	switch {
	case site != "":
		r.source, r.owner.Site, r.confidence = spoor.Source{Kind: spoor.KindSite, Name: site}, site, min(r.confidence, sureFolders)
	case r.stamp.Script != "":
		r.source, r.confidence = spoor.Source{Kind: spoor.KindScript, Name: r.stamp.Script}, min(r.confidence, sureFolders)
	}
	return r
}

// script is the one that the recorder saw, or "".
func (s *stamp) script() string {
	if s == nil || !s.sound || !s.Recorded {
		return ""
	}
	return s.Script
}

// forgery says what is wrong with the field in a message that came by sendmail, or
// "". Mail from the network may carry that of another server, or of this one's own
// that has come back.
func (s *stamp) forgery(m *spoor.Message) string {
	entry := m.Trail.Entry()
	if s == nil || entry == nil || entry.Via != spoor.ViaUID || entry.UID < 0 {
		return ""
	}
	switch {
	case s.Proof == spoor.OriginForged:
		return "not signed by this server's recorder: forged"
	case s.Proof == spoor.OriginSigned && !s.sound:
		return fmt.Sprintf("issued to uid %d, but uid %d queued the message: copied", s.UID, entry.UID)
	}
	return ""
}

// field is the field as it stands in the message.
func (s *stamp) field() string { return originField + ": " + s.ID }

// origin quotes the field and the line of the record that goes with it.
func (w *witness) origin(r ruling) {
	s := r.stamp
	if s == nil || s.forgery(w.message) != "" { // which is told among the forgeries
		return
	}
	switch {
	case s.sound:
		w.prove(w.fact("shim", s.field()+" (signed by the recorder for uid "+strconv.Itoa(s.UID)+" at "+s.Issued.Format(time.RFC3339)+")", s.line))
	case s.Proof == spoor.OriginUnsigned:
		w.prove(w.fact("shim", s.field()+" (made while the recorder could not be reached: anybody could have written it)", s.line))
	default:
		w.prove(w.fact("claim", s.field(), s.line))
	}
	switch {
	case s.Recorded:
		line := s.Place
		line.ID = w.message.ID
		w.prove(line)
	case s.sound:
		w.prove(w.fact("shim", "the recorder's line about it is no longer in the log", 0))
	}
}

// uses counts the messages that carry one ID. The shim has it issued for one.
type uses map[uint64]use

type use struct {
	count int
	page  spoor.Source
	first spoor.Evidence // of the message with the lowest queue ID
}

// add notes an ID in a message that its user has queued himself: what an alias or a
// filter sends on carries it too.
func (u uses) add(m *spoor.Message, r *ruling, source spoor.Source) {
	if r.stamp == nil || !r.stamp.sound || m.Trail.Hops[0].Via != spoor.ViaUID || m.Trail.Hops[0].UID != r.stamp.UID {
		return
	}
	w := witness{message: m}
	u.merge(xxhash.Sum64String(r.stamp.ID), use{count: 1, page: source, first: w.fact("forged", strings.Clone(r.stamp.field()), r.stamp.line)})
}

func (u uses) merge(key uint64, o use) {
	known, ok := u[key]
	if !ok {
		u[key] = o
		return
	}
	known.count += o.count
	if cmp.Or(strings.Compare(string(o.first.ID), string(known.first.ID)), o.page.Compare(known.page)) < 0 {
		known.page, known.first = o.page, o.first
	}
	u[key] = known
}

// bookCopies counts the messages whose ID other messages have too. They are the
// first of the examples: other forgeries must not hide them.
func (l *Ledger) bookCopies() {
	var copied []use
	for _, u := range l.uses {
		if u.count > 1 && l.pages[u.page] != nil {
			copied = append(copied, u)
		}
	}
	clear(l.uses)
	slices.SortFunc(copied, func(a, b use) int { return strings.Compare(string(b.first.ID), string(a.first.ID)) })
	for _, u := range copied {
		t := &l.pages[u.page].traffic
		t.Forged += u.count - 1
		u.first.Text += fmt.Sprintf(" (stands in %d messages: an ID is issued for one, the others are copies)", u.count)
		t.Forgeries = append([]spoor.Evidence{u.first}, t.Forgeries[:min(len(t.Forgeries), maxEvidence-1)]...)
	}
}

// bookStamp counts the script that the recorder saw, with one line of the record.
func (p *page) bookStamp(m *spoor.Message, s *stamp) {
	script := s.script()
	if script == "" {
		return
	}
	line := s.Place
	line.ID = m.ID
	script = strings.Clone(script)
	p.recorded[script] = mergeRecorded(p.recorded[script], recorded{count: 1, line: line})
}

func mergeRecorded(a, b recorded) recorded {
	if a.count == 0 || b.line.ID < a.line.ID {
		a.line = b.line
	}
	a.count += b.count
	return a
}

// recorded is a script in the shim's record.
type recorded struct {
	count int
	line  spoor.Evidence // of the message with the lowest queue ID
}

// recordedScripts makes candidates of the scripts that the recorder saw, likeliest
// first.
func recordedScripts(seen map[string]recorded, messages int) []spoor.Candidate {
	var list []spoor.Candidate
	for script, r := range seen {
		list = append(list, spoor.Candidate{
			Source:     spoor.Source{Kind: spoor.KindScript, Name: script},
			Confidence: hundredths(sureRecorded * float64(r.count) / float64(max(messages, 1))),
			Text:       fmt.Sprintf("the shim's recorder saw this script open where %d of %d messages were made", r.count, messages),
			Evidence:   []spoor.Evidence{r.line},
		})
	}
	sortCandidates(list)
	return list[:min(len(list), scriptMaxCandidates)]
}
