package qmail

import (
	"context"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

// supervisorOf finds a supervisor of the family of daemontools above qmail-send:
// svc(8), sv(8), s6-svc(8). Its current directory is the service's.
func supervisorOf(send osProcess) (k keeper, ok bool, err error) {
	script := send
	for _, above := range send.ancestors() {
		below := script
		script = above
		name, tool := supervisorTool(above.name)
		if tool == "" {
			continue
		}
		dir := above.folder()
		tool = toolBeside(above, tool)
		if uid, ok := above.owner(); !ok || uid != 0 || dir == "" || tool == "" {
			return k, false, &spoor.Problem{
				What: fmt.Sprintf("%s, PID %d, runs qmail-send, and its folder or its command is not to be found", above.name, above.pid),
				So:   "qmail-send was not stopped, since it might not be started again",
			}
		}
		k = keeper{name: name, stopBy: []string{tool, "-d", dir}, startBy: []string{tool, "-u", dir}, again: true, script: below}
		if path.Base(tool) == "sv" {
			k.stopBy[1], k.startBy[1] = "down", "up"
		}
		k.hand = byHand(append([]string{path.Base(tool)}, k.startBy[1:]...))
		return k, true, nil
	}
	return k, false, nil
}

// supervisorTool names the command that tells a supervisor what to do.
func supervisorTool(program string) (name, tool string) {
	switch program {
	case "supervise":
		return "daemontools", "svc"
	case "runsv":
		return "runit", "sv"
	case "s6-supervise":
		return "s6", "s6-svc"
	}
	return "", ""
}

// toolBeside is a command of the package that a program of root's is from.
func toolBeside(p osProcess, tool string) string {
	folders := []string{path.Dir(p.program()), "/command", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"}
	for _, folder := range folders {
		name := path.Join(folder, tool)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return name
		}
	}
	return ""
}

// initScripts are where an init script of qmail may be.
func initScripts() []string {
	return []string{"/etc/init.d/qmail", "/etc/rc.d/init.d/qmail", "/etc/init.d/qmail-send"}
}

// initScriptOf is for a qmail-send without a supervisor. The script starts it; it
// does not stop it: Plesk's would also stop xinetd's listeners for SMTP, and mail
// shall be taken in.
func initScriptOf(scripts []string) (keeper, bool) {
	for _, script := range scripts {
		info, err := os.Stat(script)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 || trusted(script) != nil {
			continue
		}
		return keeper{
			name: "init script", spawn: true,
			// As service(8) runs it.
			startBy: []string{"/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb", script, "start"},
			hand:    byHand([]string{script, "start"}),
			notes:   []string{"the services that take in mail are left as they are"},
		}, true
	}
	return keeper{}, false
}

// unitOf finds the unit of systemd that runs qmail-send: the last part of its
// control group (cgroups(7)) that is a service, if qmail-send is its main
// process or it is named after qmail.
func unitOf(ctx context.Context, run mta.Runner, send osProcess) (k keeper, ok bool, err error) {
	unit := serviceUnit(send)
	systemctl := toolBeside(send, "systemctl")
	if unit == "" || systemctl == "" {
		return k, false, nil
	}
	output, err := run.Run(ctx, nil, systemctl, "show", "--property=MainPID,Restart,RemainAfterExit,SourcePath,LoadState", unit)
	if err != nil {
		return k, false, fmt.Errorf("%s show %s: %w: %q", systemctl, unit, err, firstLine(output))
	}
	about := properties(string(output))
	if about["MainPID"] != strconv.Itoa(send.pid) && !strings.Contains(unit, "qmail") {
		return k, false, nil // started by cron, say
	}
	return unitKeeper(systemctl, unit, about), true, nil
}

func unitKeeper(systemctl, unit string, about map[string]string) keeper {
	k := keeper{name: "systemd", startBy: []string{systemctl, "start", unit}, stopBy: []string{systemctl, "stop", unit}, late: true}
	switch {
	case about["RemainAfterExit"] == "yes" || about["SourcePath"] != "":
		// It stays active without qmail-send, so that start would do nothing; and stop
		// would be an init script's, which may end more than qmail-send.
		k.stopBy, k.late = nil, false
		k.startBy[1] = "restart"
	case about["Restart"] == "always" || about["Restart"] == "on-success":
		k.late = false
		k.stopBy = []string{systemctl, "stop", "--no-block", unit}
		k.notes = []string{"systemd starts the unit again whenever it ends, so it is systemd that stops it: deliveries that run are ended as by systemctl stop"}
	}
	k.hand = byHand(append([]string{"systemctl"}, k.startBy[1:]...))
	return k
}

// serviceUnit reads lines such as
//
//	0::/system.slice/qmail.service
//	1:name=systemd:/system.slice/qmail.service
func serviceUnit(p osProcess) string {
	data, err := os.ReadFile(p.path("cgroup"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || (fields[1] != "" && fields[1] != "name=systemd") {
			continue
		}
		parts := strings.Split(fields[2], "/")
		for i := len(parts) - 1; i >= 0; i-- {
			if isServiceUnit(parts[i]) {
				return parts[i]
			}
		}
	}
	return ""
}

func isServiceUnit(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.\\@-"
	return strings.HasSuffix(name, ".service") && !strings.HasPrefix(name, "-") && !strings.HasPrefix(name, "user@") &&
		strings.Trim(name, allowed) == ""
}

// properties reads the output of systemctl show: Name=value lines.
func properties(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			values[name] = value
		}
	}
	return values
}

// commandLine shows a command to people.
func commandLine(argv []string) string {
	if hand := byHand(argv); hand != "" {
		return hand
	}
	return fmt.Sprintf("%q", argv)
}

// byHand is a command as a person types it into a shell, or "" where it would
// need quoting.
func byHand(argv []string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@=,%"
	for _, word := range argv {
		if word == "" || strings.Trim(word, plain) != "" {
			return ""
		}
	}
	return strings.Join(argv, " ")
}

func firstLine(output []byte) string {
	const most = 200
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	return line[:min(len(line), most)]
}
