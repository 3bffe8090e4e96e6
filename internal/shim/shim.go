// Package shim stands in front of the real sendmail. A message comes in on
// standard input, with the arguments of sendmail(8); a line about it goes to the
// recorder; the message goes on to the real sendmail, with one header field more.
//
// It runs once for each message, as the user who sends it, so it starts fast:
// it imports os, syscall and time, and nothing that they do not bring. It fails
// open: whatever goes wrong with the record, the message passes, at most
// MaxWait later.
package shim

import (
	"os"
	"syscall"
	"time"
)

// MaxWait is how long a message may wait for the recorder, all in all.
const MaxWait = 50 * time.Millisecond

// Places that are the same on every server. Another than Socket is for tests.
const (
	Socket = "/run/spoor/shim.sock"
	Spool  = "/var/spool/spoor/origin" // has a file for each UID, see the recorder
	Link   = "/etc/spoor/sendmail.real"

	// RealSuffix is what the name of the real program ends in, beside a shim that
	// took its place.
	RealSuffix = ".spoor-real"
)

// Places are where a shim finds what it works with.
type Places struct {
	Socket string
	Spool  string
	Wait   time.Duration // for the recorder; 0 is the usual, which MaxWait bounds
	Real   []string      // programs to try, the first that is there
}

// Main runs the shim and returns its exit status. It does not return where the
// real sendmail takes its place, which is nearly always.
func Main(args []string, at Places) int {
	if len(args) == 0 {
		return exitUsage
	}
	if args[0] == feederWord {
		return feederMain(args)
	}
	call := parseCall(args)
	sendmail := program{places: at.Real, args: call.realArgs(args)}
	if !call.submits {
		return sendmail.exec()
	}
	r := greet(at.Socket, at.Wait)
	m := &message{in: syscall.Stdin}
	if m.fill(); m.err != nil {
		r.close()
		return unreadable(m, &sendmail)
	}
	v := r.verdict()
	switch v.kind {
	case replyRefuse:
		complain(v.text)
		return v.status
	case replyHold:
		m.mark(v.text)
		if r.store(&call, m, sendmail.args) {
			return v.status
		}
		r.close()
		return failedHold(m, &sendmail)
	}
	if v.kind != replyPass {
		v.text = noteInSpool(at.Spool, &call, m)
	}
	m.mark(v.text)
	r.tell(&call, m)
	r.close()
	return pass(m, &sendmail)
}

// Exit statuses of sendmail, as sysexits.h has them.
const (
	exitUsage       = 64
	exitDataErr     = 65
	exitUnavailable = 69
	exitOSError     = 71
	exitTempFail    = 75
)

// failedHold is for a message that was to be held. Its sender is told that it is
// accepted only after the recorder has said that it is on disk. Else one that is still
// here as a whole passes; the sender of any other is told to try again.
func failedHold(m *message, sendmail *program) int {
	if m.err != nil {
		return unreadable(m, sendmail)
	}
	if m.whole {
		return pass(m, sendmail)
	}
	complain("the message could not be kept, try again")
	return exitTempFail
}

// unreadable is for a message that cannot be read to its end: the half of it must not
// be sent. Where what was read can be read again, or was nothing, the real sendmail
// meets the same error and says what it says of that. Else it is what that of Postfix
// says and returns (sendmail.c, enqueue).
func unreadable(m *message, sendmail *program) int {
	if m.bytes == 0 {
		return sendmail.exec()
	}
	const fromHere = 1 // SEEK_CUR
	if _, err := syscall.Seek(m.in, -m.bytes, fromHere); err == nil {
		return sendmail.exec()
	}
	complain("error reading input: " + m.err.Error())
	return exitDataErr
}

// pass hands the message on. It returns only if that is impossible.
func pass(m *message, sendmail *program) int {
	end, err := m.pipe()
	if m.err != nil {
		return unreadable(m, sendmail)
	}
	if err != nil {
		complain("no pipe for the message: " + err.Error())
		return exitTempFail
	}
	if err := syscall.Dup2(end, syscall.Stdin); err != nil {
		complain("no standard input: " + err.Error())
		return exitOSError
	}
	if end != syscall.Stdin {
		_ = syscall.Close(end)
	}
	return sendmail.exec()
}

// complain tells the user who sends, as sendmail does.
func complain(text string) {
	_, _ = os.Stderr.WriteString("sendmail: " + text + "\n")
}
