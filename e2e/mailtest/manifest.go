package mailtest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Manifest is what is in folders of the root, in words: of each file kind, mode,
// owner, time of modification, inode flags, extended attributes and content.
func (r *Root) Manifest(folders ...string) []string {
	r.t.Helper()
	var lines []string
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(r.Dir, folder), func(name string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			line, err := described(name, entry)
			lines = append(lines, strings.TrimPrefix(name, r.Dir)+" "+line)
			return err
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return lines
}

func described(name string, entry os.DirEntry) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return "", err
	}
	line := fmt.Sprintf("%o %d:%d %d.%09d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
	if !entry.Type().IsRegular() {
		return line, nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	line += fmt.Sprintf(" %x", sha256.Sum256(content))
	names, value := make([]byte, 4096), make([]byte, 4096)
	n, err := unix.Llistxattr(name, names)
	if err != nil {
		n = 0
	}
	var attrs strings.Builder
	for attr := range strings.SplitSeq(string(names[:n]), "\x00") {
		if size, err := unix.Lgetxattr(name, attr, value); attr != "" && err == nil {
			fmt.Fprintf(&attrs, " %s=%x", attr, value[:size])
		}
	}
	line += attrs.String()
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS); err == nil {
		line += fmt.Sprintf(" %x", flags)
	}
	return line, nil
}

// Same wants folders to be as they were.
func (r *Root) Same(before []string, folders ...string) {
	r.t.Helper()
	after := r.Manifest(folders...)
	for _, line := range after {
		if !slices.Contains(before, line) {
			r.t.Errorf("there is  %s", line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			r.t.Errorf("there was %s", line)
		}
	}
}
