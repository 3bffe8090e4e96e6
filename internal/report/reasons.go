package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"spoor"
)

// ReasonsSchema names the contract of Reasons.JSON.
const ReasonsSchema = "spoor.reasons/1"

// Reasons is why mail does not leave the queue.
type Reasons struct {
	Head
	Obstacles []spoor.Obstacle
	Groups    []ReasonGroup // most recipients first
	Waiting   int           // recipients that wait, in all groups
	Coverage  *spoor.Coverage
	Complete  bool
	Gaps      []spoor.Gap
}

// ReasonGroup is one destination and one reason.
type ReasonGroup struct {
	Receiver   string // name of a large receiver, or ""
	Domain     string
	Answer     spoor.Answer
	Recipients int
	Messages   int
	Oldest     time.Time
	Source     spoor.Source // that has most of the recipients
	Line       spoor.Evidence
}

type obstacleJSON struct {
	Name     string         `json:"name"`
	Severity string         `json:"severity"`
	Count    int            `json:"count"`
	Text     text           `json:"text"`
	Try      text           `json:"try"`
	Evidence []evidenceJSON `json:"evidence"`
}

type reasonGroupJSON struct {
	Receiver   text           `json:"receiver"`
	Domain     text           `json:"domain"`
	Answer     string         `json:"answer"`
	Recipients int            `json:"recipients"`
	Messages   int            `json:"messages"`
	Oldest     string         `json:"oldest"`
	Source     text           `json:"source"`
	Evidence   []evidenceJSON `json:"evidence"`
}

type reasonsJSON struct {
	headJSON
	Slow     []obstacleJSON    `json:"slow"`
	Waiting  int               `json:"waiting"`
	Reasons  []reasonGroupJSON `json:"reasons"`
	Log      coverageJSON      `json:"log"`
	Complete bool              `json:"complete"`
	Gaps     []gapJSON         `json:"gaps"`
}

func newObstaclesJSON(list []spoor.Obstacle) []obstacleJSON {
	out := make([]obstacleJSON, 0, len(list))
	for i := range list {
		o := &list[i]
		out = append(out, obstacleJSON{
			Name: o.Name, Severity: o.Severity, Count: o.Count, Text: text(o.Text), Try: text(o.Try), Evidence: newEvidenceJSON(o.Evidence),
		})
	}
	return out
}

// JSON writes one document of the schema spoor.reasons/1.
func (r *Reasons) JSON(out io.Writer) error {
	document := reasonsJSON{
		headJSON: r.json(ReasonsSchema), Slow: newObstaclesJSON(r.Obstacles), Waiting: r.Waiting, Reasons: []reasonGroupJSON{},
		Log: newCoverageJSON(r.Coverage), Complete: r.Complete, Gaps: newGapsJSON(r.Gaps),
	}
	for i := range r.Groups {
		g := &r.Groups[i]
		document.Reasons = append(document.Reasons, reasonGroupJSON{
			Receiver: text(g.Receiver), Domain: text(g.Domain), Answer: g.Answer.String(), Recipients: g.Recipients,
			Messages: g.Messages, Oldest: jsonTime(g.Oldest), Source: text(g.Source.String()),
			Evidence: newEvidenceJSON([]spoor.Evidence{g.Line}),
		})
	}
	return writeJSON(out, document)
}

// Text writes a page: what is wrong on the whole, then who refuses what.
func (r *Reasons) Text(out io.Writer, style Style, top int) error {
	if top <= 0 {
		top = DefaultTop
	}
	p := r.page(style)
	p.end()
	writeObstacles(p, withoutAdvice(r.Obstacles, reasonsCommand), len(r.Obstacles))
	if len(r.Obstacles) == 0 {
		p.para(0, "Nothing was found that makes mail slow on this server.")
	}
	groups := mergeReceivers(r.Groups)
	if len(groups) > 0 {
		p.heading("What " + plural(r.Waiting, "recipient") + " wait for")
	}
	for i := range groups[:min(top, len(groups))] {
		writeReasonGroup(p, &groups[i])
	}
	if more := len(groups) - top; more > 0 {
		p.para(2, "and "+plural(more, "other reason")+": see --top or --json")
	}
	if r.Coverage == nil {
		p.end()
		p.para(0, "No mail log was read, so what receivers answered is not known.")
	}
	writeGaps(p, r.Gaps, r.Complete)
	return p.writeTo(out)
}

// mergeReceivers joins the domains of one large receiver that give one answer.
func mergeReceivers(groups []ReasonGroup) []ReasonGroup {
	var merged []ReasonGroup
	index := map[string]int{}
	for _, g := range groups {
		key := g.Receiver + "\x00" + g.Answer.String()
		if g.Receiver == "" {
			key = "\x00" + g.Domain + "\x00" + g.Answer.String()
		}
		i, ok := index[key]
		if !ok {
			index[key] = len(merged)
			merged = append(merged, g)
			continue
		}
		m := &merged[i]
		m.Recipients += g.Recipients
		m.Messages += g.Messages
		if !g.Oldest.IsZero() && (m.Oldest.IsZero() || g.Oldest.Before(m.Oldest)) {
			m.Oldest = g.Oldest
		}
	}
	slices.SortStableFunc(merged, func(a, b ReasonGroup) int { return cmp.Compare(b.Recipients, a.Recipients) })
	return merged
}

func writeReasonGroup(p *page, g *ReasonGroup) {
	p.put(fmt.Sprintf("%11s  ", count(g.Recipients)))
	name := cmp.Or(g.Receiver, g.Domain, "(no domain)")
	p.flow(clip(name, maxAddress) + ": " + answerWords(g.Answer))
	p.end()
	p.para(detail+9, clip(answerOf(g.Line.Text), maxRemark))
	p.para(detail+9, clip(g.Line.Place(), maxQuote))
}

// answerOf is the answer at the end of a line of the log. qmail's has underscores
// for blanks and slashes for line ends, Postfix' stands in brackets.
func answerOf(line string) string {
	if at := strings.LastIndex(line, ", status="); at >= 0 {
		if open := strings.Index(line[at:], " ("); open >= 0 {
			return strings.TrimSuffix(line[at+open+len(" ("):], ")")
		}
	}
	for _, word := range []string{" success: ", " deferral: ", " failure: "} {
		if at := strings.Index(line, word); at >= 0 {
			return strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(line[at+len(word):], "_", " "), "/", " / "))
		}
	}
	return eximAnswer(line)
}

// eximAnswer is the answer in a line of Exim's, or the line:
//
//	2026-11-23 10:37:57 1xVRQr-0007aK-0j == a@x.example R=mx T=smtp defer (-44) H=mx.x.example [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<a@x.example>: 450 4.2.1 try later
//	2026-11-23 10:37:58 1xVRQs-0007bj-0t == a@x.example R=mx T=smtp defer (111): Connection refused
func eximAnswer(line string) string {
	if _, said, ok := strings.Cut(line, ": SMTP error from remote mail server after "); ok {
		if _, answer, ok := strings.Cut(said, ": "); ok {
			return answer
		}
		return said
	}
	if _, rest, ok := strings.Cut(line, " defer ("); ok {
		if _, why, ok := strings.Cut(rest, "): "); ok {
			return why
		}
	}
	return line
}

// answerWords is the meaning of an answer for a person.
func answerWords(a spoor.Answer) string {
	switch a {
	case spoor.AnswerSpam:
		return "calls it spam"
	case spoor.AnswerBlocked:
		return "blocks this server"
	case spoor.AnswerRate:
		return "takes no more for now: too much mail or too many connections"
	case spoor.AnswerUserUnknown:
		return "has no such mailbox"
	case spoor.AnswerMailboxFull:
		return "mailbox full"
	case spoor.AnswerPolicy:
		return "refuses by policy"
	case spoor.AnswerGreylisted:
		return "greylisted: will take it later"
	case spoor.AnswerNoHost:
		return "no mail server for the domain"
	case spoor.AnswerNoConnection:
		return "no connection"
	case spoor.AnswerTooLarge:
		return "too large"
	case spoor.AnswerLoop:
		return "mail loop"
	case spoor.AnswerTooOld:
		return "in the queue for too long"
	case spoor.AnswerLocal:
		return "trouble on this server"
	case spoor.AnswerTLS:
		return "encryption failed"
	case spoor.AnswerOther:
	}
	return "another reason"
}

// reasonsCommand is the command that prints a Reasons.
const reasonsCommand = "spoor queue reasons"

// withoutAdvice leaves out the advice to run a command: its page is at hand.
func withoutAdvice(list []spoor.Obstacle, command string) []spoor.Obstacle {
	list = slices.Clone(list)
	for i := range list {
		if list[i].Try == command {
			list[i].Try = ""
		}
	}
	return list
}

// maxObstacles is how many obstacles the page of the answer shows.
const maxObstacles = 4

// writeObstacles tells why mail is slow, worst first, and shows at most some of it.
func writeObstacles(p *page, list []spoor.Obstacle, most int) {
	label := "Slow"
	for i := range list[:min(most, len(list))] {
		o := &list[i]
		p.row(0, label, clip(o.Text, maxQuote))
		label = ""
		if o.Try != "" {
			p.row(0, "", "try: "+clip(rooted(o.Try, p.root), maxQuote))
		}
	}
	if more := len(list) - most; more > 0 {
		p.label(0, "")
		p.suggest(wordsColumn, "and "+count(more)+" more:", reasonsCommand)
	}
}
