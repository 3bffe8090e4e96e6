package exim

import "spoor/internal/mta"

// mailPrograms tells by what local mail enters: exim(8) itself, by any of its names,
// which delivers too.
func mailPrograms(*mta.Server) mta.Programs {
	binaries := []string{"/usr/sbin/exim4", "/usr/sbin/exim", "/usr/exim/bin/exim", "/usr/local/sbin/exim", "/usr/bin/exim"}
	return mta.Programs{Submit: append(mta.Sendmail(), binaries...), Folders: binaries}
}
