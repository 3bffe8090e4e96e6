package shim

import (
	"os"
	"syscall"
)

// program is the real sendmail.
type program struct {
	places []string
	args   []string
}

// exec makes this process the real sendmail. It returns only where there is none.
func (p *program) exec() int {
	env := syscall.Environ()
	var last error = syscall.ENOENT
	for _, name := range p.places {
		if isSelf(name) {
			continue
		}
		if err := syscall.Exec(name, p.args, env); err != syscall.ENOENT { //nolint:gosec // to run the real one is what the shim is for
			last = err
		}
	}
	complain("the real sendmail cannot be started: " + last.Error())
	return exitTempFail
}

// isSelf reports whether a program is this one: calling it would never end.
func isSelf(name string) bool {
	var self, other syscall.Stat_t
	if syscall.Stat(name, &other) != nil {
		return false
	}
	if syscall.Stat("/proc/self/exe", &self) != nil {
		return base(os.Args[0]) == base(name) // no /proc: better no mail than a loop
	}
	return self.Dev == other.Dev && self.Ino == other.Ino
}

// System are the places of a server. The program beside the shim comes first,
// which is the real one where the shim took its place, then what an administrator
// named, then where sendmail usually is.
func System() Places {
	at := Places{Socket: Socket, Spool: Spool}
	buf := make([]byte, 4096)
	if n, err := syscall.Readlink("/proc/self/exe", buf); err == nil {
		at.Real = append(at.Real, string(buf[:n])+RealSuffix)
	}
	at.Real = append(at.Real, RealPlaces()...)
	return at
}

// RealPlaces are where the real sendmail is while the shim is in front of it, the
// most certain first.
func RealPlaces() []string {
	return []string{"/usr/sbin/sendmail" + RealSuffix, Link, "/usr/sbin/sendmail", "/usr/lib/sendmail", "/var/qmail/bin/sendmail"}
}
