package report

import (
	"spoor"
)

// tableColumns is the list that fits a terminal of 80 columns.
func tableColumns(style Style) []tableColumn {
	arrived := tableColumn{head: "ARRIVED", value: arrivedCell(style)}
	if !style.Now.IsZero() {
		arrived = tableColumn{head: "AGE", right: true, value: ageCell(style)}
	}
	return []tableColumn{
		{head: "ID", value: idCell},
		arrived,
		{head: "SIZE", right: true, value: sizeCell},
		{head: "STATE", value: stateCell},
		{head: "DONE", right: true, value: doneCell},
		{head: "SENDER", share: true, most: max(maxSender, style.Columns/3), value: senderCell},
		{head: "SOURCE", share: true, value: sourceCell},
	}
}

// maxSender is how many columns a sender takes at most that is listed in a pipe,
// or in a terminal that is not wide: what follows it should stay in sight.
const maxSender = 40

// wideColumns is the list with everything, cut nowhere.
func wideColumns(style Style) []tableColumn {
	return []tableColumn{
		{head: "ID", value: idCell},
		{head: "ARRIVED", value: arrivedCell(style)},
		{head: "SIZE", right: true, value: sizeCell},
		{head: "STATE", value: wideStateCell},
		{head: "DONE", right: true, value: doneCell},
		{head: "SENDER", value: senderCell},
		{head: "SOURCE", value: sourceCell},
		{head: "SURE", right: true, value: sureCell},
		{head: "CLIENT", value: clientCell},
		{head: "ACCOUNT", value: accountCell},
		{head: "MESSAGE-ID", value: messageIDCell},
		{head: "SUBJECT", value: subjectCell},
	}
}

// none stands in a table where there is nothing or nothing is known.
const none = "-"

func idCell(m *spoor.Message, _ *spoor.Attribution) string { return string(m.ID) }

func arrivedCell(style Style) func(*spoor.Message, *spoor.Attribution) string {
	return func(m *spoor.Message, _ *spoor.Attribution) string { return style.clock(m.Arrived) }
}

func ageCell(style Style) func(*spoor.Message, *spoor.Attribution) string {
	return func(m *spoor.Message, _ *spoor.Attribution) string { return shortAge(style.Now, m.Arrived) }
}

func sizeCell(m *spoor.Message, _ *spoor.Attribution) string { return shortSize(m.SizeBytes) }

// stateCell is the one word that matters most.
func stateCell(m *spoor.Message, _ *spoor.Attribution) string {
	switch {
	case m.Held:
		return "held"
	case m.Bouncing:
		return "bouncing"
	}
	return m.State.String()
}

func wideStateCell(m *spoor.Message, _ *spoor.Attribution) string { return stateOf(m, ",") }

func doneCell(m *spoor.Message, _ *spoor.Attribution) string {
	if !m.HasEnvelope && m.Recipients.Len() == 0 {
		return none
	}
	return count(m.Recipients.Done()) + "/" + count(m.Recipients.Len())
}

func senderCell(m *spoor.Message, _ *spoor.Attribution) string {
	if !m.HasEnvelope {
		return none
	}
	return sender(m.Sender)
}

func sourceCell(_ *spoor.Message, a *spoor.Attribution) string {
	if a == nil {
		return none
	}
	return a.Source.String()
}

func sureCell(_ *spoor.Message, a *spoor.Attribution) string {
	if a == nil {
		return none
	}
	return percent(a.Confidence)
}

func clientCell(m *spoor.Message, a *spoor.Attribution) string {
	if a == nil {
		return none
	}
	return orNone(originOf(m, a).ip)
}

func accountCell(m *spoor.Message, a *spoor.Attribution) string {
	if a == nil {
		return none
	}
	return orNone(originOf(m, a).account)
}

func messageIDCell(m *spoor.Message, _ *spoor.Attribution) string { return orNone(m.MessageID) }

func subjectCell(m *spoor.Message, _ *spoor.Attribution) string { return orNone(subject(m.Subject)) }

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}
