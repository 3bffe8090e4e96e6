package qmailgen

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
)

// fact is what is true of one message.
type fact struct {
	id         uint64
	source     string
	recipients int
	done       int
}

// truth is the answer that a tool should find, in the order in which the
// messages were composed.
type truth []fact

// TruthFile is where Generate writes the truth about the server in dir: one
// line a message, tab-separated: ID, source, recipients, done. Where several
// sources are right answers they are separated by commas; "*" is any name.
func TruthFile(dir string) string { return filepath.Clean(dir) + ".truth.tsv" }

func (t truth) write(name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := bufio.NewWriter(f)
	line := []byte("id\tsource\trecipients\tdone\n")
	for _, one := range t {
		if _, err := w.Write(line); err != nil {
			return err
		}
		line = fmt.Appendf(line[:0], "%d\t%s\t%d\t%d\n", one.id, one.source, one.recipients, one.done)
	}
	if _, err := w.Write(line); err != nil {
		return err
	}
	return w.Flush()
}
