package postfix

import (
	"net/netip"
	"path"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

var _ mta.Mender = (*Queue)(nil)

// menders mend what one check has found.
func menders() map[string]func(*MainCF, *spoor.Mending) spoor.Measures {
	return map[string]func(*MainCF, *spoor.Mending) spoor.Measures{
		"nonexistent-user": (*MainCF).mendDomain,
		"relay-list":       (*MainCF).mendRelay,
		"limits-off":       (*MainCF).mendLimits,
		"submission-tls":   (*MainCF).mendLogins,
	}
}

// Mends reports whether findings of a check can be mended in the files of Postfix.
func (q *Queue) Mends(check string) bool { return menders()[check] != nil }

// Mend proposes how a finding of the audit is mended in the files of Postfix.
func (q *Queue) Mend(m *spoor.Mending) spoor.Measures {
	mend := menders()[m.Finding.Check]
	if mend == nil {
		return spoor.Measures{}
	}
	var all spoor.Measures
	for _, main := range q.conf.Mains {
		one := mend(main, m)
		if len(one.Steps) > 0 {
			one.Steps = around(main, m, one.Steps)
		}
		all.Add(one)
	}
	if m.Managed && len(all.Steps) > 0 {
		all.Open = append(all.Open, "the panel writes these files too, and may put back what was there: look again with spoor audit ls")
	}
	return all
}

// around has the daemons read their configuration again, after the steps and after
// their undo.
func around(main *MainCF, m *spoor.Mending, steps []spoor.Step) []spoor.Step {
	before, after := mta.Reloads(&spoor.Culprit{Live: m.Live}, path.Join(main.Get("queue_directory"), "pid/master.pid"), "master")
	return append(append(before, steps...), after...)
}

// mendDomain has mail for users that do not exist refused.
func (c *MainCF) mendDomain(m *spoor.Mending) spoor.Measures {
	d := m.Domain
	if d == nil {
		return spoor.Measures{}
	}
	key := "@" + d.Domain
	steps := append(c.without("virtual_alias_maps", key, "postmap"), c.without("virtual_mailbox_maps", key, "postmap")...)
	switch {
	case len(steps) > 0:
		return spoor.Measures{
			Steps:  steps,
			Breaks: []string{"addresses of " + d.Domain + " that people use and that exist only through the catch-all: give them an alias or a mailbox of their own first"},
		}
	case d.Relayed:
		return spoor.Measures{ByHand: []string{
			"postconf -e 'relay_recipient_maps = hash:/etc/postfix/relay_recipients'   (with a list of the users of " + d.Domain + "), or reject_unverified_recipient in smtpd_recipient_restrictions",
		}}
	}
	for parameter, value := range map[string]string{"local_recipient_maps": "", "smtpd_reject_unlisted_recipient": "no"} {
		if step, ok := c.unset(parameter, value); ok {
			steps = append(steps, step)
		}
	}
	if len(steps) == 0 {
		return spoor.Measures{}
	}
	return spoor.Measures{Steps: steps, Breaks: []string{
		"mail to users that Postfix does not know: where users are in a directory of their own, local_recipient_maps must name it instead",
	}}
}

// unset is the step that takes a parameter out of main.cf, if it has that value
// there, so that its default counts.
func (c *MainCF) unset(parameter, value string) (spoor.Step, bool) {
	setting, set := c.Setting(parameter)
	file := path.Join(c.folder, "main.cf")
	if !set || setting.Place.File != file || strings.TrimSpace(c.Get(parameter)) != value {
		return spoor.Step{}, false
	}
	block, ok := c.block(file, setting.Place.Line)
	if !ok {
		return spoor.Step{}, false
	}
	return spoor.Step{
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: c.resolve(file), Changes: []spoor.LineChange{{Old: block}}},
		What: file + ": " + parameter + " is not set any more, so that its default counts (" + defaults[parameter] + ")", Inverse: "the line is put back",
	}, true
}

// set is the step that gives a parameter of main.cf another value.
func (c *MainCF) set(parameter, value string) (spoor.Step, bool) {
	file := path.Join(c.folder, "main.cf")
	change := spoor.LineChange{New: parameter + " = " + value}
	if setting, set := c.Setting(parameter); set {
		block, ok := c.block(file, setting.Place.Line)
		if !ok || setting.Place.File != file {
			return spoor.Step{}, false // a service of master.cf sets it
		}
		change.Old = block
	}
	return spoor.Step{
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: c.resolve(file), Changes: []spoor.LineChange{change}},
		What: file + ": " + change.New, Inverse: "the parameter is as it was",
	}, true
}

// mendRelay takes one network out of every list that has it.
func (c *MainCF) mendRelay(m *spoor.Mending) spoor.Measures {
	prefix, err := netip.ParsePrefix(m.Finding.Subject)
	if err != nil {
		return spoor.Measures{}
	}
	var all spoor.Measures
	for _, e := range m.Finding.Evidence {
		switch {
		case e.What == "psa" || !strings.HasPrefix(e.File, "/"):
		case e.What == "table":
			all.ByHand = append(all.ByHand, "take "+prefix.String()+" out of "+e.Place()+", and run postmap")
		default:
			if step, ok := c.withoutItem(e, prefix); ok {
				all.Steps = append(all.Steps, step)
			} else {
				all.ByHand = append(all.ByHand, "take "+prefix.String()+" out of "+e.Place())
			}
		}
	}
	return all
}

// withoutItem is the step that takes a network out of the lines where it stands.
func (c *MainCF) withoutItem(e spoor.Evidence, prefix netip.Prefix) (spoor.Step, bool) {
	block, ok := c.block(e.File, e.Line)
	if !ok {
		return spoor.Step{}, false
	}
	without, ok := cutItem(block, prefix)
	if !ok {
		return spoor.Step{}, false
	}
	change := spoor.LineChange{Old: block, New: without}
	if strings.TrimSpace(without) == "" {
		change.New = ""
	}
	return spoor.Step{
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: c.resolve(e.File), Changes: []spoor.LineChange{change}},
		What: prefix.String() + " is taken out of " + e.Place() + ": it may not relay without a login", Inverse: "it is put back",
	}, true
}

// cutItem takes the items that are a network out of a list, with what parts them
// from the next. Nothing else changes.
func cutItem(list string, prefix netip.Prefix) (string, bool) {
	const separators = " \t,\n"
	found := false
	for at := 0; at < len(list); {
		if strings.IndexByte(separators, list[at]) >= 0 {
			at++
			continue
		}
		end := at
		for end < len(list) && strings.IndexByte(separators, list[end]) < 0 {
			end++
		}
		if p, ok := prefixOf(list[at:end]); !ok || p != prefix {
			at = end
			continue
		}
		found = true
		for end < len(list) && (list[end] == ' ' || list[end] == ',') {
			end++
		}
		if end == len(list) || list[end] == '\n' { // the last of its line: what parts it from the one before goes
			for at > 0 && (list[at-1] == ' ' || list[at-1] == ',') {
				at--
			}
		}
		begin := strings.LastIndexByte(list[:at], '\n')
		if begin >= 0 && strings.TrimSpace(list[begin:at]) == "" && (end == len(list) || list[end] == '\n') {
			at = begin // nothing is left of its line
		}
		list = list[:at] + list[end:]
	}
	return list, found
}

// mendLimits has mail wait where the program that limits it is gone.
func (c *MainCF) mendLimits(*spoor.Mending) spoor.Measures {
	if c.Get("milter_default_action") != "accept" {
		return spoor.Measures{}
	}
	step, ok := c.set("milter_default_action", "tempfail")
	if !ok {
		return spoor.Measures{}
	}
	return spoor.Measures{
		Steps:  []spoor.Step{step},
		Breaks: []string{"while a filter does not answer, all mail is put off (451) and clients try again, where it passes unchecked now"},
	}
}

// mendLogins takes passwords over TLS only, where there is TLS.
func (c *MainCF) mendLogins(*spoor.Mending) spoor.Measures {
	if c.Get("smtpd_sasl_auth_enable") != "yes" && len(c.cleartextServices()) == 0 {
		return spoor.Measures{}
	}
	if c.Get("smtpd_tls_cert_file") == "" && c.Get("smtpd_tls_chain_files") == "" {
		return spoor.Measures{Refused: []string{"Postfix has no certificate (smtpd_tls_cert_file): nobody could log in any more"}}
	}
	step, ok := c.set("smtpd_tls_auth_only", "yes")
	if !ok {
		return spoor.Measures{}
	}
	m := spoor.Measures{Steps: []spoor.Step{step}, Breaks: []string{"clients that log in without TLS: old devices, scanners, scripts"}}
	if level := c.Get("smtpd_tls_security_level"); level == "" || level == "none" {
		if step, ok := c.set("smtpd_tls_security_level", "may"); ok {
			m.Steps = append(m.Steps, step)
		}
	}
	return m
}

// cleartextServices are the services that offer logins by settings of their own.
func (c *MainCF) cleartextServices() []string {
	var names []string
	for _, s := range c.services() {
		if s.main.Get("smtpd_sasl_auth_enable") == "yes" {
			names = append(names, s.name)
		}
	}
	return names
}
