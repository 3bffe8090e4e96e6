// Command spoor tells who sends the spam that fills a mail server's queue.
package main

import (
	"os"

	"spoor/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.System()))
}
