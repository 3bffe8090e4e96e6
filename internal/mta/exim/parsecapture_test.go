package exim

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host/hosttest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// linesOf yields the lines of a file.
func linesOf(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// capturedLogs are the captured servers with the folder of their logs.
var capturedLogs = map[string]string{"exim": "var/log/exim4", "exim499": "var/log/exim"}

func TestEachCapturedReceptionHasItsSource(t *testing.T) {
	for name, folder := range capturedLogs {
		truths := sourcesOf(t, name)
		accepted := map[string]spoor.Event{}
		for _, line := range linesOf(t, filepath.Join(hosttest.Unpack(t, name), folder, "mainlog")) {
			l, e := logLine(line), spoor.Event{}
			if NewParser().Parse(&l, &e) == spoor.LineEvent && e.Kind == spoor.EventAccepted {
				accepted[string(e.ID)] = e
			}
		}
		for id, truth := range truths {
			e, ok := accepted[id]
			if !ok {
				t.Errorf("%s: the reception of %s is not told", name, id)
				continue
			}
			if string(e.Address) != truth.Sender && truth.Sender != "" {
				t.Errorf("%s: %s is from %s, not %s", name, id, e.Address, truth.Sender)
			}
			checkSource(t, name+": "+id, &e, truth)
			if day := e.Clock.Time().Format(time.DateOnly); day != "2026-11-23" {
				t.Errorf("%s: %s is of %s", name, id, day)
			}
		}
	}
}

// sourcesOf reads what is known of the messages of a captured server. Recipients
// were not counted there.
func sourcesOf(t *testing.T, name string) map[string]hosttest.Truth {
	t.Helper()
	truths := map[string]hosttest.Truth{}
	for _, line := range linesOf(t, filepath.Join(hosttest.Capture(t, name), "truth.tsv"))[1:] {
		fields := strings.Split(line, "\t")
		if len(fields) != 10 {
			t.Fatalf("truth.tsv: %q", line)
		}
		truths[fields[0]] = hosttest.Truth{ID: fields[0], Accept: strings.Split(fields[2], ","), Sender: fields[4], Client: fields[8]}
	}
	return truths
}

// checkSource compares a reception with what is known of the message.
func checkSource(t *testing.T, what string, e *spoor.Event, truth hosttest.Truth) {
	t.Helper()
	kind, value, _ := strings.Cut(truth.Accept[0], ":")
	var right bool
	switch kind {
	case "account":
		right = string(e.Account) == value && string(e.Client) == truth.Client && e.Login == nil
	case "network":
		right = e.Account == nil && string(e.Client) == value && e.Login == nil
	case "forward":
		right = e.Account == nil && len(e.Client) > 0 && e.Login == nil
	case "bounce":
		right = len(e.Related) > 0 && len(e.Address) == 0 && e.Client == nil
	case "site", "user":
		right = e.Client == nil && e.Account == nil && truth.Accepts("user:"+string(e.Login))
	default:
		right = truth.Accept[0] == "*"
	}
	if !right {
		t.Errorf("%s: %v is told as account %q, login %q, client %q, parent %q", what, truth.Accept, e.Account, e.Login, e.Client, e.Related)
	}
}

func TestCapturedLogsAreCountedAsAPatternCountsThem(t *testing.T) {
	arrow := regexp.MustCompile(`^[-0-9]+ [0-9:]+ (?:\[\d+\] )?\w{6}-(?:\w{6}-\w{2}|\w{11}-\w{4}) (<=|=>|->|\*\*|==|Completed)`)
	kinds := map[string]spoor.EventKind{
		"<=": spoor.EventAccepted, "=>": spoor.EventDelivered, "->": spoor.EventDelivered, "**": spoor.EventFailed, "==": spoor.EventDeferred, "Completed": spoor.EventEnded,
	}
	for name, folder := range capturedLogs {
		want, got := map[spoor.EventKind]int{}, map[spoor.EventKind]int{}
		root := hosttest.Unpack(t, name)
		for _, file := range []string{"mainlog", "rejectlog"} {
			for _, line := range linesOf(t, filepath.Join(root, folder, file)) {
				if match := arrow.FindStringSubmatch(line); match != nil {
					want[kinds[match[1]]]++
				}
				l, e := logLine(line), spoor.Event{}
				switch NewParser().Parse(&l, &e) {
				case spoor.LineEvent:
					got[e.Kind]++
				case spoor.LineKnown:
				default:
					t.Errorf("%s/%s: not understood: %s", name, file, line)
				}
			}
		}
		for kind, n := range want {
			if got[kind] != n || n == 0 {
				t.Errorf("%s: %d lines are %v, of %d", name, got[kind], kind, n)
			}
		}
	}
}

// TestLinesThatAreNotUnderstood keeps them: what is written by the server's own
// lists, and nonsense.
func TestLinesThatAreNotUnderstood(t *testing.T) {
	var unknown []string
	for _, line := range linesOf(t, "testdata/log/hosting.log") {
		if told(logLine(line)) == spoor.LineUnknown.String() {
			unknown = append(unknown, line)
		}
	}
	got := strings.Join(unknown, "\n") + "\n"
	const golden = "testdata/log/hosting.unknown.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := strings.Join(linesOf(t, golden), "\n") + "\n"; got != want {
		t.Errorf("not understood are\n%swant\n%s", got, want)
	}
}

// corpus opens a file of public logs.
func corpus(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("../../../../shared/corpus/logs", pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Skip("the public logs are not here")
	}
	return names
}

// written are the first words of what the configurations of Exim's test suite
// write into its logs by themselves (logwrite, log_message, event_action).
var written = strings.Fields(`peer our cipher cipher_ bits event . tls_out_resumption tls_in_resumption ocsp "rcpt tls_out_ver tls_in_ver signer msg domains arc_state arc_oldest_pass client reason
	oldest-p-AAR lh_A-R lh-AAR tls dkim_acl rcpt proxy dane "should dkim_state ACL dkim_status ver malware_name eval acl_conn acl_mail spf_result data $h_from rcpt_acl data_acl at SAN "Mail overall
	(random) pla Test value this smtp remote prdr_requested mail local domain dmarc_used_domain dmarc_status_text dmarc_status dmarc_domain_policy $0 SNI 1 2 3 4 server router queue_size (no SN; SN SG SA
	Peer NO NB NA IN tls_in_cipher dmarc_alignment_spf dmarc_alignment_dkim CRU x-test-header-truncated x-test-header-too-short x-test-header-too-long x-test-header-too-big x-test-header-good2
	x-test-header-good1 where='route' where='quota' unknown transport localhost helo TLS1.x SNO SNCN Our No NOTE Expansions EVDATA EV $recipients "On "Message "" the.local.host.name test1 test2 test3
	test4 test5 test.ex/a.b.c.d run-wrapped rej/never rej/failure+delay rbl.test.ex/ playout fakereject/success deliver defer/never defer/delay custom-message accept/success OCU HELO Connections=1
	Connections=0 $value $recipients_list "reply "acl_verify_message=Sender "acl_m0=>Sender "Very "Test "Re "An`)

// isWritten knows them, and what a test writes of an address.
func isWritten(line string) bool {
	_, body, _ := strings.Cut(line, " ")
	_, body, _ = strings.Cut(body, " ")
	var e spoor.Event
	b := cutHeader([]byte(body), &e)
	if _, rest, ok := cutID(b); ok {
		b = rest
	}
	if _, rest, ok := cutIP(b); ok {
		return bytes.HasPrefix(rest, []byte(" WELLKNOWN ")) || bytes.HasPrefix(rest, []byte(" -> ")) || bytes.HasPrefix(rest, []byte(" malware_name "))
	}
	word, _, _ := strings.Cut(string(b), " ")
	if at := strings.IndexAny(word, ":<\t"); at >= 0 {
		word = word[:at]
	}
	return word == "" || slices.Contains(written, word) || bytes.HasSuffix(b, []byte(" accepted by connect ACL")) || bytes.HasPrefix(b, []byte("10Hma")) // of local_scan()
}

// unmasked undoes what the test suite does to its logs.
var unmasked = strings.NewReplacer("V4NET", "192", "ip4.ip4.ip4.ip4", "192.0.2.4", "ip6:ip6:ip6:ip6:ip6:ip6:ip6:ip6", "2001:db8::6", "S=sss", "S=700", "pid p1", "pid 1",
	"PORT_D2", "25", "PORT_D3", "25", "PORT_D4", "25", "PORT_D", "25", "PORT_S", "25", "PORT_N", "25")

func TestTheLogsOfEximsTestSuiteAreUnderstood(t *testing.T) {
	lines, unknown := 0, []string(nil)
	for _, name := range slices.Concat(corpus(t, "exim-testsuite/*/*"), corpus(t, "exim_exporter/*log"), corpus(t, "ossec/exim.log")) {
		p := NewParser()
		for _, line := range linesOf(t, name) {
			line = unmasked.Replace(line)
			if !isStamp([]byte(line)) {
				continue // the header of a rejected message, or a server of the suite
			}
			l, e := logLine(line), spoor.Event{}
			sort := p.Parse(&l, &e)
			if sort == spoor.LineUnknown && isWritten(line) {
				continue
			}
			lines++
			if sort != spoor.LineEvent && sort != spoor.LineKnown {
				unknown = append(unknown, filepath.Base(name)+": "+line)
			}
		}
	}
	if len(unknown)*1000 > lines || lines < 10000 {
		t.Errorf("%d of %d lines are not understood:\n%s", len(unknown), lines, strings.Join(unknown, "\n"))
	}
	t.Logf("%d of %d lines are not understood:\n%s", len(unknown), lines, strings.Join(unknown, "\n"))
}

// sample is a line of fail2ban's samples with what it is to find there.
type sample struct {
	Time  string
	Match bool
	Host  string
}

func TestFailedLoginsAreThoseOfFail2ban(t *testing.T) {
	var want *sample
	logins, others := 0, 0
	for _, text := range linesOf(t, corpus(t, "fail2ban/exim.log")[0]) {
		if annotation, ok := strings.CutPrefix(text, "# failJSON: "); ok {
			want = &sample{}
			if err := json.Unmarshal([]byte(annotation), want); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if strings.HasPrefix(text, "#") || want == nil {
			continue
		}
		l := sampleLine(text)
		var e spoor.Event
		sort := NewParser().Parse(&l, &e)
		if sort == spoor.LineUnknown {
			t.Errorf("not understood: %s", text)
		}
		if sort == spoor.LineEvent && want.Match && string(e.Client) != want.Host {
			t.Errorf("%s\nis %v of %s, not %s", text, e.Kind, e.Client, want.Host)
		}
		if !strings.Contains(text, " authenticator failed for ") {
			others++
			want = nil
			continue
		}
		logins++
		account := regexp.MustCompile(`\(set_id=(.*)\)`).FindStringSubmatch(text)
		if !want.Match || e.Kind != spoor.EventLoginFailed || account != nil && string(e.Address) != account[1] || account == nil && e.Address != nil {
			t.Errorf("%s\nis %v of account %q", text, e.Kind, e.Address)
		}
		if at := e.Time.Time().Format("2006-01-02T15:04:05"); want.Time != "" && at != want.Time {
			t.Errorf("%s\nis of %s, not %s", text, at, want.Time)
		}
		want = nil
	}
	if logins < 10 || others < 30 {
		t.Errorf("%d failed logins and %d other lines", logins, others)
	}
}

// sampleLine takes a header off, with its time, or a journal's without one.
func sampleLine(text string) spoor.Line {
	l := logLine(text)
	if len(l.Body) == len(text) {
		head, body, _ := strings.Cut(text, "]: ")
		host, _, _ := strings.Cut(head, " ")
		l.Host, l.Program, l.Body = []byte(host), []byte("exim"), []byte(body)
		return l
	}
	if at, err := time.Parse(time.DateTime, text[:len(time.DateTime)]); err == nil {
		l.Time = spoor.StampOf(at)
	}
	return l
}
