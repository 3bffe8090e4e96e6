package postfix

import (
	"path"
	"strings"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

var _ mta.Stopper = (*Queue)(nil)

// The files that spoor writes for Postfix, beside main.cf. main.cf names them; the
// next source that is stopped adds a line.
const (
	loginsFile   = "spoor_sasl_access"  // access(5): logins that may not send
	usersFile    = "spoor_submit_users" // system users who may not submit
	networksFile = "spoor_networks"     // networks that are taken out of mynetworks
)

// Stops reports whether Postfix can stop sources of a kind.
func (q *Queue) Stops(kind spoor.Kind) bool {
	switch kind {
	case spoor.KindAccount, spoor.KindSite, spoor.KindUser, spoor.KindNetwork, spoor.KindForward:
		return true
	default:
		return false
	}
}

// Stop proposes how Postfix takes nothing more from a source.
func (q *Queue) Stop(c *spoor.Culprit) spoor.Measures {
	switch c.Source.Kind {
	case spoor.KindAccount:
		return q.stopAccount(c)
	case spoor.KindSite, spoor.KindUser:
		return q.stopUser(c)
	case spoor.KindNetwork:
		return q.stopNetwork(c)
	case spoor.KindForward:
		return q.stopForward(c)
	default:
		return spoor.Measures{}
	}
}

// stopAccount refuses mail of a login, before anything else permits it. The key
// of an access table is the login as smtpd knows it (postconf(5),
// check_sasl_access), in lower case.
func (q *Queue) stopAccount(c *spoor.Culprit) spoor.Measures {
	const open = "the password still opens the mailbox (IMAP, POP3, webmail)"
	if c.Managed {
		return spoor.Measures{Open: []string{open}, ByHand: []string{"Postfix: check_sasl_access in smtpd_sender_restrictions, by the means of the panel, which writes main.cf"}}
	}
	if !mta.PlainWord(c.Source.Name) {
		return spoor.Measures{Refused: []string{"the login has characters that cannot stand in a table of Postfix"}}
	}
	var lines []spoor.LineChange
	for _, key := range q.loginKeys(strings.ToLower(c.Source.Name)) {
		lines = append(lines, spoor.LineChange{New: key + " REJECT sending is stopped for this account: ask your administrator"})
	}
	m := spoor.Measures{Open: []string{open, "a session that is open now goes on until it is ended: see the steps"}}
	if mta.HidesLogins(q.root) {
		m.Open = append(m.Open, "Dovecot's submission service, which does not tell Postfix who has logged in: --lock-login closes it")
	}
	q.eachMain(c, func(main *MainCF) []spoor.Step {
		hook := "check_sasl_access texthash:" + path.Join(main.folder, loginsFile)
		steps := []spoor.Step{main.ownFile(loginsFile, lines, "Postfix refuses mail of the login "+c.Source.Name)}
		steps = append(steps, main.hook("smtpd_sender_restrictions", hook)...)
		return append(steps, main.serviceHooks("smtpd_sender_restrictions", hook)...)
	}, &m)
	return m
}

// loginKeys are a login as smtpd may know it: with its realm, and without it if
// that is what smtpd adds.
func (q *Queue) loginKeys(login string) []string {
	keys := []string{login}
	local, realm, _ := strings.Cut(login, "@")
	if q.conf.Realm != "" && strings.EqualFold(realm, q.conf.Realm) {
		keys = append(keys, local)
	}
	return keys
}

// stopUser lets a system user submit nothing by sendmail(1).
func (q *Queue) stopUser(c *spoor.Culprit) spoor.Measures {
	var m spoor.Measures
	switch {
	case c.UID <= 0:
		m.Refused = append(m.Refused, "its system user is not known")
		return m
	case c.Managed:
	case !mta.PlainWord(c.Login):
		m.Open = append(m.Open, "Postfix' own list of those who may submit, which knows users by name: this one has none that can stand there")
	default:
		lines := []spoor.LineChange{{New: c.Login}}
		q.eachMain(nil, func(main *MainCF) []spoor.Step {
			hook := "!" + path.Join(main.folder, usersFile)
			return append([]spoor.Step{main.ownFile(usersFile, lines, "Postfix takes no mail of "+c.Login+" by sendmail (PHP's mail() fails)")},
				main.hook("authorized_submit_users", hook)...)
		}, &m)
	}
	main := q.conf.Mains[0]
	bins := []string{path.Join(main.Get("command_directory"), "postdrop"), "/usr/sbin/sendmail", "/usr/lib/sendmail"}
	m.Add(mta.Bar(q.root, c, bins))
	return m
}

// stopNetwork takes a network out of those that may relay: what stands behind a !
// in front of the list is not meant (postconf(5), mynetworks).
func (q *Queue) stopNetwork(c *spoor.Culprit) spoor.Measures {
	m := mta.BarNetwork(c)
	prefix, ok := c.Network()
	if !ok || len(m.Refused) > 0 {
		return m
	}
	if c.Managed {
		m.ByHand = append(m.ByHand, "take "+prefix.String()+" off the list of those who may relay, by the means of the panel, which writes main.cf")
		return m
	}
	for _, main := range q.conf.Mains {
		if _, set := main.Setting("mynetworks"); !set {
			m.Open = append(m.Open, "relaying, if the firewall is emptied: mynetworks is not set in "+main.folder+"/main.cf, so there is no list to take the network off")
			continue
		}
		one := &Queue{root: q.root, conf: Config{Mains: []*MainCF{main}}}
		one.eachMain(c, func(main *MainCF) []spoor.Step {
			item := prefix.String()
			if prefix.Addr().Is6() {
				item = "[" + prefix.Addr().String() + "]/" + item[strings.LastIndexByte(item, '/')+1:]
			}
			steps := []spoor.Step{main.ownFile(networksFile, []spoor.LineChange{{New: item}}, item+" may not relay through Postfix without a login")}
			hook := "!" + path.Join(main.folder, networksFile)
			return append(append(steps, main.hook("mynetworks", hook)...), main.serviceHooks("mynetworks", hook)...)
		}, &m)
	}
	return m
}

// eachMain adds steps for the configuration of each instance. With a culprit the
// daemons that read it at their start are told of it.
func (q *Queue) eachMain(c *spoor.Culprit, steps func(*MainCF) []spoor.Step, m *spoor.Measures) {
	for _, main := range q.conf.Mains {
		list := steps(main)
		if c == nil {
			m.Steps = append(m.Steps, list...)
			continue
		}
		before, after := mta.Reloads(c, path.Join(main.Get("queue_directory"), "pid/master.pid"), "master", "smtpd")
		if !c.Live {
			m.ByHand = append(m.ByHand, "postfix -c "+main.folder+" reload")
		}
		m.Steps = append(append(append(m.Steps, before...), list...), after...)
	}
}

// resolve is a path without links, as steps want it.
func (c *MainCF) resolve(name string) string {
	if file, err := c.root.Resolve(name); err == nil {
		return host.Abs(file)
	}
	folder, err := c.root.Resolve(path.Dir(name))
	if err != nil {
		return name
	}
	return host.Abs(path.Join(folder, path.Base(name)))
}

// ownFile is a line in a file that spoor alone writes to.
func (c *MainCF) ownFile(name string, lines []spoor.LineChange, what string) spoor.Step {
	file := c.resolve(path.Join(c.folder, name))
	return spoor.Step{
		Kind: spoor.StepEdit, What: what + " (a line in " + file + ")", Inverse: "the line is taken out; without lines the file goes",
		Edit: &spoor.Edit{
			Path: file, Changes: lines, Mode: 0o644, Ours: true,
			NamedIn: []string{c.resolve(path.Join(c.folder, "main.cf")), c.resolve(path.Join(c.folder, "master.cf"))},
		},
	}
}
