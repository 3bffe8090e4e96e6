// Command maillog writes a synthetic mail log, and the truth beside it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"spoor/bench/maillog"
)

func main() {
	out := flag.String("out", "", "`FILE` to write; the truth goes to FILE.truth.json")
	kind := flag.String("kind", maillog.Plesk, "plesk, postfix or exim")
	style := flag.String("style", "", "rfc3164 or iso; Exim's own form if not given")
	short := flag.Bool("short", false, "queue IDs that are used again (Postfix), or of Exim before 4.97")
	hosts := flag.Int("hosts", 1, "servers that log into the file, with the same IDs (Postfix)")
	size := flag.Int64("bytes", 1<<30, "length of the log")
	seed := flag.Uint64("seed", 1, "of the random numbers")
	rate := flag.Float64("rate", 8, "messages a second")
	calm := flag.Bool("calm", false, "no failed logins, no session with several messages")
	flag.Parse()
	if err := run(*out, maillog.Plan{
		Kind: *kind, Style: *style, Short: *short, Hosts: *hosts,
		Seed: *seed, Bytes: *size, PerSecond: *rate, Calm: *calm, Start: time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC),
	}); err != nil {
		fmt.Fprintln(os.Stderr, "maillog:", err)
		os.Exit(1)
	}
}

func run(name string, plan maillog.Plan) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	truth, err := maillog.Generate(f, plan)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(truth, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name+".truth.json", data, 0o600)
}
