//go:build e2e

package postfix

import (
	"testing"

	"spoor/e2e/mailtest"
)

func TestTheShimInFrontOfSendmail(t *testing.T) {
	root := mailtest.New(t, "postfix")
	mailtest.Shimmed(startWith(root, root.Sinks(), "message_size_limit = 0\nmailbox_size_limit = 0\nsmtputf8_enable = no\n"))
}
