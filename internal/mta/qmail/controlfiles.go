package qmail

import (
	"bytes"
	"strings"

	"spoor/internal/host"
)

// ControlFiles is what the control files of qmail-control(5) say about addresses.
type ControlFiles struct {
	folder   string
	me       string
	served   map[string]bool // locals, rcpthosts, the domains of virtualdomains
	local    map[string]bool // locals
	wildcard []string        // rcpthosts entries such as .example.com, with the dot
	prefixes map[string]string
}

// controlLimit bounds a control file, in bytes.
const controlLimit = 64 << 20

// readControl reads the files below dir. Files that are missing are empty.
func readControl(root *host.Root, dir string) *ControlFiles {
	c := &ControlFiles{folder: dir, served: map[string]bool{}, local: map[string]bool{}, prefixes: map[string]string{}}
	lines := func(name string) []string {
		data, err := root.ReadFile(dir+"/"+name, controlLimit)
		if err != nil {
			return nil
		}
		return controlLines(string(data))
	}
	for _, line := range lines("me") {
		c.me = line
		break
	}
	locals := lines("locals")
	if len(locals) == 0 && c.me != "" {
		locals = []string{c.me}
	}
	for _, domain := range locals {
		c.local[strings.ToLower(domain)] = true
	}
	for _, name := range [][]string{locals, lines("rcpthosts"), lines("morercpthosts")} {
		for _, domain := range name {
			c.serve(domain)
		}
	}
	for _, line := range lines("virtualdomains") {
		domain, prefix, ok := strings.Cut(strings.ToLower(line), ":")
		if ok && prefix != "" {
			c.prefixes[domain] = prefix
			c.serve(domain)
		}
	}
	return c
}

// controlLines returns the lines of a control file without trailing blanks,
// empty lines and comments: control_readfile() of control.c.
func controlLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

func (c *ControlFiles) serve(domain string) {
	domain = strings.ToLower(domain)
	if at := strings.LastIndexByte(domain, '@'); at >= 0 { // user@domain in virtualdomains
		domain = domain[at+1:]
	}
	if strings.HasPrefix(domain, ".") {
		c.wildcard = append(c.wildcard, domain)
	} else if domain != "" {
		c.served[domain] = true
	}
}

// Me is the name of the server, or "".
func (c *ControlFiles) Me() string { return c.me }

// Serves reports whether the server takes mail for a domain as its own.
func (c *ControlFiles) Serves(domain string) bool {
	domain = strings.ToLower(domain)
	if c.served[domain] {
		return true
	}
	for _, suffix := range c.wildcard {
		if strings.HasSuffix(domain, suffix) {
			return true
		}
	}
	return false
}

// delivers reports whether qmail-send will put an address on the local channel:
// rewrite() of qmail-send.c.
func (c *ControlFiles) delivers(address []byte) bool {
	at := bytes.LastIndexByte(address, '@')
	if at < 0 {
		return true // envnoathost, which is me unless set otherwise
	}
	domain := strings.ToLower(string(address[at+1:]))
	if c.local[domain] {
		return true
	}
	if _, ok := c.prefixes[strings.ToLower(string(address))]; ok {
		return true
	}
	_, ok := c.prefix(domain)
	return ok
}

// prefix looks a domain up in virtualdomains: itself, then the entries that
// stand for every host below a domain, then the one for everything.
func (c *ControlFiles) prefix(domain string) (string, bool) {
	for from := 0; ; {
		if prefix, ok := c.prefixes[domain[from:]]; ok {
			return prefix, true
		}
		if from == len(domain) {
			return "", false
		}
		next := strings.IndexByte(domain[from+1:], '.')
		if next < 0 {
			from = len(domain)
		} else {
			from += 1 + next
		}
	}
}

// StripPrefix removes from a local address what virtualdomains put before it:
// 12-info@example.com becomes info@example.com where the file says
// example.com:12. It is stripvdomprepend() of qmail-send.c.
func (c *ControlFiles) StripPrefix(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	for i := range address[:at] { // user@domain:prefix
		if address[i] != '-' {
			continue
		}
		if prefix, ok := c.prefixes[strings.ToLower(address[i+1:])]; ok && prefix == address[:i] {
			return address[i+1:]
		}
	}
	prefix, ok := c.prefix(strings.ToLower(address[at+1:]))
	if !ok {
		return address
	}
	return strings.TrimPrefix(address, prefix+"-")
}

// names reports whether a Received line was written under the name of this
// server: "by me with …".
func (c *ControlFiles) names(received string) bool {
	return c.me != "" && strings.Contains(received, "by "+c.me+" with ")
}
