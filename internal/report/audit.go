package report

import (
	"io"
	"strings"

	"spoor"
)

// AuditSchema names the contract of Audit.JSON.
const AuditSchema = "spoor.audit/1"

// Audit is what the standing policy of a server lets happen.
type Audit struct {
	Head
	Domains  map[spoor.NonexistentPolicy]int // mail domains by policy
	Relay    int                             // entries of the relay list
	Findings []spoor.Finding                 // worst first
	Complete bool
	Gaps     []spoor.Gap
}

type auditJSON struct {
	headJSON
	Domains  map[string]int `json:"domains"`
	Relay    int            `json:"relay_entries"`
	Findings []findingJSON  `json:"findings"`
	Complete bool           `json:"complete"`
	Gaps     []gapJSON      `json:"gaps"`
}

// JSON writes one document of the schema spoor.audit/1.
func (a *Audit) JSON(out io.Writer) error {
	domains := map[string]int{}
	for policy, n := range a.Domains {
		domains[policy.String()] = n
	}
	return writeJSON(out, auditJSON{
		headJSON: a.json(AuditSchema), Domains: domains, Relay: a.Relay, Findings: newFindingsJSON(a.Findings),
		Complete: a.Complete, Gaps: newGapsJSON(a.Gaps),
	})
}

// NDJSON writes the findings, one a line.
func (a *Audit) NDJSON(out io.Writer) error {
	lines := lineBuffer{out: out}
	for _, finding := range newFindingsJSON(a.Findings) {
		object, err := marshalJSON(finding)
		if err != nil {
			return err
		}
		lines.buf = append(append(lines.buf, object...), '\n')
		if err := lines.spill(); err != nil {
			return err
		}
	}
	return lines.flush()
}

// Text writes a page: a summary, then the findings, worst first.
func (a *Audit) Text(out io.Writer, style Style) error {
	p := a.page(style)
	p.end()
	total := 0
	for _, n := range a.Domains {
		total += n
	}
	p.row(0, "Domains", plural(total, "mail domain")+a.byPolicy())
	p.row(0, "Relay list", entries(a.Relay))
	p.row(0, "Findings", count(len(a.Findings)))
	for i := range a.Findings {
		p.end()
		writeAuditFinding(p, &a.Findings[i])
	}
	writeGaps(p, a.Gaps, a.Complete)
	return p.writeTo(out)
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return count(n) + " entries"
}

// byPolicy says what becomes of mail for users that do not exist.
func (a *Audit) byPolicy() string {
	var words []string
	for _, one := range [...]struct {
		policy spoor.NonexistentPolicy
		verb   string
	}{
		{spoor.NonexistentReject, "reject"},
		{spoor.NonexistentDiscard, "discard"},
		{spoor.NonexistentForward, "forward"},
		{spoor.NonexistentBounce, "bounce"},
		{spoor.NonexistentUnknown, "unknown"},
	} {
		if n := a.Domains[one.policy]; n > 0 {
			words = append(words, count(n)+" "+one.verb)
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "; mail for users that do not exist: " + strings.Join(words, ", ")
}

func writeAuditFinding(p *page, f *spoor.Finding) {
	colour := sgrYellow
	if f.Severity == "high" {
		colour = sgrRed
	}
	p.paint(colour, f.Severity)
	p.tab(8)
	p.put(clip(f.Subject, maxAddress) + "  (" + clip(f.Check, maxAddress) + ")")
	p.end()
	p.para(8, clip(f.Text, maxQuote))
	for _, e := range f.Evidence {
		if e.File != "" {
			p.para(8, clip(e.Place(), maxQuote)+": "+clip(e.Text, maxQuote))
		}
	}
	if copyable(f.Fix) {
		p.tab(8)
		p.put("fix: ")
		p.command(f.Fix)
	}
}
