package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"spoor"
)

// hostile is what an attacker would like to have in every field. The words
// after the space try to start a line of the page.
const hostile = "a\nANSWER all-is-well ANSWER \r\t\x1b[31m\x1b]0;x\x07\x7f\u009b1m\x9b\u202e\u2066\u200f\u061c\u200b\ufeff\u2028\u2029\xff\xc3" +
	"e\u0301\u0301\u0301\u0301\\|`$(reboot)';\"=<b>&注\U000e0001 ANSWER"

// poison puts hostile text into every string that v reaches.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	case reflect.Struct:
		poisonStruct(v)
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.String:
		v.SetString(hostile)
	case reflect.Map:
		for _, key := range v.MapKeys() {
			v.SetMapIndex(key, reflect.ValueOf(hostile))
		}
	default:
	}
}

func poisonStruct(v reflect.Value) {
	switch at := v.Addr().Interface().(type) {
	case *netip.Addr:
		*at = netip.MustParseAddr("fe80::1").WithZone(hostile)
	case *spoor.Recipients:
		*at = recipients(spoor.Recipient{Address: hostile}, spoor.Recipient{Address: hostile, Channel: spoor.ChannelLocal, Done: true})
	default:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				poison(v.Field(i))
			}
		}
	}
}

func poisoned[T any](v *T) *T {
	poison(reflect.ValueOf(v))
	return v
}

func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHostileTextStaysText(t *testing.T) {
	who, show := poisoned(partialWho()), poisoned(sampleShow())
	who.Sources = append(who.Sources, *poisoned(ptr(siteLine())), bounceShow().Source)
	poison(reflect.ValueOf(who))
	stat, cat := poisoned(sampleQueue()), poisoned(sampleCat())
	cat.Content = []byte(strings.Repeat(hostile+"\n", 3))
	f := func(name string, write func(io.Writer) error) {
		t.Helper()
		t.Run(name, func(t *testing.T) { checkLines(t, written(t, write)) })
	}
	for _, style := range []Style{plainStyle, pipeStyle, {Columns: 1}, {Columns: 200, Now: now}} {
		f("who", func(w io.Writer) error { return who.Text(w, style, 0) })
		f("show", func(w io.Writer) error { return show.Text(w, style) })
		f("stat", func(w io.Writer) error { return stat.Text(w, style) })
		f("cat", func(w io.Writer) error { return cat.Text(w, style) })
		for _, e := range []*Explain{explainAuth(), explainPHP(), explainBounce(), explainNothing()} {
			f("explain", func(w io.Writer) error { return poisoned(e).Text(w, style) })
		}
		for _, format := range Formats() {
			f(format.String(), func(w io.Writer) error { return listPoisoned(w, format, style) })
		}
	}
	f("who json", who.JSON)
	f("show json", show.JSON)
	f("stat json", stat.JSON)
	f("explain json", poisoned(explainPHP()).JSON)
	f("check", func(w io.Writer) error { _, err := who.Check(w); return err })
	f("problem", func(w io.Writer) error { return Problem(w, poisoned(&spoor.Problem{})) })
	f("error", func(w io.Writer) error { return Problem(w, errors.New(hostile)) })
}

func ptr[T any](v T) *T { return &v }

func listPoisoned(out io.Writer, format Format, style Style) error {
	messages := NewMessages(out, format, style)
	for _, sample := range sampleMessages() {
		poison(reflect.ValueOf(sample.message))
		poison(reflect.ValueOf(sample.attribution))
		if err := messages.Row(sample.message, sample.attribution); err != nil {
			return err
		}
	}
	return messages.Close()
}

// checkLines fails if anything but a line feed is unsafe, or if hostile text
// begins a line.
func checkLines(t *testing.T, page string) {
	t.Helper()
	for line := range strings.SplitSeq(page, "\n") {
		checkSafe(t, line)
		if strings.HasPrefix(line, "ANSWER") {
			t.Errorf("hostile text begins a line:\n%s", page)
		}
	}
	if !strings.HasSuffix(page, "\n") {
		t.Errorf("the last line has no end: %q", page)
	}
}

func TestCheckLineCannotReachShellOrPerfdata(t *testing.T) {
	who := poisoned(sampleWho())
	line := written(t, func(w io.Writer) error { _, err := who.Check(w); return err })
	if strings.Count(line, "|") != 1 || strings.ContainsAny(line, "`$'\"<>&\\") {
		t.Errorf("unsafe line for a monitoring system: %q", line)
	}
}

func TestHostileTextSurvivesJSON(t *testing.T) {
	who := poisoned(sampleWho())
	var got struct{ Sources []struct{ Name string } }
	if err := json.Unmarshal([]byte(written(t, who.JSON)), &got); err != nil {
		t.Fatal(err)
	}
	if want := visibleBytes(hostile); got.Sources[0].Name != want {
		t.Errorf("got %q, want %q", got.Sources[0].Name, want)
	}
}
