// Nothing here lives long enough to need these: each costs system calls at the start.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
//go:debug decoratemappings=0

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
