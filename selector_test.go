package spoor

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// sampleMessage is one that every selector of TestSelector knows.
func sampleMessage() (*Message, Source, int) {
	m := &Message{
		ID: "2996948", Arrived: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), SizeBytes: 2 << 20, HasEnvelope: true,
		Sender: "News@Shop.test", State: StateRemote, Bouncing: true, Subject: "Cheap, replica watches", CallerUID: -1,
		Trail: Trail{Hops: []Hop{{Via: ViaNetwork, UID: -1, Client: netip.MustParseAddr("203.0.113.45")}}},
	}
	for range 30 {
		m.Recipients.Add(ChannelRemote, false, []byte("a@gmail.com"))
	}
	return m, Source{KindAccount, "info@shop.test"}, 10003
}

func TestSelector(t *testing.T) {
	m, source, uid := sampleMessage()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	matches := func(want bool, args ...string) {
		t.Helper()
		s, err := ParseSelector(args, now)
		if err != nil {
			t.Errorf("%v: %v", args, err)
			return
		}
		s.Campaign = func(*Message) string { return "c7f3a1" }
		if got := s.Match(m, source, uid); got != want {
			t.Errorf("%v matches: %v, want %v", args, got, want)
		}
	}
	matches(true)
	matches(true, "account:info@shop.test")
	matches(true, "account:INFO@shop.test")
	matches(true, "account:@shop.test")
	matches(false, "account:@hop.test")
	matches(false, "site:shop.test")
	matches(true, "kind:site,account", "!site:y", "account:x,info@shop.test")
	matches(false, "!account:x,info@shop.test")
	matches(true, "account:x", "account:info@shop.test") // the same key twice: alternatives
	matches(false, "account:info@shop.test", "!kind:account")
	matches(true, "source:account:info@shop.test", "kind:account", "uid:10003", "id:2996948")
	matches(false, "uid:10004")
	matches(true, "ip:203.0.113.0/24")
	matches(true, "ip:203.0.113.45")
	matches(false, "ip:203.0.113.4", "ip:2001:db8::/32")
	matches(true, "from:@shop.test", "from:news@shop.test")
	matches(false, "from:<>")
	matches(true, "to:@gmail.com")
	matches(false, "to:@gmail.co")
	matches(true, "subject:REPLICA")
	matches(true, "subject:/^Cheap, rep/")
	matches(false, "subject:/^rep/")
	matches(true, "age:>2h", "age:<4h", "age:>0.1d")
	matches(false, "age:>1d")
	matches(true, "size:>1M", "size:=2M", "size:<=2048k", "size:<1G")
	matches(true, "rcpts:>20", "rcpts:30")
	matches(false, "rcpts:<30")
	matches(true, "state:remote,todo", "state:bouncing", "!state:held")
	matches(true, "campaign:c7f3", "!campaign:d")
	for i, key := range SelectorKeys() {
		if _, err := ParseSelector([]string{key}, now); err != nil {
			t.Errorf("example %d of the help, %s: %v", i, key, err)
		}
	}
}

func TestWhatIsNoSelector(t *testing.T) {
	for _, text := range []string{
		"", "x", ":", "site:", "colour:red", "uid:x", "ip:300.1.1.1", "age:>soon", "size:>big", "rcpts:~3", "state:asleep",
		"kind:animal", "source:x", "subject:/(/", "unknown:x", "size:><3",
	} {
		if _, err := ParseSelector([]string{text}, time.Time{}); !errors.Is(err, ErrSelector) {
			t.Errorf("%q gives %v, want ErrSelector", text, err)
		}
	}
}

func FuzzSelector(f *testing.F) {
	for _, key := range SelectorKeys() {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, source, uid := sampleMessage()
		yes, err := ParseSelector([]string{text}, m.Arrived)
		if err != nil {
			return
		}
		no, err := ParseSelector([]string{"!" + text}, m.Arrived)
		if err == nil && text[0] != '!' && yes.Match(m, source, uid) == no.Match(m, source, uid) {
			t.Fatalf("%q and its negation agree", text)
		}
	})
}

func TestRecipientsKeepWhatTheyAreGiven(t *testing.T) {
	var r Recipients
	want := []Recipient{
		{"", ChannelUndecided, false}, {"a@x", ChannelUndecided, false}, {"b@x", ChannelLocal, true}, {"c\xff\n@x", ChannelRemote, false}, {"", ChannelRemote, true},
	}
	for _, one := range want {
		r.Add(one.Channel, one.Done, []byte(one.Address))
	}
	clone := r.Clone()
	r.Reset()
	r.Add(ChannelLocal, false, []byte("overwrites"))
	if got := slices.Collect(clone.All()); !slices.Equal(got, want) || clone.Len() != 5 || clone.Done() != 2 {
		t.Errorf("got %v (%d, %d done), want %v", got, clone.Len(), clone.Done(), want)
	}
	counting := Recipients{CountOnly: true}
	counting.Add(ChannelRemote, true, []byte("a@x"))
	if counting.Len() != 1 || counting.Done() != 1 || len(slices.Collect(counting.All())) != 0 {
		t.Error("a counting list keeps addresses, or does not count")
	}
}

func TestClosedSetsHaveNames(t *testing.T) {
	for _, k := range Kinds() {
		if back, ok := ParseKind(k.String()); !ok || back != k {
			t.Errorf("kind %d is called %q, which is %v", k, k, back)
		}
	}
	for _, s := range States() {
		if back, ok := ParseState(s.String()); !ok || back != s {
			t.Errorf("state %d is called %q, which is %v", s, s, back)
		}
	}
	for name, set := range map[string][]string{
		"via": viaNames[:], "role": roleNames[:], "class": classNames[:], "family": familyNames[:], "channel": channelNames[:],
	} {
		if slices.Contains(set[1:], "") || len(slices.Compact(slices.Sorted(slices.Values(set)))) != len(set) {
			t.Errorf("%s: names are missing or used twice: %q", name, set)
		}
	}
}

func TestSourcesSurviveTheirText(t *testing.T) {
	for _, s := range []Source{{KindSite, "a.test"}, {KindScript, "/x:y"}, {KindAccount, "a b@c"}, {KindUnknown, ""}} {
		if back, err := ParseSource(s.String()); err != nil || back != s {
			t.Errorf("%q comes back as %v, %v", s, back, err)
		}
	}
	for _, text := range []string{"", "site", "site:", "x:y", ":"} {
		if s, err := ParseSource(text); !errors.Is(err, ErrNotASource) {
			t.Errorf("%q is read as %v, %v", text, s, err)
		}
	}
}

func TestGapsNameAThousandFilesAndCountTheRest(t *testing.T) {
	var g Gaps
	for i := range 1500 {
		g.Add(string(rune('a'+i%26))+time.Duration(i).String(), "broken")
	}
	g.Add("a0s", "broken")
	list := g.List()
	if len(list) != maxGapFiles+1 || g.Total() != 1501 {
		t.Errorf("%d gaps listed, %d counted; want %d, 1501", len(list), g.Total(), maxGapFiles+1)
	}
	var copied Gaps
	copied.AddAll(list)
	if copied.Total() != g.Total() {
		t.Errorf("copied %d gaps of %d", copied.Total(), g.Total())
	}
}
