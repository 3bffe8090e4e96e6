package live

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// Interpreters tells which scripts interpreters were started with: perl and
// python close the file of a script once they have read it. It is for one
// goroutine.
type Interpreters struct {
	root  string
	known map[who]string
}

// NewInterpreters returns one for processes below a root.
func NewInterpreters(root *host.Root) *Interpreters {
	return &Interpreters{root: folderOf(root), known: map[who]string{}}
}

// maxInterpreters is how many processes are remembered.
const maxInterpreters = 4096

// Script is the script that a process was started with, or "". Nothing else of
// its arguments is kept: passwords are there.
func (n *Interpreters) Script(p *spoor.Process) string {
	if p.UID < 0 || !isInterpreter(path.Base(p.Exe)) {
		return ""
	}
	key := whoIs(p)
	script, known := n.known[key]
	if !known {
		script = n.read(p)
		if len(n.known) >= maxInterpreters {
			clear(n.known)
		}
		n.known[key] = script
	}
	return script
}

func (n *Interpreters) read(p *spoor.Process) string {
	args, err := theProc.read(p.PID, "cmdline", argsLimit)
	now, _, errNow := theProc.process(p.PID)
	if err != nil || errNow != nil || whoIs(&now) != whoIs(p) || now.Exe != p.Exe {
		return ""
	}
	script := scriptArgument(parseArgs(args))
	if script == "" {
		return ""
	}
	if !filepath.IsAbs(script) {
		if now.Dir == "" {
			return ""
		}
		return path.Clean(below(n.root, now.Dir) + "/" + script)
	}
	return path.Clean(script) // as the process sees it: below the root that it has
}

// scriptArgument is the first argument that is no option, and looks like a file.
// A program that is given on the command line (-e, -c, -r) is no file.
func scriptArgument(args []string) string {
	for i := 1; i < len(args); i++ {
		arg := args[i]
		switch {
		case slices.Contains([]string{"-e", "-E", "-c", "-r", "-m", "-B", "-R"}, arg):
			return ""
		case slices.Contains([]string{"-d", "-W", "-X", "-z"}, arg):
			i++ // its value
		case strings.HasPrefix(arg, "-"):
		case len(arg) >= maxArgument || strings.ContainsAny(arg, " \n"), strings.HasPrefix(arg, "/dev/"), strings.HasPrefix(arg, "/proc/"):
			return "" // no file that could be named; a title that was written over it
		default:
			return arg
		}
	}
	return ""
}

// isInterpreter knows the programs that run scripts.
func isInterpreter(program string) bool {
	name := strings.TrimRight(program, "0123456789.-")
	return slices.Contains([]string{"perl", "python", "php", "php-cgi", "ruby", "sh", "bash", "dash", "ksh", "zsh", "node", "lua"}, name)
}
