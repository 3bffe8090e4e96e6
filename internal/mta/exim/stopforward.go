package exim

import (
	"strings"

	"spoor"
)

// stopForward takes an alias out of the file in which a panel keeps those of its
// domain; a catch-all refuses from then on. Exim reads these files for each address,
// so nothing has to be told to it.
func (q *Queue) stopForward(c *spoor.Culprit) spoor.Measures {
	name := strings.ToLower(c.Source.Name)
	local, domain, ok := strings.Cut(name, "@")
	if !ok || !isDomainWord(domain) {
		return spoor.Measures{Refused: []string{"it is no address with a domain, so that there is no alias file to look into"}}
	}
	var m spoor.Measures
	for _, file := range panelAliasFiles(domain) {
		lines, _ := readAliases(q.root, file)
		for _, line := range lines {
			if line.key != name && line.key != local && (local != "" || line.key != "*") {
				continue
			}
			if step, ok := q.withoutAlias(file, line); ok {
				m.Steps = append(m.Steps, step)
			}
		}
	}
	if line, found := domainAlias(q.root, domain); found && local == "" {
		if step, ok := q.withoutAlias(domainAliasFile(domain), line); ok {
			m.Steps = append(m.Steps, step)
		}
	}
	if len(m.Steps) == 0 {
		return spoor.Measures{
			Refused: []string{"no alias file of a panel has " + name}, ByHand: []string{"take " + name + " out of its alias file"},
		}
	}
	m.Open = append(m.Open, "mail to "+name+" is refused or goes into its mailbox from now on, as the domain's policy has it")
	return m
}

// withoutAlias is the step for one alias, with the lines that continue it.
func (q *Queue) withoutAlias(file string, line aliasLine) (spoor.Step, bool) {
	data, err := q.root.ReadFile(file, aliasBytes)
	lines := strings.Split(string(data), "\n")
	begin := line.place.Line - 1
	if err != nil || begin < 0 || begin >= len(lines) {
		return spoor.Step{}, false
	}
	end := begin + 1
	for end < len(lines) && lines[end] != "" && (lines[end][0] == ' ' || lines[end][0] == '\t') {
		end++
	}
	change := spoor.LineChange{Old: strings.Join(lines[begin:end], "\n")}
	words := "the alias " + line.key + " is taken out of " + file
	if line.key == "*" {
		change.New, words = "*: "+failing, file+": the catch-all refuses"
		if aliasPolicy("", line).Policy == spoor.NonexistentReject {
			return spoor.Step{}, false
		}
	}
	return spoor.Step{
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: q.resolved(file), Changes: []spoor.LineChange{change}},
		What: words, Inverse: "it is as it was",
	}, true
}
