package report

import (
	"cmp"
	"fmt"
	"slices"

	"spoor"
)

// writeLogged tells what the log has of a source: counts, what receivers said,
// logins, and the busiest hours.
func writeLogged(p *page, h *spoor.History) {
	if h == nil {
		return
	}
	p.heading("In the mail log")
	for _, c := range historyCounters(h) {
		if c.n != 0 {
			p.para(0, fmt.Sprintf("%11s  %s", count(c.n), c.words))
		}
	}
	if h.Inferred > 0 {
		p.para(0, fmt.Sprintf("%11s  %s", count(h.Inferred), "of the messages sent are joined to the source by order and time, not by a record"))
	}
	writeAnswers(p, "Recipients that failed, by what the receiver said", &h.FailedBy)
	writeAnswers(p, "Deliveries that were put off, by what the receiver said", &h.DeferredBy)
	writeReceivers(p, h.Receivers)
	writeRanking(p, "Senders in the log", named(h.Senders, sender))
	writeRanking(p, "Clients in the log", h.Clients)
	writeHours(p, h.Hours)
}

// historyCounters are the numbers of a history with their words.
func historyCounters(h *spoor.History) []counter {
	return []counter{
		{"sent", "messages sent, " + size(h.Bytes), h.Accepted},
		{"recipients", "recipients of these, as far as deliveries were begun", h.Recipients},
		{"delivered", "recipients that got it", h.Delivered},
		{"failed", "recipients that failed for good", h.Failed},
		{"waiting", "recipients that were put off, and wait", h.Waiting},
		{"deferrals", "deliveries that were put off", h.Deferrals},
		{"bounces", "bounces made here because of it", h.Bounces},
		{"logins", "logins in order to send", h.Logins},
		{"failed_logins", "logins that failed", h.FailedLogins},
		{"networks", "networks (/24 or /64) of its clients", h.Networks},
	}
}

func writeAnswers(p *page, heading string, counts *[spoor.NumAnswers]int) {
	answers := slices.DeleteFunc(spoor.Answers(), func(a spoor.Answer) bool { return counts[a] == 0 })
	if len(answers) == 0 {
		return
	}
	slices.SortStableFunc(answers, func(a, b spoor.Answer) int { return cmp.Compare(counts[b], counts[a]) })
	p.heading(heading)
	for _, a := range answers {
		p.para(0, fmt.Sprintf("%11s  %s", count(counts[a]), answerWords(a)))
	}
}

// writeReceivers quotes the receivers that condemn the mail or the server.
func writeReceivers(p *page, list []spoor.ReceiverTally) {
	if len(list) == 0 {
		return
	}
	p.heading("Receivers that call it spam or block this server")
	for i := range list[:min(maxTop, len(list))] {
		r := &list[i]
		p.put(fmt.Sprintf("%11s  ", count(r.Count)))
		p.flow(clip(r.Receiver, maxAddress) + ": " + answerWords(r.Answer))
		p.end()
		if r.Example.Line > 0 {
			p.para(detail+9, clip(answerOf(r.Example.Text), maxRemark))
			p.para(detail+9, clip(r.Example.Place(), maxQuote))
		}
	}
}

// maxHours is how many hours the page shows.
const maxHours = 5

// writeHours shows the busiest hours, in order of time.
func writeHours(p *page, hours []spoor.HourTally) {
	if len(hours) < 2 {
		return
	}
	busiest := slices.Clone(hours)
	slices.SortStableFunc(busiest, func(a, b spoor.HourTally) int { return cmp.Compare(b.Recipients, a.Recipients) })
	busiest = busiest[:min(maxHours, len(busiest))]
	slices.SortFunc(busiest, func(a, b spoor.HourTally) int { return a.Start.Compare(b.Start) })
	p.heading("Busiest of " + plural(len(hours), "hour") + " with mail")
	for _, h := range busiest {
		p.para(2, p.style.clock(h.Start)+"  "+plural(h.Messages, "message")+" to "+plural(h.Recipients, "recipient"))
	}
}
