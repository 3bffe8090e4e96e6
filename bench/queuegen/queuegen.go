// Package queuegen writes queues of Postfix and spools of Exim that are full of
// deferred mail, for benchmarks: a folder and a number go in, files in the form
// that the MTA itself writes come out.
//
// Names, addresses and networks are those reserved for documentation (RFC 2606,
// RFC 5737).
package queuegen

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options say what to generate.
type Options struct {
	Dir      string // root of the server; must not hold a queue yet
	Messages int
	Seed     uint64
	Now      time.Time // the moment at which the queue is caught
}

const (
	hostname = "mx1.example.com"
	domain   = "example.com"
	accounts = 40 // a tenth of them sends most of the mail
	reason   = "host mx.bigmail.test[198.51.100.25] said: 450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. Please resend your message at a later time (in reply to RCPT TO command)"
)

// letter is one message before it has the form of an MTA.
type letter struct {
	number     int
	arrived    time.Time
	account    string // SMTP login; "" for a local user
	client     string
	uid        int
	sender     string
	recipients []string
	subject    string
	body       string
}

// author draws letters.
type author struct {
	random  *rand.Rand
	options Options
}

func newAuthor(o Options) *author {
	return &author{random: rand.New(rand.NewPCG(o.Seed, 0)), options: o}
}

// letter draws the next letter: two thirds come from few accounts that were
// stolen, the rest from accounts and local users with ordinary mail.
func (a *author) letter(number int) letter {
	r := a.random
	l := letter{number: number, arrived: a.options.Now.Add(-time.Duration(r.IntN(5*86400e6)) * time.Microsecond), uid: -1}
	who := r.IntN(accounts)
	spam := r.IntN(3) < 2
	if spam {
		who = r.IntN(accounts / 10)
	}
	l.account = fmt.Sprintf("user%d@%s", who, domain)
	l.sender = l.account
	l.client = fmt.Sprintf("192.0.2.%d", who+1)
	if !spam && r.IntN(3) == 0 {
		l.account, l.client, l.uid = "", "", 10000+who
		l.sender = fmt.Sprintf("site%d@%s", who, hostname)
	}
	if spam {
		l.client = fmt.Sprintf("203.0.113.%d", r.IntN(200)+1)
		l.sender = fmt.Sprintf("%s%d@brand.test", word(r), r.IntN(900))
	}
	for range 1 + r.IntN(1+7*boolInt(spam)) {
		l.recipients = append(l.recipients, fmt.Sprintf("%s%d@%s.test", word(r), r.IntN(90000), word(r)))
	}
	l.subject = word(r) + " " + word(r) + " " + word(r)
	l.body = text(r, 1200+r.IntN(1200))
	return l
}

func boolInt(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

var words = strings.Fields("account invoice offer meeting garden river window system letter market winter summer doctor number paper " +
	"island school family engine money bridge forest kitchen station village morning evening orange silver copper")

func word(r *rand.Rand) string { return words[r.IntN(len(words))] }

// text is lines of words, some length in bytes.
func text(r *rand.Rand, length int) string {
	var b strings.Builder
	column := 0
	for b.Len() < length {
		w := word(r)
		b.WriteString(w)
		if column += len(w) + 1; column > 70 {
			b.WriteByte('\n')
			column = 0
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// header is the part of the header that the author of a letter writes.
func (l *letter) header() []string {
	return []string{
		"From: " + l.sender,
		"To: " + l.recipients[0],
		"Subject: " + l.subject,
		fmt.Sprintf("Message-ID: <%d.%d@%s>", l.number, l.arrived.Unix(), hostname),
		"Date: " + l.arrived.Format(time.RFC1123Z),
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=utf-8",
	}
}

// write writes a file of a root, which must not be there.
func write(dir, name, content string, mode os.FileMode) error {
	full := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return err
	}
	return os.WriteFile(full, []byte(content), mode)
}

// passwd is the user database of the server.
func passwd() string {
	var b strings.Builder
	b.WriteString("root:x:0:0::/root:/bin/sh\npostfix:x:102:105::/var/spool/postfix:/bin/false\nDebian-exim:x:103:106::/var/spool/exim4:/bin/false\n")
	for i := range accounts {
		fmt.Fprintf(&b, "site%d:x:%d:%d::/var/www/site%d:/bin/sh\n", i, 10000+i, 10000+i, i)
	}
	return b.String()
}
