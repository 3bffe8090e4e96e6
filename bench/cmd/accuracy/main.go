// Command accuracy holds what spoor --json says of a synthetic log against the
// truth. It ends with status 1 if a figure of an account or a user differs.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"spoor/bench/maillog"
)

func main() {
	server := flag.String("server", "", "`DIR` to write the server's users and domains to")
	answer := flag.String("answer", "", "`FILE` with the output of spoor --json")
	truth := flag.String("truth", "", "`FILE` that maillog has written")
	flag.Parse()
	if err := run(*server, *answer, *truth); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

func run(server, answer, truth string) error {
	if server != "" {
		if err := maillog.WriteServer(server); err != nil {
			return err
		}
	}
	if answer == "" {
		return nil
	}
	var said struct{ Sources []source }
	if err := load(answer, &said); err != nil {
		return err
	}
	want := map[string]*maillog.Truth{}
	if err := load(truth, &want); err != nil {
		return err
	}
	return compare(os.Stdout, said.Sources, want)
}

func load(name string, into any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// source is what spoor says of one.
type source struct {
	Source                                         string
	UID                                            *int
	Sent, Recipients, Delivered, Failed, Deferrals int
}

type figures [5]int

// kindSum is about the sources of one kind.
type kindSum struct {
	sources, exact int
	said, want     figures
}

// compare prints a row for each kind of source.
func compare(out io.Writer, said []source, truth map[string]*maillog.Truth) error {
	kinds := map[string]*kindSum{}
	of := func(name string) *kindSum {
		kind, _, _ := strings.Cut(name, ":")
		if kinds[kind] == nil {
			kinds[kind] = &kindSum{}
		}
		return kinds[kind]
	}
	found := map[string]figures{}
	for _, s := range said {
		name := s.Source
		if s.UID != nil {
			name = fmt.Sprintf("uid:%d", *s.UID)
		}
		found[name] = figures{s.Sent, s.Recipients, s.Delivered, s.Failed, s.Deferrals}
		of(name).said.add(found[name])
	}
	for name, t := range truth {
		if t.Messages == 0 {
			continue
		}
		k, want := of(name), figures{t.Messages, t.Recipients, t.Delivered, t.Failed, t.Deferrals}
		k.want.add(want)
		if strings.HasSuffix(name, ":") { // the truth has their sum only
			continue
		}
		k.sources++
		if found[name] == want {
			k.exact++
		}
	}
	return table(out, kinds)
}

func (f *figures) add(g figures) {
	for i := range f {
		f[i] += g[i]
	}
}

func table(out io.Writer, kinds map[string]*kindSum) error {
	wrong := 0
	_, err := fmt.Fprintf(out, "%-8s %8s %8s  %s\n", "kind", "sources", "exact", "messages, recipients, delivered, failed, deferrals: spoor's and the truth's")
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[kind]
		if kind == "account" || kind == "uid" {
			wrong += k.sources - k.exact
		}
		if _, e := fmt.Fprintf(out, "%-8s %8d %8d  %v %v\n", kind, k.sources, k.exact, k.said, k.want); e != nil {
			err = e
		}
	}
	if err == nil && wrong > 0 {
		err = fmt.Errorf("%d accounts and users are not exact", wrong)
	}
	return err
}
