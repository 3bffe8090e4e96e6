//go:build e2e

package exim

import (
	"testing"

	"spoor/e2e/mailtest"
)

func TestTheShimInFrontOfSendmail(t *testing.T) {
	root := mailtest.New(t, "exim")
	mailtest.Shimmed(startWith(root, root.Sinks()))
}
