package logs

import (
	"strings"
	"time"

	"spoor/internal/host"
)

const (
	zoneinfo    = "/usr/share/zoneinfo/"
	maxZoneFile = 64 << 10 // bytes
)

// Zone reads the zone of the server, which syslogd writes its stamps in: from
// /etc/localtime (tzfile(5)), else from the name in /etc/timezone. It is nil if
// neither can be read. A zone whose name is known bears it.
func Zone(root *host.Root) *time.Location {
	if data, err := root.ReadFile("/etc/localtime", maxZoneFile); err == nil {
		name := "server's zone"
		if target, err := root.Resolve("/etc/localtime"); err == nil {
			if _, found, ok := strings.Cut(target, "zoneinfo/"); ok {
				name = found
			}
		}
		if zone, err := time.LoadLocationFromTZData(name, data); err == nil {
			return zone
		}
	}
	text, err := root.ReadFile("/etc/timezone", maxZoneFile)
	name := strings.TrimSpace(string(text))
	if err != nil || name == "" {
		return nil
	}
	if data, err := root.ReadFile(zoneinfo+name, maxZoneFile); err == nil {
		if zone, err := time.LoadLocationFromTZData(name, data); err == nil {
			return zone
		}
	}
	if zone, err := time.LoadLocation(name); err == nil && name != "Local" {
		return zone // the server's own tables are not in the capture
	}
	return nil
}
