package recorder

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spoor/internal/origin"
	"spoor/internal/shim"
)

// spool is the folder with a file for each user, which a shim writes to that
// cannot reach the recorder. The folder is root's; a file belongs to its user, who
// may write to it and not read it, and where the file system can, only append
// (FS_APPEND_FL). So it proves which user wrote a line, and nothing else.
type spool struct{ dir string }

func openSpool(dir string) (*spool, error) {
	if err := privateFolder(filepath.Dir(dir), 0o711); err != nil {
		return nil, err
	}
	if err := privateFolder(dir, 0o711); err != nil {
		return nil, err
	}
	return &spool{dir: dir}, os.Chmod(dir, 0o711) //nolint:gosec // users must reach the files that they may append to
}

// offer makes the file of a user, so that it is there when it is needed.
func (s *spool) offer(uid int) {
	name := filepath.Join(s.dir, strconv.Itoa(uid))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o200)
	if err != nil {
		return // it is there
	}
	defer func() { _ = f.Close() }()
	if f.Chmod(0o200) != nil || f.Chown(uid, -1) != nil {
		_ = os.Remove(name)
		return
	}
	setAppendOnly(f, true)
}

const appendFlag = 0x20 // FS_APPEND_FL, linux/fs.h

// setAppendOnly sets the attribute, ioctl_iflags(2), where it can be.
func setAppendOnly(f *os.File, on bool) {
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return
	}
	if flags &^= appendFlag; on {
		flags |= appendFlag
	}
	_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
}

// maxNotes is how much of a user's file is taken at once.
const maxNotes = 2 << 20

// collect takes all notes out of the spool, and gives each to use.
func (s *spool) collect(use func(*origin.Record)) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var all error
	for _, entry := range entries {
		uid, err := strconv.Atoi(entry.Name())
		if err != nil || !entry.Type().IsRegular() {
			continue
		}
		text, err := s.take(uid)
		all = errors.Join(all, err)
		for line := range bytes.Lines(text) {
			if r, ok := parseNote(string(line), uid); ok {
				use(&r)
			}
		}
	}
	return all
}

// take takes a file away and leaves an empty one in its place. A note that is being
// written in this very moment may be lost.
func (s *spool) take(uid int) ([]byte, error) {
	name := filepath.Join(s.dir, strconv.Itoa(uid))
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return nil, err
	}
	setAppendOnly(f, false)
	if err := os.Rename(name, name+".taken"); err != nil {
		return nil, err
	}
	s.offer(uid)
	text, err := io.ReadAll(io.LimitReader(f, maxNotes))
	return text, errors.Join(err, os.Remove(name+".taken"))
}

// parseNote reads a line that a shim wrote, or that somebody wrote like it. The
// UID is that of the file.
//
//	"note=u.dd….10003.4711" "name=sendmail" "recipients=1" "size=512" …
func parseNote(line string, uid int) (origin.Record, bool) {
	pairs, ok := unquoteAll(strings.TrimSuffix(line, "\n"))
	if !ok || len(pairs) == 0 {
		return origin.Record{}, false
	}
	id, ok := strings.CutPrefix(pairs[0], "note=")
	issued, known := noteTime(id)
	if !ok || !known {
		return origin.Record{}, false
	}
	r := origin.Record{ID: id, Time: issued, From: origin.FromSpool, Facts: origin.Facts{UID: uid}}
	packet := []byte{}
	for _, pair := range pairs[1:] {
		packet = append(append(packet, pair...), 0)
	}
	d, ok := shim.ParseDetails(packet)
	if !ok {
		return origin.Record{}, false
	}
	told(&r.Claims, &d)
	request := map[string]string{}
	for _, pair := range pairs[1:] {
		if key, value, ok := strings.Cut(pair, "="); ok {
			request[key] = value
		}
	}
	claim(&r.Claims, []map[string]string{request})
	r.Claims.Dir = request["cwd"]
	return r, true
}

// noteTime reads the time in an ID that a shim has made.
func noteTime(id string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(id, shim.Unsigned)
	text, _, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseInt(text, 36, 64)
	return time.Unix(0, n).UTC(), ok && err == nil && n > 0 && len(id) < maxClaim
}

// unquoteAll reads quoted words with blanks between them.
func unquoteAll(line string) (words []string, ok bool) {
	for line != "" {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil || quoted[0] != '"' {
			return nil, false
		}
		word, err := strconv.Unquote(quoted)
		if err != nil || len(words) > maxArgs {
			return nil, false
		}
		words = append(words, word)
		line = strings.TrimPrefix(line[len(quoted):], " ")
	}
	return words, true
}
