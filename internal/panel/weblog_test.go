package panel

import (
	"bytes"
	"testing"
	"time"
)

func TestParseRequest(t *testing.T) {
	want := func(name, line, when, client, method, path string, status int) {
		t.Run(name, func(t *testing.T) {
			r, ok := ParseRequest([]byte(line))
			if !ok {
				t.Fatalf("not understood: %s", line)
			}
			if got := r.Time.Format(time.RFC3339); got != when {
				t.Errorf("time %s, want %s", got, when)
			}
			if string(r.Client) != client || string(r.Method) != method || string(r.Path) != path || r.Status != status {
				t.Errorf("got %s %s %s %d, want %s %s %s %d", r.Client, r.Method, r.Path, r.Status, client, method, path, status)
			}
		})
	}
	want("combined", `203.0.113.7 - - [18/Jul/2005:17:03:07 +0200] "POST /forum/mailer.php?x=1 HTTP/1.1" 200 512 "-" "Mozilla/4.0"`,
		"2005-07-18T15:03:07Z", "203.0.113.7", "POST", "/forum/mailer.php", 200)
	want("common, west of Greenwich", `2001:db8::1 - - [31/Dec/2023:23:30:00 -0130] "GET / HTTP/2.0" 304 -`,
		"2024-01-01T01:00:00Z", "2001:db8::1", "GET", "/", 304)
	want("login name that plays a time", `203.0.113.7 - x [01/Jan/2000:00:00:00 +0000] \"POST [18/Jul/2005:17:03:07 +0000] "GET /a HTTP/1.1" 401 0`,
		"2005-07-18T17:03:07Z", "203.0.113.7", "GET", "/a", 401)
	want("escaped quote in the path", `203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] "POST /a\"b HTTP/1.1" 200 1 "-" "\"POST /c HTTP/1.1\" 200"`,
		"2005-07-18T17:03:07Z", "203.0.113.7", "POST", `/a\"b`, 200)
	want("whole URL", `203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] "POST http://shop.example/x.php?y#z HTTP/1.1" 200 1`,
		"2005-07-18T17:03:07Z", "203.0.113.7", "POST", "/x.php", 200)
	want("whole URL without path", `203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] "POST http://shop.example HTTP/1.1" 200 1`,
		"2005-07-18T17:03:07Z", "203.0.113.7", "POST", "/", 200)
	want("HTTP/0.9", `203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] "GET /" 200 1`,
		"2005-07-18T17:03:07Z", "203.0.113.7", "GET", "/", 200)
	want("no request", `203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] "-" 408 -`,
		"2005-07-18T17:03:07Z", "203.0.113.7", "", "", 408)
	want("TLS to the plain port", `203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] "\x16\x03\x01" 400 226`,
		"2005-07-18T17:03:07Z", "203.0.113.7", "", "", 400)
	want("partial line in the path", `203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] "POST /forum/mai`,
		"2005-07-18T17:03:07Z", "203.0.113.7", "", "", 0)
	want("NULs before the line", "\x00\x00203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] \"POST /a HTTP/1.1\" 200 1",
		"2005-07-18T17:03:07Z", "203.0.113.7", "POST", "/a", 200)
	want("leap second", `203.0.113.7 - - [30/Jun/2015:23:59:60 +0000] "POST /a HTTP/1.1" 200 1`,
		"2015-07-01T00:00:00Z", "203.0.113.7", "POST", "/a", 200)

	for _, line := range []string{
		"", "[", "garbage", `203.0.113.7 - - [30/Feb/2005:17:03:07 +0000] "POST / HTTP/1.1" 200 1`,
		`203.0.113.7 - - [18/Xul/2005:17:03:07 +0000] "POST / HTTP/1.1" 200 1`,
		`203.0.113.7 - - [18/Jul/2005:25:03:07 +0000] "POST / HTTP/1.1" 200 1`,
		`203.0.113.7 - - [18/Jul/2005:17:03:07 +0000] `, `203.0.113.7 - - [18/Jul/2005:17:03:07 0000] "POST / HTTP/1.1"`,
		"[Mon Jul 18 17:03:07 2005] [error] [client 203.0.113.7] File does not exist: /var/www/x",
	} {
		if r, ok := ParseRequest([]byte(line)); ok {
			t.Errorf("ParseRequest(%q) = %+v, want nothing", line, r)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		r, ok := ParseRequest(line)
		if !bytes.Equal(before, line) {
			t.Fatal("the line was changed")
		}
		if !ok {
			return
		}
		for _, part := range [][]byte{r.Client, r.Method, r.Path} {
			if !bytes.Contains(line, part) {
				t.Fatalf("%q is not in the line", part)
			}
		}
		if r.Time.IsZero() || r.Status < 0 || r.Status > 999 || bytes.IndexByte(r.Path, '?') >= 0 {
			t.Fatalf("%+v", r)
		}
		if stamp, ok := requestStamp(line); !ok || !stamp.Equal(r.Time) {
			t.Fatalf("stamp %v, %v, line %v", stamp, ok, r.Time)
		}
	})
}
