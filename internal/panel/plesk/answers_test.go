package plesk

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel/plesk/plesktest"
)

// TestAnswersStandForTheDatabase asks a real server, and then what it has answered,
// in a tree without one.
func TestAnswersStandForTheDatabase(t *testing.T) {
	m := plesktest.Start(t)
	for name, c := range map[string]struct {
		passwd string
		sql    []string
	}{
		"Plesk 8 and 9":      {oldPasswd, []string{"testdata/psa-8.sql", "testdata/mail-8.sql"}},
		"Plesk 12 and later": {newPasswd, []string{"testdata/psa-10.sql", "testdata/psa-10-rows.sql", "testdata/mail-10.sql"}},
	} {
		t.Run(name, func(t *testing.T) {
			m.Load(t, c.sql...)
			asked := openWith(t, m, redHatSocket, map[string]string{"etc/passwd": c.passwd})
			policy, err := asked.MailPolicy(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(asked.Answers())
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"password", plesktest.Shadow, "account_id"} {
				if strings.Contains(string(text), secret) {
					t.Errorf("%q is in the answers", secret)
				}
			}
			again := openTree(t, c.passwd, string(text))
			kept, err := again.MailPolicy(t.Context())
			if err != nil || !reflect.DeepEqual(kept, policy) {
				t.Errorf("%v: the policy was\n%+v\nand is\n%+v", err, policy, kept)
			}
			if !reflect.DeepEqual(again.records, asked.records) || len(asked.records.users) == 0 {
				t.Errorf("the records were\n%+v\nand are\n%+v", asked.records, again.records)
			}
			if !reflect.DeepEqual(again.Answers(), asked.Answers()) {
				t.Errorf("the answers were\n%+v\nand are\n%+v", asked.Answers(), again.Answers())
			}
			wantGaps(t, again)
		})
	}
}

func openTree(t *testing.T, passwd, answers string) *Panel {
	t.Helper()
	root := hosttest.Tree(t, map[string]string{
		"etc/passwd": passwd, "etc/psa/psa.conf": "HTTPD_VHOSTS_D /var/www/vhosts\n", "var/www/vhosts/": "", strings.Trim(AnswersFile, "/"): answers,
	})
	var gaps spoor.Gaps
	people, err := root.Passwd(&gaps)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), root, people)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDamagedAnswersAreAGap(t *testing.T) {
	for _, text := range []string{"", "{", `{"schema":"other/1"}`, `{"schema":"spoor.psa/1","tables":[{"table":"domains","columns":["id","name"],"rows":[["1"]]}]}`, `{"schema":"spoor.psa/1"}`} {
		p := openTree(t, newPasswd, text)
		if gaps := p.Gaps(); len(gaps) != 1 || gaps[0].File != AnswersFile {
			t.Errorf("%q: %+v", text, gaps)
		}
		if policy, err := p.MailPolicy(t.Context()); err != nil || !policy.Unasked || len(policy.Gaps) != 1 {
			t.Errorf("%q: %+v, %v", text, policy, err)
		}
	}
}

// upper is a Renamer that shows what it was given.
type upper struct{}

func (upper) Text(b []byte)              { copy(b, strings.ToUpper(string(b))) }
func (upper) Learn(string)               {}
func (upper) Line(_ string, line []byte) { copy(line, strings.Repeat("w", len(line))) }

func TestEveryNameOfPsaIsReplaced(t *testing.T) {
	value := func(text string) *string { return &text }
	a := &Answers{Schema: answersSchema, Place: "/s", Tables: []Answer{
		{Table: "domains", Columns: []string{"id", "name"}, Rows: [][]*string{{value("1"), value("shop.test")}, {value("2"), nil}}},
		{Table: "subdomains", Columns: []string{"name"}, Rows: [][]*string{{value("blog")}}},
		{Table: "mail", Columns: []string{"mail_name", "redirect"}, Rows: [][]*string{{value("ada"), value("true")}}},
		{Table: "Parameters", Columns: []string{"id", "parameter", "value"}, Rows: [][]*string{
			{value("1"), value("nonexist_mail"), value("reject")}, {value("1"), value("catch_addr"), value("ada")}, {value("1"), value("bounce_mess"), value("no\nbody")},
		}},
	}}
	text, err := json.Marshal(a.Rename(upper{}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":"spoor.psa/1","place":"/s","tables":[{"table":"domains","columns":["id","name"],"rows":[["1","SHOP.TEST"],["2",null]]},` +
		`{"table":"subdomains","columns":["name"],"rows":[["BLOG"]]},{"table":"mail","columns":["mail_name","redirect"],"rows":[["ADA","true"]]},` +
		`{"table":"Parameters","columns":["id","parameter","value"],"rows":[["1","nonexist_mail","reject"],["1","catch_addr","ADA"],["1","bounce_mess","wwwwwww"]]}]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if *a.Tables[0].Rows[0][1] != "shop.test" {
		t.Error("the answers themselves were changed")
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(`{"schema":"spoor.psa/1","place":"/s","tables":[{"table":"sys_users","columns":["id","login","home"],"rows":[["1","a",null]]},{"table":"domains","columns":["id","name"],"rows":[["1","a.test"]]},{"table":"hosting","columns":["dom_id","sys_user_id"],"rows":[["1","1"]]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p := openTree(t, newPasswd, text)
		_ = p.Sites()
		_ = p.Owner(10007)
		if _, err := p.MailPolicy(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
