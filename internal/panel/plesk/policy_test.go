package plesk

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
	"spoor/internal/panel/plesk/plesktest"
)

// inWords lists a policy for comparison.
func inWords(p spoor.MailPolicy) string {
	var words []string
	for _, d := range p.Domains {
		line := d.Domain + " " + d.Policy.String()
		if d.Target != "" {
			line += " " + d.Target
		}
		if d.Disabled {
			line += " (off)"
		}
		words = append(words, line)
	}
	slices.Sort(words)
	for _, r := range p.Relay {
		line := "relay " + r.Prefix.String()
		if r.Temporary {
			line += " until " + r.Until.Format("2006-01-02 15:04")
		}
		words = append(words, line)
	}
	for _, s := range p.Services {
		words = append(words, fmt.Sprintf("%s relaylock=%v relayclient=%v line %d", s.Name, s.RelayLock, s.RelayClient, s.Place.Line))
	}
	for _, f := range p.Forwards {
		words = append(words, f.Address+" forwards to "+f.Target)
	}
	for _, a := range p.Answers {
		words = append(words, a.Address+" answers")
	}
	if p.Short {
		words = append(words, "short names")
	}
	for _, gap := range p.Gaps {
		words = append(words, "gap: "+gap.Reason)
	}
	return strings.Join(words, "\n")
}

func wantPolicy(t *testing.T, p *Panel, want ...string) {
	t.Helper()
	policy, err := p.MailPolicy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := inWords(policy); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestMailPolicy asks a real server with both generations of the schema.
func TestMailPolicy(t *testing.T) {
	m := plesktest.Start(t)
	t.Run("Plesk 8 and 9", func(t *testing.T) {
		m.Load(t, "testdata/psa-8.sql", "testdata/mail-8.sql")
		wantPolicy(t, openWith(t, m, redHatSocket, map[string]string{"etc/passwd": oldPasswd}),
			"mailonly.example reject (off)", "site1.example bounce", "site2.example forward all@elsewhere.test",
			"relay 127.0.0.0/8", "relay 198.51.100.7/32 until 2026-11-23 10:00", "relay 203.0.113.45/32",
			"info@site1.example forwards to boss@elsewhere.test", "off@site2.example answers", "short names",
			"gap: an entry of smtp_poplocks is no address range", "gap: an entry of smtp_poplocks is no address range")
	})
	t.Run("Plesk 12 and later", func(t *testing.T) {
		m.Load(t, "testdata/psa-10.sql", "testdata/psa-10-rows.sql", "testdata/mail-10.sql")
		wantPolicy(t, openWith(t, m, redHatSocket, map[string]string{"etc/passwd": newPasswd}),
			"addon.example discard", "blog.shop.example unknown", "forward.example bounce", "other.example forward info@shop.example", "shop.example reject",
			"relay 0.0.0.0/0", "relay 10.0.0.0/8", "relay 198.51.100.0/24", "relay 2001:db8::/32", "relay 203.0.0.0/16", "relay ::1/128",
			"info@shop.example forwards to boss@elsewhere.test", "info@shop.example forwards to sales@shop.example", "sales@shop.example answers")
	})
	t.Run("psa without the tables of mail", func(t *testing.T) {
		m.Load(t, "testdata/psa-8.sql")
		policy, err := openWith(t, m, redHatSocket, map[string]string{"etc/passwd": oldPasswd}).MailPolicy(t.Context())
		if err != nil || !policy.Unasked || len(policy.Gaps) != 1 {
			t.Errorf("%+v, %v", policy, err)
		}
	})
}

func TestSMTPServicesOfXinetdAndInetd(t *testing.T) {
	const args = "\tserver_args = -Rt0 /usr/sbin/rblsmtpd -r bl.example.org /var/qmail/bin/relaylock /var/qmail/bin/qmail-smtpd /var/qmail/bin/smtp_auth\n"
	root := hosttest.Tree(t, map[string]string{
		"etc/psa/psa.conf":            "HTTPD_VHOSTS_D /var/www/vhosts\n",
		"etc/xinetd.d/smtp_psa":       "service smtp\n{\n\tuser = root\n" + args + "}\n",
		"etc/xinetd.d/smtps_psa":      "service smtps\n{\n" + strings.ReplaceAll(args, "/var/qmail/bin/relaylock ", "") + "}\n",
		"etc/xinetd.d/submission_psa": "service submission\n{\n" + args + "\tenv = RELAYCLIENT=1\n}\n",
		"etc/xinetd.d/ftp_psa":        "service ftp\n{\n}\n",
		"etc/inetd.conf":              "# smtp off qmail-smtpd\nsmtp stream tcp nowait root /var/qmail/bin/tcp-env tcp-env /var/qmail/bin/relaylock /var/qmail/bin/qmail-smtpd\n",
	})
	var gaps spoor.Gaps
	passwd, _ := root.Passwd(&gaps)
	p, err := Open(t.Context(), root, passwd)
	if err != nil {
		t.Fatal(err)
	}
	wantPolicy(t, p, "smtp_psa relaylock=true relayclient=false line 4", "smtps_psa relaylock=false relayclient=false line 3",
		"submission_psa relaylock=true relayclient=true line 4", "smtp relaylock=true relayclient=false line 2")
}
