package shim

import (
	"reflect"
	"strings"
	"testing"
)

func TestDetailsComeBack(t *testing.T) {
	for _, d := range []Details{
		{},
		{Name: "sendmail", HasSender: true, Recipients: 2, SizeBytes: 1 << 40, Partial: true},
		{Name: "sendmail", HasSender: true, Sender: "a=b@x.test", FromTop: true, To: 1, Cc: 2, Bcc: 3, MessageID: "<\n\"é\xff>", SizeBytes: 9, Marked: true},
	} {
		got, ok := ParseDetails(d.Append(nil)[1:])
		if !ok || !reflect.DeepEqual(got, d) {
			t.Errorf("%+v came back as %+v", d, got)
		}
	}
	d := Details{Sender: "a\x00size=7", HasSender: true, MessageID: strings.Repeat("x", 5000)}
	if got, ok := ParseDetails(d.Append(nil)[1:]); !ok || got.SizeBytes != 0 || len(got.MessageID) != maxValue {
		t.Errorf("%+v", got)
	}
}

func FuzzParseDetails(f *testing.F) {
	d := Details{Name: "sendmail", HasSender: true, Sender: "a", MessageID: "<1>", SizeBytes: 5, Partial: true}
	f.Add(d.Append(nil)[1:])
	f.Add([]byte("size=-1\x00"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		d, ok := ParseDetails(packet)
		if !ok {
			return
		}
		if again, ok := ParseDetails(d.Append(nil)[1:]); !ok || again != d {
			t.Errorf("%+v came back as %+v", d, again)
		}
	})
}

func TestVerdicts(t *testing.T) {
	f := func(packet string, want verdict, ok bool) {
		t.Helper()
		if v, got := parseVerdict([]byte(packet)); got != ok || v != want {
			t.Errorf("%q: %+v %v", packet, v, got)
		}
	}
	f("P1.abc.10003.ff.x-_Y", verdict{kind: PacketPass, text: "1.abc.10003.ff.x-_Y"}, true)
	f("K75\x001.abc", verdict{kind: PacketHold, status: 75, text: "1.abc"}, true)
	f("R69\x00over the limit", verdict{kind: PacketRefuse, status: 69, text: "over the limit"}, true)
	for _, packet := range []string{"", "P", "Pa b", "Pa\nSubject: x", "K75", "K-1\x00a", "K0\x00", "R999\x00no", "X1", "P" + strings.Repeat("a", maxID+1)} {
		f(packet, verdict{}, false)
	}
}

func FuzzParseVerdict(f *testing.F) {
	f.Add([]byte("P1.abc"))
	f.Add([]byte("K75\x001.abc"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		v, ok := parseVerdict(packet)
		if ok && v.kind != PacketRefuse && !isID(v.text) {
			t.Errorf("%+v would go into a header", v)
		}
	})
}
