package recorder

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/shim"
)

// Proposal is how the shim can be put in front of sendmail, as steps that can be
// taken back one after the other.
type Proposal struct {
	Steps  []spoor.Step
	Open   []string // which mail passes it by
	ByHand []string // what spoor does not do
}

// Programs are paths on the server.
type Programs struct {
	Shim  string // spoor-sendmail, which root owns
	Spoor string // runs the recorder
}

// Where sendmail is, on a server, and what stands beside it.
const (
	sendmailPath = "/usr/sbin/sendmail"
	realPath     = sendmailPath + shim.RealSuffix
	copyPath     = "/usr/sbin/.sendmail.spoor"
	newPath      = copyPath + "-new"
)

// Errors of the proposals.
var (
	ErrNoMail    = errors.New("there is no " + sendmailPath)
	ErrInstalled = errors.New("the shim is in front of " + sendmailPath + " already")
	ErrNoPHP     = errors.New("no PHP was found that would read another configuration file")
)

// InFront proposes to put the shim in place of sendmail(8). The real one gets a second
// name with all that it is, set-id bits and links; dpkg is told, by dpkg-divert(8), to
// unpack the package's next version under that name; then the shim takes the first name
// by one rename(2). So there is a sendmail at every moment, also after a crash, and one
// rename gives the name back.
func InFront(root *host.Root, p Programs) (*Proposal, error) {
	if root.Exists(realPath) {
		return nil, fmt.Errorf("%w: %s is there", ErrInstalled, realPath)
	}
	if !root.Exists(sendmailPath) {
		return nil, ErrNoMail
	}
	proposal := &Proposal{Open: []string{
		"programs that call " + realPath + ", postdrop, qmail-inject or the MTA's own program by their names",
		"SMTP to this machine, and sendmail -bs: the MTA's log tells of these",
	}}
	proposal.service(root, p)
	proposal.Steps = append(proposal.Steps, spoor.Step{
		Kind: spoor.StepCommand, What: "the shim is copied to " + copyPath, Inverse: copyPath + " is removed",
		Command: &spoor.Command{Do: []string{"/usr/bin/install", "-m", "0755", "-o", "root", "-g", "root", p.Shim, copyPath}, Writes: []string{copyPath}},
	})
	proposal.Steps = append(proposal.Steps, named()...)
	if root.Exists("/usr/bin/dpkg-divert") {
		proposal.Steps = append(proposal.Steps, diverted())
	} else {
		proposal.Open = append(proposal.Open, "all, from when a package's next version or alternatives(8) takes the name "+sendmailPath+" again: spoor shim status tells")
	}
	proposal.Steps = append(proposal.Steps, placed()...)
	return proposal, nil
}

// named are the steps that give the real sendmail its second name. The undo gives it
// the first one back where that is free, and then takes away the second if both are
// the same file; where somebody has put another program there, it stays.
func named() []spoor.Step {
	return []spoor.Step{
		{Kind: spoor.StepCommand, Command: &spoor.Command{Undo: inFolder(path.Base(realPath), "-samefile", sendmailPath, "-delete")}},
		{
			Kind: spoor.StepCommand, What: "the real sendmail is " + realPath + " too", Inverse: "it has its own name only",
			Command: &spoor.Command{
				Do:   inFolder("sendmail", "!", "-samefile", copyPath, "-exec", "/usr/bin/ln", "-P", "-f", "-T", "{}", realPath, ";"),
				Undo: inFolder(path.Base(realPath), "-exec", "/usr/bin/mv", "-T", "-n", "{}", sendmailPath, ";"),
				Test: inFolder(path.Base(realPath)), Want: realPath,
			},
		},
	}
}

// diverted is the step of dpkg-divert. Its undo may rename, where somebody has taken
// the shim away: it renames over nothing else's file, and fails then.
func diverted() spoor.Step {
	divert := func(rename string, what ...string) []string {
		return append([]string{"/usr/bin/dpkg-divert", "--local", rename, "--divert", realPath}, what...)
	}
	return spoor.Step{
		Kind: spoor.StepCommand, What: "its package's next version is unpacked as " + realPath + " (dpkg-divert)",
		Inverse: "the diversion is taken back",
		Command: &spoor.Command{
			Do: divert("--no-rename", "--add", sendmailPath), Undo: divert("--rename", "--remove", sendmailPath),
			Test: []string{"/usr/bin/dpkg-divert", "--list", sendmailPath}, Want: realPath,
		},
	}
}

// placed are the steps that put the shim in place: a second name of it takes that of
// sendmail at once.
func placed() []spoor.Step {
	return []spoor.Step{
		{Kind: spoor.StepCommand, Command: &spoor.Command{
			Do:   []string{"/usr/bin/ln", "-f", "-T", copyPath, newPath},
			Undo: inFolder(path.Base(newPath), "-delete"),
		}},
		{
			Kind: spoor.StepCommand, What: sendmailPath + " is the shim", Inverse: sendmailPath + " is the real one again, if it is the shim still",
			Command: &spoor.Command{
				Do:   inFolder(path.Base(newPath), "-exec", "/usr/bin/mv", "-f", "-T", "{}", sendmailPath, ";"),
				Undo: inFolder("sendmail", "-samefile", copyPath, "-exec", "/usr/bin/mv", "-f", "-T", realPath, "{}", ";"),
				Test: inFolder("sendmail", "-samefile", copyPath), Want: sendmailPath,
			},
		},
	}
}

// inFolder is find(1) for one name beside sendmail, which need not be there.
func inFolder(name string, what ...string) []string {
	return append([]string{"/usr/bin/find", path.Dir(sendmailPath), "-maxdepth", "1", "-name", name}, what...)
}

// service adds the recorder, as a socket and a service of systemd.
func (p *Proposal) service(root *host.Root, programs Programs) {
	if !root.Exists("/run/systemd/system") {
		p.ByHand = append(p.ByHand, "start the recorder, as root, and keep it running: "+programs.Spoor+" shim serve")
		return
	}
	const units = "/etc/systemd/system/"
	command := func(args ...string) []string { return append([]string{"/usr/bin/systemctl"}, args...) }
	file := func(name, text string) spoor.Step {
		return spoor.Step{
			Kind: spoor.StepEdit, What: units + name + " is written", Inverse: "it is removed",
			Edit: &spoor.Edit{Path: units + name, Content: &text, Mode: 0o644},
		}
	}
	p.Steps = append(p.Steps,
		spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{Undo: command("daemon-reload")}},
		file(socketName, socketUnit()), file(serviceName, serviceUnit(programs.Spoor)),
		spoor.Step{Kind: spoor.StepCommand, Command: &spoor.Command{Do: command("daemon-reload")}},
		spoor.Step{
			Kind: spoor.StepCommand, What: "the recorder starts, now and after each reboot (" + socketName + ")", Inverse: "it is stopped, and starts no more",
			Command: &spoor.Command{Do: command("enable", "--now", socketName), Undo: command("disable", "--now", socketName, serviceName)},
		})
}

// phpFolders are those whose files a PHP reads after its php.ini: of Debian, Red
// Hat, Plesk, cPanel, CloudLinux and DirectAdmin. A star is a part of a path.
func phpFolders() []string {
	return []string{
		"/etc/php/*/*/conf.d", "/etc/php.d", "/opt/plesk/php/*/etc/php.d", "/opt/cpanel/*/root/etc/php.d",
		"/opt/alt/*/etc/php.d", "/usr/local/*/lib/php.conf.d",
	}
}

// phpName sorts behind the other files of such a folder: the last one counts.
const phpName = "zz-spoor-shim.ini"

// InPHP proposes to have PHP's mail() call the shim, by sendmail_path of php.ini.
// Nothing else of the server changes.
func InPHP(root *host.Root, p Programs) (*Proposal, error) {
	proposal := &Proposal{
		Open: []string{
			"all mail that is not of PHP's mail(), and scripts that call sendmail themselves",
			"pools and virtual hosts that set sendmail_path on their own (php_admin_value)",
		},
		ByHand: []string{"PHP processes that run read it when they are reloaded: systemctl reload php-fpm, apache2 or what runs them"},
	}
	proposal.service(root, p)
	found := false
	for _, pattern := range phpFolders() {
		for _, folder := range glob(root, strings.Split(strings.TrimPrefix(pattern, "/"), "/")) {
			name := folder + "/" + phpName
			if root.Exists(name) {
				return nil, fmt.Errorf("%w: %s is there", ErrInstalled, name)
			}
			line, foreign := phpLine(root, folder, p.Shim)
			if foreign != "" {
				proposal.ByHand = append(proposal.ByHand, fmt.Sprintf("%s is left as it is: its PHP calls %q, which is no sendmail", folder, foreign))
				continue
			}
			found = true
			proposal.Steps = append(proposal.Steps, spoor.Step{
				Kind: spoor.StepEdit, What: name + " is written: " + strings.TrimSpace(line), Inverse: "it is removed",
				Edit: &spoor.Edit{Path: name, Content: text("; Written by spoor shim install --php; spoor shim remove takes it back.\n" + line), Mode: 0o644},
			})
		}
	}
	if !found {
		return nil, ErrNoPHP
	}
	return proposal, nil
}

func text(s string) *string { return &s }

// phpLine is the setting with the arguments that the PHP has now. foreign is the
// program that it calls if that is no sendmail.
func phpLine(root *host.Root, folder, program string) (line, foreign string) {
	args := "-t -i"
	for _, name := range append([]string{path.Dir(folder) + "/php.ini"}, listed(root, folder)...) {
		data, err := root.ReadFile(name, 1<<20)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			key, value, ok := strings.Cut(line, "=")
			if !ok || strings.TrimSpace(key) != "sendmail_path" {
				continue
			}
			called, rest, _ := strings.Cut(strings.Trim(strings.TrimSpace(value), `"'`), " ")
			if called != "" && path.Base(called) != "sendmail" {
				return "", called
			}
			if called != "" {
				args = rest
			}
		}
	}
	if strings.ContainsAny(args, "\"\n;") {
		return "", args
	}
	return fmt.Sprintf("sendmail_path = \"%s\"\n", strings.TrimSpace(program+" "+args)), ""
}

func listed(root *host.Root, folder string) []string {
	names, err := root.List(folder, maxFiles)
	if err != nil {
		return nil
	}
	var files []string
	for _, name := range names {
		if strings.HasSuffix(name, ".ini") {
			files = append(files, folder+"/"+name)
		}
	}
	return files
}

const maxFiles = 2000

// glob lists the folders that a pattern names.
func glob(root *host.Root, pattern []string) []string {
	folders := []string{""}
	for _, part := range pattern {
		var next []string
		for _, folder := range folders {
			names := []string{part}
			if part == "*" {
				names, _ = root.List(folder, maxFiles) // what cannot be listed has none
			}
			for _, name := range names {
				if root.Exists(folder + "/" + name) {
					next = append(next, folder+"/"+name)
				}
			}
		}
		folders = next
	}
	return folders
}
