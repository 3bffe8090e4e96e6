package qmail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"spoor"
)

// bareKeeper is for a qmail-send that nothing keeps running: started by hand, or
// by /var/qmail/rc. qmail-start(8) has become qmail-send, and its arguments are
// seen in its children: the default delivery in qmail-lspawn's, the logger as a
// child of its own. It refuses, with a *spoor.Problem, where one of these programs
// could have been changed by another user than root.
func bareKeeper(ctx context.Context, send osProcess) (keeper, error) {
	argv, err := startCommand(send)
	const looks = 100
	for i := 0; i < looks && errors.Is(err, errStarting) && defaultTiming().pause(ctx) == nil; i++ {
		argv, err = startCommand(send)
	}
	if err == nil {
		for _, program := range programs(argv) {
			if err = trusted(program); err != nil {
				break
			}
		}
	}
	if err != nil {
		return keeper{}, &spoor.Problem{
			What: fmt.Sprintf("qmail-send, PID %d, was started by hand, and it is not certain that it can be started again: %v", send.pid, err),
			So:   "it was not stopped",
			Try:  "kill " + strconv.Itoa(send.pid),
			Err:  err,
		}
	}
	return keeper{
		name: "started by hand", startBy: argv, spawn: true, hand: byHand(append(slices.Clone(argv), "&")),
		notes: []string{"qmail-send will be started as it runs now: " + commandLine(argv)},
	}, nil
}

// startCommand is env(1) with the part of the environment that matters, and
// qmail-start with its arguments.
func startCommand(send osProcess) ([]string, error) {
	program := send.program()
	if program == "" {
		return nil, fmt.Errorf("the program of PID %d is not there any more", send.pid)
	}
	folder := path.Dir(program)
	argv := append([]string{"/usr/bin/env", "-i"}, keptEnvironment(send.environ(), folder)...)
	argv = append(argv, path.Join(folder, "qmail-start"))
	args, err := startArguments(send)
	return append(argv, args...), err
}

// errStarting is returned where a child of qmail-start has not become another
// program yet.
var errStarting = errors.New("it is being started")

// startArguments are those of qmail-start: qmail-start.c gives the first to
// qmail-lspawn, and the rest is the logger.
func startArguments(send osProcess) ([]string, error) {
	var args, logger []string
	for _, child := range send.children() {
		switch {
		case child.isProgram("qmail-lspawn"):
			if argv := child.argv(); len(argv) > 1 {
				args = argv[1:2]
			}
		case child.isProgram("qmail-start"):
			return nil, errStarting
		case child.isProgram("qmail-rspawn"), child.isProgram("qmail-clean"), child.isProgram("qmail-todo"):
		case sharesPipe(send, child):
			argv := child.argv()
			if child.program() == "" || len(argv) == 0 {
				return nil, fmt.Errorf("the logger, PID %d, is not known", child.pid)
			}
			logger = append([]string{child.program()}, argv[1:]...)
		}
	}
	if logger == nil {
		return args, outputIsFree(send)
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("qmail-lspawn of PID %d is not found", send.pid)
	}
	return append(args, logger...), nil
}

// sharesPipe reports whether child reads what qmail-send logs.
func sharesPipe(send, child osProcess) bool {
	out, err := os.Readlink(send.path("fd/0")) // qmail-start moves its output there
	if err != nil || !strings.HasPrefix(out, "pipe:") {
		return false
	}
	in, err := os.Readlink(child.path("fd/0"))
	return err == nil && in == out
}

// outputIsFree refuses a qmail-send whose log goes to a file or a program that is
// not its child: the log would be lost after a start.
func outputIsFree(send osProcess) error {
	out, err := os.Readlink(send.path("fd/0"))
	if err == nil && out != "/dev/null" {
		return fmt.Errorf("its log goes to %q", out)
	}
	return err
}

// keptEnvironment keeps variables that qmail and its users know. The folder of
// qmail's programs comes first in PATH: qmail-start looks for them there.
func keptEnvironment(environ []string, folder string) []string {
	search := []string{folder}
	var kept []string
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case name == "PATH":
			for part := range strings.SplitSeq(value, ":") {
				if part != folder && trusted(part) == nil {
					search = append(search, part)
				}
			}
		case name == "TZ", name == "LANG", strings.HasPrefix(name, "LC_"), strings.HasPrefix(name, "QMAIL"):
			kept = append(kept, variable)
		}
	}
	return append([]string{"PATH=" + strings.Join(search, ":")}, kept...)
}

// programs are the words of a command that are run, or may be: a logger can be a
// script, and then its program is the interpreter.
func programs(argv []string) []string {
	return slices.DeleteFunc(slices.Clone(argv), func(word string) bool {
		if !strings.HasPrefix(word, "/") {
			return true
		}
		info, err := os.Stat(word)
		return err == nil && (info.IsDir() || info.Mode()&0o111 == 0)
	})
}
