//go:build e2e

package postfix

import (
	"testing"

	"spoor/e2e/mailtest"
)

// TestAListsCopiesAreTheLists has mlmmj hand them back while Postfix waits for it, and
// later.
func TestAListsCopiesAreTheLists(t *testing.T) {
	for name, option := range map[string]string{"in the foreground": "-F ", "in the background": ""} {
		t.Run(name, func(t *testing.T) {
			root := mailtest.New(t, "postfix")
			mailtest.CheckList(startWith(root, root.Sinks(), "transport_maps = inline:{ {"+mailtest.Talk+"=mlmmj:} }, texthash:/etc/postfix/transport\n",
				"mlmmj unix - n n - - pipe\n  flags=R user="+mailtest.TalkUser+" argv=/usr/bin/mlmmj-receive "+option+"-L "+mailtest.TalkFolder+"\n"))
		})
	}
}
