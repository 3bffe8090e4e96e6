package report

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"spoor"
)

func TestEveryFormatHasAWord(t *testing.T) {
	for _, format := range Formats() {
		if got, ok := ParseFormat(format.String()); !ok || got != format {
			t.Errorf("ParseFormat(%q) = %v, %v", format, got, ok)
		}
	}
	if _, ok := ParseFormat("xml"); ok {
		t.Error("xml is a format")
	}
	if got := Format(99).String(); got != "format(99)" {
		t.Errorf("got %q", got)
	}
}

func TestAListOfNothing(t *testing.T) {
	f := func(format Format, want string) {
		t.Helper()
		if got := written(t, func(w io.Writer) error { return NewMessages(w, format, plainStyle).Close() }); got != want {
			t.Errorf("%v: %q, want %q", format, got, want)
		}
	}
	f(FormatTable, "")
	f(FormatWide, "")
	f(FormatJSON, "[]\n")
	f(FormatNDJSON, "")
	f(FormatIDs, "")
	f(FormatCSV, "id,time,size,state,bouncing,unprocessed,held,sender,recipients,done,"+
		"source,uid,ip,account,script,confidence,subject,message_id\n")
}

func TestALongListIsStreamed(t *testing.T) {
	const rows = 5000
	for _, format := range Formats() {
		var out counting
		messages := NewMessages(&out, format, plainStyle)
		for range rows {
			if err := messages.Row(phpMessage(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if out.writes == 0 && format != FormatIDs {
			t.Errorf("%v: nothing was written before Close", format)
		}
		if err := messages.Close(); err != nil {
			t.Fatal(err)
		}
		if out.lines < rows {
			t.Errorf("%v: %d lines for %d messages", format, out.lines, rows)
		}
	}
}

type counting struct{ writes, lines int }

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	c.lines += strings.Count(string(p), "\n")
	return len(p), nil
}

var errClosed = errors.New("pipe closed")

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, errClosed }

func TestAClosedPipeIsReported(t *testing.T) {
	for _, format := range Formats() {
		messages := NewMessages(closedPipe{}, format, plainStyle)
		err := messages.Row(phpMessage(), nil)
		for range 5000 {
			if err != nil {
				break
			}
			err = messages.Row(phpMessage(), nil)
		}
		if err == nil {
			err = messages.Close()
		}
		if !errors.Is(err, errClosed) {
			t.Errorf("%v: %v", format, err)
		}
	}
	who, show, explain := sampleWho(), sampleShow(), explainPHP()
	_, err := who.Check(closedPipe{})
	for _, err := range []error{
		err, who.Text(closedPipe{}, plainStyle, 0), who.JSON(closedPipe{}), show.Text(closedPipe{}, plainStyle),
		show.JSON(closedPipe{}), explain.Text(closedPipe{}, plainStyle), explain.JSON(closedPipe{}),
		Problem(closedPipe{}, errClosed),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("got %v", err)
		}
	}
}

func TestRecipientsThatWereOnlyCountedAreNotInvented(t *testing.T) {
	m := phpMessage()
	m.Recipients = spoor.Recipients{CountOnly: true}
	m.Recipients.Add(spoor.ChannelRemote, true, []byte("a@b.example"))
	if got := string(appendMessage(nil, m, nil)); strings.Contains(got, `"recipients"`) {
		t.Errorf("recipients in %s", got)
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	long := phpMessage()
	long.Sender = strings.Repeat("very-long-", 20) + "@bank.example"
	for _, width := range []int{60, 80, 120} {
		page := written(t, func(w io.Writer) error {
			messages := NewMessages(w, FormatTable, Style{Columns: width, Now: now})
			if err := messages.Row(long, siteAttribution()); err != nil {
				return err
			}
			return messages.Close()
		})
		for line := range strings.Lines(page) {
			if got := shownColumns(strings.TrimSuffix(line, "\n")); got > width {
				t.Errorf("%d columns on a terminal of %d: %q", got, width, line)
			}
		}
	}
}

func TestALongSenderLeavesTheSourceInSight(t *testing.T) {
	f := func(format Format, style Style, most int) {
		t.Helper()
		long := phpMessage()
		long.Sender = strings.Repeat("very-long-", 20) + "@bank.example"
		page := written(t, func(w io.Writer) error {
			messages := NewMessages(w, format, style)
			for range measuredRows + 1 {
				if err := messages.Row(phpMessage(), siteAttribution()); err != nil {
					return err
				}
			}
			if err := messages.Row(long, siteAttribution()); err != nil {
				return err
			}
			return messages.Close()
		})
		lines := strings.Split(strings.TrimSuffix(page, "\n"), "\n")
		last := lines[len(lines)-1]
		if got := shownColumns(last); got > most || !strings.Contains(last, "site:example.com") && style.Columns == 0 {
			t.Errorf("%v: %d columns, want at most %d: %q", format, got, most, last)
		}
		if format == FormatWide && !strings.Contains(last, long.Sender) {
			t.Errorf("wide cuts the sender: %q", last)
		}
	}
	f(FormatTable, Style{}, 110)
	f(FormatTable, Style{Columns: 80, Now: now}, 80)
	f(FormatTable, Style{Columns: 300, Now: now}, 160)
	f(FormatWide, Style{}, 1000)
}

func TestSpreadsheetsRunNoCell(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := cell(in); got != want {
			t.Errorf("cell(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("a=b", "a=b")
	f("=1+1", `\x3d1+1`)
	f("+1", `\x2b1`)
	f("-1", `\x2d1`)
	f("@SUM(A1)", `\x40SUM(A1)`)
	f("\t=1", `\t=1`)
	f("＝1", `\uff1d1`)
	f("\xff=", `\xff=`)
}

func BenchmarkNDJSON(b *testing.B) { benchmarkFormat(b, FormatNDJSON) }

func BenchmarkIDs(b *testing.B) { benchmarkFormat(b, FormatIDs) }

func BenchmarkTable(b *testing.B) { benchmarkFormat(b, FormatTable) }

func BenchmarkCSV(b *testing.B) { benchmarkFormat(b, FormatCSV) }

func benchmarkFormat(b *testing.B, format Format) {
	b.ReportAllocs()
	m, a := phpMessage(), siteAttribution()
	messages := NewMessages(io.Discard, format, plainStyle)
	for b.Loop() {
		if err := messages.Row(m, a); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAMessageWithoutAttributionIsExplained(t *testing.T) {
	e := explainOf(authMessage(), nil)
	if got := written(t, func(w io.Writer) error { return e.Text(w, plainStyle) }); !strings.Contains(got, "not attributed") {
		t.Errorf("got:\n%s", got)
	}
	if got := written(t, e.JSON); strings.Contains(got, `"origin"`) {
		t.Errorf("got:\n%s", got)
	}
}

func TestAPIDThatIsNotRecordedIsLeftOut(t *testing.T) {
	m := phpMessage()
	m.Trail.Hops[0].PID = -1
	var out strings.Builder
	if err := explainOf(m, siteAttribution()).JSON(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), `"pid"`) {
		t.Error(out.String())
	}
}

func TestAQueueWithoutUnseenMessagesDoesNotCountThem(t *testing.T) {
	w := sampleWho()
	w.Unseen = ""
	var out strings.Builder
	if err := w.Text(&out, Style{Zone: time.UTC}, 1); err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(out.String()[strings.Index(out.String(), "\nQueue "):][1:], "\n")
	if strings.Count(line, ", ") != 1 {
		t.Errorf("%q", line)
	}
}
