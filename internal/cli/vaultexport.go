package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"spoor/internal/disk"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/vault"
)

// exportFlags say where exported messages go.
type exportFlags struct {
	vaultFlags
	to   string
	mbox string
}

func vaultExportCommand(o *options) *cobra.Command {
	f := &exportFlags{}
	cmd := &cobra.Command{
		Use:   "export SELECTOR…",
		Short: "write messages as .eml files or as an mbox",
		Long: `export writes messages of the vault as they were received: one .eml file each
(RFC 5322), named by plan and queue ID, or all into one mbox (mboxrd). The vault
keeps its copies. No file is overwritten.

A message of a spammer stays what it is: do not open it with a mail program that
runs what it finds.`,
		Example: `  spoor vault export from:info@shop.test --to /root/evidence
  spoor vault export --plan 20261126T101500-rm --mbox - | gzip > evidence.gz`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.vaultExport(cmd.Context(), args, f) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.to, "to", "", "write .eml files into this `DIR`, which is made if needed")
	cmd.Flags().StringVar(&f.mbox, "mbox", "", "write one mbox to `FILE`; - is standard output")
	cmd.Flags().BoolVar(&f.all, "all", false, "also what is in the queue again")
	return cmd
}

func (o *options) vaultExport(ctx context.Context, words []string, f *exportFlags) error {
	switch {
	case (f.to == "") == (f.mbox == ""):
		return usageTry(errors.New("say where to: --to DIR or --mbox FILE"), "spoor vault export --help")
	case len(words) == 0 && f.plan == "":
		return usageTry(errors.New("select messages, or give --plan"), "spoor vault export --help")
	}
	_, state, done, err := o.openVault(ctx)
	if err != nil {
		return err
	}
	defer done()
	entries, _, err := o.stored(state, words, &f.vaultFlags)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return nothing("no message in the vault matches", o.spoor("vault ls"))
	}
	write, finish, err := o.exporter(f)
	if err != nil {
		return err
	}
	failed := 0
	for i := range entries {
		if err := write(&entries[i], state); err != nil {
			failed++
			if err := report.Problem(o.env.Err, fmt.Errorf("message %s of %s: %w", entries[i].ID, entries[i].Plan, err)); err != nil {
				return err
			}
		}
	}
	if err := finish(); err != nil {
		return err
	}
	fmt.Fprintf(o.env.Err, "spoor: %d of %d messages were written\n", len(entries)-failed, len(entries))
	if failed > 0 {
		return partial()
	}
	return nil
}

// writer writes one message.
type writer func(e *vault.Entry, state *remedy.State) error

// exporter returns what writes a message, and what ends the writing.
func (o *options) exporter(f *exportFlags) (write writer, finish func() error, err error) {
	if f.to != "" {
		if err := os.MkdirAll(f.to, 0o700); err != nil {
			return nil, nil, err
		}
		dir, err := disk.Open(f.to, nil)
		if err != nil {
			return nil, nil, err
		}
		return func(e *vault.Entry, state *remedy.State) error { return exportEML(dir, e, state) }, dir.Close, nil
	}
	out, closing := o.env.Out, func() error { return nil }
	if f.mbox != "-" {
		file, err := os.OpenFile(f.mbox, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, nil, err
		}
		out, closing = file, file.Close
	}
	buffered := bufio.NewWriter(out)
	return func(e *vault.Entry, state *remedy.State) error { return exportMbox(buffered, e, state) },
		func() error { return errors.Join(buffered.Flush(), closing()) }, nil
}

func exportEML(dir *disk.Dir, e *vault.Entry, state *remedy.State) error {
	parcel, err := state.Vault.Parcel(*e)
	if err != nil {
		return err
	}
	content, err := openMessage(parcel)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	if !remedy.ValidPlanID(string(e.ID)) {
		return errors.New("its queue ID cannot be a file's name")
	}
	name := e.Plan + "-" + string(e.ID) + ".eml"
	file, err := dir.Create(name, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s/%s is there already", dir.Name(), name)
	}
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	err = vault.WriteEML(out, content)
	return errors.Join(err, out.Flush(), file.Close())
}

func exportMbox(out io.Writer, e *vault.Entry, state *remedy.State) error {
	parcel, err := state.Vault.Parcel(*e)
	if err != nil {
		return err
	}
	content, err := openMessage(parcel)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	return vault.WriteMbox(out, parcel, content)
}
