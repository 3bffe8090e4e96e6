package postfix

import (
	"slices"
	"testing"
	"time"
)

func TestLongQueueIDsCarryTheirTime(t *testing.T) {
	f := func(id string, want int64, ok bool) {
		t.Helper()
		got, isLong := idTime(id)
		if isLong != ok || ok && !got.Equal(time.UnixMicro(want)) {
			t.Errorf("idTime(%s) = %v, %v; want %v, %v", id, got, isLong, time.UnixMicro(want).UTC(), ok)
		}
	}
	f("4jY1nY4zyYz5vTZ", 1795428417702965, true)
	f("4FA8DC0101", 0, false)
	f("", 0, false)
	f("z", 0, false)
	f("zzzzzzzzzzz", 0, false)        // microseconds beyond a second
	f("4jY1nYaaaaz5vTZ", 0, false)    // vowels are no digits
	f("4jY1nY4zyY5vTZ", 0, false)     // no separator far enough
	f("zzzzzzzzzzzzzzzzz5", 0, false) // seconds beyond reason
}

func TestHashedPathsFollowTheFirstDigits(t *testing.T) {
	f := func(id string, want ...string) {
		t.Helper()
		if got := hashedPaths(id); !slices.Equal(got, want) {
			t.Errorf("hashedPaths(%s) = %q, want %q", id, got, want)
		}
	}
	f("4FA8DC0101", "", "4", "4/F", "4/F/A", "4/F/A/8")
	f("4jY1nY4zyYz5vTZ", "", "A", "A/B", "A/B/9", "A/B/9/F")
	f("AB", "", "A", "A/B")
}

func TestRecordLengths(t *testing.T) {
	f := func(bytes string, length, used int) {
		t.Helper()
		if l, u := recordLength([]byte(bytes)); l != length || u != used {
			t.Errorf("recordLength(%q) = %d, %d; want %d, %d", bytes, l, u, length, used)
		}
	}
	f("", 0, 0)
	f("\x00", 0, 1)
	f("\x7f", 127, 1)
	f("\x80\x01", 128, 2)
	f("\xff\x7f", 16383, 2)
	f("\xff\xff\xff\x7f", 1<<28-1, 4)
	f("\x80", 0, 0)
	f("\xff\xff\xff\xff\x01", 0, 0) // record.c refuses a shift of 28 and more
}

func TestAddressesAreToldAsShowqTellsThem(t *testing.T) {
	f := func(address, want string) {
		t.Helper()
		if got := showqAddress(address); got != want {
			t.Errorf("showqAddress(%q) = %q, want %q", address, got, want)
		}
	}
	f("", "MAILER-DAEMON")
	f("a@b.test", "a@b.test")
	f("with space@y.test", `"with space"@y.test`)
	f(`quo"te@y.test`, `"quo\"te"@y.test`)
	f("dot..dot@y.test", `"dot..dot"@y.test`)
	f(".a@y.test", `".a"@y.test`)
	f("a.@y.test", `"a."@y.test`)
	f("a@b@y.test", `"a@b"@y.test`)
	f("@y.test", `""@y.test`)
	f("@route.test:a b@y.test", `@route.test:"a b"@y.test`)
	f("bell\x07@y.test", `"bell?"@y.test`)
	f("ünï@y.test", "ünï@y.test")
	f("\xff\xfe@y.test", "??@y.test")
	f("a\xc3", "a?")
}

func TestDelaysAreReadInBothForms(t *testing.T) {
	f := func(text string, want ...delay) {
		t.Helper()
		if got := parseDelays([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("parseDelays(%q) = %q, want %q", text, got, want)
		}
	}
	f("")
	f("\n\n")
	f("<a@b.test>: no route\nrecipient=a@b.test\noffset=560\nreason=no route to host\n\n", delay{"a@b.test", "no route to host"})
	f("<a@b.test>: old form\n\n<c@d.test>: the same\n\n", delay{"a@b.test", "old form"}, delay{"c@d.test", "the same"})
	f("recipient=a@b.test\nreason=cut in the mid", delay{"a@b.test", "cut in the mid"})
	f("recipient=\nreason=\n\n", delay{"(MAILER-DAEMON)", "unknown reason"})
	f("offset=1\n\n", delay{"(recipient address unavailable)", "(description unavailable)"})
	f("garbage\x00\xff\n\nrecipient=a@b.test\n\n", delay{"(recipient address unavailable)", "(description unavailable)"}, delay{"a@b.test", "(description unavailable)"})
}

func TestReceivedLines(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		r, ok := parseReceived(value)
		got := "no line of Postfix"
		if ok {
			got = r.hop.Via.String() + " " + r.host + " " + r.id
			if r.hop.Client.IsValid() {
				got += " " + r.hop.Client.String()
			}
			if r.hop.Authenticated {
				got += " auth " + r.hop.Account
			}
			if r.hop.UID >= 0 {
				got += " uid"
			}
			if r.internal {
				got += " internal"
			}
		}
		if got != want {
			t.Errorf("parseReceived(%q) = %q, want %q", value, got, want)
		}
	}
	f("from User (client2.isp.test [198.51.100.2])\n\t(using TLSv1.3 with cipher X (256/256 bits))\n\t(Authenticated sender: a@x.test)\n\tby mx1.example.com (Postfix) with ESMTPSA id 4FA8DC0101\n\tfor <b@y.test>; Mon",
		"network mx1.example.com 4FA8DC0101 198.51.100.2 auth a@x.test")
	f("by mx1.example.com (Postfix, from userid 10003)\n\tid 4jY1nY324Bz5vT0; Mon", "uid mx1.example.com 4jY1nY324Bz5vT0 uid")
	f("by mx1.example.com (Postfix)\n\tid 554ACC0104; Mon", "unknown mx1.example.com 554ACC0104 internal")
	f("from x (unknown [IPv6:2001:db8::1])\n\tby mx1 (Postfix/Debian) with UTF8SMTP id A1;", "network mx1 A1 2001:db8::1")
	f("from (Authenticated sender: evil) (x [192.0.2.1])\n\tby mx1 (Postfix) with ESMTP id A1", "network mx1 A1 192.0.2.1")
	f("by mx1 (Postfix, from userid 99999999999)\n\tid A1;", "no line of Postfix")
	f("by mx1 (Postfix, from userid x)\n\tid A1;", "no line of Postfix")
	f("from x\n\tby mx1 (Postfix) with ESMTP id A1", "no line of Postfix")
	f("from x (y [192.0.2.1])", "no line of Postfix")
	f("by mx1 (Postfix", "no line of Postfix")
	f("", "no line of Postfix")
}
