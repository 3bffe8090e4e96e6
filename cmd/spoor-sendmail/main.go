// Spoor-sendmail stands in front of the real sendmail, records who sends each
// message, and passes it on. See internal/shim, and docs/shim.md.
package main

import (
	"os"

	"spoor/internal/shim"
)

func main() {
	os.Exit(shim.Main(os.Args, shim.System()))
}
