//go:build e2e

// Package live runs a real Apache with mod_php and a real php-fpm, and processes
// that hide, and asks spoor live who sends.
package live

import (
	"slices"
	"testing"

	"spoor/e2e/mailtest"
)

func submission(s *sighting) bool { return s.Activity == "submission" }

func TestWhoSendsThroughPHP(t *testing.T) {
	s := start(t)
	s.web()
	w := watch(t, "--root", s.Dir)
	if w.mechanism != "ebpf" {
		t.Fatalf("the mechanism is %s: %s", w.mechanism, w.problems.String())
	}
	s.post("shop.example", "/forms/mailer.php?token=hunter2")
	s.post("forum.example", "/old/send.php")
	list, sum := w.end()
	mails := slices.DeleteFunc(list, func(s *sighting) bool { return !submission(s) })
	for _, m := range mails {
		t.Logf("%+v", *m)
	}
	t.Logf("%+v", sum)
	if len(mails) != 6 {
		t.Fatalf("%d submissions were seen, want 6", len(mails))
	}
	_ = mailtest.Web1
}
