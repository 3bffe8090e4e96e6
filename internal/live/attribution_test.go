package live

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"spoor"
)

// Two sites with users of their own, and one whose scripts the web server runs.
const (
	shop, blog, forum = 10003, 10004, 33
	nobodys           = 20000
)

func ownerOf(uid int) spoor.Owner {
	switch uid {
	case shop:
		return spoor.Owner{UID: uid, Login: "shop", Role: spoor.RoleSite, Site: "shop.test", Sites: []string{"shop.test", "news.test"}, Exact: true}
	case blog:
		return spoor.Owner{UID: uid, Login: "blog", Role: spoor.RoleSite, Site: "blog.test"}
	case forum:
		return spoor.Owner{UID: uid, Login: "www-data", Role: spoor.RoleWebServer}
	case 1001:
		return spoor.Owner{UID: uid, Login: "dump", Role: spoor.RoleUser}
	}
	return spoor.Owner{UID: uid, Role: spoor.RoleNobody}
}

func siteAt(dir string) string {
	for _, site := range []string{"shop.test", "news.test", "blog.test", "forum.test"} {
		if dir == "/www/"+site || strings.HasPrefix(dir, "/www/"+site+"/") {
			return site
		}
	}
	return ""
}

func attributor() *Attributor {
	return &Attributor{
		Owner: ownerOf, SiteAt: siteAt,
		ScriptAt: func(domain, path string) string {
			if domain == "forum.test" && path == "/post.php" {
				return "/www/forum.test/post.php"
			}
			return ""
		},
	}
}

func file(path string, uid int) spoor.OpenFile {
	return spoor.OpenFile{FD: 5, Path: path, Readonly: true, Current: true, UID: uid}
}

func TestSourceAndScript(t *testing.T) {
	f := func(uid int, files []spoor.OpenFile, source string, sure spoor.Certainty, script string, scriptSure spoor.Certainty) {
		t.Helper()
		s := &spoor.Sighting{Process: spoor.Process{PID: 1, UID: uid}, Files: files}
		attributor().Attribute(t.Context(), s)
		if s.Source.String() != source || s.SourceKnown.Certainty != sure || s.Script != script || s.ScriptKnown.Certainty != scriptSure {
			t.Errorf("it is %s %+v, %q %+v; want %s %v, %q %v", s.Source, s.SourceKnown, s.Script, s.ScriptKnown, source, sure, script, scriptSure)
		}
	}
	const none, claim, likely, exact = spoor.CertaintyNone, spoor.CertaintyClaim, spoor.CertaintyLikely, spoor.CertaintyExact
	mailer := file("/www/shop.test/mailer.php", shop)
	f(shop, []spoor.OpenFile{mailer}, "site:shop.test", exact, mailer.Path, exact)
	f(blog, nil, "site:blog.test", likely, "", none)
	f(1001, nil, "user:dump", exact, "", none)
	f(nobodys, nil, "user:20000", exact, "", none)
	f(-1, []spoor.OpenFile{mailer}, "unknown", none, mailer.Path, claim)
	f(forum, nil, "user:www-data", exact, "", none)
	f(forum, []spoor.OpenFile{file("/www/forum.test/post.php", 1000)}, "site:forum.test", likely, "/www/forum.test/post.php", likely)
	// A script of another site of the same subscription is its own, one of another
	// customer is not.
	f(shop, []spoor.OpenFile{file("/www/news.test/a.php", 0)}, "site:shop.test", exact, "/www/news.test/a.php", exact)
	f(shop, []spoor.OpenFile{file("/www/blog.test/a.php", blog)}, "site:shop.test", exact, "/www/blog.test/a.php", claim)
	// What is no script, or outside of the sites, or written to, is not the script.
	log := file("/www/shop.test/error.log", shop)
	log.Readonly = false
	f(shop, []spoor.OpenFile{file("/etc/passwd", 0), log, file("/www/../etc/x.php", 0)}, "site:shop.test", exact, "", none)
	f(shop, []spoor.OpenFile{file("/www/shop.test/data.txt", shop), mailer}, "site:shop.test", exact, mailer.Path, exact)
	f(shop, []spoor.OpenFile{file("/www/shop.test/data.txt", shop)}, "site:shop.test", exact, "/www/shop.test/data.txt", likely)
}

func TestWhatAProcessSaysOfItselfIsAClaim(t *testing.T) {
	s := &spoor.Sighting{Process: spoor.Process{PID: 1, UID: shop}, Claims: []spoor.Variable{
		{Key: "SCRIPT_FILENAME", Value: "/www/blog.test/innocent.php"}, {Key: "REMOTE_ADDR", Value: "::ffff:203.0.113.9"}, {Key: "REQUEST_METHOD", Value: "POST"},
	}}
	attributor().Attribute(t.Context(), s)
	if s.Source.String() != "site:shop.test" || s.SourceKnown.Certainty != spoor.CertaintyExact {
		t.Errorf("the source is %s %+v", s.Source, s.SourceKnown)
	}
	if s.Script != "/www/blog.test/innocent.php" || s.ScriptKnown.Certainty != spoor.CertaintyClaim || s.Site != "blog.test" {
		t.Errorf("the script is %q %+v", s.Script, s.ScriptKnown)
	}
	if s.Client != "203.0.113.9" || s.ClientKnown.Certainty != spoor.CertaintyClaim || s.Request != "POST" {
		t.Errorf("the client is %q %+v, the request %q", s.Client, s.ClientKnown, s.Request)
	}
	s.Claims = []spoor.Variable{{Key: "SCRIPT_FILENAME", Value: "/etc/passwd"}, {Key: "REMOTE_ADDR", Value: "x"}}
	attributor().Attribute(t.Context(), s)
	if s.Script != "" || s.Client != "" {
		t.Errorf("it says %q and %q", s.Script, s.Client)
	}
	// The web server's user may not put its mail on a site by saying so.
	s = &spoor.Sighting{Process: spoor.Process{PID: 1, UID: forum}, Claims: []spoor.Variable{{Key: "SCRIPT_FILENAME", Value: "/www/blog.test/innocent.php"}}}
	attributor().Attribute(t.Context(), s)
	if s.Source.String() != "user:www-data" || s.SourceKnown.Certainty != spoor.CertaintyExact {
		t.Errorf("the source is %s %+v", s.Source, s.SourceKnown)
	}
}

func TestTheFolderIsBetterThanNothing(t *testing.T) {
	s := &spoor.Sighting{Process: spoor.Process{PID: 1, UID: forum, Dir: "/www/forum.test/inc"}}
	attributor().Attribute(t.Context(), s)
	if s.Script != "/www/forum.test/inc/" || s.ScriptKnown.Certainty != spoor.CertaintyLikely || s.Source.String() != "site:forum.test" {
		t.Errorf("it is %q %+v of %s", s.Script, s.ScriptKnown, s.Source)
	}
}

func TestInterpretersNameScriptsAnywhere(t *testing.T) {
	a := attributor()
	a.Interpreted = func(p *spoor.Process) string {
		return map[int]string{7: "/tmp/.x/bot.pl", 9: "/far/away.sh"}[p.PID]
	}
	f := func(activity spoor.Activity, pid int, parents []spoor.Process, want string) {
		t.Helper()
		s := &spoor.Sighting{Activity: activity, Process: spoor.Process{PID: pid, UID: shop}, Parents: parents}
		a.Attribute(t.Context(), s)
		if s.Script != want || want != "" && s.ScriptKnown.Certainty != spoor.CertaintyClaim {
			t.Errorf("it is %q %+v, want %q", s.Script, s.ScriptKnown, want)
		}
	}
	f(spoor.ActivityConnection, 7, nil, "/tmp/.x/bot.pl")
	of := func(pid int) spoor.Process { return spoor.Process{PID: pid, UID: shop} }
	f(spoor.ActivitySubmission, 1, []spoor.Process{of(2), of(7)}, "/tmp/.x/bot.pl")
	f(spoor.ActivitySubmission, 1, []spoor.Process{of(2), of(3), of(4), of(9)}, "") // too far away
	f(spoor.ActivitySubmission, 1, []spoor.Process{of(2), {PID: 9, UID: 0}}, "")    // somebody else's
	f(spoor.ActivityOpenScript, 7, nil, "")
}

// at is when everything happens.
func at() time.Time { return time.Unix(1_700_000_000, 0) }

// pages makes servers of which one pool and one Apache answer.
func pages(pool, apache []Worker, asked *int, wrong error) *Servers {
	answer := func(workers []Worker) *page {
		return &page{name: "a page", ask: func(context.Context) ([]Worker, error) { *asked++; return workers, wrong }}
	}
	return &Servers{pools: []*page{answer(pool)}, apache: []*page{answer(apache)}, now: at}
}

func seenBelow(server string, pid int) *spoor.Sighting {
	return &spoor.Sighting{Time: at(), Process: spoor.Process{PID: 1}, Parents: []spoor.Process{{PID: 2, Exe: "/bin/sh"}, {PID: pid, Exe: server}}}
}

func TestServersSayWhatTheirProcessesDo(t *testing.T) {
	asked := 0
	running := Worker{PID: 21, Server: "php-fpm", Script: "/www/shop.test/a.php", Method: "POST", Path: "/a.php"}
	row := Worker{PID: 31, Server: "Apache", Asked: "Apache", Method: "POST", Path: "/a.php", Host: "shop.test", Client: "203.0.113.9"}
	idle := Worker{PID: 32, Server: "Apache", Method: "POST", Path: "/post.php", Host: "forum.test", Ended: true}
	s := pages([]Worker{running}, []Worker{row, idle}, &asked, nil)
	w, ok := s.Of(t.Context(), seenBelow("/usr/sbin/php-fpm8.2", 21))
	if !ok || w.Script != running.Script || w.Client != "203.0.113.9" || w.Asked != "Apache" || w.Server != "php-fpm" {
		t.Errorf("it is %+v, %v", w, ok)
	}
	if _, ok := s.Of(t.Context(), seenBelow("/home/shop/php-fpm", 22)); ok {
		t.Error("a process that only looks like one of php-fpm is believed")
	}
	if w, ok := s.Of(t.Context(), seenBelow("/usr/sbin/apache2", 31)); !ok || w.Path != "/a.php" {
		t.Errorf("it is %+v, %v", w, ok)
	}
	if w, ok := s.Of(t.Context(), seenBelow("/usr/sbin/apache2", 32)); ok {
		t.Errorf("a request that has ended is taken: %+v", w)
	}
	if asked != 2 {
		t.Errorf("the pages were asked %d times at one moment, want 2", asked)
	}
}

// What a worker did last says nothing of what it does since.
func TestAnOldAnswerIsNotTakenForANewRequest(t *testing.T) {
	asked := 0
	now := at()
	s := pages([]Worker{{PID: 21, Server: "php-fpm", Script: "/www/shop.test/a.php", Ended: true}}, nil, &asked, nil)
	s.now = func() time.Time { return now }
	first := seenBelow("/usr/sbin/php-fpm", 21)
	if w, ok := s.Of(t.Context(), first); !ok || !w.Ended {
		t.Errorf("it is %+v, %v", w, ok)
	}
	second := seenBelow("/usr/sbin/php-fpm", 21)
	second.Time = at().Add(askAgain / 2)
	now = second.Time
	if w, ok := s.Of(t.Context(), second); ok || asked != 1 {
		t.Errorf("it is %+v, %v, asked %d times", w, ok, asked)
	}
}

// Two clients ask for the same at once: either may be the one.
func TestAnAmbiguousClientIsNotNamed(t *testing.T) {
	asked := 0
	running := Worker{PID: 21, Server: "php-fpm", Method: "POST", Path: "/a.php"}
	rows := []Worker{{PID: 31, Method: "POST", Path: "/a.php", Client: "203.0.113.9"}, {PID: 32, Method: "POST", Path: "/a.php", Client: "203.0.113.10"}}
	w, ok := pages([]Worker{running}, rows, &asked, nil).Of(t.Context(), seenBelow("/usr/sbin/php-fpm", 21))
	if !ok || w.Client != "" {
		t.Errorf("it is %+v, %v", w, ok)
	}
}

func TestAServerThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	asked := 0
	s := pages(nil, nil, &asked, errors.New("timeout"))
	for range 5 {
		if _, ok := s.Of(t.Context(), seenBelow("/usr/sbin/php-fpm", 21)); ok {
			t.Error("nothing is said, and it is known")
		}
	}
	if asked != 1 || len(s.Gaps()) != 1 {
		t.Errorf("it was asked %d times, and the gaps are %v", asked, s.Gaps())
	}
}

func TestAScriptByItsRequest(t *testing.T) {
	a := attributor()
	a.Workers = func(context.Context, *spoor.Sighting) (Worker, bool) {
		return Worker{PID: 31, Server: "Apache", Method: "POST", Path: "/post.php", Host: "forum.test", Client: "203.0.113.9", Asked: "Apache"}, true
	}
	s := &spoor.Sighting{Process: spoor.Process{PID: 1, UID: forum}}
	a.Attribute(t.Context(), s)
	if s.Script != "/www/forum.test/post.php" || s.ScriptKnown.Certainty != spoor.CertaintyLikely || s.Request != "POST /post.php" || s.Client != "203.0.113.9" {
		t.Errorf("it is %+v", s)
	}
}

func TestOneSubmissionIsToldOnce(t *testing.T) {
	f := newFamily()
	see := func(want bool, pid, parent int) {
		t.Helper()
		s := &spoor.Sighting{Time: at(), Process: spoor.Process{PID: pid}, Parents: []spoor.Process{{PID: parent}}}
		if got := f.first(s); got != want {
			t.Errorf("%d, a child of %d: %v, want %v", pid, parent, got, want)
		}
	}
	see(true, 10, 1)
	see(false, 10, 1)  // sendmail becomes exim
	see(false, 11, 10) // sendmail starts postdrop
	see(true, 12, 1)
	far := &spoor.Sighting{Time: at(), Process: spoor.Process{PID: 14}, Parents: []spoor.Process{{PID: 13}, {PID: 12}}}
	if f.first(far) {
		t.Error("a wrapper's sendmail starts postdrop, and that is told")
	}
	see(true, 20, 13) // a child of a shell that a program that takes mail has not started
	reused := &spoor.Sighting{Time: at(), Process: spoor.Process{PID: 10, Start: time.Second}}
	if !f.first(reused) {
		t.Error("another process with the same PID is taken for the first")
	}
}

// A program that takes mail runs what its caller says.
func TestAFamilyIsNoHidingPlace(t *testing.T) {
	f, told := newFamily(), 0
	for pid := range 100 {
		if f.first(&spoor.Sighting{Time: at(), Process: spoor.Process{PID: 10 + pid}, Parents: []spoor.Process{{PID: 10}}}) {
			told++
		}
	}
	if told != 100-familyMore {
		t.Errorf("%d of 100 are told", told)
	}
}

func TestTheFamilyForgets(t *testing.T) {
	f := newFamily()
	for pid := range familySize + 10 {
		f.first(&spoor.Sighting{Time: at(), Process: spoor.Process{PID: pid}})
	}
	if len(f.seen) > familySize {
		t.Errorf("it remembers %d", len(f.seen))
	}
}

func TestTally(t *testing.T) {
	tally := NewTally()
	site := spoor.Source{Kind: spoor.KindSite, Name: "shop.test"}
	add := func(after time.Duration, activity spoor.Activity, script, client string) {
		tally.Add(&spoor.Sighting{
			Time: at().Add(after), Activity: activity, Source: site, Process: spoor.Process{UID: shop}, Script: script,
			Client: client, ClientKnown: spoor.Known{Certainty: spoor.CertaintyLikely},
		})
	}
	for range 3 {
		add(0, spoor.ActivityOpenScript, "/open.php", "")
	}
	add(0, spoor.ActivitySubmission, "/a.php", "203.0.113.1")
	add(20*time.Second, spoor.ActivitySubmission, "/a.php", "203.0.113.2")
	add(20*time.Second, spoor.ActivitySubmission, "/b.php", "")
	lines := tally.Lines(at().Add(25 * time.Second))
	if len(lines) != 3 || tally.Count != 6 {
		t.Fatalf("they are %+v", lines)
	}
	if d := lines[0]; d.Script != "/a.php" || d.Count != 2 || d.Recent != 1 || d.Clients != 2 || d.Client != "203.0.113.2" || d.Last.Sub(d.First) != 20*time.Second {
		t.Errorf("the first is %+v", d)
	}
	if lines[2].Activity != spoor.ActivityOpenScript {
		t.Errorf("the last is %+v", lines[2])
	}
}

// A tenant invents names; another one is still told.
func TestTheTallyHasABound(t *testing.T) {
	tally := NewTally()
	for i := range maxLines + 100 {
		tally.Add(&spoor.Sighting{Time: at(), Process: spoor.Process{UID: shop}, Script: strings.Repeat("x", i)})
	}
	tally.Add(&spoor.Sighting{Time: at(), Process: spoor.Process{UID: blog}, Script: "/b.php"})
	lines := tally.Lines(at())
	if len(lines) != maxLines+1 || tally.Folded != 101 || tally.Count != maxLines+101 {
		t.Errorf("%d lines, %d folded, %d in all", len(lines), tally.Folded, tally.Count)
	}
	if !slices.ContainsFunc(lines, func(d spoor.Doing) bool { return d.UID == blog && d.Count == 1 }) {
		t.Error("the other is not told")
	}
}
