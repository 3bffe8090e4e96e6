package recorder

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"spoor/internal/origin"
)

// State is what can be seen of the shim on a server.
type State struct {
	InFront   bool      // /usr/sbin/sendmail is a shim
	Replaced  bool      // it was one: the real one that was behind it is still beside it
	Current   bool      // and it is the same file as the program that would be installed
	PHP       []string  // files that have PHP call the shim
	Answers   bool      // somebody serves the socket
	HasKey    bool      // IDs can be checked
	LastLine  time.Time // when the log was last written; zero if there is none
	LogBytes  int64     // of the newest file
	ConfigErr error
	Limits    int
}

// Look sees how things are, and changes nothing. A socket is tried, without asking
// for an ID.
func Look(ctx context.Context, places Places, programs Programs) State {
	s := State{InFront: sameProgram(sendmailPath, copyPath)}
	s.Replaced = !s.InFront && exists(realPath)
	s.Current = s.InFront && sameContent(sendmailPath, programs.Shim)
	dialer := net.Dialer{Timeout: time.Second}
	if c, err := dialer.DialContext(ctx, "unixpacket", places.Socket); err == nil {
		s.Answers = true
		_ = c.Close()
	}
	for _, pattern := range phpFolders() {
		files, _ := filepath.Glob(pattern + "/" + phpName)
		s.PHP = append(s.PHP, files...)
	}
	s.HasKey = exists(places.State + "/" + origin.KeyName)
	if info, err := os.Stat(places.Log); err == nil {
		s.LastLine, s.LogBytes = info.ModTime().UTC(), info.Size()
	}
	if text, err := os.ReadFile(places.Config); err == nil {
		config, err := ParseConfig(text)
		if s.ConfigErr = err; err == nil {
			s.Limits = len(config.Limits)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		s.ConfigErr = err
	}
	return s
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func sameProgram(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// sameContent compares two programs, of some megabytes.
func sameContent(a, b string) bool {
	one, err1 := os.ReadFile(a)
	other, err2 := os.ReadFile(b)
	return err1 == nil && err2 == nil && string(one) == string(other)
}
