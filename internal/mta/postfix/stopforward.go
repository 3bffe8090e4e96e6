package postfix

import (
	"path"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

// stopForward takes the entry of an alias or of a catch-all out of its table.
func (q *Queue) stopForward(c *spoor.Culprit) spoor.Measures {
	name := strings.ToLower(c.Source.Name)
	if c.Managed {
		return spoor.Measures{ByHand: []string{"take the forward " + name + " back by the means of the panel, which writes the tables of Postfix"}}
	}
	var m spoor.Measures
	q.eachMain(c, func(main *MainCF) []spoor.Step {
		steps := main.without("virtual_alias_maps", name, "postmap")
		if local, domain, ok := strings.Cut(name, "@"); ok && local != "" && main.domains().serves(domain) {
			steps = append(steps, main.without("alias_maps", local, "postalias")...)
		}
		return steps
	}, &m)
	for _, s := range m.Steps {
		if s.Kind == spoor.StepEdit {
			m.Open = append(m.Open, "mail to "+name+" is refused or bounces from now on, as the domain's policy has it")
			return m
		}
	}
	return spoor.Measures{Refused: []string{"no table of Postfix that is a text has the entry " + name}}
}

// without is the steps that take an entry out of the tables of a parameter, and make
// those anew that are kept in another form.
func (c *MainCF) without(parameter, key, tool string) []spoor.Step {
	var steps []spoor.Step
	for _, spec := range c.List(parameter) {
		table, ok := c.Table(spec)
		entry, there := table[key]
		if !ok || !there {
			continue
		}
		file := c.resolve(entry.Place.File)
		block, ok := c.block(entry.Place.File, entry.Place.Line)
		if !ok {
			continue
		}
		before, after := c.rebuilt(spec, file, tool)
		steps = append(append(steps, before...), spoor.Step{
			Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: file, Changes: []spoor.LineChange{{Old: block}}},
			What: "the entry " + key + " is taken out of " + file, Inverse: "it is put back where it stood",
		})
		steps = append(steps, after...)
	}
	return steps
}

// block is a logical line of a table with those that continue it, as they stand
// there.
func (c *MainCF) block(name string, number int) (string, bool) {
	data, err := c.root.ReadFile(name, configBytes)
	lines := strings.Split(string(data), "\n")
	if err != nil || number < 1 || number > len(lines) {
		return "", false
	}
	end := number
	for end < len(lines) && (strings.HasPrefix(lines[end], " ") || strings.HasPrefix(lines[end], "\t")) && strings.TrimSpace(lines[end]) != "" {
		end++
	}
	return strings.Join(lines[number-1:end], "\n"), true
}

// databases are the files in which Postfix keeps a table (DATABASE_README).
var databases = map[string]string{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}

// rebuilt are the steps around a change of a table that make its database anew.
func (c *MainCF) rebuilt(spec, file, tool string) (before, after []spoor.Step) {
	kind, _, _ := strings.Cut(strings.TrimPrefix(spec, "proxy:"), ":")
	suffix, ok := databases[kind]
	if !ok {
		return nil, nil // texthash is read as it is
	}
	argv := []string{path.Join(c.Get("command_directory"), tool), "-c", c.folder, kind + ":" + file}
	anew, made := mta.Remade(argv, []string{file + suffix}, file+suffix+" is as it was", "")
	return []spoor.Step{anew}, []spoor.Step{made}
}
