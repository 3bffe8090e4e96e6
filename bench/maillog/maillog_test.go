package maillog

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func generate(t *testing.T, plan Plan) (string, map[string]*Truth) {
	t.Helper()
	plan.Bytes, plan.PerSecond, plan.Start = 300000, 8, time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	truth, err := Generate(&out, plan)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), truth
}

func TestOneSeedIsOneLog(t *testing.T) {
	first, _ := generate(t, Plan{Seed: 7})
	again, _ := generate(t, Plan{Seed: 7})
	other, _ := generate(t, Plan{Seed: 8})
	if first != again || first == other {
		t.Error("a seed does not decide the log")
	}
}

func TestTheTruthIsWhatTheLogHolds(t *testing.T) {
	text, truth := generate(t, Plan{Seed: 7})
	var sum Truth
	for _, one := range truth {
		sum.Messages += one.Messages
		sum.Delivered += one.Delivered
		sum.Failed += one.Failed
		sum.Deferrals += one.Deferrals
		sum.Logins += one.Logins
	}
	bounces := strings.Count(text, " bounce msg ")
	got := Truth{
		Messages: strings.Count(text, " info msg ") - bounces, Delivered: strings.Count(text, ": success: "),
		Failed: strings.Count(text, ": failure: "), Deferrals: strings.Count(text, ": deferral: "), Logins: strings.Count(text, " SMTP user "),
	}
	if got != sum {
		t.Errorf("the log holds %+v, the truth says %+v", got, sum)
	}
}
