package exim

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
)

func TestEveryDamageIsOneGapAndNeverAPanic(t *testing.T) {
	whole := spoolFile(idOfOne, overNetwork, noTree, []string{"c@d.test"}, receivedBy(idOfOne)+headerLine(' ', "Subject: s"))
	tests := map[string]struct{ file, reason string }{
		"whole":                            {whole, ""},
		"empty":                            {"", errFirstLine.Error()},
		"of another message":               {strings.Replace(whole, idOfOne, "1xVRQq-0007Zw-2c", 1), errFirstLine.Error()},
		"cut behind the name":              {idOfOne + "-H\n", errEnvelope.Error()},
		"no UID":                           {strings.Replace(whole, "site1 1001 1001", "site1", 1), errEnvelope.Error()},
		"UID is no number":                 {strings.Replace(whole, "site1 1001 1001", "site1 x y", 1), errEnvelope.Error()},
		"sender without brackets":          {strings.Replace(whole, "<a@b.test>", "a@b.test", 1), errEnvelope.Error()},
		"time is no number":                {strings.Replace(whole, "1795430266 0", "soon 0", 1), errEnvelope.Error()},
		"a raw value longer than the file": {strings.Replace(whole, "XX\n", "-aclm 0 99999\nx\n", 1), errEnvelope.Error()},
		"a raw value of negative length":   {strings.Replace(whole, "XX\n", "-aclc 0 -5\nx\n", 1), errEnvelope.Error()},
		"variables never end":              {whole[:strings.Index(whole, "XX\n")], errEnvelope.Error()},
		"count is no number":               {strings.Replace(whole, "XX\n1\n", "XX\nmany\n", 1), errRecipients.Error()},
		"count beyond the file":            {strings.Replace(whole, "XX\n1\n", "XX\n4000000\n", 1), errRecipients.Error()},
		"count beyond reason":              {strings.Replace(whole, "XX\n1\n", "XX\n999999999\n", 1), errRecipients.Error()},
		"count too small":                  {strings.Replace(whole, "XX\n1\n", "XX\n0\n", 1), errHeaders.Error()},
		"a tree without end":               {strings.Replace(whole, "XX\n", "YY a@b.test\nNN c@d.test\n", 1), errRecipients.Error()},
		"header line longer than the file": {whole + "999  X: y\n", errHeaders.Error()},
		"header line of negative length":   {whole + "-01  X: y\n", errHeaders.Error()},
		"header line with a NUL":           {whole + headerLine(' ', "X: \x00"), errHeaders.Error()},
		"length of many digits":            {whole + "99999999999999999999  X: y\n", errHeaders.Error()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, reason := one(t, map[string]string{"input/q/" + idOfOne + "-H": test.file, "input/q/" + idOfOne + "-D": idOfOne + "-D\nbody\n"})
			if reason != test.reason {
				t.Errorf("gap %q, want %q", reason, test.reason)
			}
			if test.reason == errHeaders.Error() && (!m.HasEnvelope || m.Trail.Entry() == nil) {
				t.Error("damaged header lines spoil the envelope")
			}
		})
	}
}

func TestAMissingBodyIsAGap(t *testing.T) {
	m, reason := one(t, map[string]string{"input/" + idOfOne + "-H": spoolFile(idOfOne, asUser, noTree, []string{"c@d.test"}, headerLine(' ', "Subject: s"))})
	if reason != gapNoData || m.Subject != "s" || m.Recipients.Len() != 1 {
		t.Errorf("gap %q, %+v", reason, m)
	}
}

func TestFilesThatAreNoMessages(t *testing.T) {
	messages, scan := scanAll(t, spoolWith(t, map[string]string{
		"input/hdr." + idOfOne: "x", "input/" + idOfOne + "-D": "x", "input/q/" + idOfOne + "-J": "x", "input/q/" + idOfOne + "-K": "x",
		"input/q/" + idOfOne + "-H.bak": "x", "input/q/short-H": "x", "input/qq/" + idOfOne + "-H": "x", "input/q/z/" + idOfOne + "-H": "x",
	}))
	if len(messages) != 0 || !scan.Complete {
		t.Errorf("%d messages, complete %v", len(messages), scan.Complete)
	}
	if gaps := scan.Gaps.List(); len(gaps) != 1 || gaps[0].Count != 2 {
		t.Errorf("gaps %v, want the two files whose names are not of the spool; a header that is being written is none", gaps)
	}
}

func TestBothFormsOfIDsAreInOneSpool(t *testing.T) {
	files := map[string]string{}
	for _, id := range []string{idOfOne, idNew} {
		for _, folder := range []string{"input/", "input/" + id[5:6] + "/"} {
			files[folder+id+"-H"] = spoolFile(id, overNetwork, noTree, []string{"c@d.test"}, receivedBy(id))
			files[folder+id+"-D"] = id + "-D\n12345"
		}
	}
	messages, scan := scanAll(t, spoolWith(t, files))
	if len(messages) != 2 || len(scan.Gaps.List()) > 0 {
		t.Errorf("%d messages, gaps %v; a message that lies in both places is one", len(messages), scan.Gaps.List())
	}
	for id, m := range messages {
		if m.ContentBytes != 5 || m.Trail.Entry().Line == 0 {
			t.Errorf("%s: %d bytes of body; entry %+v", id, m.ContentBytes, m.Trail.Entry())
		}
	}
}

func TestManyRecipientsAndALongTree(t *testing.T) {
	var recipients []string
	for i := range 50_000 {
		recipients = append(recipients, fmt.Sprintf("u%d@d.test", i))
	}
	tree := strings.Repeat("YN x@y.test\n", 50_000) + "NN u1@d.test\n"
	m, reason := one(t, map[string]string{"input/" + idOfOne + "-H": spoolFile(idOfOne, asUser, tree, recipients, ""), "input/" + idOfOne + "-D": ""})
	if m.Recipients.Len() != 50_000 || m.Recipients.Done() != 1 || reason != "" {
		t.Errorf("%d recipients, %d done, %q", m.Recipients.Len(), m.Recipients.Done(), reason)
	}
}

func TestJournals(t *testing.T) {
	f := func(journal string, done int) {
		t.Helper()
		m, _ := one(t, map[string]string{
			"input/q/" + idOfOne + "-H": spoolFile(idOfOne, asUser, "YY m@n.test\nNN c@d.test\nNN x@y.test\n", []string{"c@d.test", "e@f.test", "g@h.test"}, ""),
			"input/q/" + idOfOne + "-D": idOfOne + "-D\n", "input/q/" + idOfOne + "-J": journal,
		})
		if m.Recipients.Done() != done {
			t.Errorf("journal %q: %d done, want %d", journal, m.Recipients.Done(), done)
		}
	}
	f("", 1)
	f("e@f.test\n", 2)
	f("e@f.test\ng@h.test", 2)
	f("e@f.test\ng@h.test\n\n", 3)
	f("E@F.TEST\n\x00\n", 1)
}

func TestStates(t *testing.T) {
	f := func(variables string, state spoor.State, held bool) {
		t.Helper()
		m, _ := one(t, map[string]string{"input/" + idOfOne + "-H": spoolFile(idOfOne, variables, noTree, nil, ""), "input/" + idOfOne + "-D": ""})
		if m.State != state || m.Held != held {
			t.Errorf("%q: %s, held %v", variables, m.State, m.Held)
		}
	}
	f("", spoor.StateQueued, false)
	f("-frozen 1795430266\n", spoor.StateFrozen, true)
	f("-aclm 0 19\nx\n-frozen 1795430266\n-local\n", spoor.StateQueued, false) // inside a value
}
