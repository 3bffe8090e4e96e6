package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"spoor"
)

func TestAnswersAreCutFromLinesOfEveryMTA(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		if got := answerOf(line); got != want {
			t.Errorf("answer of %q is %q, want %q", line, got, want)
		}
	}
	f("Nov 23 10:06:45 mx postfix/smtp[7]: 4A: to=<a@x.example>, relay=mx.x.example[192.0.2.1]:25, delay=1, dsn=4.2.1, status=deferred (host mx.x.example[192.0.2.1] said: 450 4.2.1 later)", "host mx.x.example[192.0.2.1] said: 450 4.2.1 later")
	f("Nov 23 11:32:18 mx qmail: 1795433538.03 delivery 7: deferral: Remote_host_said:_451_later/", "Remote host said: 451 later /")
	f("2026-11-23 10:37:57 1xVRQr-0007aK-0j == a@x.example R=mx T=smtp defer (-44) H=mx.x.example [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<a@x.example>: 450 4.2.1 later: much", "450 4.2.1 later: much")
	f("2026-11-23 10:37:57 1xVRQr-0007aK-0j ** a@x.example F=<b@y.example> R=mx T=smtp H=mx.x.example [192.0.2.1]: SMTP error from remote mail server after end of data: 550 no", "550 no")
	f("2026-11-23 10:37:58 1xVRQs-0007bj-0t == a@x.example R=mx T=smtp defer (111): Connection refused", "Connection refused")
	f("2026-11-23 10:37:58 1xVRQs-0007bj-0t ** a@x.example: Unrouteable address", "2026-11-23 10:37:58 1xVRQs-0007bj-0t ** a@x.example: Unrouteable address")
}

func TestThePageOfReasonsDoesNotAdviseItself(t *testing.T) {
	obstacles := make([]spoor.Obstacle, maxObstacles+1)
	for i := range obstacles {
		obstacles[i] = spoor.Obstacle{Text: "obstacle", Try: reasonsCommand}
	}
	var out bytes.Buffer
	r := Reasons{Head: Head{Root: "/"}, Obstacles: obstacles, Complete: true}
	if err := r.Text(&out, Style{Zone: time.UTC}, 0); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), reasonsCommand) || strings.Count(out.String(), "obstacle") != len(obstacles) {
		t.Error(out.String())
	}
	if obstacles[0].Try == "" {
		t.Error("the caller's obstacle was changed")
	}
}
