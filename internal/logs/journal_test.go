package logs

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

// journaled is an entry of the journal, for tests.
type journaled struct {
	at                int64 // µs
	program, pid, msg string
}

// export writes an entry as journalctl -o export does.
func (e journaled) export() string {
	var b strings.Builder
	fmt.Fprintf(&b, "__CURSOR=s=1;i=1\n__REALTIME_TIMESTAMP=%d\n_HOSTNAME=mx1\nPRIORITY=6\n", e.at)
	if e.program != "" {
		fmt.Fprintf(&b, "SYSLOG_IDENTIFIER=%s\n", e.program)
	}
	fmt.Fprintf(&b, "_PID=1\nSYSLOG_PID=%s\n", e.pid)
	if strings.ContainsAny(e.msg, "\n\x00\x01") {
		b.WriteString("MESSAGE\n")
		b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(e.msg))))
		b.WriteString(e.msg + "\n\n")
	} else {
		b.WriteString("MESSAGE=" + e.msg + "\n\n")
	}
	return b.String()
}

// json writes it as journalctl -o json does.
func (e journaled) json() string {
	var message any = e.msg
	if !utf8.ValidString(e.msg) {
		var list []int
		for _, c := range []byte(e.msg) {
			list = append(list, int(c))
		}
		message = list
	}
	fields := map[string]any{"__CURSOR": "x\"y", "__REALTIME_TIMESTAMP": fmt.Sprint(e.at), "_HOSTNAME": "mx1", "_PID": []string{"1", "2"}, "SYSLOG_PID": e.pid, "MESSAGE": message, "OTHER": nil}
	if e.program != "" {
		fields["SYSLOG_IDENTIFIER"] = e.program
	}
	line, err := json.Marshal(fields)
	if err != nil {
		return err.Error()
	}
	return string(line) + "\n"
}

var journalSample = []journaled{
	{1795433536345364, "note", "812", "connect from unknown[192.0.2.7]"},
	{1795433537345364, "cron", "13", "(root) CMD (x)"},
	{1795433538345364, "note", "814", "two\nlines, \"quoted\" \\ ä €"},
	{1795433539345364, "note", "815", "bytes \xff\x00\x01 and\ttab"},
	{1795433540000000, "", "816", "of nobody"},
	{1795433541000001, "note", "", "last of all"},
}

var journalTexts = []string{
	"connect from unknown[192.0.2.7]", `two#012lines, "quoted" \ ä €`, "bytes \xff#000#001 and\ttab", "last of all",
}

func (r result) texts() []string {
	var list []string
	for _, e := range r.events {
		list = append(list, e.text)
	}
	return list
}

func wantJournal(t *testing.T, r result) {
	t.Helper()
	if got := r.texts(); !slices.Equal(got, journalTexts) {
		t.Errorf("texts\n%q\nwant\n%q", got, journalTexts)
	}
	wantTimes(t, r, "2026-11-23T11:32:16.345364", "2026-11-23T11:32:18.345364", "2026-11-23T11:32:19.345364", "2026-11-23T11:32:21.000001")
	if r.coverage.Damaged != 0 || r.coverage.Lines != 6 || r.coverage.Foreign != 2 || r.coverage.Files[0].Clock != "its stamps carry year and zone" || !r.coverage.Files[0].Complete {
		t.Errorf("coverage %+v", r.coverage)
	}
}

func TestExportedJournalIsRead(t *testing.T) {
	var asJSON, asExport strings.Builder
	for _, e := range journalSample {
		asJSON.WriteString(e.json())
		asExport.WriteString(e.export())
	}
	for name, text := range map[string]string{"json": asJSON.String(), "export": asExport.String()} {
		for _, kind := range []Compression{Plain, Gzip, Zstd} {
			for _, block := range []int{50, 0} {
				t.Run(fmt.Sprintf("%s, %s, blocks of %d", name, kind, block), func(t *testing.T) {
					root := hosttest.Tree(t, map[string]string{"log": string(compressed(t, kind, text))})
					r := scanStreams(t, root, named(t, root, "log"), Options{blockBytes: block})
					if name == "export" && r.coverage.Foreign == 1 {
						t.Fatal("an entry without a program is lost")
					}
					wantJournal(t, r)
					var places []spoor.LogPlace
					for _, e := range r.events {
						places = append(places, e.place)
					}
					quotes := Quote(root, r.coverage.Files, places)
					for i, want := range []string{"connect from unknown[192.0.2.7]", "two", "ytes", "last of"} {
						if name == "json" && i == 2 {
							want = "[98,121,116," // as journalctl wrote it
						}
						if !strings.Contains(quotes[i], want) || places[i].Line != []int64{1, 3, 4, 6}[i] {
							t.Errorf("event %d is said to be %q in line %d", i, quotes[i], places[i].Line)
						}
					}
				})
			}
		}
	}
}

func TestTheJournalRepeatsEveryMessage(t *testing.T) {
	r := scanText(t, journalSample[0].json()+journaled{1795433541000001, "note", "", "last message repeated 3 times"}.json(), Options{})
	if len(r.events) != 2 || r.events[1].repeat != 0 || r.events[1].text != "last message repeated 3 times" {
		t.Errorf("events %+v", r.events)
	}
}

func TestBrokenExportsSaySo(t *testing.T) {
	whole := journalSample[0].export() + journalSample[2].export()
	for cut := range len(whole) {
		lines, err := io.ReadAll(newExportReader(strings.NewReader(whole[:cut])))
		atEnd := cut == 0 || cut == len(journalSample[0].export())
		if (err == nil) != atEnd || bytes.Count(lines, []byte{'\n'}) > 1 {
			t.Fatalf("%d bytes of %d: %q, %v", cut, len(whole), lines, err)
		}
	}
	huge := "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7f"
	if _, err := io.ReadAll(newExportReader(strings.NewReader(huge))); !errors.Is(err, errNotExport) {
		t.Errorf("a field of 9 EB: %v", err)
	}
}

func TestLongFieldsOfTheJournalAreCut(t *testing.T) {
	long := strings.Repeat("x", 10*maxLine)
	for _, text := range []string{
		"__REALTIME_TIMESTAMP=1795433536345364\nOTHER=" + long + "\nMESSAGE=" + long + "\nSYSLOG_IDENTIFIER=note\n\n",
		"__REALTIME_TIMESTAMP=1795433536345364\nSYSLOG_IDENTIFIER=note\nMESSAGE\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(long)))) + long + "\n\n",
	} {
		r := scanText(t, text+journalSample[0].export(), Options{})
		if len(r.events) != 2 || r.events[1].text != journalSample[0].msg || len(r.events[0].text) < maxLine/2 || len(r.events[0].text) > maxLine {
			t.Errorf("%d events, coverage %+v", len(r.events), r.coverage)
		}
	}
}

func TestMessagesThatJournalctlLeftOutAreDamaged(t *testing.T) {
	for _, line := range []string{
		`{"__REALTIME_TIMESTAMP":"1795433536345364","SYSLOG_IDENTIFIER":"note","MESSAGE":null}`, `{"SYSLOG_IDENTIFIER":"note","MESSAGE":"x"}`,
		`{"log":"x","time":"2026-11-23T11:00:00Z"}`, `{`, `{}`, `{"MESSAGE":"`, `{"MESSAGE":"x"} y`, `{"MESSAGE":[1,2`, `{"MESSAGE":[256]}`, `{"MESSAGE":[[1]]}`, `{"MESSAGE" "x"}`, `{"MESSAGE":}`,
		`{"__REALTIME_TIMESTAMP":"99999999999999999999","SYSLOG_IDENTIFIER":"note","MESSAGE":"x"}`, `{"__REALTIME_TIMESTAMP":"-1","SYSLOG_IDENTIFIER":"note","MESSAGE":"x"}`,
	} {
		r := scanText(t, line+"\n", Options{})
		if r.coverage.Damaged != 1 || len(r.events) != 0 {
			t.Errorf("%s: coverage %+v", line, r.coverage)
		}
	}
}

func TestTextsOfJSON(t *testing.T) {
	for raw, want := range map[string]string{
		`a\n\r\t\b\f\"\\\/b`: "a#012#015\t#010#014\"\\/b", `\u0041\u00e4\u20ac\ud83d\ude00`: "Aä€😀", `\ud83dx\udc00`: "\ufffdx\ufffd", `\u0000\u001b\u007f`: "#000#033#177",
		`\u12`: `\u12`, `x\`: `x\`, `\ud83d\u0041`: "\ufffdA",
	} {
		if got := string(unescape(nil, []byte(raw))); got != want {
			t.Errorf("%s is read as %q, want %q", raw, got, want)
		}
	}
}

func TestNamesOfTheJournalForgeNoHeader(t *testing.T) {
	entry := journaled{1795433536345364, "cron x: 1[2]: new msg", "9", "y"}
	for _, text := range []string{entry.json(), entry.export()} {
		if r := scanText(t, text, Options{}); len(r.events) != 0 || r.coverage.Foreign != 1 {
			t.Errorf("%q: coverage %+v", text, r.coverage)
		}
	}
}

func TestJournalIsReadWhereNothingElseIs(t *testing.T) {
	files := map[string]string{"var/log/journal/00112233445566778899aabbccddeeff/system.journal": journalMagic + "x", "var/log/journal/remote/": ""}
	var gaps spoor.Gaps
	root := hosttest.Tree(t, files)
	got := describe(Find(root, nil, &gaps))
	if journalctl() == "" {
		if got != "" || gaps.Total() != 1 || !strings.Contains(gaps.List()[0].Reason, "journalctl -o export") {
			t.Errorf("found %s, gaps %v", got, gaps.List())
		}
	} else if got != "/var/log/journal: journal\n" || gaps.Total() != 0 {
		t.Errorf("found %s, gaps %v", got, gaps.List())
	}
	if got := describe(named(t, root, "var/log/journal")); got != "/var/log/journal: journal\n" {
		t.Errorf("named %s", got)
	}
	files["var/log/mail.log"] = "x"
	if got := describe(Find(hosttest.Tree(t, files), nil, &gaps)); got != "/var/log/mail.log: mail.log\n" {
		t.Errorf("beside another log: %s", got)
	}
}

func TestJournalThroughALinkIsLeftOut(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a file":   {"var/log/journal/m/system.journal": "-> /etc/other", "etc/other": journalMagic},
		"a folder": {"var/log/journal": "-> ../../../outside"},
	} {
		t.Run(name, func(t *testing.T) {
			var gaps spoor.Gaps
			root := hosttest.Tree(t, files)
			if streams := Find(root, nil, &gaps); len(streams) != 0 || gaps.Total()+len(root.Refused()) == 0 {
				t.Errorf("found %s, gaps %v, refused %v", describe(streams), gaps.List(), root.Refused())
			}
			if _, err := Named(root, []string{"var/log/journal"}); err == nil {
				t.Error("it can be named")
			}
		})
	}
}

func TestDamagedJournalIsAGap(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"x.journal": journalMagic + strings.Repeat("x", 1000)})
	r := scanStreams(t, root, named(t, root, "x.journal"), Options{})
	if len(r.coverage.NotRead) != 1 || r.coverage.Files[0].Complete || r.coverage.Lines != 0 {
		t.Errorf("coverage %+v", r.coverage)
	}
}

func FuzzJSONEntry(f *testing.F) {
	for _, e := range journalSample {
		f.Add([]byte(strings.TrimSuffix(e.json(), "\n")))
	}
	f.Add([]byte(`{"MESSAGE":["a","b\n"],"_PID":[1 , 2],"__REALTIME_TIMESTAMP" : "1795433536345364"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s splitter
		l := spoor.Line{Text: text}
		if len(text) == 0 || text[0] != '{' || s.split(&l) == headerNone {
			return
		}
		if len(l.Body) > 4*len(text) || bytes.ContainsAny(l.Body, "\x00") && !bytes.Contains(text, []byte{0}) || l.Time <= 0 || l.PID < -1 {
			t.Fatalf("%q is read as %+v", text, l)
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(text, &fields) == nil && bytes.Count(text, []byte(`"MESSAGE"`)) == 1 && bytes.Contains(l.Body, []byte{'\n'}) {
			t.Fatalf("%q: a message of two lines", text)
		}
	})
}

func FuzzExport(f *testing.F) {
	var all strings.Builder
	for _, e := range journalSample {
		f.Add([]byte(e.export()))
		all.WriteString(e.export())
	}
	f.Add([]byte(all.String()))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, err := io.ReadAll(newExportReader(bytes.NewReader(text)))
		if len(lines) > 4*len(text)+100*bytes.Count(text, []byte{'\n'})+100 {
			t.Fatalf("%d bytes become %d", len(text), len(lines))
		}
		if again, errAgain := io.ReadAll(newExportReader(oneByte{bytes.NewReader(text)})); !bytes.Equal(lines, again) || (err == nil) != (errAgain == nil) {
			t.Fatalf("%q: read byte by byte it is another text", text)
		}
		for line := range bytes.Lines(lines) {
			var s splitter
			l := spoor.Line{Text: trimLine(line)}
			if s.split(&l) != headerTagged || s.mark.local() {
				t.Fatalf("%q has no header", line)
			}
		}
	})
}

// oneByte gives one byte at a time.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

func TestJournalOfAnotherRootIsNotTheServersOwn(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"var/log/journal/": ""})
	if _, err := Named(root, []string{"/var/log/journal"}); !errors.Is(err, host.ErrNotRegular) {
		t.Errorf("an empty folder is a journal: %v", err)
	}
	if at := (&entry{realtime: []byte("1795433536345364")}).time(); at.Time() != time.UnixMicro(1795433536345364).UTC() {
		t.Errorf("time %s", at.Time())
	}
}
