package live

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
)

// recordOf makes a record as the kernel's program writes it.
func recordOf(kind uint32, args, env string, names ...string) []byte {
	r := make([]byte, atText)
	put := func(at int, n uint32) { binary.NativeEndian.PutUint32(r[at:], n) }
	put(atKind, kind)
	put(atPID, 4711)
	put(atUID, 10003)
	put(atGID, 2523)
	put(atArgs, uint32(len(args)))
	put(atEnv, uint32(len(env)))
	binary.NativeEndian.PutUint64(r[atTime:], uint64(time.Minute))
	binary.NativeEndian.PutUint64(r[atStart:], uint64(59*time.Second))
	copy(r[atComm:], "sendmail")
	put(atParents+parentPID, 900)
	put(atParents+parentUID, 33)
	copy(r[atParents+parentComm:], "php-fpm8.2")
	put(atFiles, 1)
	put(atOpen+openFD, 5)
	binary.NativeEndian.PutUint64(r[atOpen+openFile:], 77)
	put(atOpen+openMode, 1)
	text := args + env
	for _, name := range names {
		text += name + "\x00"
	}
	return slices.Concat(r, []byte(text))
}

func TestARecordIsTakenApart(t *testing.T) {
	d, ok := decodeRecord(recordOf(recordExec, "sendmail\x00-t\x00", "PWD=/x\x00", "shop", "www", "", "sendmail", "sbin", "", "php-fpm", "", "/", "", "/", "", "mailer.php", "shop", "www", ""))
	if !ok {
		t.Fatal("no record")
	}
	if d.process.PID != 4711 || d.process.UID != 10003 || d.process.GID != 2523 || d.process.Comm != "sendmail" || d.process.Dir != "/www/shop" {
		t.Errorf("the process is %+v", d.process)
	}
	if d.at != time.Minute || d.process.Start != 59*time.Second {
		t.Errorf("it was seen at %v and started at %v", d.at, d.process.Start)
	}
	if d.process.Exe != "/sbin/sendmail" || len(d.parents) != 1 || d.parents[0].process.Exe != "/php-fpm" || d.parents[0].process.PID != 900 || d.parents[0].process.UID != 33 || d.parents[0].process.Comm != "php-fpm8.2" {
		t.Errorf("its parents are %+v", d.parents)
	}
	if string(d.args) != "sendmail\x00-t\x00" || string(d.env) != "PWD=/x\x00" {
		t.Errorf("arguments %q, environment %q", d.args, d.env)
	}
	want := []decodedFile{{fd: 5, id: identity{inode: 77}, path: "/www/shop/mailer.php", readonly: true}}
	if !reflect.DeepEqual(d.files, want) {
		t.Errorf("its files are %+v", d.files)
	}
}

func TestAPathThatWasNotFollowedToItsEndIsUnknown(t *testing.T) {
	d, ok := decodeRecord(recordOf(recordExec, "", "", "deep", "folder", "/", "", "", "", "", "", "mailer.php", ""))
	if !ok || d.process.Dir != "" || d.files[0].path != "/mailer.php" {
		t.Errorf("the folder is %q, the file %+v", d.process.Dir, d.files)
	}
	d, ok = decodeRecord(recordOf(recordExec, "", "", "no", "end"))
	if !ok || d.process.Dir != "" {
		t.Errorf("a path without its end is %q", d.process.Dir)
	}
}

func TestTheOtherEndOfAConnection(t *testing.T) {
	f := func(family uint32, addr []byte, want string) {
		t.Helper()
		r := recordOf(recordConnect, "", "", "")
		binary.NativeEndian.PutUint32(r[atFamily:], family)
		binary.NativeEndian.PutUint32(r[atPort:], 25)
		copy(r[atAddr:], addr)
		if d, ok := decodeRecord(r); !ok || d.remote != netip.MustParseAddrPort(want) {
			t.Errorf("it is %v, want %s", d.remote, want)
		}
	}
	f(2, []byte{192, 0, 2, 1}, "192.0.2.1:25")
	v6 := netip.MustParseAddr("2001:db8::25").As16()
	f(10, v6[:], "[2001:db8::25]:25")
	mapped := netip.MustParseAddr("::ffff:192.0.2.1").As16()
	f(10, mapped[:], "192.0.2.1:25")
}

func FuzzRecord(f *testing.F) {
	f.Add(recordOf(recordExec, "sendmail\x00-t\x00", "PWD=/x\x00", "shop", "", "mailer.php", ""))
	f.Add(recordOf(recordConnect, "", "", "/", ""))
	f.Fuzz(func(t *testing.T, r []byte) {
		d, ok := decodeRecord(r)
		if !ok {
			return
		}
		if len(d.files) > maxOpen || len(d.parents) > maxParents || len(d.args)+len(d.env) > len(r) {
			t.Errorf("it is more than it can be: %+v", d)
		}
		for _, file := range d.files {
			if file.path != "" && file.path[0] != '/' {
				t.Errorf("%q is no path", file.path)
			}
		}
		parseEnviron(d.env, true)
		parseCommand("/usr/sbin/sendmail", parseArgs(d.args))
	})
}
