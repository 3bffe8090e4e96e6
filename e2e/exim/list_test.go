//go:build e2e

package exim

import (
	"testing"

	"spoor/e2e/mailtest"
)

// TestAListsCopiesAreTheLists has mlmmj hand them back while Exim waits for it, and
// later.
func TestAListsCopiesAreTheLists(t *testing.T) {
	for name, option := range map[string]string{"in the foreground": "-F ", "in the background": ""} {
		t.Run(name, func(t *testing.T) {
			root := mailtest.New(t, "exim")
			mailtest.CheckList(startWith(root, root.Sinks(),
				"begin routers\n", "begin routers\nmlmmj_router:\n  driver = accept\n  local_parts = talk\n  domains = +local_domains\n  transport = mlmmj\n",
				"begin transports\n", "begin transports\nmlmmj:\n  driver = pipe\n  return_path_add\n  user = "+mailtest.TalkUser+"\n  group = mail\n  command = /usr/bin/mlmmj-receive "+option+"-L "+mailtest.TalkFolder+"\n"))
		})
	}
}
