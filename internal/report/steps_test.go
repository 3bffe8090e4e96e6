package report

import (
	"io"
	"testing"
	"time"

	"spoor"
)

// stopPlan is a plan of steps, some of whose words a tenant has chosen.
func stopPlan() *Plan {
	return &Plan{Head: sampleHead(), Run: "spoor stop account:info@shop.test --for 24h", Plan: &spoor.Plan{
		ID: "20261123T100000-stop", Action: spoor.ActionStop, Time: now, Reason: "stolen password", Selector: []string{"account:info@shop.test", "--for", "24h"},
		Steps: []spoor.Step{
			{Kind: spoor.StepReload, Reload: &spoor.Reload{Exe: "master", Undone: true}},
			{Kind: spoor.StepEdit, What: "Postfix refuses mail of the login info@shop.test (a line in /etc/postfix/spoor_sasl_access)", Inverse: "the line is taken out", Edit: &spoor.Edit{Path: "/etc/postfix/spoor_sasl_access"}},
			{Kind: spoor.StepSeal, What: "/home/web1/\x1b[2Jevil.php can be neither read nor run", Inverse: "owner and mode are as they were", Seal: &spoor.Seal{Path: "/home/web1/\x1b[2Jevil.php"}},
			{Kind: spoor.StepSessions, What: "open SMTP sessions end (2)", Sessions: &spoor.Sessions{}},
		},
		Open:   []string{"the password still opens the mailbox (IMAP, POP3, webmail)", "what is open \x1b]0;x\x07 stays"},
		ByHand: []string{"postfix -c /etc/postfix reload"}, Expires: now.Add(24 * time.Hour), Targets: sampleTargets()[:2],
	}}
}

func undoPlan() *Plan {
	return &Plan{Head: sampleHead(), Run: "spoor undo 20261123T100000-stop", Plan: &spoor.Plan{
		ID: "20261123T110000-undo", Action: spoor.ActionUndo, Time: now, Undoes: "20261123T100000-stop",
		Steps: []spoor.Step{
			{Kind: spoor.StepSessions, What: "open SMTP sessions end (2)"},
			{Kind: spoor.StepEdit, What: "/etc/postfix/spoor_sasl_access: the line is taken out", Inverse: "the line is taken out"},
		},
	}}
}

func stopReceipt() *Receipt {
	return &Receipt{Head: sampleHead(), Undo: "spoor undo 20261123T100000-fix", Receipt: &spoor.Receipt{
		Plan: "20261123T100000-fix", Action: spoor.ActionFix, Time: now, Done: 2, SkippedBy: [5]int{0, 1}, Undoable: true,
		Steps: []spoor.StepOutcome{
			{Number: 0, Kind: spoor.StepReload},
			{Number: 1, Kind: spoor.StepEdit, What: "Postfix refuses mail of the login info@shop.test"},
			{Number: 2, Kind: spoor.StepFirewall, What: "203.0.113.9/32 cannot connect", Result: spoor.ResultFailed, Why: "the kernel has no nftables here"},
			{Number: 3, Kind: spoor.StepSeal, What: "/home/web1/\x1b[2Jevil.php", Result: spoor.ResultChanged, Why: "was changed since: another file is there now"},
			{Number: 4, Kind: spoor.StepSessions, What: "open SMTP sessions end (2)", Why: "1 ended, 1 had ended by themselves"},
		},
	}}
}

func stopJournal() *Journal {
	return &Journal{Head: sampleHead(), Entries: []JournalEntry{
		{Plan: "20261123T090000-stop", Action: "stop", Start: ago(time.Hour), End: ago(time.Hour), By: "root", Selector: []string{"account:info@shop.test", "--for", "24h"}, Steps: 5, StepsDone: 4, Expires: now.Add(23 * time.Hour)},
		{Plan: "20261123T093000-fix", Action: "fix", Start: ago(30 * time.Minute), End: ago(29 * time.Minute), By: "root", Selector: []string{"site:shop.test"}, Steps: 3, StepsDone: 3, Messages: 120, Done: 120},
	}}
}

func inForcePage() *Who {
	return &Who{Root: "/", Host: "mx", Time: now, MTA: "postfix", Panel: "plain", Complete: true, InForce: []InForce{
		{Plan: "20261122T090000-stop", Action: "stop", Subject: "account:info@shop.test", Since: ago(25 * time.Hour), Expires: ago(time.Hour)},
		{Plan: "20261123T090000-fix", Action: "fix", Subject: "script:/home/web1/\x1b[2Jevil.php", Since: ago(time.Hour), Expires: now.Add(time.Hour)},
	}}
}

func TestPagesOfSteps(t *testing.T) {
	f := func(name string, write func(io.Writer) error) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); golden(t, name, write) })
	}
	good := &Verified{Source: spoor.Source{Kind: spoor.KindAccount, Name: "info@shop.test"}, Watched: time.Minute, Before: 120, Refused: 3}
	bad := &Verified{Source: spoor.Source{Kind: spoor.KindScript, Name: "/home/\x1b[2Jx.php"}, Watched: time.Minute, Left: 4, Fresh: 4, Accepted: 7}
	f("stop-plan", func(w io.Writer) error { return stopPlan().Text(w, plainStyle) })
	f("stop-plan-json", stopPlan().JSON)
	f("stop-undo", func(w io.Writer) error { return undoPlan().Text(w, plainStyle) })
	f("stop-receipt", func(w io.Writer) error { return stopReceipt().Text(w, plainStyle) })
	f("stop-receipt-json", stopReceipt().JSON)
	f("stop-journal", func(w io.Writer) error { return stopJournal().Text(w, plainStyle) })
	f("stop-journal-json", stopJournal().JSON)
	f("stop-verified", func(w io.Writer) error { return good.Text(w, plainStyle) })
	f("stop-not-verified", func(w io.Writer) error { return bad.Text(w, plainStyle) })
	f("stop-in-force", func(w io.Writer) error { return inForcePage().Text(w, plainStyle, 0) })
	f("stop-in-force-json", func(w io.Writer) error { return inForcePage().JSON(w) })
}
