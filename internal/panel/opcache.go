package panel

import (
	"fmt"
	"strconv"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// longestStale is how long an OPcache may run what it has compiled without another look at
// the file (opcache.revalidate_freq), in seconds; by default it is 2.
const longestStale = 10

// Recompile has each PHP drop what it has compiled whose OPcache does not look at the files
// again, or not soon: a script that was taken away would go on there.
func Recompile(root *host.Root, live bool) spoor.Measures {
	var m spoor.Measures
	for _, conf := range phpConfs {
		for _, ini := range conf.inis(root) {
			if place := blindOpcache(root, conf, ini); place.File != "" {
				m.Add(dropCompiled(root, live, ini, place))
			}
		}
	}
	return m
}

// blindOpcache is the setting that lets it be so, in a php.ini or for a pool of it; no
// file where there is none.
func blindOpcache(root *host.Root, conf phpConf, ini string) spoor.Evidence {
	var never, late spoor.Evidence
	note := func(blind *spoor.Evidence, is bool, place spoor.Evidence) {
		if is {
			*blind = place
		} else if !strings.Contains(place.Text, "[") { // for all, and not a pool's own
			*blind = spoor.Evidence{}
		}
	}
	for _, name := range append(conf.general(root, ini), conf.poolsOf(root, ini)...) {
		eachPHPSetting(root, name, func(key, value string, place spoor.Evidence) {
			switch key {
			case "opcache.validate_timestamps":
				note(&never, !isOn(value), place)
			case "opcache.revalidate_freq":
				seconds, err := strconv.Atoi(value)
				note(&late, err == nil && seconds > longestStale, place)
			}
		})
	}
	if never.File != "" {
		return never
	}
	return late
}

func dropCompiled(root *host.Root, live bool, ini string, place spoor.Evidence) spoor.Measures {
	why := fmt.Sprintf("the OPcache of this PHP does not look at files again, or not soon (%s:%d)", place.File, place.Line)
	unit := unitOf(ini)
	if unit == "" {
		return spoor.Measures{ByHand: []string{"reload the PHP of " + ini + ": " + why}}
	}
	reload := reloadUnit(unit)
	if !live || !root.Exists("/run/systemd/system") {
		return spoor.Measures{ByHand: []string{strings.Join(reload, " ") + ": " + why}}
	}
	return spoor.Measures{Steps: []spoor.Step{{
		Kind: spoor.StepCommand, Command: &spoor.Command{Do: reload, Undo: reload, Lenient: true}, Optional: true,
		What: strings.Join(reload, " ") + ": " + why, Inverse: "the same",
	}}}
}
