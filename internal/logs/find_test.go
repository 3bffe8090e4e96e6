package logs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func describe(streams []Stream) string {
	var b strings.Builder
	for _, s := range streams {
		fmt.Fprintf(&b, "%s:", s.Name)
		for _, f := range s.Files {
			fmt.Fprintf(&b, " %s", strings.TrimPrefix(f.Path, strings.TrimSuffix(filepath.Dir(s.Name), "/")+"/"))
		}
		for _, gap := range s.NotRead {
			fmt.Fprintf(&b, " (%s %s)", gap.File, gap.Reason)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestFind(t *testing.T) {
	const a, b = "Nov 23 11:00:00 mx1 note: a\n", "Nov 23 11:00:01 mx1 note: b\n"
	long := strings.Repeat(a, 20)
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", map[string]string{"etc/": ""}, ""},
		{
			"Plesk: two names of one file",
			map[string]string{
				"etc/rsyslog.conf": "*.info;mail.none;authpriv.none  /var/log/messages\nmail.*\t-/usr/local/psa/var/log/maillog\n",
				"var/log/maillog":  a, "usr/local/psa/var/log/maillog": "-> /var/log/maillog", "var/log/messages": b, "var/log/maillog.processed": b,
				"var/log/maillog.processed.1.gz": "x", "var/log/maillog.processed.2.gz": "x", "var/log/maillog.processed.10.gz": "x", "var/log/maillog.bak": "x",
			},
			"/var/log/maillog: maillog.processed.10.gz maillog.processed.2.gz maillog.processed.1.gz maillog.processed maillog\n",
		},
		{
			"Debian: the same lines three times",
			map[string]string{
				"etc/rsyslog.d/50-default.conf": "auth,authpriv.*  /var/log/auth.log\n*.*;auth,authpriv.none -/var/log/syslog\nmail.*  -/var/log/mail.log\nmail.info -/var/log/mail.info\nmail.err /var/log/mail.err\n",
				"var/log/syslog":                a, "var/log/mail.log": a, "var/log/mail.info": b, "var/log/mail.err": b, "var/log/mail.log.1": a,
			},
			"/var/log/mail.log: mail.log.1 mail.log (/var/log/mail.info left out: its lines of mail are in /var/log/mail.log too)" +
				" (/var/log/mail.err left out: its lines of mail are in /var/log/mail.log too) (/var/log/syslog left out: its lines of mail are in /var/log/mail.log too)\n",
		},
		{
			"the narrower rule alone has a file",
			map[string]string{"etc/syslog.conf": "mail.*\t-/var/log/gone\nmail.=info;mail.err\t\\\n  /var/log/exotic\n", "var/log/exotic": a},
			"/var/log/exotic: exotic\n",
		},
		{
			"RainerScript's action", map[string]string{"etc/rsyslog.conf": `mail.* action(type="omfile" file="/srv/mail")` + "\n", "srv/mail": a}, "/srv/mail: mail\n",
		},
		{
			"syslog-ng",
			map[string]string{
				"etc/syslog-ng/syslog-ng.conf": "# x\ndestination d_mail { file(\"/var/log/m\"); };\nfilter f_mail { facility(mail); };\nfilter f_rest { not facility(mail); };\n" +
					"destination d_rest { file(\"/var/log/r\"); };\nlog { source(s); filter(f_rest); destination(d_rest); };\nlog { source(s); filter(f_mail); destination(d_mail); };\n",
				"var/log/m": a, "var/log/r": b,
			},
			"/var/log/m: m\n",
		},
		{"only messages", map[string]string{"var/log/messages": a, "var/log/syslog": b}, "/var/log/messages: messages (/var/log/syslog left out: its lines of mail are in /var/log/messages too)\n"},
		{"mail.info without a configuration", map[string]string{"var/log/mail.info": a, "var/log/messages": b}, "/var/log/mail.info: mail.info\n"},
		{"a copy", map[string]string{"var/log/maillog": long + a, "var/log/mail.log": long + b}, "/var/log/maillog: maillog\n/var/log/mail.log: mail.log\n"},
		{"the same file twice", map[string]string{"var/log/maillog": long, "var/log/mail.log": long + b}, "/var/log/maillog: maillog (/var/log/mail.log left out: it begins as /var/log/maillog does)\n"},
		{
			"dates",
			map[string]string{"var/log/maillog": a, "var/log/maillog-20261101.xz": "x", "var/log/maillog-20261108": b, "var/log/maillog-20261108.gz": "x", "var/log/maillog-old": "x"},
			"/var/log/maillog: maillog-20261101.xz maillog-20261108 maillog\n",
		},
		{
			"multilog",
			map[string]string{
				"var/log/qmail/smtpd/current": a, "var/log/qmail/smtpd/@400000006b0424491494a37c.s": a, "var/log/qmail/smtpd/@400000006a0424491494a37c.u": a,
				"var/log/qmail/smtpd/lock": "", "var/log/qmail/send/current": a, "var/service/qmail-pop3d/log/main/current": a, "service/dnscache/log/main/current": a,
				"service/qmail-pop3d": "-> /var/service/qmail-pop3d", "var/log/qmail/again": "-> /var/log/qmail/send",
			},
			"/var/log/qmail/send: send/current\n/var/log/qmail/smtpd: smtpd/@400000006a0424491494a37c.u smtpd/@400000006b0424491494a37c.s smtpd/current\n" +
				"/var/service/qmail-pop3d/log/main: main/current\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var gaps spoor.Gaps
			root := hosttest.Tree(t, test.files)
			if got := describe(Find(root, nil, &gaps)); got != test.want {
				t.Errorf("found\n%swant\n%s", got, test.want)
			}
			if gaps.Total() != 0 {
				t.Errorf("gaps %v", gaps.List())
			}
		})
	}
}

func TestLogsThatTheMTAWritesItself(t *testing.T) {
	const a, b = "2026-11-23 10:00:00 a\n", "Nov 23 11:00:01 mx1 note: b\n"
	const left = " left out: what Exim rejects is in "
	tests := []struct {
		name  string
		files map[string]string
		more  []string
		want  string
	}{
		{
			"Debian",
			map[string]string{
				"var/log/exim4/mainlog": a, "var/log/exim4/rejectlog": a + a, "var/log/exim4/paniclog": a, "var/log/exim4/mainlog.1": a, "var/log/exim4/mainlog.2.gz": "x",
				"var/log/exim4/rejectlog.1": a, "var/log/syslog": b,
			},
			[]string{"/var/log/exim4/mainlog", "/var/log/exim4/rejectlog"},
			"/var/log/exim4/mainlog: mainlog.2.gz mainlog.1 mainlog (/var/log/exim4/rejectlog" + left + "/var/log/exim4/mainlog too)\n",
		},
		{
			"cPanel",
			map[string]string{"var/log/exim_mainlog": a, "var/log/exim_rejectlog": b, "var/log/exim_mainlog-20261122.gz": "x", "var/log/exim_mainlog-20261121.gz": "x", "var/log/maillog": b},
			nil, "/var/log/maillog: maillog\n/var/log/exim_mainlog: exim_mainlog-20261121.gz exim_mainlog-20261122.gz exim_mainlog (/var/log/exim_rejectlog" + left + "/var/log/exim_mainlog too)\n",
		},
		{
			"DirectAdmin, through a link",
			map[string]string{"var/log/exim": "-> /home/log", "home/log/mainlog": a, "home/log/rejectlog": b, "home/log/mainlog-20261122": a},
			[]string{"/home/log/mainlog", "/home/log/rejectlog"},
			"/home/log/mainlog: mainlog-20261122 mainlog (/home/log/rejectlog" + left + "/home/log/mainlog too) (/var/log/exim/rejectlog" + left + "/home/log/mainlog too)\n",
		},
		{"Red Hat", map[string]string{"var/log/exim/main.log": a, "var/log/exim/reject.log": b}, nil, "/var/log/exim/main.log: main.log (/var/log/exim/reject.log" + left + "/var/log/exim/main.log too)\n"},
		{"only rejectlog", map[string]string{"var/log/exim4/rejectlog": a}, nil, "/var/log/exim4/rejectlog: rejectlog\n"},
		{"exicyclog", map[string]string{"x/mainlog": a, "x/mainlog.01": a, "x/mainlog.02.bz2": a}, []string{"/x/mainlog"}, "/x/mainlog: mainlog.02.bz2 mainlog.01 mainlog\n"},
		{"dates in the names", map[string]string{"x/mainlog-20261122": a, "x/mainlog-20261123": a, "x/rejectlog-20261123": a}, []string{"/x/mainlog", "/x/rejectlog"}, "/x/mainlog: mainlog-20261122 mainlog-20261123\n"},
		{"dates within the names", map[string]string{"x/main-20261122.log": a, "x/main-20261123.log": a, "x/main-20261121.log.gz": "x", "x/main-old.log": a, "x/reject-20261123.log": a, "x/panic.log": a}, []string{"/x/main-%D.log", "/x/reject-%D.log"}, "/x/main-%D.log: main-20261121.log.gz main-20261122.log main-20261123.log\n"},
		{"months before the names", map[string]string{"x/exim_202610_mainlog": a, "x/exim_202611_mainlog": a, "x/exim_20261_mainlog": a}, []string{"/x/exim_%M_mainlog"}, "/x/exim_%M_mainlog: exim_202610_mainlog exim_202611_mainlog\n"},
		{"dates in usual names", map[string]string{"x/mainlog-20261122": a}, []string{"/x/mainlog", "/x/rejectlog", "/x/mainlog"}, "/x/mainlog: mainlog-20261122\n"},
		{"months in the names", map[string]string{"x/mainlog-202610": a, "x/mainlog-202611": a}, []string{"/x/mainlog"}, "/x/mainlog: mainlog-202610 mainlog-202611\n"},
		{"postlogd", map[string]string{"srv/log": b, "var/log/syslog": b}, []string{"/srv/log", "relative", "/dev/stdout", "/gone/x"}, "/srv/log: log\n"},
		{"postlogd as the manual says", map[string]string{"var/log/postfix.log": b, "var/log/mail.log": a}, nil, "/var/log/mail.log: mail.log\n/var/log/postfix.log: postfix.log\n"},
		{
			"another MTA's log of old does not hide where mail is logged now",
			map[string]string{"var/log/exim4/mainlog": a, "var/log/syslog": b, "var/log/dovecot.log": b + b},
			nil, "/var/log/exim4/mainlog: mainlog\n/var/log/syslog: syslog\n/var/log/dovecot.log: dovecot.log\n",
		},
		{
			"Dovecot",
			map[string]string{"var/log/dovecot.log": a, "var/log/dovecot-info.log": b, "var/log/dovecot/lmtp.log": a + b, "var/log/dovecot/lmtp.log.1": a, "var/log/dovecot/notes": a, "var/log/maillog": b + b},
			nil, "/var/log/maillog: maillog\n/var/log/dovecot.log: dovecot.log\n/var/log/dovecot-info.log: dovecot-info.log\n/var/log/dovecot/lmtp.log: lmtp.log.1 lmtp.log\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var gaps spoor.Gaps
			root := hosttest.Tree(t, test.files)
			if got := describe(Find(root, test.more, &gaps)); got != test.want {
				t.Errorf("found\n%swant\n%s", got, test.want)
			}
			if gaps.Total() != 0 {
				t.Errorf("gaps %v", gaps.List())
			}
		})
	}
}

func TestHardLinksAreOneLog(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"var/log/maillog": "x"})
	if err := os.Link(filepath.Join(root.Dir(), "var/log/maillog"), filepath.Join(root.Dir(), "var/log/mail.log")); err != nil {
		t.Fatal(err)
	}
	if got := describe(Find(root, nil, &spoor.Gaps{})); got != "/var/log/maillog: maillog\n" {
		t.Errorf("found %s", got)
	}
	if got := named(t, root, "/var/log/maillog", "var/log/mail.log"); len(got) != 1 {
		t.Errorf("named %s", describe(got))
	}
}

func TestNamedSaysWhatIsMissing(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"log": "x", "log.1": "x", "folder/": "", "out": "-> ../../etc/passwd", "m/current": "x"})
	if got := describe(named(t, root, "log", "m")); got != "/log: log\n/m: m/current\n" {
		t.Errorf("named %s", got)
	}
	for name, want := range map[string]error{"gone": fs.ErrNotExist, "folder": host.ErrNotRegular, "out": host.ErrEscapes} {
		if _, err := Named(root, []string{name}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func TestRotatedNames(t *testing.T) {
	for name, want := range map[string]rotation{
		"maillog.1": {number: 1}, "maillog.12.gz": {number: 12}, "maillog-20261101": {date: "20261101"}, "maillog-20261101-1795433535.zst": {date: "202611011795433535"},
		"maillog.processed": {processed: true}, "maillog.processed.3.bz2": {processed: true, number: 3}, "maillog-2026-11-01": {date: "20261101"}, "maillog-202611": {date: "202611"},
	} {
		if got, ok := rotationOf("maillog", name); !ok || got != want {
			t.Errorf("%s: %+v, %t", name, got, ok)
		}
	}
	for _, name := range []string{"maillog", "maillog.gz", "maillog.", "maillog.old", "maillogx", "maillog-1", "maillog-202613", "maillog-123456", "maillog.1.2", "mail.log.1"} {
		if got, ok := rotationOf("maillog", name); ok {
			t.Errorf("%s is taken for a rotated file: %+v", name, got)
		}
	}
}

func TestSelectors(t *testing.T) {
	for selector, want := range map[string]priorities{
		"mail.*": 0xff, "mail.info": 0xfe, "*.info;mail.none": 0, "mail,news.=err": 1 << 4, "mail.*;mail.!err": 0x0f, "mail.*;mail.!=info": 0xfd,
		"auth.*": 0, "*.*;auth,authpriv.none": 0xff, "*.emerg": 0x80, "mail.nonsense": 0, "mail": 0,
	} {
		var r rule
		for part := range strings.SplitSeq(selector, ";") {
			r.apply(part)
		}
		if r.mail != want {
			t.Errorf("%s logs %08b, want %08b", selector, r.mail, want)
		}
	}
}

func TestZone(t *testing.T) {
	data, err := os.ReadFile("/usr/share/zoneinfo/Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	tests := []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"etc/localtime": "-> /usr/share/zoneinfo/Europe/Berlin", "usr/share/zoneinfo/Europe/Berlin": string(data), "etc/timezone": "Asia/Tokyo"}, "Europe/Berlin"},
		{map[string]string{"etc/localtime": string(data)}, "server's zone"},
		{map[string]string{"etc/localtime": "-> /usr/share/zoneinfo/gone", "etc/timezone": "Europe/Berlin\n"}, "Europe/Berlin"},
		{map[string]string{"etc/timezone": "../../etc/passwd"}, ""},
		{map[string]string{"etc/localtime": "garbage"}, ""},
		{map[string]string{"etc/": ""}, ""},
	}
	for _, test := range tests {
		zone := Zone(hosttest.Tree(t, test.files))
		if test.want == "" {
			if zone != nil {
				t.Errorf("%v has the zone %s", test.files, zone)
			}
			continue
		}
		if zone == nil || zone.String() != test.want {
			t.Errorf("zone %v, want %s", zone, test.want)
			continue
		}
		if _, offset := time.Unix(1795433535, 0).In(zone).Zone(); offset != 3600 {
			t.Errorf("%s is at %d s in November", zone, offset)
		}
	}
}

func TestCapturedServer(t *testing.T) {
	root, err := host.Open(hosttest.Unpack(t, "qmail"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	var gaps spoor.Gaps
	streams := Find(root, nil, &gaps)
	if got := describe(streams); got != "/usr/local/psa/var/log/maillog: maillog\n" || gaps.Total() != 0 {
		t.Fatalf("found %s, gaps %v", got, gaps.List())
	}
	whole := scanStreams(t, root, streams, Options{Zone: Zone(root)})
	c := whole.coverage
	if c.Lines != 5596 || c.Damaged != 0 || !c.Files[0].Proved || c.First.Format(time.DateTime) != "2026-11-23 11:32:13" || len(whole.events) == 0 {
		t.Errorf("coverage %+v", c)
	}
	parts := scanStreams(t, root, streams, Options{Zone: Zone(root), blockBytes: 100})
	if !slices.Equal(parts.events, whole.events) {
		t.Error("small blocks change the events")
	}
}

func TestCapturedLogs(t *testing.T) {
	const folder = "../../../shared/fixtures/qmail"
	for _, name := range []string{"maillog.iso.gz", "send.tai64n.gz", "smtpd.tai64n.gz"} {
		file, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Skip(err)
		}
		unpacked, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		lines := int64(strings.Count(string(text), "\n"))
		root, err := host.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		c := scanStreams(t, root, named(t, root, name), Options{}).coverage
		_ = root.Close()
		if c.Lines != lines || c.Damaged != 0 || !c.Files[0].Proved || c.Files[0].Clock != "its stamps carry year and zone" || c.First.Year() != 2026 {
			t.Errorf("%s: coverage %+v, want %d lines", name, c, lines)
		}
	}
}

// ingredients make logs that trip over block borders.
var ingredients = []string{
	"Nov 23 11:00:00 mx1 note: a\n", "Nov 23 11:00:01 mx2 note[3]: b\r\n", "Nov 23 11:00:01 mx1 last message repeated 2 times\n", "Nov 23 11:00:01 mx2 last message repeated 2 times\n",
	"Nov 23 12:00:00 mx1 qmail: 1795431600.500000 new msg 1\n", "Nov 23 11:00:00 mx1 qmail: 1795431600.700000 new msg 2\n", "Dec 31 23:00:00 mx1 note: c\n",
	"Jan  1 01:00:00 mx1 note: d\n", "2026-11-23T11:00:00Z mx1 note: e\n", "2026-11-23 11:00:00.5 new msg 3\n", "@400000006b0424491494a37c new msg 4\n", "\x00\x00\x00",
	"\n", "junk", "Nov 23 11:00:02 mx1 half: x+\n", "Nov 23 11:00:02 mx1 half: y\n", "Oct 25 02:30:00 mx1 note: f\n", "Oct 25 01:30:00 mx1 note: g\n",
	"Nov 23 11:00:03 mx1 note: message repeated 2 times: [ h]\n", "Nov 23 13:00:04 mx1 id: 1795431600.500000 m\n", "Nov 23 12:00:04 mx1 id: 1795431600.500000 m\n",
	"Oct 25 02:30:00 mx1 id: 1792888200.000000 m\n", "Oct 25 02:30:00 mx1 id: 1792891800.000000 m\n", "2026-11-23 12:00:04 +0100 [7] m\n", "Mon 2026-11-23 11:00:05 CET mx1 note: n\n", "Nov 23 11:00:06.5 mx1 note: p\n",
	`{"__REALTIME_TIMESTAMP":"1795431607000000","SYSLOG_IDENTIFIER":"note","MESSAGE":"q\n\u00e4"}` + "\n", `{"MESSAGE":[1,2],"__REALTIME_TIMESTAMP":"1795431607000000","SYSLOG_IDENTIFIER":"half"}` + "\n",
	"<1>1 - mx1 note 3 - - i\n", strings.Repeat("long ", 20000), strings.Repeat("\x00", 70000),
}

// forgetful is a testParser that does not remember the line before.
type forgetful struct{}

func (forgetful) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	return new(testParser).Parse(l, e)
}

func checkBlocks(t *testing.T, text string, block int) {
	t.Helper()
	parser := newTestParser
	if strings.Contains(text, "mx1 half:") { // it remembers any line, where Scan promises some
		parser = func() Parser { return forgetful{} }
	}
	whole := scanText(t, text, Options{NewParser: parser, blockBytes: 1 << 20})
	parts := scanText(t, text, Options{NewParser: parser, blockBytes: block})
	if !slices.Equal(whole.events, parts.events) {
		for i := range min(len(whole.events), len(parts.events)) {
			if whole.events[i] != parts.events[i] {
				t.Errorf("event %d is %+v in one block, %+v in blocks of %d", i, whole.events[i], parts.events[i], block)
				break
			}
		}
		t.Fatalf("blocks of %d: %d events, want %d, of %.300q", block, len(parts.events), len(whole.events), text)
	}
}

func TestBlockSizeDoesNotChangeTheEvents(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		var b strings.Builder
		for range 1 + random.IntN(60) {
			pick := random.IntN(len(ingredients))
			if pick > len(ingredients)-3 && random.IntN(10) > 0 {
				pick = 0 // not too many of the long ones
			}
			b.WriteString(ingredients[pick])
		}
		checkBlocks(t, b.String(), 1+random.IntN(300))
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(strings.Join(ingredients[:16], "")), uint16(50))
	f.Add([]byte("Nov 23 11:00:00 mx1 note: a\nNov 23 11:00:01 mx1 last message repeated 2 times"), uint16(1))
	f.Add([]byte("\x00\x00Feb 29 11:00:00 mx1 qmail: 1795431600.500000 new msg 1\n\n"), uint16(3))
	f.Fuzz(func(t *testing.T, text []byte, block uint16) {
		if len(text) > 0 && compressionOf(strings.NewReader(string(text))) != Plain {
			return
		}
		checkBlocks(t, string(text), 1+int(block))
	})
}
