package postfix

import (
	"maps"
	"path"
	"strings"

	"spoor"
)

// smtpService is an SMTP server that master.cf starts, with the main.cf that it
// sees.
type smtpService struct {
	name  string // as in master.cf: smtp, submission, 127.0.0.1:10025
	place spoor.Evidence
	main  *MainCF
	local bool // only this machine itself reaches it
}

// services lists the SMTP servers of master.cf (master(5)). Without that file
// there is one.
func (c *MainCF) services() []smtpService {
	name := path.Join(c.folder, "master.cf")
	data, err := c.root.ReadFile(name, configBytes)
	if err != nil {
		s := smtpService{name: "smtp", place: spoor.Evidence{What: "main.cf", File: path.Join(c.folder, "main.cf")}, main: c}
		s.local = s.isLocal()
		return []smtpService{s}
	}
	var list []smtpService
	for line := range logicalLines(string(data)) {
		s, ok := c.service(line)
		if ok {
			s.place = spoor.Evidence{What: "master.cf", File: name, Line: line.number, Text: line.text}
			list = append(list, s)
		}
	}
	return list
}

// service reads a line such as
//
//	submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes
func (c *MainCF) service(line logicalLine) (smtpService, bool) {
	fields := strings.Fields(line.text)
	if len(fields) < masterColumns || fields[masterColumns-1] != "smtpd" || fields[1] != "inet" && fields[1] != "pass" {
		return smtpService{}, false
	}
	s := smtpService{name: fields[0], main: c}
	if overrides := c.overrides(fields[masterColumns:], line.number); len(overrides) > 0 {
		s.main = c.with(overrides)
	}
	s.local = s.isLocal()
	return s, true
}

func (s *smtpService) isLocal() bool {
	if at := strings.LastIndexByte(s.name, ':'); at >= 0 {
		return isLocalName(s.name[:at])
	}
	interfaces := s.main.List("inet_interfaces")
	for _, one := range interfaces {
		if one != "loopback-only" && !isLocalName(one) {
			return false
		}
	}
	return len(interfaces) > 0
}

func isLocalName(name string) bool {
	name = strings.Trim(name, "[]")
	return name == "localhost" || strings.HasPrefix(name, "127.") || name == "::1"
}

// overrides reads the arguments of a service: -o name=value, or -o { name = value }
// where the value has blanks.
func (c *MainCF) overrides(arguments []string, number int) map[string]Setting {
	file := path.Join(c.folder, "master.cf")
	set := map[string]Setting{}
	for i := 0; i < len(arguments); i++ {
		text, ok := strings.CutPrefix(arguments[i], "-o")
		if !ok {
			continue
		}
		if text == "" && i+1 < len(arguments) {
			i++
			text = arguments[i]
		}
		if strings.HasPrefix(text, "{") {
			for !strings.HasSuffix(text, "}") && i+1 < len(arguments) {
				i++
				text += " " + arguments[i]
			}
			text = strings.TrimSpace(strings.Trim(text, "{}"))
		}
		name, value, _ := strings.Cut(text, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		set[name] = Setting{value, spoor.Evidence{What: "master.cf", File: file, Line: number, Text: "-o " + name + "=" + value}}
	}
	return set
}

// with is a main.cf where some parameters are set otherwise. It shares the tables
// with c.
func (c *MainCF) with(overrides map[string]Setting) *MainCF {
	other := *c
	other.values = maps.Clone(c.values)
	maps.Copy(other.values, overrides)
	return &other
}
