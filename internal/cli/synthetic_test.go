package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	synth "spoor/bench/maillog"
)

// syntheticRoot is a server of which there is a log and passwd.
func syntheticRoot(t *testing.T, plan synth.Plan) (root string, truth map[string]*synth.Truth) {
	t.Helper()
	root = t.TempDir()
	for _, folder := range []string{"etc", "var/log"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	passwd := "qmaild:x:2020:2020::/var/qmail:/bin/true\nqmails:x:2522:2520::/var/qmail:/bin/true\nalias:x:2021:2020::/var/qmail/alias:/bin/true\n"
	if err := os.WriteFile(filepath.Join(root, "etc/passwd"), []byte(passwd), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(root, "var/log/maillog"))
	if err != nil {
		t.Fatal(err)
	}
	plan.Start = time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	if truth, err = synth.Generate(log, plan); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return root, truth
}

// synthetic runs spoor on a synthetic log and returns how many messages of each
// kind of source are in it, and how many are under another source.
func synthetic(t *testing.T, plan synth.Plan) (messages, wrong map[string]int) {
	t.Helper()
	root, truth := syntheticRoot(t, plan)
	got := map[string]sourceFigures{}
	for _, s := range askPartial(t, "--root", root, "--json") {
		name := s.Source
		if s.UID != nil && s.Kind == "user" {
			name = fmt.Sprintf("uid:%d", *s.UID)
		}
		got[name] = s
	}
	messages, wrong = map[string]int{}, map[string]int{}
	for source, want := range truth {
		kind, _, _ := strings.Cut(source, ":")
		messages[kind] += want.Messages
		wrong[kind] += max(want.Messages-got[source].Sent, 0)
		s := got[source]
		if kind == "uid" && (s.Sent != want.Messages || s.Recipients != want.Recipients || s.Delivered != want.Delivered || s.Failed != want.Failed || s.Deferrals != want.Deferrals) {
			t.Errorf("%s: %+v, truth %+v", source, s, *want)
		}
	}
	return messages, wrong
}

// TestSyntheticLogs: what is recorded is exact. What is inferred is nearly always
// right where sessions send one message each, and mostly where they do not.
func TestSyntheticLogs(t *testing.T) {
	for _, c := range []struct {
		name             string
		plan             synth.Plan
		account, network float64 // the most that may be under another source, as a share
	}{
		{"calm", synth.Plan{Seed: 5, Bytes: 4 << 20, PerSecond: 8, Calm: true}, 0.03, 0.05},
		{"busy", synth.Plan{Seed: 6, Bytes: 4 << 20, PerSecond: 8}, 0.09, 0.2},
	} {
		t.Run(c.name, func(t *testing.T) {
			messages, wrong := synthetic(t, c.plan)
			for kind, most := range map[string]float64{"account": c.account, "network": c.network} {
				share := float64(wrong[kind]) / float64(messages[kind])
				t.Logf("%s: %d of %d messages under another source (%.2f%%)", kind, wrong[kind], messages[kind], 100*share)
				if messages[kind] == 0 || share > most {
					t.Errorf("%s: %.2f%% under another source", kind, 100*share)
				}
			}
		})
	}
}

// exactRoot is a server of which there is one log.
func exactRoot(t *testing.T, plan synth.Plan) (root string, truth map[string]*synth.Truth) {
	t.Helper()
	root = t.TempDir()
	if err := synth.WriteServer(root); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(root, "mail.log"))
	if err != nil {
		t.Fatal(err)
	}
	plan.Start = time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	if truth, err = synth.Generate(log, plan); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return root, truth
}

// figures are what is held against the truth.
type figures struct{ Messages, Recipients, Delivered, Failed, Deferrals int }

func (f *figures) add(g figures) {
	f.Messages += g.Messages
	f.Recipients += g.Recipients
	f.Delivered += g.Delivered
	f.Failed += g.Failed
	f.Deferrals += g.Deferrals
}

// TestSyntheticLogsOfPostfixAndExim: where the log says who handed a message
// over, every figure of every account and user is exact. So are the sums of what
// came from outside, of bounces and of forwards.
func TestSyntheticLogsOfPostfixAndExim(t *testing.T) {
	for _, c := range []struct {
		name string
		plan synth.Plan
	}{
		{"postfix", synth.Plan{Kind: synth.Postfix, Seed: 5, Bytes: 4 << 20}},
		{"postfix with ISO stamps", synth.Plan{Kind: synth.Postfix, Seed: 6, Bytes: 2 << 20, Style: synth.ISO}},
		{"postfix with short IDs", synth.Plan{Kind: synth.Postfix, Seed: 7, Bytes: 4 << 20, Short: true}},
		{"postfix on two hosts", synth.Plan{Kind: synth.Postfix, Seed: 8, Bytes: 4 << 20, Short: true, Hosts: 2}},
		{"exim", synth.Plan{Kind: synth.Exim, Seed: 9, Bytes: 4 << 20}},
		{"exim before 4.97", synth.Plan{Kind: synth.Exim, Seed: 10, Bytes: 2 << 20, Short: true}},
		{"exim by syslog", synth.Plan{Kind: synth.Exim, Seed: 11, Bytes: 2 << 20, Style: synth.ISO}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.plan.PerSecond = 8
			exact(t, c.plan)
		})
	}
}

func exact(t *testing.T, plan synth.Plan) {
	t.Helper()
	root, truth := exactRoot(t, plan)
	got, sums, wanted := map[string]sourceFigures{}, map[string]*figures{}, map[string]*figures{}
	for _, s := range askPartial(t, "--root", root, "--mta", plan.Kind, "--log", "mail.log", "--json") {
		name := s.Source
		if s.UID != nil {
			name = fmt.Sprintf("uid:%d", *s.UID)
		}
		got[name] = s
		if plan.Kind == synth.Exim && s.Kind == "forward" { // it keeps its ID, and so is still the client's there
			name = "network:"
		}
		addTo(sums, name, figures{s.Sent, s.Recipients, s.Delivered, s.Failed, s.Deferrals})
	}
	wrong := 0
	for source, want := range truth {
		addTo(wanted, source, figures{want.Messages, want.Recipients, want.Delivered, want.Failed, want.Deferrals})
		kind, _, _ := strings.Cut(source, ":")
		s := got[source]
		if kind != "account" && kind != "uid" || want.Messages == 0 {
			continue
		}
		has := figures{s.Sent, s.Recipients, s.Delivered, s.Failed, s.Deferrals}
		if has != (figures{want.Messages, want.Recipients, want.Delivered, want.Failed, want.Deferrals}) || s.FailedLogins != want.FailedLogins || kind == "account" && s.ClientAddresses < want.Clients {
			if wrong++; wrong <= 5 {
				t.Errorf("%s: %+v with %d failed logins from %d clients, truth %+v", source, has, s.FailedLogins, s.ClientAddresses, *want)
			}
		}
	}
	if wrong > 5 {
		t.Errorf("and %d more sources", wrong-5)
	}
	for kind := range wanted {
		if sums[kind] == nil || *sums[kind] != *wanted[kind] {
			t.Errorf("all of kind %s: %+v, truth %+v", kind, sums[kind], *wanted[kind])
		}
	}
}

func addTo(sums map[string]*figures, source string, f figures) {
	kind, _, _ := strings.Cut(source, ":")
	if sums[kind] == nil {
		sums[kind] = &figures{}
	}
	sums[kind].add(f)
}
