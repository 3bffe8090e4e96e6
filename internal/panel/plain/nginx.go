package plain

import (
	"path"
	"strings"
)

const nginxFolder = "/etc/nginx"

// nginx reads the server blocks of nginx.
func (r *reading) nginx() []vhost {
	n := &nginxConf{reading: r, seen: map[string]bool{}}
	for _, pattern := range [...]string{nginxFolder + "/sites-enabled/*", nginxFolder + "/conf.d/*.conf"} {
		for _, name := range r.matching(pattern) {
			n.read(name, 0)
		}
	}
	return n.done
}

// nginxConf is one reading of nginx' configuration. Files are read as a row of
// statements and blocks:
//
//	server {
//	    server_name shop.example;
//	    location ~ \.php$ { fastcgi_pass unix:/run/php/shop.sock; }
//	}
type nginxConf struct {
	*reading
	seen   map[string]bool
	done   []vhost
	open   *vhost // inside a server block; else nil
	blocks int    // that are open within the server block
}

func (n *nginxConf) read(name string, depth int) {
	if depth > maxDepth || len(n.done) > maxVHosts {
		n.gaps.Add(name, "configuration was not read to its end: sites may be missing")
		return
	}
	tokens := nginxTokens{text: n.text(name)}
	var statement []string
	for {
		token, ok := tokens.next()
		if !ok {
			return
		}
		switch token {
		case "{":
			n.enter(statement)
		case "}":
			n.leave()
		case ";":
			n.statement(statement, depth)
		default:
			if len(statement) < maxPerVHost {
				statement = append(statement, token)
			}
			continue
		}
		statement = statement[:0]
	}
}

func (n *nginxConf) enter(statement []string) {
	switch {
	case n.open != nil:
		n.blocks++
	case len(statement) == 1 && statement[0] == "server":
		n.open, n.blocks = &vhost{}, 0
	}
}

func (n *nginxConf) leave() {
	switch {
	case n.open == nil:
	case n.blocks > 0:
		n.blocks--
	default:
		n.done = append(n.done, *n.open)
		n.open = nil
	}
}

func (n *nginxConf) statement(word []string, depth int) {
	if len(word) < 2 {
		return
	}
	if word[0] == "include" && word[1] != "" && !strings.ContainsAny(word[1], "\x00$") {
		pattern := word[1]
		if pattern[0] != '/' {
			pattern = nginxFolder + "/" + pattern
		}
		for _, name := range n.matching(path.Clean(pattern)) {
			if n.open != nil || !n.seen[name] {
				n.seen[name] = true
				n.read(name, depth+1)
			}
		}
		return
	}
	if n.open != nil && len(n.open.names)+len(n.open.roots)+len(n.open.logs) < maxPerVHost {
		n.setting(word)
	}
}

func (n *nginxConf) setting(word []string) {
	switch word[0] {
	case "server_name":
		n.open.names = append(n.open.names, word[1:]...)
	case "root":
		if root, ok := folder(word[1], nginxFolder); ok && n.blocks == 0 {
			n.open.roots = append(n.open.roots, root)
		}
	case "access_log":
		if log, ok := folder(word[1], nginxFolder); ok && word[1] != "off" {
			n.open.logs = append(n.open.logs, log)
		}
	case "fastcgi_pass":
		n.open.handler = listener(word[1])
	}
}

// nginxTokens cuts a text into words, braces and semicolons; comments are left
// out, and what is in quotes is one word.
type nginxTokens struct{ text string }

func (t *nginxTokens) next() (token string, ok bool) {
	for {
		t.text = strings.TrimLeft(t.text, " \t\r\n")
		if !strings.HasPrefix(t.text, "#") {
			break
		}
		end := strings.IndexByte(t.text, '\n')
		if end < 0 {
			end = len(t.text)
		}
		t.text = t.text[end:]
	}
	if t.text == "" {
		return "", false
	}
	switch c := t.text[0]; c {
	case '{', '}', ';':
		return t.cut(1), true
	case '"', '\'':
		if end := strings.IndexByte(t.text[1:], c); end >= 0 {
			token = t.text[1 : 1+end]
			t.text = t.text[end+2:]
			return token, true
		}
	}
	end := strings.IndexAny(t.text[1:], " \t\r\n{};")
	if end < 0 {
		end = len(t.text) - 1
	}
	return t.cut(end + 1), true
}

func (t *nginxTokens) cut(end int) string {
	word := t.text[:end]
	t.text = t.text[end:]
	return word
}
