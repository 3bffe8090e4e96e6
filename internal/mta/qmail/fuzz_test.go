package qmail

import (
	"slices"
	"strings"
	"testing"

	"spoor"
)

func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		lineSite + "Subject: x\n\nbody", lineNetwork + lineSMTP + "\n", lineAlias + "Delivered-To: a@b\n" + lineSite + "\n",
		lineBounce + bounceText + bounceMarker + lineNetwork + lineSMTP + "\n", linePop + "Mailing-List: contact a-help@b; run by ezmlm\n\n",
		"\x00\x00", "Received:\n \n", "a:b\n\tc\r\n\r\n", lineBounce + "\n\n<a>:\n" + bounceMarker + lineBounce + bounceText + bounceMarker,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := readMessage(t, string(data), 110)
		trail := &m.Trail
		if len(trail.Hops) > maxHops || len(trail.Claims) > spoor.MaxForgeable || len(trail.Forgeable) > spoor.MaxForgeable {
			t.Fatalf("unbounded trail: %d hops, %d claims, %d forgeable", len(trail.Hops), len(trail.Claims), len(trail.Forgeable))
		}
		if len(trail.Hops) == 0 && trail.Broken == "" {
			t.Fatal("no hop, and nothing says why")
		}
		for i, hop := range trail.Hops {
			if i > 0 && trail.Hops[i-1].Via == spoor.ViaNetwork {
				t.Fatal("the walk goes on below the entry from the network")
			}
			if hop.Via == spoor.ViaUID && hop.UID != 110 && i+1 < len(trail.Hops) {
				t.Fatal("the walk goes on below a user's own submission")
			}
			if hop.Line < 1 || hop.Line > 1+strings.Count(string(data), "\n") {
				t.Fatalf("line %d of a message with fewer", hop.Line)
			}
		}
	})
}

func FuzzNetworkLine(f *testing.F) {
	f.Add(" from unknown (HELO User) (info@site1.example@198.51.100.23)\n  by mail.host.example with SMTP; d")
	f.Add(" (HELO User) (bob@corp.example)\n  by h with ESMTPSA (x encrypted, authenticated); d")
	f.Fuzz(func(t *testing.T, value string) {
		var hop spoor.Hop
		if parseNetworkLine(value, &hop) && strings.ContainsAny(hop.Account, ")") {
			t.Fatalf("account %q reaches over its brackets", hop.Account)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("u10003\x00p4711\x00Fa@x.test\x00Tb@y.test\x00Tc@y.test\x00"))
	f.Add([]byte("Tb@y.test\x00Dc@y.test\x00"))
	f.Add([]byte("Fa@x.test\x00"))
	f.Add([]byte("\x00\x00T\x00D"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var todo, channel spoor.Recipients
		seen := 0
		record, _ := parseTodo(data, &todo, func([]byte) { seen++ })
		if seen != todo.Len() || todo.Done() != 0 || record.uid < -1 {
			t.Fatalf("%d addresses seen, %d recipients, %d done", seen, todo.Len(), todo.Done())
		}
		reason := parseChannel(data, spoor.ChannelRemote, &channel)
		list := slices.Collect(channel.All())
		if len(list) != channel.Len() {
			t.Fatalf("%d recipients listed, %d counted", len(list), channel.Len())
		}
		if reason == "" && rebuild(list) != string(data) {
			t.Fatalf("sound records do not survive: %q", data)
		}
		parseInfo(data)
	})
}

// rebuild writes recipients as qmail-send does.
func rebuild(list []spoor.Recipient) string {
	var b strings.Builder
	for _, r := range list {
		letter := "T"
		if r.Done {
			letter = "D"
		}
		b.WriteString(letter + r.Address + "\x00")
	}
	return b.String()
}

func FuzzControlFiles(f *testing.F) {
	f.Add("site1.example:12\n.sub.example:14\n:15\n", "12-info@site1.example")
	f.Fuzz(func(t *testing.T, text, address string) {
		c := &ControlFiles{served: map[string]bool{}, prefixes: map[string]string{}}
		for _, line := range controlLines(text) {
			if domain, prefix, ok := strings.Cut(line, ":"); ok {
				c.prefixes[strings.ToLower(domain)] = prefix
				c.serve(domain)
			}
		}
		if got := c.StripPrefix(address); !strings.HasSuffix(address, got) {
			t.Fatalf("StripPrefix(%q) = %q", address, got)
		}
		c.delivers([]byte(address))
		c.Serves(address)
	})
}
