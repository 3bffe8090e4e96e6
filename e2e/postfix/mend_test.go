//go:build e2e

package postfix

import (
	"testing"

	"spoor/e2e/mailtest"
)

func TestFindingsAreMended(t *testing.T) {
	mailtest.CheckMended(stopping(t, "mynetworks = 127.0.0.1/32, 203.0.113.0/24\n"), "203.0.113.0/24")
}
