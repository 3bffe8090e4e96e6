package trace

import (
	"fmt"
	"slices"
	"testing"

	"spoor"
)

func TestAMailLogThatHasTheMessageIDsNamesTheScripts(t *testing.T) {
	var messages []*spoor.Message
	for i := range 4 {
		messages = append(messages, &spoor.Message{MessageID: fmt.Sprintf("<%d@x>", i)})
	}
	messages = append(messages, &spoor.Message{})
	mails := []spoor.ScriptMail{
		{Script: "/www/other.php"},
		{Script: "/www/other.php", MessageID: "<9@x>"},
		{Script: "/www/mailer.php", MessageID: "<0@x>", Place: spoor.Evidence{Line: 7}},
		{Script: "/www/forged.php", MessageID: "<0@x>"}, // a later line of the same ID
		{Script: "/www/mailer.php", MessageID: "<1@x>", Place: spoor.Evidence{Line: 9}},
		{Script: "/www/contact.php", MessageID: "<2@x>"},
	}
	var got []string
	for _, c := range MatchMails(messages, mails) {
		got = append(got, fmt.Sprintf("%s %.2f %d: %s", c.Source, c.Confidence, len(c.Evidence), c.Text))
	}
	want := []string{
		"script:/www/mailer.php 0.38 2: the PHP mail log has the Message-ID of 2 of 5 messages under this script",
		"script:/www/contact.php 0.19 1: the PHP mail log has the Message-ID of 1 of 5 messages under this script",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if found := MatchMails(messages[4:], mails); found != nil {
		t.Errorf("no Message-ID matched %v", found)
	}
}
