package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func tree(t *testing.T, files map[string]string) *host.Root {
	t.Helper()
	return hosttest.Tree(t, files)
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const cgiHeader = "Content-type: application/json\r\n\r\n"

func TestTheStatusOfFPM(t *testing.T) {
	status, err := parseFPMStatus(append([]byte(cgiHeader), testdata(t, "fpm.json")...))
	if err != nil || status.Pool != "shop" || len(status.Processes) != 3 {
		t.Fatalf("it is %+v, %v", status, err)
	}
	var workers []Worker
	for i := range status.Processes {
		if w, ok := status.Processes[i].worker("/fpm-status"); ok {
			workers = append(workers, w)
		}
	}
	want := []Worker{{PID: 21546, Server: "php-fpm", Script: "/var/www/vhosts/shop.example/httpdocs/slow.php", Method: "POST", Path: "/slow.php"}}
	if !reflect.DeepEqual(workers, want) {
		t.Errorf("they are %+v", workers)
	}
	for _, bad := range []string{"", "{}", cgiHeader, cgiHeader + "{}", cgiHeader + "File not found.", cgiHeader + `{"pool":"x","processes":[{"pid":"1"}]}`} {
		if _, err := parseFPMStatus([]byte(bad)); !errors.Is(err, errNoStatus) {
			t.Errorf("%q gives %v", bad, err)
		}
	}
}

func TestTheStatusOfApache(t *testing.T) {
	rows := parseApacheStatus(string(testdata(t, "apache.html")))
	want := []apacheRow{
		{21556, "W", "127.0.0.1", "shop.example", "POST", "/slow.php"},
		{21557, "W", "127.0.0.1", "forum.example", "POST", "/old/send.php"},
		{21638, "W", "127.0.0.1", "forum.example", "GET", "/server-status"},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("they are %+v", rows)
	}
	// Apache 2.2, which does not close its cells' tags everywhere, and has no
	// protocol.
	const old = "<table><tr><th>Srv</th><th>PID</th><th>M</th><th>Client</th><th>VHost</th><th>Request</th></tr>\n" +
		"<tr><td><b>0-0</b></td><td>12</td><td>_\n</td><td>198.51.100.7</td><td nowrap>x.test</td><td nowrap>POST /&lt;b&gt;?x HTTP/1.0</td></tr>"
	rows = parseApacheStatus(old)
	if len(rows) != 1 || rows[0] != (apacheRow{12, "_", "198.51.100.7", "x.test", "POST", "/<b>"}) || rows[0].busy() {
		t.Errorf("they are %+v", rows)
	}
}

func FuzzFPMStatus(f *testing.F) {
	f.Add(append([]byte(cgiHeader), testdata(f, "fpm.json")...))
	f.Fuzz(func(t *testing.T, answer []byte) {
		status, err := parseFPMStatus(answer)
		if err != nil {
			return
		}
		for i := range status.Processes {
			if w, ok := status.Processes[i].worker("/status"); ok && (w.PID <= 0 || len(w.Path) > maxClaim || strings.Contains(w.Path, "?")) {
				t.Errorf("a worker is %+v", w)
			}
		}
	})
}

func FuzzApacheStatus(f *testing.F) {
	f.Add(string(testdata(f, "apache.html")))
	f.Fuzz(func(t *testing.T, page string) {
		for _, row := range parseApacheStatus(page) {
			if row.pid <= 0 || len(row.path) > maxClaim || strings.Contains(row.path, "?") {
				t.Errorf("a row is %+v", row)
			}
		}
	})
}

// answerOf is a FastCGI answer of some records.
func answerOf(records ...any) []byte {
	var out []byte
	for i := 0; i < len(records); i += 2 {
		kind, _ := records[i].(int)
		text, _ := records[i+1].(string)
		out = append(out, fcgiVersion, byte(kind), 0, 1)
		out = binary.BigEndian.AppendUint16(out, uint16(len(text)))
		out = append(append(out, 3, 0), text...)
		out = append(out, "pad"...)
	}
	return out
}

func TestFastCGI(t *testing.T) {
	request := appendFastCGI(nil, []param{{"SCRIPT_NAME", "/status"}, {"LONG", strings.Repeat("x", 200)}})
	want := "\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + // begin
		"\x01\x04\x00\x01\x00\xe5\x00\x00\x0b\x07SCRIPT_NAME/status\x04\x80\x00\x00\xc8LONG" + strings.Repeat("x", 200) +
		"\x01\x04\x00\x01\x00\x00\x00\x00" + "\x01\x05\x00\x01\x00\x00\x00\x00"
	if string(request) != want {
		t.Errorf("the request is\n%q, want\n%q", request, want)
	}
	f := func(answer []byte, want string, wrong error) {
		t.Helper()
		got, err := readFastCGI(bytes.NewReader(answer), 20)
		if !errors.Is(err, wrong) || wrong == nil && string(got) != want {
			t.Errorf("it says %q, %v; want %q, %v", got, err, want, wrong)
		}
	}
	f(answerOf(fcgiStdout, "hello ", fcgiStderr, "noise", fcgiStdout, "world", fcgiStdout, "", fcgiEndRequest, "12345678"), "hello world", nil)
	f(answerOf(fcgiStdout, "hello"), "", io.EOF)
	f(answerOf(fcgiStdout, "hello")[:10], "", io.ErrUnexpectedEOF)
	f(answerOf(fcgiStdout, strings.Repeat("x", 21)), "", errTooLong)
	f([]byte("HTTP/1.1 400"), "", errFastCGI)
	f(answerOf(11, "x"), "", errFastCGI)
}

func FuzzFastCGI(f *testing.F) {
	f.Add(answerOf(fcgiStdout, "hello", fcgiEndRequest, "12345678"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if out, _ := readFastCGI(bytes.NewReader(answer), 100); len(out) > 100 {
			t.Errorf("%d bytes of at most 100", len(out))
		}
	})
}

const poolFile = "; a remark\n[global]\nlisten = /wrong\n[shop]\nlisten = /run/php/$pool.sock ; where\npm.status_path = \"/status-$pool\"\n" +
	"[quiet]\nlisten = 127.0.0.1:9001\n[own]\nlisten=9000\npm.status_listen = 127.0.0.1:9002\npm.status_path=/s\n"

func TestPools(t *testing.T) {
	want := []fpmPool{
		{name: "shop", listen: "/run/php/shop.sock", status: "/status-shop"},
		{name: "quiet", listen: "127.0.0.1:9001"},
		{name: "own", listen: "9000", own: "127.0.0.1:9002", status: "/s"},
	}
	if got := parsePools([]byte(poolFile)); !reflect.DeepEqual(got, want) {
		t.Errorf("they are %+v", got)
	}
	root := tree(t, map[string]string{"etc/php/8.2/fpm/pool.d/a.conf": poolFile, "etc/php/8.2/fpm/pool.d/a.conf.dpkg-old": poolFile, "etc/php-fpm.d/b.conf": "[x]\nlisten = 1\npm.status_path = /x\n"})
	var gaps spoor.Gaps
	var names []string
	for _, pool := range findFPMPools(root, &gaps) {
		names = append(names, pool.name)
	}
	if !slices.Equal(names, []string{"shop", "own", "x"}) || gaps.Total() > 0 {
		t.Errorf("the pools with a status are %q, %v", names, gaps.List())
	}
}

func FuzzPools(f *testing.F) {
	f.Add([]byte(poolFile))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, pool := range parsePools(text) {
			if pool.name == "global" || strings.ContainsAny(pool.listen+pool.status, "\n") {
				t.Errorf("a pool is %+v", pool)
			}
		}
	})
}

func TestOnlyThisMachineIsAsked(t *testing.T) {
	f := func(listen, want string) {
		t.Helper()
		if got, ok := loopback(listen); got != want || ok != (want != "") {
			t.Errorf("loopback(%q) = %q, %v; want %q", listen, got, ok, want)
		}
	}
	f("9000", "127.0.0.1:9000")
	f("*:80", "127.0.0.1:80")
	f("0.0.0.0:80", "127.0.0.1:80")
	f("[::]:80", "127.0.0.1:80")
	f("127.0.0.2:9000", "127.0.0.2:9000")
	f("[::1]:9000", "[::1]:9000")
	f("localhost:9000", "127.0.0.1:9000")
	f("192.0.2.1:9000", "")
	f("example.com:80", "")
	f("127.0.0.1:99999", "")
	f("", "")
}

func TestApacheConf(t *testing.T) {
	const conf = "Listen 80\nListen 127.0.0.1:8080\nListen 443\nListen 8443 https\n<Location \"/server-status\">\n  SetHandler server-status\n</Location>\n" +
		"<Location /other>\nSetHandler proxy:fcgi://x\n</Location>\nSetHandler server-status\n"
	got := parseApacheConf(conf)
	if !slices.Equal(got.listens, []string{"80", "127.0.0.1:8080"}) || !slices.Equal(got.paths, []string{"/server-status"}) {
		t.Errorf("it is %+v", got)
	}
	root := tree(t, map[string]string{"etc/apache2/ports.conf": "Listen 80\nListen 192.0.2.1:80\n", "etc/apache2/mods-enabled/status.conf": conf})
	var gaps spoor.Gaps
	want := []apachePage{{"127.0.0.1:80", "/server-status"}, {"127.0.0.1:8080", "/server-status"}}
	if got := findApachePages(root, &gaps); !reflect.DeepEqual(got, want) {
		t.Errorf("the pages are %+v", got)
	}
}

// A pool at a socket is asked by the protocol that php-fpm speaks.
func TestAPoolIsAsked(t *testing.T) {
	root := tree(t, map[string]string{"run/": ""})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(root.Dir(), "run/shop.sock"))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan []byte, 1)
	go func() {
		defer close(asked)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		request := make([]byte, 4096)
		n, _ := conn.Read(request)
		asked <- request[:n]
		_, _ = conn.Write(answerOf(fcgiStdout, cgiHeader, fcgiStdout, string(testdata(t, "fpm.json")), fcgiEndRequest, "12345678"))
		_ = conn.Close()
	}()
	t.Cleanup(func() { _ = listener.Close(); <-asked })
	pool := fpmPool{name: "shop", listen: "/run/shop.sock", status: "/fpm-status", root: root}
	workers, err := pool.workers(t.Context())
	if err != nil || len(workers) != 1 || workers[0].PID != 21546 {
		t.Errorf("they are %+v, %v", workers, err)
	}
	if request := string(<-asked); !strings.Contains(request, "\x0cQUERY_STRING") && !strings.Contains(request, "full&json") {
		t.Errorf("it was asked %q", request)
	}
	if _, err := (&fpmPool{listen: "192.0.2.1:9000"}).ask(context.Background()); !errors.Is(err, errNotLocal) {
		t.Errorf("another machine is asked: %v", err)
	}
}
