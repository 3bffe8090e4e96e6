package origin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host"
)

// server is a root with a key and a log in two files.
type server struct {
	t   *testing.T
	dir string
	key Key
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), key: NewKey()}
	s.write("/var/lib/spoor/"+KeyName, s.key.String())
	return s
}

func (s *server) write(name, text string) {
	s.t.Helper()
	name = filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) id(uid int) string {
	return s.key.Sign(ID{Issued: time.Unix(1795427000, 0), UID: uid, Nonce: NewNonce()})
}

func (s *server) line(r Record) string {
	s.t.Helper()
	line, err := r.Append(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(line)
}

func (s *server) book() *Book {
	s.t.Helper()
	root, err := host.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = root.Close() })
	return Open(root, "/var/lib/spoor")
}

func TestLookup(t *testing.T) {
	s := newServer(t)
	now, old, lost, note := s.id(10003), s.id(10004), s.id(10005), "u.dp2z8vqtc0f5.10006.7"
	owner := 10003
	s.write(LogPath, s.line(Record{ID: now, Facts: Facts{UID: 10003, Exe: "/usr/sbin/sendmail", Shim: true, Dir: "/w", Script: "/w/a.php", ScriptUID: &owner}})+
		s.line(Record{ID: note, From: FromSpool, Facts: Facts{UID: 10006}, Claims: Claims{Script: "/claimed.php"}})+"half a li")
	s.write(LogPath+".1", "nonsense\n"+strings.Repeat("x", 2*MaxLine)+"\n"+s.line(Record{ID: old, Facts: Facts{UID: 10004}}))
	b := s.book()
	if len(b.Gaps()) != 0 {
		t.Errorf("gaps before anything was asked: %v", b.Gaps())
	}
	o := b.Lookup(" " + now + "\n")
	if o.Proof != spoor.OriginSigned || !o.Recorded || o.UID != 10003 || o.Script != "/w/a.php" || o.ScriptUID != 10003 || !o.ByShim || o.Place.Line != 1 || o.Place.File != LogPath {
		t.Errorf("%+v", o)
	}
	if o := b.Lookup(old); o.Proof != spoor.OriginSigned || !o.Recorded || o.Place.Line != 3 || o.Place.File != LogPath+".1" {
		t.Errorf("rotated: %+v", o)
	}
	if o := b.Lookup(lost); o.Proof != spoor.OriginSigned || o.Recorded || o.UID != 10005 {
		t.Errorf("no line: %+v", o)
	}
	if o := b.Lookup(note); o.Proof != spoor.OriginUnsigned || !o.Recorded || o.UID != 10006 || o.Script != "" || o.Claimed != "/claimed.php" {
		t.Errorf("unsigned: %+v", o)
	}
	for _, value := range []string{"", "x", NewKey().Sign(ID{UID: 10003, Issued: time.Now()}), strings.Replace(now, ".10003.", ".0.", 1)} {
		if o := b.Lookup(value); o.Proof != spoor.OriginForged || o.Recorded {
			t.Errorf("%q: %+v", value, o)
		}
	}
	if len(b.Gaps()) != 2 {
		t.Errorf("gaps %v", b.Gaps())
	}
}

// A line of the log under an ID that it does not go with tells nothing.
func TestLineOfAnotherUser(t *testing.T) {
	s := newServer(t)
	id := s.id(10003)
	s.write(LogPath, s.line(Record{ID: id, Facts: Facts{UID: 0, Script: "/w/a.php"}}))
	if o := s.book().Lookup(id); o.Recorded || o.UID != 10003 || o.Script != "" {
		t.Errorf("%+v", o)
	}
}

func TestServerWithoutKey(t *testing.T) {
	s := newServer(t)
	id := s.id(1)
	s.write("/var/lib/spoor/"+KeyName, "garbage")
	b := s.book()
	if o := b.Lookup(id); o.Proof != spoor.OriginUnchecked || len(b.Gaps()) != 1 {
		t.Errorf("%+v %v", o, b.Gaps())
	}
	if err := os.Remove(filepath.Join(s.dir, "var/lib/spoor", KeyName)); err != nil {
		t.Fatal(err)
	}
	b = s.book()
	if o := b.Lookup(id); o.Proof != spoor.OriginUnchecked || len(b.Gaps()) != 0 {
		t.Errorf("%+v %v", o, b.Gaps())
	}
}
