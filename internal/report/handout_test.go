package report

import (
	"io"
	"strings"
	"testing"
	"time"
)

func sampleHandout(audience Audience) *Handout {
	show := sampleShow()
	return &Handout{
		Head: Head{Root: "/", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk"}, Audience: audience,
		Source: show.Source, Known: true, Complete: true,
		Done: []HandoutAct{
			{Time: now.Add(-time.Hour), Action: "rm", Messages: 1204, Plan: "20261126T101500-rm"},
			{Time: now.Add(-2 * time.Hour), Action: "hold", Messages: 3, Plan: "20261126T091500-hold", UndoneBy: "20261126T091600-release"},
		},
		Samples: []HandoutSample{
			{ID: "2996948", Arrived: now.Add(-3 * time.Hour), Recipients: 12, Header: []byte("Received: (qmail 7 invoked by uid 10003)\r\nTo: ada@example.org\r\n\tgrace@example.org\r\n\r\n")},
			{ID: "2996949", Arrived: now.Add(-3 * time.Hour), Recipients: 1, Vault: true, Header: []byte(strings.Repeat("X-Pad: 1\n", 80))},
		},
		Mask: func(text string) string { return strings.ReplaceAll(text, "ada@", "a***@") },
	}
}

func TestHandouts(t *testing.T) {
	for _, audience := range Audiences() {
		h := sampleHandout(audience)
		golden(t, "handout-"+audience.String(), h.Text)
		golden(t, "handout-"+audience.String()+"-html", h.HTML)
	}
	gone := sampleHandout(ForAbuseDesk)
	gone.Known, gone.Complete, gone.Mask = false, false, nil
	gone.Source.Verdict.Reasons = nil
	golden(t, "handout-gone", gone.Text)
}

// A handout goes to one customer: nothing that counts the others belongs in it.
func TestAHandoutDoesNotTellOfOthers(t *testing.T) {
	page := written(t, sampleHandout(ForCustomer).Text)
	for _, word := range []string{"messages in the queue (", "QUEUE_SHARE"} {
		if strings.Contains(page, word) {
			t.Errorf("%q is in it:\n%s", word, page)
		}
	}
	if strings.Contains(page, "ada@") {
		t.Errorf("an address is not masked:\n%s", page)
	}
}

func TestHostileTextStaysTextInHTML(t *testing.T) {
	h := sampleHandout(ForCustomer)
	h.Mask = nil
	const attack = `<script>alert(1)</script>"'><img src=x onerror=alert(1)> \x1b[2J`
	h.Source.Traffic.Source.Name, h.Host, h.Samples[0].Header = attack, attack, []byte("Subject: "+attack+"\x1b[2J\u202e\n")
	for i := range h.Source.Verdict.Reasons {
		h.Source.Verdict.Reasons[i].Text = attack
	}
	page := written(t, h.HTML)
	for _, bad := range []string{"<script", "<img", "\x1b", "\u202e"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
}

func TestFileNamesOfHandoutsAreSafe(t *testing.T) {
	h := sampleHandout(ForAbuseDesk)
	h.Source.Traffic.Source.Name = "../../etc/\x00passwd$(x)" + strings.Repeat("y", 300)
	name := h.FileName()
	if strings.ContainsAny(name, "/\x00$() ") || len(name) > 130 || strings.HasPrefix(name, ".") {
		t.Errorf("%q is no safe name", name)
	}
}

func TestPoisonedHandout(t *testing.T) {
	h := poisoned(sampleHandout(ForCustomer))
	h.Mask = nil
	checkLines(t, written(t, h.Text))
	if page := written(t, func(w io.Writer) error { return h.HTML(w) }); strings.Contains(page, "\x1b") {
		t.Error("an escape character is in the HTML")
	}
}
