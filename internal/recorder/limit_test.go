package recorder

import (
	"strings"
	"testing"
	"time"

	"spoor/internal/origin"
)

func TestConfigIsReadStrictly(t *testing.T) {
	good := "[hold]\nmessages = 5\n[[limit]]\nlimit = \"200/h\"\n[[limit]]\nuser = \"root\"\nscript = \"/var/www/\"\nlimit = \"1/m\"\nover = \"hold\"\nanswer = \"later\"\n"
	c, err := ParseConfig([]byte(good))
	if err != nil || len(c.Limits) != 2 || c.Hold.Messages != 5 || c.Hold.Bytes != defaultHeldBytes {
		t.Fatalf("%v %+v", err, c)
	}
	if r := c.Limits[1]; *r.UID != 0 || r.Script != "/var/www" || r.count != 1 || r.per != time.Minute || r.Answer != AnswerLater {
		t.Errorf("%+v", r)
	}
	for text, want := range map[string]string{
		"[[limit]]\nlimt = \"200/h\"\n":                                    "limt",
		"[[limit]]\nlimit = \"200\"\n":                                     "200/h",
		"[[limit]]\nlimit = \"-1/h\"\n":                                    "200/h",
		"[[limit]]\nlimit = \"1/h\"\nover = \"drop\"\n":                    "want log, hold or refuse",
		"[[limit]]\nlimit = \"1/h\"\nanswer = \"no\"\n":                    "accepted or later",
		"[[limit]]\nlimit = \"1/h\"\nscript = \"x.php\"\n":                 "from /",
		"[[limit]]\nlimit = \"1/h\"\nuser = \"no such user here\"\n":       "no such user",
		"[[limit]]\nlimit = \"1/h\"\nuser = \"root\"\nuid = 0\n":           "one of them",
		"[[limit]]\nlimit = 5\n":                                           "limit",
		"limit":                                                            "",
		"[[limit]]\nlimit = \"1/h\"\n\n[[limit]]\nlimit = \"1/fortnight\"": "limit 2",
	} {
		if _, err := ParseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("[[limit]]\nlimit = \"200/h\"\nover = \"hold\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConfig(text)
		if err != nil {
			return
		}
		for i := range c.Limits {
			if r := &c.Limits[i]; r.per == 0 || r.Over.severity() == 0 {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestCounting(t *testing.T) {
	config, err := ParseConfig([]byte("[[limit]]\nlimit = \"4/h\"\nover = \"refuse\"\n[[limit]]\nscript = \"/w/bad\"\nlimit = \"1/h\"\nover = \"hold\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	c := counter{now: func() time.Time { return now }}
	c.use(config)
	add := func(uid int, script string, want Over) {
		t.Helper()
		got := Over("")
		if r := c.add(&origin.Facts{UID: uid, Script: script}); r != nil {
			got = r.Over
		}
		if got != want {
			t.Errorf("%v uid %d %s: %q, want %q", now, uid, script, got, want)
		}
	}
	for range 4 {
		add(1, "", "")
	}
	add(1, "", OverRefuse)
	add(2, "", "")
	add(0, "", "") // root is in no rule without a name
	add(3, "/w/bad/x.php", "")
	add(3, "/w/bad/x.php", OverHold)
	add(3, "/w/badly/x.php", "")
	now = now.Add(90 * time.Minute) // the hour before counts for half: two of four
	add(1, "", "")
	add(1, "", "")
	add(1, "", OverRefuse)
	now = now.Add(3 * time.Hour)
	for range 4 {
		add(1, "", "")
	}
	add(1, "", OverRefuse)
	now = now.Add(-24 * time.Hour) // the clock is set back: nobody is locked out
	add(1, "", "")
}
