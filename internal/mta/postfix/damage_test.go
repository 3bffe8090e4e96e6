package postfix

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"spoor"
	"spoor/internal/mta"
)

func TestEveryDamageIsOneGapAndNeverAPanic(t *testing.T) {
	whole := queueFile(from("a@b.test", "c@d.test"), smtpReceived+tail, "")
	point := func(to int) string { return record(recPointer, fmt.Sprintf("%15d", to)) }
	sizes := sizeRecord(0, 1<<20)
	tests := map[string]struct{ file, reason string }{
		"whole":                              {whole, ""},
		"empty":                              {"", gapCut},
		"one byte":                           {"C", errRecord.Error()},
		"not a queue file":                   {strings.Repeat("x", 500), gapNoSizes},
		"no size record":                     {whole[len(sizes):], gapNoSizes},
		"sizes are not numbers":              {record(recSize, "a b c") + whole[len(sizes):], gapNoSizes},
		"cut in the envelope":                {whole[:len(sizes)+20], errRecord.Error()},
		"cut in the content":                 {whole[:len(whole)-7], errRecord.Error()},
		"cut before the end record":          {whole[:len(whole)-2], gapCut},
		"length never ends":                  {whole[:len(sizes)] + "S" + strings.Repeat("\xff", 20), errRecord.Error()},
		"length behind the end":              {whole[:len(sizes)] + "S\xff\xff\x7f", errLong.Error()},
		"length of four bytes":               {whole[:len(sizes)] + "S\xff\xff\xff\x7f", errLong.Error()},
		"pointer to itself":                  {whole[:len(sizes)] + point(len(sizes)), errPointer.Error()},
		"pointers in a circle":               {whole[:len(sizes)] + record(recFrom, "a@b.test") + point(len(sizes)), errPointer.Error()},
		"pointer behind the end":             {whole[:len(sizes)] + point(1<<30), gapCut},
		"end record in the envelope":         {whole[:len(sizes)] + record(recEnd, ""), gapOrder},
		"a record of the envelope in a line": {strings.Replace(whole, record(recLine, "body"), record('Q', "body"), 1), gapOrder},
		"content ends elsewhere":             {strings.Replace(whole, whole[:len(sizes)], sizeRecord(7, 200), 1), gapNoExtra},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, reason := one(t, map[string]string{"deferred/4/4FA8DC0101": test.file})
			if reason != test.reason {
				t.Errorf("gap %q, want %q", reason, test.reason)
			}
			if m.Folder != "/var/spool/postfix/deferred/4" || m.State != spoor.StateDeferred {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestModesTellWhatAFileIs(t *testing.T) {
	whole := queueFile(from("a@b.test", "c@d.test"), smtpReceived+tail, "")
	q := serverWith(t, map[string]string{
		"deferred/A1111111111 0700": whole, "deferred/B1111111111 0600": whole, "deferred/C1111111111 0400": whole,
		"deferred/D1111111111 0710": whole, "corrupt/E1111111111 0400": whole, "incoming/F1111111111 0600": whole,
	})
	messages, scan := scanAll(t, q)
	if len(messages) != 3 || messages["A1111111111"] == nil || messages["D1111111111"] == nil || messages["E1111111111"] == nil {
		t.Errorf("listed %v, want the ready, the expired and the one set aside", messages)
	}
	if n, _ := scan.Count(); n != 2 {
		t.Errorf("%d counted, postqueue lists 2", n)
	}
	var out bytes.Buffer
	if err := writePostqueue(q, &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), `"forced_expire": true`); got != 1 || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%d are expired in\n%s", got, out.String())
	}
}

func TestMessagesAreFoundAtAnyDepthOfHashing(t *testing.T) {
	files := map[string]string{}
	for depth := range 4 {
		id := fmt.Sprintf("4FA8DC010%d", depth)
		folder := strings.Join(strings.Split(id[:depth], ""), "/")
		files["deferred/"+folder+"/"+id] = queueFile(from("a@b.test", "c@d.test"), smtpReceived+tail, "")
	}
	files["deferred/A/B/4jY1nY4zyYz5vTZ"] = files["deferred//4FA8DC0100"] // AB9F5 microseconds
	q := serverWith(t, files)
	messages, scan := scanAll(t, q)
	if len(messages) != 5 || len(scan.Gaps.List()) > 0 {
		t.Errorf("%d messages, gaps %v", len(messages), scan.Gaps.List())
	}
	for id := range messages {
		if _, err := q.Find(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

func TestForeignFilesAreGapsAndNoMessages(t *testing.T) {
	messages, scan := scanAll(t, serverWith(t, map[string]string{
		"deferred/.hidden": "x", "deferred/core.1": "x", "deferred/long/4FA8DC0101": "x",
	}))
	if len(messages) != 0 || len(scan.Gaps.List()) == 0 || !scan.Complete {
		t.Errorf("%d messages, gaps %v", len(messages), scan.Gaps.List())
	}
}

func TestRecipientsOfLocalMailAreBehindTheContent(t *testing.T) {
	envelope := record(recTime, "1795428417 0") + record(recFrom, "www@mx1.example.com")
	m, reason := one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(envelope, userReceived+tail,
		record(recDone, "done@d.test")+record('O', "x@d.test")+record(recRecipient, "c@d.test"))})
	if reason != "" || m.Recipients.Len() != 2 || m.Recipients.Done() != 1 {
		t.Errorf("%d recipients, %d done, %q", m.Recipients.Len(), m.Recipients.Done(), reason)
	}
	if hop := m.Trail.Entry(); hop == nil || hop.Via != spoor.ViaUID || hop.UID != 1001 {
		t.Errorf("entry %+v, want uid 1001", hop)
	}
}

func TestRecordsThatAreNoLongerValidAreSkipped(t *testing.T) {
	envelope := record(recTime, "1795428417 0") + record('W', "1795428999 0") + record(recPadding, "old@b.test") +
		record(recFrom, "a@b.test") + record('/', "cancelled@x.test") + record('K', "") + record(recRecipient, "c@d.test")
	m, reason := one(t, map[string]string{"hold/4FA8DC0101": queueFile(envelope, smtpReceived+tail, "")})
	if reason != "" || m.Recipients.Len() != 1 || m.Sender != "a@b.test" || !m.Held {
		t.Errorf("%d recipients, from %q, held %v, %q", m.Recipients.Len(), m.Sender, m.Held, reason)
	}
}

func TestArrivalIsTheTimeRecordThenTheIDThenTheFile(t *testing.T) {
	body := queueFile(record(recFrom, "a@b.test"), smtpReceived+tail, "")
	m, _ := one(t, map[string]string{"active/4jY1nY4zyYz5vTZ": body})
	if want := time.UnixMicro(1795428417702965).UTC(); !m.Arrived.Equal(want) {
		t.Errorf("without a time record: %v, want that of the ID, %v", m.Arrived, want)
	}
	m, _ = one(t, map[string]string{"active/4jY1nY4zyYz5vTZ": queueFile(from("a@b.test", "c@d.test"), smtpReceived+tail, "")})
	if want := time.UnixMicro(1795428417702965).UTC(); !m.Arrived.Equal(want) {
		t.Errorf("%v, want that of the time record, %v", m.Arrived, want)
	}
	m, _ = one(t, map[string]string{"active/4FA8DC0101": body})
	if time.Since(m.Arrived) > time.Hour {
		t.Errorf("%v, want that of the file", m.Arrived)
	}
}

func TestFindTellsWhatIsWrong(t *testing.T) {
	q := serverWith(t, map[string]string{"incoming/4FA8DC0101 0600": "x", "deferred/4/4FA8DC0102": "x"})
	if _, err := q.Find(t.Context(), "4FA8DC0101"); err == nil || !strings.Contains(err.Error(), mta.ErrGone.Error()) {
		t.Errorf("a file that is being written: %v", err)
	}
	if m, err := q.Find(t.Context(), "4FA8DC0102"); err != nil || m.HasEnvelope {
		t.Errorf("a damaged file: %+v, %v", m, err)
	}
	if _, err := q.Content("4FA8DC0102"); err == nil {
		t.Error("a damaged file has a content")
	}
}

// As cleanup(8) of Postfix 3.10 writes them: always_bcc and header_checks with BCC.
func TestACopyThatAPolicyAddsIsNeitherRelayedNorWrittenByTheClient(t *testing.T) {
	const asked, never = "dsn_orig_rcpt=rfc822;sales@example.com", "notify_flags=1"
	archive := record(recAttribute, never) + record('O', "archive@far.test") + record(recRecipient, "archive@far.test")
	envelope := func(recipient string) string {
		return record(recTime, "1795428417 0") + record(recAttribute, "client_address=192.0.2.7") + record(recFrom, "a@b.test") +
			record(recAttribute, asked) + record('O', "sales@example.com") + record(recRecipient, recipient)
	}
	m, _ := one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(envelope("me@else.test"), smtpReceived+tail, archive)})
	if hop := m.Trail.Hops[0]; hop.Via != spoor.ViaForward || m.Recipients.Len() != 2 || !m.Outbound {
		t.Errorf("%+v, want a forward; %d recipients", hop, m.Recipients.Len())
	}
	m, _ = one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(envelope("jane@example.com"), smtpReceived+tail, archive)})
	if hop := m.Trail.Hops[0]; hop.Via != spoor.ViaNetwork || m.Outbound || !m.Inbound || m.Recipients.Len() != 2 {
		t.Errorf("%+v, outbound %v, inbound %v", hop, m.Outbound, m.Inbound)
	}
	// a client that wants no notification relays all the same
	wanted := record(recAttribute, "dsn_orig_rcpt=rfc822;c@d.test") + record(recAttribute, never) + record('O', "c@d.test") + record(recRecipient, "c@d.test")
	m, _ = one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(envelope("me@else.test")+wanted, smtpReceived+tail, "")})
	if hop := m.Trail.Hops[0]; hop.Via != spoor.ViaNetwork || !m.Outbound {
		t.Errorf("%+v, want a client", hop)
	}
	// nor does a script hide where its mail goes by sendmail -N never
	m, _ = one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(record(recTime, "1795428417 0")+record(recFrom, "a@b.test")+
		record(recAttribute, never)+record('O', "c@d.test")+record(recRecipient, "c@d.test"), smtpReceived+tail, "")})
	if !m.Outbound || m.Inbound || m.Recipients.Len() != 1 {
		t.Errorf("outbound %v, inbound %v", m.Outbound, m.Inbound)
	}
}

// As cleanup(8) writes it for REDIRECT of header_checks(5).
func TestARedirectedMessageHasOneRecipient(t *testing.T) {
	m, reason := one(t, map[string]string{"deferred/4/4FA8DC0101": queueFile(from("a@b.test", "c@d.test"), smtpReceived+tail,
		record(recRedirect, "abuse@example.com")+record(recRecipient, "e@d.test"))})
	var addresses []string
	for one := range m.Recipients.All() {
		addresses = append(addresses, one.Address)
	}
	if reason != "" || len(addresses) != 1 || addresses[0] != "abuse@example.com" || m.Outbound || !m.Inbound {
		t.Errorf("%v, outbound %v, %q", addresses, m.Outbound, reason)
	}
}
