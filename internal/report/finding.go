package report

import (
	"cmp"
	"slices"

	"spoor"
)

// severityOrder is the order in which findings are worth an administrator's
// time. Words that spoor does not know come last.
func severityOrder(severity string) int {
	switch severity {
	case "high":
		return 0
	case "medium":
		return 1
	case "low":
		return 2
	}
	return 3
}

// writeFindings lists what lets spam happen on this server, worst first.
func writeFindings(p *page, findings []spoor.Finding) {
	if len(findings) == 0 {
		return
	}
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b spoor.Finding) int {
		return cmp.Compare(severityOrder(a.Severity), severityOrder(b.Severity))
	})
	p.heading("To prevent this")
	for _, f := range sorted[:min(maxFindings, len(sorted))] {
		words := clip(f.Text, maxQuote)
		if f.Subject != "" {
			words = clip(f.Subject, maxQuote) + ": " + words
		}
		p.row(detail, clip(f.Severity, maxLabel), words)
		if copyable(f.Fix) {
			p.label(detail, "")
			p.put("fix: ")
			p.command(f.Fix)
		}
	}
	if more := len(sorted) - maxFindings; more > 0 {
		p.suggest(detail, "and "+count(more)+" more:", "spoor audit ls")
	}
}

// maxFindings is how many findings the page of the answer shows.
const maxFindings = 5
