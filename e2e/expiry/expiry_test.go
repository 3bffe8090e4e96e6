//go:build e2e

package expiry

import (
	"strings"
	"testing"
	"time"
)

// configure gives the machine a Postfix and an Exim that do not run.
func (m *machine) configure() {
	m.t.Helper()
	m.shell(`printf 'myhostname = mx.shop.example\nsmtpd_sender_restrictions = reject_unknown_sender_domain\n' > /etc/postfix/main.cf
printf 'primary_hostname = mx.shop.example\nacl_smtp_mail = accept\nbegin acl\n' > /etc/exim4/exim4.conf
touch -d 2021-05-06 /etc/postfix/main.cf /etc/postfix /etc/exim4/exim4.conf /etc/exim4`)
}

// manifest is all of the configuration, byte for byte, with modes, owners and times.
func (m *machine) manifest() string {
	m.t.Helper()
	return m.shell(`find /etc/postfix /etc/exim4 /etc/passwd /etc/shadow -printf '%p %y %m %U %G %s %T@ %l\n' | sort
find /etc/postfix /etc/exim4 -type f -exec sha256sum {} + | sort`)
}

// timers are the timers of stops that systemd waits for.
func (m *machine) timers() []string {
	m.t.Helper()
	var list []string
	for line := range strings.Lines(m.shell("systemctl list-timers --all --no-legend --plain 'spoor-expire-*'")) {
		for _, word := range strings.Fields(line) {
			if strings.HasSuffix(word, ".timer") {
				list = append(list, strings.TrimSuffix(word, ".timer"))
			}
		}
	}
	return list
}

// traces are what is left of timers when none is.
func (m *machine) traces() string {
	m.t.Helper()
	return m.shell(`find /etc/systemd /var/lib/systemd/timers -name '*spoor*' 2>/dev/null || true
systemctl list-units --all --no-legend --plain 'spoor-expire-*.timer'`)
}

func (m *machine) has(name, words string) bool {
	return m.try("grep", "-q", words, name)
}

const (
	logins    = "/etc/postfix/spoor_sasl_access"
	blank     = `/opt/spoor 1%/spoor`
	elsewhere = "/srv/state of $HOME 5%"
)

func yes(words ...string) []string { return append(words, "--yes", "--reason", "test") }

// TestStopsTakeThemselvesBack has several stops with ends of their own.
func TestStopsTakeThemselvesBack(t *testing.T) {
	m := newMachine(t)
	m.on()
	m.configure()
	before := m.manifest()
	postfix := func(program string, words ...string) []string {
		return yes(append([]string{program, "--mta", "postfix"}, words...)...)
	}
	m.run(0, postfix("spoor", "stop", "account:anna@shop.example", "--for", "1m")...)
	m.run(0, postfix(blank, "stop", "account:carl@shop.example", "--for", "2m")...)
	m.run(0, postfix("spoor", "stop", "account:early@shop.example", "--for", "1m")...)
	m.run(0, postfix("spoor", "stop", "account:longer@shop.example", "--for", "1m")...)
	m.shell("mkdir -p /srv")
	// A folder that is named from where one stands is another one for the service.
	m.run(0, append([]string{"sh", "-c", `cd /srv && exec "$@"`, "sh"},
		yes("spoor", "--mta", "exim", "--state", strings.TrimPrefix(elsewhere, "/srv/"), "stop", "account:dora@shop.example", "--for", "1m")...)...)
	timers := m.timers()
	if len(timers) != 5 {
		t.Fatalf("the timers are %q", timers)
	}
	for _, name := range timers {
		if text := m.run(0, "systemctl", "cat", name+".timer", name+".service"); !strings.Contains(text, "Persistent=true") {
			t.Errorf("%s is\n%s", name, text)
		}
		m.run(0, "systemctl", "is-enabled", name+".timer")
	}

	// One that is taken back before has no timer any more, and a stop is not prolonged:
	// it is made anew.
	m.run(0, postfix("spoor", "unstop", "account:early@shop.example")...)
	m.run(5, postfix("spoor", "stop", "account:longer@shop.example", "--for", "1h")...)
	m.run(0, postfix("spoor", "unstop", "account:longer@shop.example")...)
	m.run(0, postfix("spoor", "stop", "account:longer@shop.example", "--for", "1h")...)
	if timers = m.timers(); len(timers) != 4 {
		t.Fatalf("the timers are %q", timers)
	}

	// While another spoor is at work, the service waits and tries again.
	lock := m.lock(elsewhere)
	m.until("the first end", func() bool { return !m.has(logins, "anna") })
	if !m.has(logins, "carl") || !m.has(logins, "longer") {
		t.Error("what is not over was taken back")
	}
	m.until("the next try of what is locked out", func() bool {
		return strings.Contains(m.shell("systemctl show -p SubState 'spoor-expire-*.service'"), "SubState=auto-restart")
	})
	if !m.has("/etc/exim4/spoor_logins", "dora") {
		t.Error("it was taken back without the lock")
	}
	_ = lock.Close()
	m.until("the second end", func() bool { return !m.has(logins, "carl") })
	m.until("the end of what was locked out", func() bool { return !m.has("/etc/exim4/exim4.conf", "spoor") })
	if !m.has(logins, "longer") {
		t.Error("what was made anew with a longer time was taken back")
	}
	m.until("one timer", func() bool { return len(m.timers()) == 1 })
	m.run(0, postfix("spoor", "unstop", "account:longer@shop.example")...)
	if after := m.manifest(); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	m.until("the services' end", func() bool {
		return m.shell("systemctl list-units --no-legend --plain 'spoor-expire-*'") == ""
	})
	if left := m.traces(); left != "" {
		t.Errorf("it leaves\n%s", left)
	}
	if text := m.run(0, "spoor", "--mta", "postfix", "journal"); strings.Count(text, "its time was over") != 2 {
		t.Errorf("the journal says\n%s", text)
	}
	if text := m.run(0, "spoor", "--mta", "exim", "--state", elsewhere, "journal"); strings.Count(text, "its time was over") != 1 {
		t.Errorf("the other journal says\n%s", text)
	}
}

// TestATimeThatPassesWhileTheMachineIsOff has the power fail after two stops. When it is
// on again both are over; the file of one was edited meanwhile.
func TestATimeThatPassesWhileTheMachineIsOff(t *testing.T) {
	m := newMachine(t)
	m.on()
	m.configure()
	before := m.shell("stat -c '%y %a' /etc/exim4/exim4.conf; cat /etc/exim4/exim4.conf")
	m.run(0, yes("spoor", "--mta", "exim", "--state", elsewhere, "stop", "account:dora@shop.example", "--for", "1m")...)
	m.run(0, yes("spoor", "--mta", "postfix", "stop", "account:anna@shop.example", "--for", "1m")...)
	m.shell("sed -i 's/^smtpd_sender_restrictions.*/smtpd_sender_restrictions = permit/' /etc/postfix/main.cf")
	over := time.Now().Add(time.Minute)
	if timers := m.timers(); len(timers) != 2 {
		t.Fatalf("the timers are %q", timers)
	}
	m.off()
	m.until("the time to pass", func() bool { return time.Now().After(over) })
	m.on()
	m.until("the end of the stop", func() bool { return !m.has("/etc/exim4/exim4.conf", "spoor") })
	if after := m.shell("stat -c '%y %a' /etc/exim4/exim4.conf; cat /etc/exim4/exim4.conf"); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	m.until("the end of the timers", func() bool { return m.traces() == "" })
	m.until("the service that has failed", func() bool {
		return strings.Contains(m.shell("systemctl list-units --state=failed --no-legend --plain"), "spoor-expire-")
	})

	// The edited file is as it was edited, and every answer tells of it.
	if !m.try("grep", "-qx", "smtpd_sender_restrictions = permit", "/etc/postfix/main.cf") {
		t.Errorf("main.cf is\n%s", m.shell("cat /etc/postfix/main.cf"))
	}
	text := strings.Join(strings.Fields(m.run(0, "spoor", "--mta", "postfix")), " ")
	for _, words := range []string{"In force stop account:anna@shop.example", "its time is over, and it could not be taken back: /etc/postfix/main.cf was changed since", "spoor unstop 2"} {
		if !strings.Contains(text, words) {
			t.Errorf("%q is not in the answer:\n%s", words, text)
		}
	}
}
