package postfix

import (
	"bytes"

	"spoor"
)

// tag is what the program of a line says.
type tag struct {
	daemon   daemon
	instance uint64 // hash of the instance; 0 for the first
}

// daemon is the part of Postfix that wrote a line.
type daemon uint8

const (
	beside daemon = iota // a program beside Postfix, or none that is known
	daemonSMTPD
	daemonPickup
	daemonCleanup
	daemonQmgr
	daemonSMTP  // delivery to elsewhere, or to nowhere
	daemonLocal // delivery into mailboxes and commands
	daemonBounce
	daemonPostsuper
	daemonScreen
	daemonService // the others, and the commands
	daemonScript  // of the administrator's own making
)

// daemons are named by their programs (master(5)). relay and retry are services
// that run smtp and error, and old versions name them so.
var daemons = map[string]daemon{
	"smtpd": daemonSMTPD, "qmqpd": daemonSMTPD,
	"pickup": daemonPickup, "cleanup": daemonCleanup,
	"qmgr": daemonQmgr, "nqmgr": daemonQmgr, "oqmgr": daemonQmgr,
	"smtp": daemonSMTP, "relay": daemonSMTP, "error": daemonSMTP, "retry": daemonSMTP, "discard": daemonSMTP,
	"lmtp": daemonLocal, "local": daemonLocal, "virtual": daemonLocal, "pipe": daemonLocal,
	"bounce": daemonBounce, "defer": daemonBounce, "trace": daemonBounce,
	"postsuper": daemonPostsuper, "postscreen": daemonScreen,
	"anvil": daemonService, "master": daemonService, "scache": daemonService, "tlsmgr": daemonService, "trivial-rewrite": daemonService,
	"proxymap": daemonService, "proxywrite": daemonService, "flush": daemonService, "showq": daemonService, "dnsblog": daemonService,
	"tlsproxy": daemonService, "verify": daemonService, "spawn": daemonService, "postlogd": daemonService,
	"postfix-script": daemonService, "post-install": daemonService, "postfix": daemonService, "postfix-wrapper": daemonService, "postmulti-script": daemonService, "postfix-tls-script": daemonService,
	"postmulti": daemonService, "postmap": daemonService, "postalias": daemonService, "postqueue": daemonService, "postcat": daemonService, "postkick": daemonService, "postlock": daemonService,
	"postconf": daemonService, "sendmail": daemonService, "postdrop": daemonService, "newaliases": daemonService, "mailq": daemonService,
	"postlog": daemonScript, "policy-spf": daemonScript, "policyd-spf": daemonScript, "policyd-weight": daemonScript, "postgrey": daemonScript, "postfwd": daemonScript, "postfwd2": daemonScript, "greylist": daemonScript,
}

// readTag reads a tag: syslog_name, maybe the name of a service, and the program,
// with slashes between (mail_task.c).
//
// A command that has not read main.cf yet has its own name alone.
//
//	postfix/smtpd  postfix/submission/smtpd  postfix-239.58.50.50/qmgr  postfix/10025/smtpd  /postfix-script  postmulti
func readTag(name []byte) tag {
	slash := bytes.LastIndexByte(name, '/')
	if slash < 0 && bytes.HasPrefix(name, []byte("post")) && daemons[string(name)] == daemonService {
		return tag{daemon: daemonService}
	}
	if slash < 0 || bytes.ContainsAny(name, "(<") {
		return tag{daemon: beside}
	}
	instance, _, _ := bytes.Cut(name, []byte{'/'})
	d, ok := daemons[string(name[slash+1:])]
	switch {
	case ok && (len(instance) > 0 || slash == 0) && !foreignSuite(instance):
		return tag{daemon: d, instance: instanceHash(instance)}
	case bytes.HasPrefix(instance, []byte("postfix")):
		return tag{daemon: daemonService, instance: instanceHash(instance)}
	}
	return tag{daemon: beside}
}

// foreignSuite names suites whose programs are called like those of Postfix.
func foreignSuite(name []byte) bool {
	return string(name) == "cyrus" || string(name) == "qmail" || string(name) == "dovecot"
}

// instanceHash tells instances apart. A service that was given a syslog_name of
// its own belongs to the first one all the same: its messages are in that queue.
func instanceHash(instance []byte) uint64 {
	if name, ok := bytes.CutPrefix(instance, []byte("postfix")); ok {
		if instance = bytes.TrimLeft(name, "-_"); len(instance) == 0 {
			return 0
		}
		if !isService(instance) {
			return spoor.IDHash(name)
		}
	}
	if len(instance) == 0 || isService(instance) {
		return 0
	}
	return spoor.IDHash(instance)
}

func isService(name []byte) bool {
	switch string(name) {
	case "submission", "smtps", "submissions", "smtp", "relay", "amavis", "msa":
		return true
	}
	return false
}
