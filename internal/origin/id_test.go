package origin

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestIDsComeBack(t *testing.T) {
	key := NewKey()
	id := ID{Issued: time.Unix(1795427000, 0).UTC(), UID: 10003, Nonce: NewNonce()}
	text := key.Sign(id)
	if got, err := key.Verify(text); err != nil || got != id {
		t.Fatalf("%v: %+v", err, got)
	}
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "" || len(text) > 100 {
		t.Errorf("%q is nothing for a header", text)
	}
	if _, err := NewKey().Verify(text); !errors.Is(err, ErrForged) {
		t.Errorf("another key: %v", err)
	}
	parts := strings.Split(text, ".")
	for i, other := range []string{"2", "1z", "0", "0011223344556677", "AAAAAAAAAAAAAAAAAAAAAA"} {
		changed := append([]string{}, parts...)
		changed[i] = other
		if _, err := key.Verify(strings.Join(changed, ".")); err == nil {
			t.Errorf("part %d can be changed", i)
		}
	}
	if _, err := key.Verify("u.abc.10003.7"); !errors.Is(err, ErrUnsigned) {
		t.Error(err)
	}
}

func TestKeysComeBack(t *testing.T) {
	key := NewKey()
	if got, err := ParseKey([]byte(key.String())); err != nil || got != key {
		t.Error(err)
	}
	for _, text := range []string{"", "spoor-origin-key-1 ", "spoor-origin-key-1 00", key.String()[1:], strings.ToUpper(key.String())} {
		if _, err := ParseKey([]byte(text)); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzVerify wants that a key takes nothing that it has not signed. The same ID can
// be written in one way only.
func FuzzVerify(f *testing.F) {
	key, _ := ParseKey([]byte(keyHead + strings.Repeat("07", keyBytes)))
	f.Add(key.Sign(ID{Issued: time.Unix(1795427000, 0), UID: 10003}))
	f.Add("1.tp46zb.0.a9cb546e59a2709e.AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("u.1.2.3")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := key.Verify(text)
		if err == nil && key.Sign(id) != text {
			t.Errorf("%q is taken for %q", text, key.Sign(id))
		}
	})
}

// FuzzParseRecord reads lines of a log that somebody may have damaged.
func FuzzParseRecord(f *testing.F) {
	r := Record{ID: "1.x", Facts: Facts{UID: 7, Parents: []Process{{PID: 1}}}}
	line, err := r.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRecord(line)
		if err != nil {
			return
		}
		_ = r.Text()
		if again, err := r.Append(nil); err != nil || strings.Count(string(again), "\n") != 1 {
			t.Errorf("%v: %q", err, again)
		}
	})
}
