package postfix

import (
	"bytes"
	"os"
	"testing"

	"spoor"
)

// commonLines are what a busy server logs most, about as often as it does.
const commonLines = `Nov 23 10:00:00 mx1 postfix/smtpd[2001]: connect from host-198.51.100.7.isp.example[198.51.100.7]
Nov 23 10:00:00 mx1 postfix/smtpd[2001]: 4jY1nY1GcDz5vSQ: client=host-198.51.100.7.isp.example[198.51.100.7]
Nov 23 10:00:00 mx1 postfix/cleanup[2002]: 4jY1nY1GcDz5vSQ: message-id=<1795428397315.23137.4@remote0002.test>
Nov 23 10:00:00 mx1 postfix/qmgr[913]: 4jY1nY1GcDz5vSQ: from=<u282559@remote0002.test>, size=14365, nrcpt=1 (queue active)
Nov 23 10:00:00 mx1 postfix/smtpd[2001]: disconnect from host-198.51.100.7.isp.example[198.51.100.7] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5
Nov 23 10:00:01 mx1 postfix/smtp[2004]: 4jY1nY1GcDz5vSQ: to=<u1841@remote0100.test>, relay=mx1.remote.test[203.0.113.4]:25, delay=1.2, delays=0.1/0/0.4/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4F2A9C01)
Nov 23 10:00:01 mx1 postfix/submission/smtpd[2005]: connect from unknown[192.0.2.4]
Nov 23 10:00:01 mx1 postfix/submission/smtpd[2005]: Anonymous TLS connection established from unknown[192.0.2.4]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256
Nov 23 10:00:01 mx1 postfix/submission/smtpd[2005]: 4jY1nY1Hhdz5vSR: client=unknown[192.0.2.4], sasl_method=PLAIN, sasl_username=anna@example.com
Nov 23 10:00:01 mx1 postfix/smtp[2004]: 4jY1nY1Hhdz5vSR: to=<eva@bigmail.test>, relay=mx2.bigmail.test[203.0.113.9]:25, delay=3, delays=0.1/0/0.4/2.5, dsn=4.7.1, status=deferred (host mx2.bigmail.test[203.0.113.9] said: 421 4.7.1 Too many messages from your IP, try again later (in reply to MAIL FROM command))
Nov 23 10:00:01 mx1 postfix/qmgr[913]: 4jY1nY1GcDz5vSQ: removed
Nov 23 10:00:02 mx1 postfix/postscreen[777]: CONNECT from [192.0.2.9]:4242 to [192.0.2.1]:25
Nov 23 10:00:02 mx1 postfix/anvil[888]: statistics: max connection rate 4/60s for (smtp:192.0.2.9) at Nov 10 00:00:00
Nov 23 10:00:02 mx1 dovecot: imap-login: Login: user=<anna@example.com>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1, mpid=77, TLS, session=<YADINsQCDs5BH8Pg>
Nov 23 10:00:02 mx1 CRON[99]: pam_unix(cron:session): session opened for user root
`

// BenchmarkParse parses common lines, or the log that SPOOR_LOG names. What
// takes the headers apart is not measured.
func BenchmarkParse(b *testing.B) {
	log := []byte(commonLines)
	if name := os.Getenv("SPOOR_LOG"); name != "" {
		var err error
		if log, err = os.ReadFile(name); err != nil {
			b.Fatal(err)
		}
	}
	var lines []spoor.Line
	for text := range bytes.Lines(log) {
		lines = append(lines, splitLine(bytes.TrimSuffix(text, []byte{'\n'})))
	}
	p := NewParser()
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		for i := range lines {
			e := spoor.Event{}
			p.Parse(&lines[i], &e)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(lines)), "ns/line")
}
