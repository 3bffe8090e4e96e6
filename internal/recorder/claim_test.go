package recorder

import (
	"testing"

	"spoor/internal/origin"
)

// The query of a URL has passwords and sessions in it, and records are quoted.
func TestTheQueryIsNotRecorded(t *testing.T) {
	var c origin.Claims
	claim(&c, []map[string]string{{"REQUEST_URI": "/reset.php?token=hunter2"}})
	if c.URI != "/reset.php" {
		t.Errorf("recorded %q", c.URI)
	}
	r, ok := parseNote(`"note=u.dp2z8vqtc0f5.10006.7" "name=sendmail" "recipients=1" "size=1" "REQUEST_URI=/a?b=c"`+"\n", 10006)
	if !ok || r.Claims.URI != "/a" {
		t.Errorf("%t: %+v", ok, r.Claims)
	}
}
