package verdict

import (
	"fmt"
	"testing"
	"time"

	"spoor"
)

// hackedSite is mail that a script sends under the site's own address, to one
// recipient a message.
func hackedSite(messages int) spoor.Traffic {
	return ownedBy("post@site1.example", source(spoor.KindSite, "site1.example", messages, 1))
}

func TestMassMailOfASite(t *testing.T) {
	listed := hackedSite(400)
	listed.Bulk = 400
	uploaded := hackedSite(400)
	uploaded.Candidates = []spoor.Candidate{
		{Source: spoor.Source{Kind: spoor.KindScript, Name: "/var/www/vhosts/site1.example/httpdocs/index.php"}, Confidence: 0.7},
		{Source: spoor.Source{Kind: spoor.KindScript, Name: "/var/www/vhosts/site1.example/httpdocs/wp-content/uploads/2026/11/a.php"}, Confidence: 0.6},
	}
	for _, c := range []struct {
		name    string
		traffic spoor.Traffic
		write   writer
		every   time.Duration // between two messages
		want    spoor.Class
	}{
		{"a letter to 400 strangers within minutes", hackedSite(400), letter(1), time.Second, spoor.Suspect},
		{"the same from a script among uploads", uploaded, letter(1), time.Second, spoor.Spam},
		{"order confirmations of two weeks", hackedSite(400), letter(1), time.Hour, spoor.Normal},
		{"a newsletter that names its list", listed, letter(1), time.Second, spoor.Normal},
		{"sixty order confirmations in a rush", hackedSite(60), letter(1), time.Second, spoor.Normal},
		{"400 messages that have nothing in common", hackedSite(400), soup(1), time.Second, spoor.Normal},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(500, 900)
			s.add(c.traffic, c.write)
			for n, m := range s.queue.Traffic[0].Samples {
				m.Arrived = m.Arrived.Add(time.Duration(n) * (c.every - time.Second))
			}
			if got := s.judge(t); got.Class != c.want {
				t.Errorf("is %s, want %s\n%s", got.Class, c.want, lines(got))
			}
		})
	}
}

// A monitor in trouble, the notices of a contact form: one text, again and again, to the
// few who are to know.
func TestManyNoticesToFewAreNoMassMail(t *testing.T) {
	for kind, want := range map[spoor.Kind]spoor.Class{spoor.KindSite: spoor.Normal, spoor.KindUser: spoor.Normal} {
		s := newStage(500, 900)
		s.add(ownedBy("post@site1.example", source(kind, "site1.example", 400, 1)), letter(1))
		for n, m := range s.queue.Traffic[0].Samples {
			m.Recipients.CountOnly = true
			m.Recipients.Add(spoor.ChannelRemote, false, fmt.Appendf(nil, "Admin%d@far.example", n%3))
		}
		got := s.judge(t)
		if got.Class != want {
			t.Errorf("%s is %s, want %s\n%s", kind, got.Class, want, lines(got))
		}
		for _, reason := range got.Reasons {
			if reason.Symbol == "UNLISTED_BULK" {
				t.Errorf("%s: %s", kind, reason.Text)
			}
		}
	}
}

func TestUnlistedBulkSaysWhatItSaw(t *testing.T) {
	s := newStage(500, 900)
	s.add(hackedSite(400), letter(1))
	got := reasonOf(t, s.judge(t), "UNLISTED_BULK")
	if got.Weight != 1.5 || got.Count != 400 || got.Text != "about 400 messages say nearly the same, most of them within 3 minutes, and name no list" || len(got.Evidence) == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestMisplaced(t *testing.T) {
	for script, want := range map[string]bool{
		"/var/www/vhosts/a.example/httpdocs/wp-content/uploads/2026/11/a.php": true,
		"/home/anna/public_html/images/x.php":                                 true,
		"/home/anna/public_html/.cache/x.php":                                 true,
		"/home/anna/public_html/shop/.x.php":                                  true,
		"/tmp/mail.php":                                                       true,
		"/dev/shm/x.php":                                                      true,
		"/home/tmp/public_html/contact.php":                                   false, // a user of that name
		"/srv/images/www/contact.php":                                         false,
		"/home/.disk2/anna/public_html/contact.php":                           false,
		"/var/www/vhosts/a.example/httpdocs/wp-content/plugins/mail/mail.php": false,
		"/var/www/vhosts/a.example/httpdocs/Uploads/a.php":                    true,
		"/home/images/shop.example/contact.php":                               false, // the same without such a folder
		"/home/temp/mail.php":                                                 false,
		"/home/anna/shop.example/images/v1.2/mail.php":                        true,
		"/home/anna/tmp/mail.php":                                             true,
		"/tmp/shop.example/mail.php":                                          true,
		"mailer.php":                                                          false,
		"":                                                                    false,
	} {
		if got := misplaced(script); got != want {
			t.Errorf("misplaced(%q) is %t", script, got)
		}
	}
}
