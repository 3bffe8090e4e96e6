package report

import (
	"io"
	"testing"
	"time"

	"spoor"
)

func sampleHead() Head {
	return Head{Root: "/", Host: "plesk01", Time: now, MTA: "qmail", Panel: "plesk"}
}

func sampleTargets() []spoor.Target {
	site := spoor.Source{Kind: spoor.KindSite, Name: "example.com"}
	account := spoor.Source{Kind: spoor.KindAccount, Name: "bob@corp.example"}
	return []spoor.Target{
		{ID: "2996948", Arrived: ago(time.Hour), SizeBytes: 9073, Sender: "support@bank.example", Recipients: 20, Done: 4, Subject: "Your account", Source: site, Class: spoor.Spam, Confidence: 0.99},
		{ID: "2996950", Arrived: ago(time.Hour), SizeBytes: 873, Sender: "", Recipients: 1, Source: site, Class: spoor.Spam, Confidence: 0.99},
		{ID: "2996951", Arrived: ago(2 * time.Hour), SizeBytes: 120_400, Sender: "bob@corp.example\x1b[2J", Recipients: 2, Subject: "Re: \x1b]0;x\x07Invoice 'April'", Source: account, Class: spoor.Normal, Confidence: 0.1},
	}
}

func samplePlan() *Plan {
	targets := sampleTargets()
	return &Plan{Head: sampleHead(), Run: "spoor queue rm site:example.com", Plan: &spoor.Plan{
		ID: "20261123T100000-rm", Action: spoor.ActionRemove, Time: now, Reason: "stolen password", Selector: []string{"age:>1h"}, Targets: targets,
		Method: []string{"qmail-send is stopped meanwhile (svc -d /service/qmail-send) and started again", "nothing is bounced"},
		Shares: []spoor.SourceShare{
			{Source: targets[0].Source, Class: spoor.Spam, Confidence: 0.99, Messages: 2, Recipients: 17},
			{Source: targets[2].Source, Class: spoor.Normal, Confidence: 0.1, Messages: 1, Recipients: 2},
		},
		Doubtful: targets[2:], QueueMessages: 27645,
	}}
}

// sampleRelease has what attackers can write: a script's name, and what sendmail says.
func sampleRelease() *Plan {
	target := sampleTargets()[2]
	target.Source, target.Vault = spoor.Source{Kind: spoor.KindScript, Name: "/srv/a\x1b[31m.php"}, "20261123-held"
	return &Plan{Head: sampleHead(), Run: "spoor shim release --all", Plan: &spoor.Plan{
		ID: "20261123T100000-shim-release", Action: spoor.ActionShimRelease, Time: now, Selector: []string{"--all"}, Targets: []spoor.Target{target},
		Method:  []string{"1 of web3 (uid 10003), by /srv/a\x1b[31m.php, over the limit of 50/h of uid 10003"},
		Remarks: []string{"what sendmail has accepted cannot be called back"},
	}}
}

func sampleReleased() *Receipt {
	return &Receipt{Head: sampleHead(), Receipt: &spoor.Receipt{
		Plan: "20261123T100000-shim-release", Action: spoor.ActionShimRelease, Time: now, SkippedBy: [5]int{0, 0, 0, 0, 1},
		Skipped: []spoor.Skipped{{ID: "20261123T090000-0011223344556677", Result: spoor.ResultFailed, Why: "sendmail did not take it: exit status 67: \x1b]0;x\x07no"}},
		Remarks: []string{"what sendmail has accepted cannot be called back"},
	}}
}

func sampleReceipt() *Receipt {
	return &Receipt{Head: sampleHead(), Undo: "spoor undo 20261123T100000-restore", Receipt: &spoor.Receipt{
		Plan: "20261123T100000-restore", Action: spoor.ActionRestore, Time: now, Done: 26100, SkippedBy: [5]int{0, 17, 2, 1, 1}, Renamed: 26100, Undoable: true, Resumed: true,
		Skipped: []spoor.Skipped{{ID: "7", Result: spoor.ResultGone}, {ID: "9", Result: spoor.ResultFailed, Why: "read mess/9: input/output error \x1b[31m"}},
		Moved:   []spoor.Moved{{Old: "2996948", New: "3011002"}},
	}}
}

// sampleStopped is a receipt with the same reason more than once.
func sampleStopped() *Receipt {
	return &Receipt{Head: sampleHead(), Receipt: &spoor.Receipt{
		Plan: "20261123T100000-hold", Action: spoor.ActionHold, Time: now, SkippedBy: [5]int{0, 0, 0, 2, 3}, Failure: "no exim there",
		Skipped: []spoor.Skipped{
			{ID: "1", Result: spoor.ResultFailed, Why: "no exim there"},
			{ID: "2", Result: spoor.ResultFailed, Why: "no exim there"},
			{ID: "3", Result: spoor.ResultBusy, Why: "is being delivered"},
			{ID: "4", Result: spoor.ResultBusy, Why: "is being delivered"},
			{ID: "5", Result: spoor.ResultFailed, Why: "input/output error"},
		},
	}}
}

func sampleAbandoned() *Abandoned {
	targets := sampleTargets()
	return &Abandoned{
		Head: sampleHead(), Plan: "20261123T090000-rm", Action: spoor.ActionRemove,
		Restore: "spoor vault restore --plan 20261123T090000-rm", Beside: "/var/qmail/queue/spoor/20261123T090000-rm",
		Messages: []LocatedMessage{
			{Target: targets[0], Where: "vault", Left: true, Why: "input/output error \x1b[31m"}, {Target: targets[1], Where: "queue"}, {Target: targets[2], Where: "beside", Why: "input/output error"},
		},
	}
}

func sampleJournal() *Journal {
	return &Journal{Head: sampleHead(), Entries: []JournalEntry{
		{Plan: "20261123T090000-rm", Action: "rm", Start: ago(time.Hour), End: ago(time.Hour), By: "root (sudo by eve)", Reason: "stolen password\x1b[1m", Selector: []string{"account:info@shop.test", "age:>1h"}, Messages: 120, Done: 118, UndoneBy: "20261123T095000-restore"},
		{Plan: "20261123T095000-restore", Action: "restore", Start: ago(10 * time.Minute), End: ago(9 * time.Minute), By: "root", Undoes: "20261123T090000-rm", Messages: 118, Done: 118},
		{Plan: "20261123T095500-rm", Action: "rm", Start: ago(5 * time.Minute), By: "root", Messages: 2000, Done: 1000},
		{Plan: "20261123T095700-rm", Action: "rm", Start: ago(3 * time.Minute), End: ago(2 * time.Minute), By: "root", Messages: 20, Done: 10, Failure: "given up by root: disk error", GivenUp: true},
	}}
}

func sampleVault() *Vault {
	targets := sampleTargets()
	v := &Vault{Head: sampleHead(), Damage: []spoor.Gap{{File: "vault/20261123T090000-rm", Reason: "4096 bytes at 81920: damaged", Count: 1}}}
	for i := range targets {
		targets[i].Vault = "20261123T090000-rm"
		v.Messages = append(v.Messages, StoredMessage{Target: targets[i], Fate: "stored", Stored: ago(time.Hour), PackedBytes: 800})
	}
	v.Messages[1].Fate, v.Messages[1].NewID = "restored", "3011002"
	v.Messages[2].Damaged = true
	return v
}

func TestPagesOfChanges(t *testing.T) {
	plan, receipt, journal, vault := samplePlan(), sampleReceipt(), sampleJournal(), sampleVault()
	f := func(name string, write func(io.Writer) error) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); golden(t, name, write) })
	}
	f("plan", func(w io.Writer) error { return plan.Text(w, plainStyle) })
	f("plan-json", plan.JSON)
	f("receipt", func(w io.Writer) error { return receipt.Text(w, plainStyle) })
	f("receipt-json", receipt.JSON)
	f("release", func(w io.Writer) error { return sampleRelease().Text(w, plainStyle) })
	f("release-json", sampleRelease().JSON)
	f("released", func(w io.Writer) error { return sampleReleased().Text(w, plainStyle) })
	f("released-json", sampleReleased().JSON)
	f("receipt-stopped", func(w io.Writer) error { return sampleStopped().Text(w, plainStyle) })
	f("abandoned", func(w io.Writer) error { return sampleAbandoned().Text(w, plainStyle) })
	f("abandoned-json", sampleAbandoned().JSON)
	f("journal", func(w io.Writer) error { return journal.Text(w, plainStyle) })
	f("journal-json", journal.JSON)
	f("vault", func(w io.Writer) error { return vault.Text(w, plainStyle) })
	f("vault-json", vault.JSON)
	f("vault-ndjson", vault.ndjson)
}
