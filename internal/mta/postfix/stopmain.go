package postfix

import (
	"path"
	"slices"
	"strings"

	"spoor"
)

// hook is the step that puts a pattern or restriction in front of the value of a
// parameter in main.cf. Where it stands there already, another plan has put it
// there, and the step makes sure that it stays.
func (c *MainCF) hook(parameter, first string) []spoor.Step {
	file := c.resolve(path.Join(c.folder, "main.cf"))
	step := spoor.Step{
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: file, Want: first}, Shared: "postfix " + file + " " + parameter,
		What: file + ": " + parameter + " begins with " + first, Inverse: "the parameter is as it was",
	}
	setting, set := c.Setting(parameter)
	if strings.Contains(setting.Value, first) {
		return []spoor.Step{step}
	}
	if !set || setting.Place.Line == 0 {
		value := first
		if setting.Value != "" {
			value += ", " + setting.Value
		}
		step.Edit.Changes = []spoor.LineChange{{New: parameter + " = " + value}}
		return []spoor.Step{step}
	}
	if change, ok := c.inFront("main.cf", setting.Place.Line, first); ok {
		step.Edit.Changes = []spoor.LineChange{change}
	}
	return []spoor.Step{step}
}

// inFront is the change that puts words in front of the value of the parameter on
// a line of main.cf. Nothing else of the line changes.
func (c *MainCF) inFront(name string, number int, first string) (spoor.LineChange, bool) {
	line, ok := c.rawLine(name, number)
	if !ok {
		return spoor.LineChange{}, false
	}
	parameter, value, ok := strings.Cut(line, "=")
	if !ok {
		return spoor.LineChange{}, false
	}
	separator := ", "
	if strings.TrimSpace(value) == "" {
		separator = ""
		value = strings.TrimRight(value, " \t")
	}
	return spoor.LineChange{Old: line, New: parameter + "= " + first + separator + strings.TrimLeft(value, " \t")}, true
}

// rawLine is a line of a file of the configuration as it stands there.
func (c *MainCF) rawLine(name string, number int) (string, bool) {
	data, err := c.root.ReadFile(path.Join(c.folder, name), configBytes)
	lines := strings.Split(string(data), "\n")
	if err != nil || number < 1 || number > len(lines) {
		return "", false
	}
	return lines[number-1], true
}

// serviceHooks are the same for the services of master.cf that set the parameter
// for themselves. There no blanks stand in a value.
func (c *MainCF) serviceHooks(parameter, first string) []spoor.Step {
	file := c.resolve(path.Join(c.folder, "master.cf"))
	step := spoor.Step{
		Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: file}, Shared: "postfix " + file + " " + parameter,
		What: file + ": so does " + parameter + " of the services that set it themselves", Inverse: "their parameters are as they were",
	}
	joined := strings.ReplaceAll(first, " ", ",")
	found := false
	for _, s := range c.services() {
		setting, _ := s.main.Setting(parameter)
		if s.main == c || setting.Place.What != "master.cf" {
			continue
		}
		found = true
		if strings.Contains(setting.Value, joined) || strings.Contains(setting.Value, first) {
			continue
		}
		if change, ok := c.serviceHook(setting, parameter, joined); ok && !slices.Contains(step.Edit.Changes, change) {
			step.Edit.Changes = append(step.Edit.Changes, change)
		}
	}
	if !found {
		return nil
	}
	return []spoor.Step{step}
}

// serviceHook changes the lines of one service. Its lines are one block, so that
// two services with the same lines are told apart by their first.
func (c *MainCF) serviceHook(setting Setting, parameter, joined string) (spoor.LineChange, bool) {
	data, err := c.root.ReadFile(path.Join(c.folder, "master.cf"), configBytes)
	lines := strings.Split(string(data), "\n")
	begin := setting.Place.Line - 1
	if err != nil || begin < 0 || begin >= len(lines) {
		return spoor.LineChange{}, false
	}
	end := begin + 1
	for end < len(lines) && (strings.HasPrefix(lines[end], " ") || strings.HasPrefix(lines[end], "\t") || strings.HasPrefix(lines[end], "#")) {
		end++
	}
	old := strings.Join(lines[begin:end], "\n")
	at := valueOf(old, parameter)
	if at < 0 {
		return spoor.LineChange{}, false
	}
	separator := ","
	if setting.Value == "" {
		separator = ""
	}
	return spoor.LineChange{Old: old, New: old[:at] + joined + separator + old[at:]}, true
}

// valueOf returns where the value of a parameter begins in the lines of a service, or
// -1: -o name=value, or -o { name = value }. Of several the last one counts (master(5)).
func valueOf(service, parameter string) int {
	last := -1
	for at := 0; ; at++ {
		next := strings.Index(service[at:], parameter)
		if next < 0 {
			return last
		}
		at += next
		behind := at + len(parameter)
		value := behind + len(service[behind:]) - len(strings.TrimLeft(service[behind:], " \t"))
		before := service[:at]
		begins := at > 0 && strings.IndexByte(" \t\n{", before[at-1]) >= 0 || strings.HasSuffix(before, "-o")
		if !begins || value == len(service) || service[value] != '=' || isCommented(service, at) {
			continue
		}
		value++
		last = value + len(service[value:]) - len(strings.TrimLeft(service[value:], " \t"))
	}
}

// isCommented reports whether a place is in a line that begins with #.
func isCommented(text string, at int) bool {
	line := text[strings.LastIndexByte(text[:at], '\n')+1:]
	return strings.HasPrefix(strings.TrimLeft(line, " \t"), "#")
}
