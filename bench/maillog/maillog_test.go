package maillog

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
)

func generate(t *testing.T, plan Plan) (string, map[string]*Truth) {
	t.Helper()
	if plan.Bytes == 0 {
		plan.Bytes = 300000
	}
	plan.PerSecond, plan.Start = 8, time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	truth, err := Generate(&out, plan)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), truth
}

func sum(truth map[string]*Truth) (all Truth) {
	for _, one := range truth {
		all.Messages += one.Messages
		all.Delivered += one.Delivered
		all.Failed += one.Failed
		all.Deferrals += one.Deferrals
		all.Logins += one.Logins
		all.FailedLogins += one.FailedLogins
	}
	return all
}

func TestOneSeedIsOneLog(t *testing.T) {
	for _, kind := range []string{Plesk, Postfix, Exim} {
		first, _ := generate(t, Plan{Kind: kind, Seed: 7})
		again, _ := generate(t, Plan{Kind: kind, Seed: 7})
		other, _ := generate(t, Plan{Kind: kind, Seed: 8})
		if first != again || first == other {
			t.Errorf("%s: a seed does not decide the log", kind)
		}
	}
}

// TestTheTruthIsWhatTheLogHolds counts lines. What leaves the queue for a filter
// and comes back is not counted twice.
func TestTheTruthIsWhatTheLogHolds(t *testing.T) {
	lines := func(text, expression string) int {
		return len(regexp.MustCompile("(?m)"+expression).FindAllString(text, -1))
	}
	postfix := func(text string) Truth {
		filtered := lines(text, `\]: \w+: client=localhost\[`)
		return Truth{
			Messages:     lines(text, `/cleanup\[\d+\]: \w+: message-id=<`) - filtered,
			Delivered:    lines(text, `\]: \w+: to=<\S+(?: orig_to=\S+)? relay=[^1]\S* delay=\S+ delays=\S+ dsn=\S+ status=sent `) + lines(text, `, discarded, id=`),
			Failed:       lines(text, `\]: \w+: to=<.*, dsn=5[0-9.]+, status=bounced \(`),
			Deferrals:    lines(text, `, status=deferred \(`),
			Logins:       lines(text, `\]: disconnect from .* auth=1 `),
			FailedLogins: lines(text, ` authentication failed: .*, sasl_username=`),
		}
	}
	exim := func(text string) Truth {
		return Truth{
			Messages:     lines(text, `^.{20}[\w-]+ <= `) - lines(text, ` P=scanned-ok `),
			Delivered:    lines(text, `^.{20}[\w-]+ [=-]> `) - lines(text, ` T=amavis `),
			Failed:       lines(text, `^.{20}[\w-]+ \*\* `),
			Deferrals:    lines(text, `^.{20}[\w-]+ == `),
			FailedLogins: lines(text, ` 535 Incorrect authentication data \(set_id=`),
		}
	}
	plesk := func(text string) Truth {
		return Truth{
			Messages:  lines(text, " info msg ") - lines(text, " bounce msg "),
			Delivered: lines(text, ": success: "), Failed: lines(text, ": failure: "), Deferrals: lines(text, ": deferral: "),
			Logins: lines(text, " SMTP user "),
		}
	}
	for _, c := range []struct {
		name  string
		plan  Plan
		count func(string) Truth
	}{
		{"plesk", Plan{}, plesk},
		{"postfix", Plan{Kind: Postfix}, postfix},
		{"postfix with short IDs on two hosts", Plan{Kind: Postfix, Short: true, Hosts: 2, Style: ISO}, postfix},
		{"exim", Plan{Kind: Exim}, exim},
		{"exim before 4.97", Plan{Kind: Exim, Short: true}, exim},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.plan.Seed, c.plan.Bytes = 7, 1<<20
			text, truth := generate(t, c.plan)
			got, want := c.count(text), sum(truth)
			if c.plan.Kind == Exim {
				got.Logins = want.Logins // Exim tells no session
			}
			if c.plan.Kind == Postfix { // expired recipients have no line of their own
				if want.Failed < got.Failed || want.Failed > got.Failed+10*strings.Count(text, "status=expired") {
					t.Errorf("failed: the log has %d, the truth %d", got.Failed, want.Failed)
				}
				got.Failed = want.Failed
			}
			if got != want {
				t.Errorf("the log holds %+v, the truth says %+v", got, want)
			}
		})
	}
}

func TestShortIDsAreUsedAgain(t *testing.T) {
	text, _ := generate(t, Plan{Kind: Postfix, Short: true, Hosts: 2, Seed: 3, Bytes: 1 << 20})
	ended, hosts := map[string]int{}, map[string]map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m) (mx\d) postfix\S*/qmgr\[913\]: (\w+): removed$`).FindAllStringSubmatch(text, -1) {
		ended[m[1]+m[2]]++
		if hosts[m[2]] == nil {
			hosts[m[2]] = map[string]bool{}
		}
		hosts[m[2]][m[1]] = true
	}
	again, shared := 0, 0
	for _, n := range ended {
		again += n - 1
	}
	for _, on := range hosts {
		shared += len(on) - 1
	}
	if again < 20 || shared < 20 {
		t.Errorf("%d IDs are used again, %d on both hosts", again, shared)
	}
}

func TestFourSourcesAreTaken(t *testing.T) {
	_, truth := generate(t, Plan{Kind: Postfix, Seed: 7, Bytes: 4 << 20})
	for _, source := range []string{"account:user5@customer5.example", "account:user23@customer23.example", "account:user71@customer71.example", "uid:10007"} {
		if one := truth[source]; one == nil || one.Recipients < 10*one.Messages || one.Failed*10 < one.Recipients {
			t.Errorf("%s: %+v is not the mail of a spammer", source, one)
		}
	}
	if few, many := truth["account:user0@customer0.example"].Clients, truth["account:user71@customer71.example"].Clients; few > 3 || many < 10 {
		t.Errorf("%d addresses of an honest account, %d of a stolen one", few, many)
	}
}
