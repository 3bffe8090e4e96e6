package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spoor"
	"spoor/internal/mta"
)

// deadPorts are ports that a mail server has no service on, the likeliest closed
// first: discard, tcpmux and others that only root may listen on. Any user could
// listen on a higher one, and would be sent all mail.
func deadPorts() []int { return []int{9, 1, 19, 7, 13, 17, 37, 11} }

// closedPort finds a port of this machine where connections are refused.
func closedPort(ctx context.Context) (int, error) {
	below := firstUnprivileged()
	for _, port := range deadPorts() {
		if port < below && refusesConnections(ctx, port) {
			return port, nil
		}
	}
	return 0, &spoor.Problem{
		What: "no port of this machine below " + strconv.Itoa(below) + " is certain to be closed",
		So:   "mail that is sent there could be taken by a program; use the method " + FreezeConcurrency.String(),
		Err:  mta.ErrUnsupported,
	}
}

func refusesConnections(ctx context.Context, port int) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

// firstUnprivileged is the first port that every user may listen on (ip(7)).
func firstUnprivileged() int {
	const usual = 1024
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return usual
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return usual
	}
	return min(port, usual)
}

// deadRoutes is a control/smtproutes (qmail-remote(8)) that leads everything to one
// port of this machine. Every domain that had a route of its own is named again:
// it would beat the line for all in a file that was merged with the old one.
func deadRoutes(r *Frozen, port int) []byte {
	to := ":127.0.0.1:" + strconv.Itoa(port) + "\n"
	text := marker(r) + to
	seen := map[string]bool{}
	var textSb70 strings.Builder
	for _, line := range controlLines(string(r.Original)) {
		domain, _, ok := strings.Cut(strings.ToLower(line), ":")
		if ok && isRouteDomain(domain) && !seen[domain] {
			seen[domain] = true
			textSb70.WriteString(domain + to)
		}
	}
	text += textSb70.String()
	return []byte(text)
}

func isRouteDomain(domain string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789.-_"
	return domain != "" && strings.Trim(domain, allowed) == ""
}

// onlyRoutes refuses a qmail with other control files of routes, which patched
// versions of qmail-remote ask before smtproutes: authsenders by the sender,
// qmtproutes for QMTP.
func (f *Freezer) onlyRoutes() error {
	for _, name := range []string{"authsenders", "qmtproutes"} {
		data, err := f.root.ReadFile(f.home+"/control/"+name, controlLimit)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read control/%s: %w", name, err)
		}
		if len(controlLines(string(data))) > 0 {
			return &spoor.Problem{
				What: "control/" + name + " has routes beside those of control/smtproutes",
				So:   "some mail would still leave; use the method " + FreezeConcurrency.String(),
				Err:  mta.ErrUnsupported,
			}
		}
	}
	return nil
}
