package verdict

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// shinglesOf are the shingles of a body, as a sorted set.
func shinglesOf(body string) []uint64 {
	set := slices.Sorted(shingles(plaintext(nil, []byte(body))))
	return slices.Compact(set)
}

func TestBodiesThatSayTheSame(t *testing.T) {
	text := "Buy the cheap watches now and win a prize today for all of your friends"
	long := strings.Repeat(text+" and more of it.\n", 4)
	f := func(name, a, b string) {
		t.Helper()
		left, right := shinglesOf(a), shinglesOf(b)
		if len(left) == 0 || !slices.Equal(left, right) {
			t.Errorf("%s: %d and %d shingles are not the same", name, len(left), len(right))
		}
	}
	f("case and punctuation", text, strings.ToUpper(text)+"!!")
	f("numbers", "Your code is 1234 dear customer", "Your code is 99 dear customer")
	f("random tokens", "Your code is a81bc9d0e7 dear customer", "Your code is 77e0aa12ff dear customer")
	f("HTML tags", text, "<html><body class=\"x\"><p>"+strings.ReplaceAll(text, " ", " <b>")+"</p>")
	f("styles and scripts", text, "<style>p { color: red }</style>"+text+"<script type=a>if (a<b) alert(1)</script>")
	f("comments", text, "<!-- anything -->"+text)
	f("line ends", strings.ReplaceAll(text, " ", "\n"), strings.ReplaceAll(text, " ", "\r\n"))
	f("quoted-printable soft breaks", text, strings.ReplaceAll(text, "watches", "wat=\r\nches"))
	f("quoted-printable bytes", "Grüße an alle Kunden", "Gr=C3=BC=C3=9Fe an alle Kunden")
	f("base64", long, wrap(base64.StdEncoding.EncodeToString([]byte(long)), 76))
	f("a MIME part", long, "--=_b1\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"+
		wrap(base64.StdEncoding.EncodeToString([]byte(long)), 76)+"\n--=_b1--\n")
	f("an attachment", long, long+"\n"+wrap(base64.StdEncoding.EncodeToString(make([]byte, 500)), 76))
}

func TestBodiesThatSaySomethingElse(t *testing.T) {
	f := func(name, a, b string) {
		t.Helper()
		if left, right := shinglesOf(a), shinglesOf(b); slices.Equal(left, right) {
			t.Errorf("%s: both have the %d shingles", name, len(left))
		}
	}
	f("order of words", "the dog bites the man", "the man bites the dog")
	f("a stray bracket", "if a < b then c > d is true", "if a d is true")
	f("scripts without blanks", "限时优惠立即购买手表", "限时优惠立即购买药品")
	f("URLs in lower-case hexadecimal", "see http://x.example/?id=ab for more", "see http://x.example/?id=cd for more")
}

func TestNumbersAloneSayNothing(t *testing.T) {
	if got := shinglesOf(strings.Repeat("1 22 333 4444 a1b2c3d4e5 ", 20)); len(got) != 0 {
		t.Errorf("%d shingles, want none", len(got))
	}
}

// wrap breaks text into lines.
func wrap(text string, width int) string {
	var lines []string
	for chunk := range slices.Chunk([]byte(text), width) {
		lines = append(lines, string(chunk))
	}
	return strings.Join(lines, "\n")
}

func FuzzShingles(f *testing.F) {
	f.Add([]byte("Dear customer, your account is limited. Click <a href=\"http://x.example/?u=1\">here</a>."))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := slices.Clone(body)
		text := plaintext(nil, body)
		if len(text) > min(len(body), maxBody)+1 {
			t.Fatalf("%d bytes of text in a body of %d", len(text), len(body))
		}
		n := 0
		for range words(text) {
			n++
		}
		if n > len(text) {
			t.Fatalf("%d words in %d bytes", n, len(text))
		}
		shingled := 0
		for range shingles(text) {
			shingled++
		}
		if shingled > max(n-2, 0) {
			t.Fatalf("%d shingles of %d words", shingled, n)
		}
		first, ok := newSigner().sign(body)
		second, again := newSigner().sign(body)
		if first != second || ok != again || ok != (shingled >= minShingles) {
			t.Fatalf("signed %v and %v with %d shingles", ok, again, shingled)
		}
		if !slices.Equal(before, body) {
			t.Fatal("the body was changed")
		}
	})
}
