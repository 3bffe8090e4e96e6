package postfix

import (
	"maps"
	"slices"
	"strings"

	"spoor"
)

// forwards adds the addresses that aliases pass on: those of the server itself
// (aliases(5)) and those of virtual domains (virtual(5)). Catch-alls are a policy of
// their domain.
func (a *auditor) forwards() {
	for _, parameter := range [...]string{"virtual_alias_maps", "alias_maps"} {
		for _, spec := range a.main.List(parameter) {
			table, _ := a.main.Table(spec) // catch-alls and domains tell of one that cannot be read
			for _, key := range slices.Sorted(maps.Keys(table)) {
				if !strings.HasPrefix(key, "@") && key != "" {
					a.forwardTo(key, table[key])
				}
			}
		}
	}
}

func (a *auditor) forwardTo(address string, entry Entry) {
	for target := range strings.FieldsFuncSeq(entry.Value, func(r rune) bool { return r == ',' }) {
		target = strings.TrimSpace(target)
		if program, ok := strings.CutPrefix(strings.Trim(target, `"`), "|"); ok && answers(program) {
			a.policy.Answers = append(a.policy.Answers, spoor.Responder{Address: address, Place: entry.Place})
			continue
		}
		if target != "" && !strings.ContainsAny(target[:1], `|/:"`) && strings.Contains(target, "@") {
			a.policy.Forwards = append(a.policy.Forwards, spoor.Forward{Address: address, Target: target, Place: entry.Place})
		}
	}
}

// answers reports whether a program answers mail by itself, such as vacation(1).
func answers(program string) bool {
	for _, name := range [...]string{"vacation", "autoreply", "autorespond"} {
		if strings.Contains(program, name) {
			return true
		}
	}
	return false
}
