package live

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"spoor"
	"spoor/internal/host"
)

// fpmPool is a pool of php-fpm whose configuration has a status page.
type fpmPool struct {
	name   string
	listen string // a socket below the root, or address:port
	own    string // the same, of a listener for the status alone; "" if there is none
	status string // path of the page
	root   *host.Root
}

// fpmPatterns are where distributions and panels put the pools: Debian, Red Hat,
// Plesk, cPanel, DirectAdmin.
func fpmPatterns() []string {
	return []string{
		"/etc/php/*/fpm/pool.d/*", "/etc/php-fpm.d/*", "/etc/php5/fpm/pool.d/*", "/etc/opt/remi/*/php-fpm.d/*",
		"/opt/plesk/php/*/etc/php-fpm.d/*", "/var/www/vhosts/system/*/conf/php-fpm.conf",
		"/opt/cpanel/*/root/etc/php-fpm.d/*", "/usr/local/*/lib/php-fpm.conf.d/*", "/usr/local/directadmin/data/users/*/php/*",
	}
}

const (
	maxPoolFiles = 2000
	poolLimit    = 1 << 20 // bytes of one file
)

// findFPMPools reads the configurations of php-fpm. Only pools with a status page
// are kept.
func findFPMPools(root *host.Root, gaps *spoor.Gaps) []fpmPool {
	var pools []fpmPool
	for _, name := range filesOf(root, fpmPatterns()) {
		if !strings.HasSuffix(name, ".conf") {
			continue
		}
		text, err := root.ReadFile(name, poolLimit)
		if err != nil {
			gaps.Add(name, "cannot be read: a pool of php-fpm is not asked")
			continue
		}
		for _, pool := range parsePools(text) {
			if pool.status != "" && pool.listen != "" {
				pool.root = root
				pools = append(pools, pool)
			}
		}
	}
	return pools
}

// filesOf lists the files that patterns name; a part of a pattern is a name or a
// star.
func filesOf(root *host.Root, patterns []string) []string {
	var files []string
	for _, pattern := range patterns {
		files = append(files, glob(root, "/", strings.Split(strings.Trim(pattern, "/"), "/"))...)
	}
	return files[:min(len(files), maxPoolFiles)]
}

func glob(root *host.Root, folder string, parts []string) []string {
	if len(parts) == 0 {
		return []string{folder}
	}
	names := []string{parts[0]}
	if parts[0] == "*" {
		var err error
		if names, err = root.List(folder, maxPoolFiles); err != nil {
			return nil
		}
		slices.Sort(names)
	}
	var files []string
	for _, name := range names {
		if full := path.Join(folder, name); root.Exists(full) {
			files = append(files, glob(root, full, parts[1:])...)
		}
	}
	return files
}

// parsePools reads a file of pools: www.conf(5) of php-fpm, an ini file with a
// section for each pool.
func parsePools(text []byte) []fpmPool {
	var pools []fpmPool
	var open *fpmPool
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			open = nil
			if name, _, ok = strings.Cut(name, "]"); ok && name != "global" {
				pools = append(pools, fpmPool{name: name})
				open = &pools[len(pools)-1]
			}
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && open != nil {
			open.set(strings.TrimSpace(key), iniValue(value))
		}
	}
	return pools
}

func (p *fpmPool) set(key, value string) {
	value = strings.ReplaceAll(value, "$pool", p.name)
	switch key {
	case "listen":
		p.listen = value
	case "pm.status_listen": // since PHP 8.0: answers while all workers are busy
		p.own = value
	case "pm.status_path":
		p.status = value
	}
}

// iniValue is the value of a line, without quotes and remark.
func iniValue(text string) string {
	text = strings.TrimSpace(text)
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		value, _, _ := strings.Cut(quoted, `"`)
		return value
	}
	value, _, _ := strings.Cut(text, ";")
	return strings.TrimSpace(value)
}

// errNotLocal is returned for a pool that is not on this machine.
var errNotLocal = errors.New("listens on another machine")

// dial connects to the pool, on this machine only.
func (p *fpmPool) dial(ctx context.Context) (net.Conn, error) {
	listen := cmp.Or(p.own, p.listen)
	if strings.HasPrefix(listen, "/") {
		return p.root.DialUnix(ctx, listen)
	}
	address, ok := loopback(listen)
	if !ok {
		return nil, errNotLocal
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// loopback makes what a server listens on an address that reaches it on this
// machine: a port, "*:9000", "127.0.0.1:9000", "[::]:9000".
func loopback(listen string) (string, bool) {
	colon := strings.LastIndexByte(listen, ':')
	port, addr := listen[colon+1:], strings.Trim(listen[:max(colon, 0)], "[]")
	if _, err := netip.ParseAddrPort("127.0.0.1:" + port); err != nil {
		return "", false
	}
	if ip, err := netip.ParseAddr(addr); err == nil && ip.IsLoopback() {
		return net.JoinHostPort(ip.String(), port), true
	} else if err == nil && !ip.IsUnspecified() || err != nil && addr != "" && addr != "*" && addr != "localhost" {
		return "", false
	}
	return "127.0.0.1:" + port, true
}

const (
	statusTime  = time.Second // that a page may take
	statusLimit = 4 << 20     // bytes
)

// ask gets the status of the pool. A worker of the pool answers, unless it has a
// listener of its own for that.
func (p *fpmPool) ask(ctx context.Context) (fpmStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	conn, err := p.dial(ctx)
	if err != nil {
		return fpmStatus{}, err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return fpmStatus{}, err
		}
	}
	request := appendFastCGI(nil, []param{
		{"GATEWAY_INTERFACE", "CGI/1.1"},
		{"SERVER_PROTOCOL", "HTTP/1.1"},
		{"SERVER_SOFTWARE", "spoor"},
		{"REMOTE_ADDR", "127.0.0.1"},
		{"REQUEST_METHOD", "GET"},
		{"SCRIPT_NAME", p.status},
		{"SCRIPT_FILENAME", p.status},
		{"REQUEST_URI", p.status},
		{"QUERY_STRING", "full&json"},
	})
	if _, err := conn.Write(request); err != nil {
		return fpmStatus{}, err
	}
	answer, err := readFastCGI(conn, statusLimit)
	if err != nil {
		return fpmStatus{}, err
	}
	return parseFPMStatus(answer)
}
