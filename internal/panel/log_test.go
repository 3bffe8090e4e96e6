package panel

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoor"
	"spoor/internal/host/hosttest"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func requestLine(at time.Time, method string, filler int) string {
	return fmt.Sprintf("203.0.113.7 - - [%s] %q 200 1 \"-\" %q\n",
		at.Format("02/Jan/2006:15:04:05 -0700"), method+" /x.php HTTP/1.1", strings.Repeat("u", filler))
}

// newLog writes an access log below a root of its own.
func newLog(t *testing.T, content string) (Log, *spoor.Gaps) {
	root := hosttest.Tree(t, map[string]string{"www/access_log": content})
	gaps := &spoor.Gaps{}
	return Log{Folder: www(t, root), Name: "/www/access_log", Budget: &Budget{PerFile: 1 << 20, Left: 1 << 30}, Gaps: gaps}, gaps
}

func postTimes(l Log, w Window) []time.Time {
	var times []time.Time
	for hit := range l.Posts("shop.example", w) {
		times = append(times, hit.Time)
	}
	return times
}

func TestPostsOfALongLogAreFoundInItsMiddle(t *testing.T) {
	var content strings.Builder
	const lines = 20_000 // one a second, 2 MB: more than may be read
	for i := range lines {
		method := "GET"
		if i%10 == 0 {
			method = "POST"
		}
		content.WriteString(requestLine(noon.Add(time.Duration(i)*time.Second), method, 20))
	}
	l, gaps := newLog(t, content.String())
	l.Budget.PerFile = 256 << 10
	w := Window{From: noon.Add(15_000 * time.Second), Until: noon.Add(15_100 * time.Second)}
	var hits []spoor.WebHit
	for hit := range l.Posts("shop.example", w) {
		hits = append(hits, hit)
	}
	if len(hits) != 11 || !hits[0].Time.Equal(w.From) || !hits[10].Time.Equal(w.Until) {
		t.Fatalf("%d hits: %v", len(hits), hits)
	}
	hit := hits[0]
	if hit.Site != "shop.example" || hit.URL != "/x.php" || hit.Client != "203.0.113.7" || hit.Script != "" {
		t.Errorf("hit %+v", hit)
	}
	if hit.Place.File != "/www/access_log" || hit.Place.Line != 0 || !strings.HasPrefix(hit.Place.Text, "203.0.113.7 - - [01/May/2024:16:10:00 +0000]") {
		t.Errorf("place %+v", hit.Place)
	}
	if gaps.Total() != 0 {
		t.Errorf("gaps: %v", gaps.List())
	}
	if spent := 1<<30 - l.Budget.Left; spent > 256<<10 {
		t.Errorf("read %d bytes for 100 seconds of log", spent)
	}
}

func TestPostsTellTheLineWhereTheLogIsReadFromItsStart(t *testing.T) {
	l, _ := newLog(t, requestLine(noon, "GET", 0)+"\n"+requestLine(noon, "POST", 0))
	for hit := range l.Posts("shop.example", Window{From: noon, Until: noon}) {
		if hit.Place.Line != 3 {
			t.Errorf("line %d, want 3", hit.Place.Line)
		}
		return
	}
	t.Error("no hit")
}

func TestPostsSayThatTheBudgetEnded(t *testing.T) {
	var content strings.Builder
	for i := range 20_000 {
		content.WriteString(requestLine(noon.Add(time.Duration(i)*time.Second), "POST", 20))
	}
	l, gaps := newLog(t, content.String())
	w := Window{From: noon, Until: noon.Add(20_000 * time.Second)}
	if n := len(postTimes(l, w)); n == 0 || n >= 20_000 {
		t.Errorf("%d hits within the budget", n)
	}
	l.Budget.Left = 0
	if n := len(postTimes(l, w)); n != 0 {
		t.Errorf("%d hits without a budget", n)
	}
	list := gaps.List()
	if len(list) != 1 || list[0].Count != 2 || !strings.Contains(list[0].Reason, "at most 1 MB") {
		t.Errorf("gaps: %v", list)
	}
}

func TestPostsOfDamagedLogs(t *testing.T) {
	w := Window{From: noon, Until: noon.Add(time.Hour)}
	check := func(name, content string, want int) {
		t.Run(name, func(t *testing.T) {
			l, gaps := newLog(t, content)
			if got := len(postTimes(l, w)); got != want {
				t.Errorf("%d hits, want %d", got, want)
			}
			if gaps.Total() != 0 {
				t.Errorf("gaps: %v", gaps.List())
			}
		})
	}
	post := requestLine(noon, "POST", 0)
	check("empty", "", 0)
	check("garbage", strings.Repeat("\x00\xff garbage ", 20_000), 0)
	check("hole of NULs swallows the line it ends in", strings.Repeat("\x00", 300<<10)+post+post, 1)
	check("line longer than is looked at", requestLine(noon, "POST", 200<<10)+post, 2)
	check("no newline at the end", post+strings.TrimSuffix(post, "\n"), 2)
	check("cut in the path", post+post[:55], 1)
	check("CRLF", strings.ReplaceAll(post, "\n", "\r\n"), 1)
	check("logged late", requestLine(noon.Add(2*time.Hour+time.Minute-time.Hour), "GET", 0)+post, 1)
}

func TestPostsOfALogThatIsNotThere(t *testing.T) {
	l, gaps := newLog(t, "")
	l.Name = "/www/none"
	if n := len(postTimes(l, Window{Until: noon})); n != 0 || gaps.Total() != 0 {
		t.Errorf("%d hits, gaps %v", n, gaps.List())
	}
	if err := os.Symlink("/etc/passwd", l.Folder.root.Dir()+"/www/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(l.Folder.root.Dir()+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.Folder.root.Dir()+"/etc/passwd", []byte(requestLine(noon, "POST", 0)), 0o644); err != nil {
		t.Fatal(err)
	}
	l.Name = "/www/link"
	if n := len(postTimes(l, Window{Until: noon})); n != 0 || gaps.Total() != 1 {
		t.Errorf("a link out of the folder gave %d hits, gaps %v", n, gaps.List())
	}
}

// Whatever the window, the search finds what reading the whole log finds.
func TestWindowedReadingMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 3000).Draw(t, "lines")
		step := rapid.IntRange(0, 20).Draw(t, "seconds between lines")
		filler := rapid.IntRange(0, 300).Draw(t, "filler")
		late := rapid.IntRange(0, 200).Draw(t, "lateness")
		var content bytes.Buffer
		var times []time.Time
		for i := range n {
			at := noon.Add(time.Duration(i*step) * time.Second)
			switch i % 7 {
			case 3:
				at = at.Add(-time.Duration(late) * time.Second)
			case 5:
				content.WriteString("garbage\n")
			}
			times = append(times, at)
			content.WriteString(requestLine(at, "POST", filler+i%50))
		}
		from := rapid.IntRange(-100, 70_000).Draw(t, "from")
		length := rapid.IntRange(0, 70_000).Draw(t, "length")
		w := Window{From: noon.Add(time.Duration(from) * time.Second), Until: noon.Add(time.Duration(from+length) * time.Second)}
		want, got := 0, 0
		for _, at := range times {
			if w.Contains(at) {
				want++
			}
		}
		l := Log{Budget: &Budget{PerFile: 1 << 30, Left: 1 << 30}, Gaps: &spoor.Gaps{}}
		err := l.scan(timedLog{file: bytes.NewReader(content.Bytes()), size: int64(content.Len()), stamp: requestStamp}, w, func(line timedLine) bool {
			if w.Contains(line.time) {
				got++
			}
			return true
		})
		if err != nil || got != want {
			t.Fatalf("got %d lines, %v, want %d", got, err, want)
		}
	})
}

func FuzzPosts(f *testing.F) {
	f.Fuzz(func(t *testing.T, content []byte, from, length int64) {
		w := Window{From: time.Unix(from, 0), Until: time.Unix(from, 0).Add(time.Duration(length))}
		l := Log{Budget: &Budget{PerFile: 1 << 16, Left: 1 << 20}, Gaps: &spoor.Gaps{}}
		read := 0
		err := l.scan(timedLog{file: bytes.NewReader(content), size: int64(len(content)), stamp: requestStamp}, w, func(line timedLine) bool {
			read += len(line.text)
			return true
		})
		if err != nil && err != errBudget { //nolint:errorlint // it is the bare sentinel
			t.Fatal(err)
		}
		if read > len(content) || read > 1<<16 || l.Budget.Left < 1<<20-1<<16 {
			t.Fatalf("read %d of %d bytes, budget left %d", read, len(content), l.Budget.Left)
		}
	})
}

func BenchmarkRequestStamp(b *testing.B) {
	line := []byte(requestLine(noon, "GET", 80))
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, ok := requestStamp(line); !ok {
			b.Fatal("not understood")
		}
	}
}
