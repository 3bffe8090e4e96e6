package qmail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"syscall"
	"time"

	"spoor/internal/mta"
)

// WriteQstat prints what qmail-qstat(8) of notqmail prints: it counts regular
// files at any depth, whatever their names.
func (q *Queue) WriteQstat(w io.Writer) error {
	messages, todos := q.Count()
	_, err := fmt.Fprintf(w, "messages in queue: %d\nmessages in queue but not yet preprocessed: %d\n", messages, todos)
	return err
}

// Count counts messages and unpreprocessed messages the way qmail-qstat does,
// from the names alone.
func (q *Queue) Count() (messages, todos int) {
	q.listing.Lock()
	defer q.listing.Unlock()
	for entry, err := range q.tree.mess.top.Entries() {
		if err != nil {
			break
		}
		if entry.Name[0] == '.' { // the shell pattern mess/* leaves dot files out
			continue
		}
		messages += countEntry(q.tree.mess.top, entry, 0)
	}
	return messages, countFiles(q.tree.todo.top, 0)
}

// WriteQread prints what qmail-qread(8) prints. Like it, it goes through info
// alone: messages that are not yet preprocessed are missing, and trouble with a
// message is a line among the others. Symbolic links are not followed.
func (q *Queue) WriteQread(w io.Writer) error {
	q.listing.Lock()
	defer q.listing.Unlock()
	out := qreader{queue: q, out: bufio.NewWriterSize(w, 1<<16), reader: newReader(q, mta.Want{}, nil)}
	for i, folder := range q.tree.info.folders {
		if folder == nil {
			fmt.Fprintf(out.out, "fatal: unable to opendir info/%d: %s\n", i, errorStr(syscall.ENOENT))
			break
		}
		for entry, err := range folder.Entries() {
			if err != nil {
				break
			}
			if id, err := strconv.ParseUint(string(entry.Name), 10, 64); err == nil {
				out.message(id)
			}
		}
	}
	return out.out.Flush()
}

// qreader prints messages in the form of qmail-qread.c.
type qreader struct {
	queue  *Queue
	out    *bufio.Writer
	reader *reader
	line   []byte
}

func (p *qreader) message(id uint64) {
	t := p.queue.tree
	p.reader.name = strconv.AppendUint(p.reader.name[:0], id, 10)
	content, err := t.mess.open(id, p.reader.name)
	if err != nil {
		p.warn(id, err)
		return
	}
	st, err := content.Stat()
	content.Close()
	if err != nil {
		p.warn(id, err)
		return
	}
	info, err := t.info.open(id, p.reader.name)
	if err != nil {
		p.warn(id, err)
		return
	}
	infoStat, _ := info.Stat()
	data, err := p.reader.readAll(info)
	info.Close()
	if err != nil {
		p.warn(id, err)
		return
	}
	p.stats(id, st.SizeBytes, infoStat.Modified, data)
	p.channel(t.local, id, "\tlocal\t")
	p.channel(t.remote, id, "\tremote\t")
}

// stats prints the first line of a message:
//
//	23 Nov 2026 11:32:18 GMT  #967265  3134  <> bouncing
func (p *qreader) stats(id uint64, sizeBytes, routed int64, info []byte) {
	_, value, _, _ := cutRecord(info)
	line := time.Unix(0, routed).UTC().Format("2 Jan 2006 15:04:05 GMT") +
		fmt.Sprintf("  #%d  %d  <%s> ", id, sizeBytes, value)
	if p.reader.exists(p.queue.tree.bounce, id) {
		line += " bouncing"
	}
	p.printable([]byte(line))
	_ = p.out.WriteByte('\n')
}

func (p *qreader) channel(s *shelf, id uint64, label string) {
	file, err := s.open(id, p.reader.name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.warn(id, err)
		}
		return
	}
	defer file.Close()
	data, err := p.reader.readAll(file)
	if err != nil {
		return
	}
	for len(data) > 0 {
		letter, value, rest, ok := cutRecord(data)
		if !ok {
			return
		}
		data = rest
		if letter != 'T' && letter != 'D' {
			continue
		}
		if letter == 'D' {
			_, _ = p.out.WriteString("  done")
		}
		_, _ = p.out.WriteString(label)
		p.printable(value)
		_ = p.out.WriteByte('\n')
	}
}

// printable writes text with everything but printable ASCII replaced.
func (p *qreader) printable(text []byte) {
	p.line = p.line[:0]
	for _, c := range text {
		if c < 32 || c > 126 {
			c = '_'
		}
		p.line = append(p.line, c)
	}
	_, _ = p.out.Write(p.line)
}

func (p *qreader) warn(id uint64, err error) {
	fmt.Fprintf(p.out, "warning: trouble with #%d: %s\n", id, errorStr(err))
}

// errorStr words an error as error_str() of qmail's error_str.c does.
func errorStr(err error) string {
	words := map[syscall.Errno]string{
		syscall.ENOENT: "file does not exist", syscall.EACCES: "access denied", syscall.EIO: "input/output error",
		syscall.ENOTDIR: "not a directory", syscall.EISDIR: "is a directory", syscall.EPERM: "permission denied",
		syscall.ENOMEM: "out of memory", syscall.ELOOP: "symbolic link loop", syscall.EMFILE: "process cannot open more files",
	}
	for errno, word := range words {
		if errors.Is(err, errno) {
			return word
		}
	}
	return "unknown error"
}
