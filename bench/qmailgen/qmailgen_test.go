package qmailgen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func small(t *testing.T, change func(*Options)) (Options, Count) {
	t.Helper()
	o := Options{
		Dir: filepath.Join(t.TempDir(), "root"), Messages: 1000, Seed: 7, Split: 23, Workers: 2,
		Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
	change(&o)
	count, err := Generate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return o, count
}

// files maps each regular file below part of the queue, by its name, to its path.
func files(t *testing.T, o Options, part string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(filepath.Join(o.Dir, "var/qmail/queue", part), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			found[d.Name()] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func stat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("stat of %s is a %T", path, info.Sys())
	}
	return st
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// facts reads the truth by ID.
func facts(t *testing.T, o Options) map[string]fact {
	t.Helper()
	all := map[string]fact{}
	scanner := bufio.NewScanner(bytes.NewReader(read(t, TruthFile(o.Dir))))
	for scanner.Scan() {
		cells := strings.Split(scanner.Text(), "\t")
		if len(cells) != 4 {
			t.Fatalf("truth: %q", scanner.Text())
		}
		if cells[0] == "id" {
			continue
		}
		recipients, _ := strconv.Atoi(cells[2])
		done, _ := strconv.Atoi(cells[3])
		all[cells[0]] = fact{source: cells[1], recipients: recipients, done: done}
	}
	return all
}

// All tests that only look share two trees: making and removing files is slow
// on file systems that do not reuse an inode at once.
func TestTree(t *testing.T) {
	for _, one := range []struct {
		name   string
		change func(*Options)
	}{
		{"flat todo", func(*Options) {}},
		{"big todo, split 7", func(o *Options) { o.BigTodo, o.Split = true, 7 }},
	} {
		t.Run(one.name, func(t *testing.T) {
			o, count := small(t, one.change)
			t.Run("names are inode numbers", func(t *testing.T) { checkNames(t, o) })
			t.Run("counts agree with the tree", func(t *testing.T) { checkCounts(t, o, count) })
			t.Run("truth agrees with the records", func(t *testing.T) { checkTruth(t, o, count) })
			t.Run("sites are in the first line", func(t *testing.T) { checkFirstLine(t, o) })
			t.Run("todo is a link of intd", func(t *testing.T) { checkTodo(t, o) })
			t.Run("modes and owners", func(t *testing.T) { checkOwners(t, o) })
			t.Run("a queue is never added to", func(t *testing.T) {
				if _, err := Generate(t.Context(), o); !errors.Is(err, ErrExists) {
					t.Errorf("second time: %v", err)
				}
			})
		})
	}
}

func checkNames(t *testing.T, o Options) {
	t.Helper()
	split := uint64(o.Split)
	for name, path := range files(t, o, "mess") {
		ino := stat(t, path).Ino
		if name != strconv.FormatUint(ino, 10) {
			t.Errorf("%s has inode %d", path, ino)
		}
		if part := filepath.Base(filepath.Dir(path)); part != strconv.FormatUint(ino%split, 10) {
			t.Errorf("%s is in part %s", path, part)
		}
	}
	if left := files(t, o, "pid"); len(left) > 0 {
		t.Errorf("left in pid: %v", left)
	}
}

func checkCounts(t *testing.T, o Options, count Count) {
	t.Helper()
	for _, one := range []struct {
		part string
		want int
	}{
		{"mess", count.Messages},
		{"info", count.Messages - count.Todo},
		{"todo", count.Todo},
		{"intd", count.Todo},
		{"bounce", count.Bouncing},
	} {
		if got := len(files(t, o, one.part)); got != one.want {
			t.Errorf("%s: %d files, want %d", one.part, got, one.want)
		}
	}
	if count.Messages != o.Messages || count.Todo == 0 || count.Bouncing == 0 || count.Done == 0 {
		t.Errorf("a state is missing: %+v", count)
	}
	bytes := int64(0)
	for _, path := range files(t, o, "mess") {
		bytes += stat(t, path).Size
	}
	if bytes != count.Bytes {
		t.Errorf("mess has %d bytes, counted %d", bytes, count.Bytes)
	}
}

func checkTruth(t *testing.T, o Options, count Count) {
	t.Helper()
	all := facts(t, o)
	if len(all) != count.Messages {
		t.Fatalf("%d facts for %d messages", len(all), count.Messages)
	}
	got := map[string]fact{}
	for _, part := range []string{"todo", "local", "remote"} {
		for id, path := range files(t, o, part) {
			one := got[id]
			for record := range bytes.SplitSeq(bytes.TrimSuffix(read(t, path), []byte{0}), []byte{0}) {
				switch record[0] {
				case 'D':
					one.done++
					one.recipients++
				case 'T':
					one.recipients++
				}
			}
			got[id] = one
		}
	}
	for id, want := range all {
		want.source = ""
		if got[id] != want {
			t.Errorf("%s: records say %+v, truth %+v", id, got[id], want)
		}
	}
}

// checkFirstLine knows the form of the line from the captured server, and the
// UID's site from the numbers of the sites.
func checkFirstLine(t *testing.T, o Options) {
	t.Helper()
	mess := files(t, o, "mess")
	checked := 0
	for id, one := range facts(t, o) {
		number, ok := strings.CutPrefix(one.source, "site:site")
		if !ok {
			continue
		}
		number, _, _ = strings.Cut(number, ".")
		n, _ := strconv.Atoi(number)
		line, _, _ := strings.Cut(string(read(t, mess[id])), "\n")
		want := " invoked by uid " + strconv.Itoa(10000+n) + "); "
		if !strings.HasPrefix(line, "Received: (qmail ") || !strings.Contains(line, want) || !strings.HasSuffix(line, " -0000") {
			t.Errorf("%s is of %s and starts %q", id, one.source, line)
		}
		checked++
	}
	if checked == 0 {
		t.Error("no message of a site")
	}
}

func checkTodo(t *testing.T, o Options) {
	t.Helper()
	intd := files(t, o, "intd")
	for id, path := range files(t, o, "todo") {
		if stat(t, path).Ino != stat(t, intd[id]).Ino {
			t.Errorf("%s is no link of %s", path, intd[id])
		}
		if split := filepath.Base(filepath.Dir(path)) != "todo"; split != o.BigTodo {
			t.Errorf("big todo %v: %s", o.BigTodo, path)
		}
		if !bytes.HasPrefix(read(t, path), []byte("u")) {
			t.Errorf("%s is no envelope", path)
		}
	}
}

func checkOwners(t *testing.T, o Options) {
	t.Helper()
	queue := filepath.Join(o.Dir, "var/qmail/queue")
	for _, one := range []struct {
		name     string
		mode     uint32
		uid, gid uint32
	}{
		{"", syscall.S_IFDIR | 0o750, qmailqUID, qmailGID},
		{"mess/0", syscall.S_IFDIR | 0o750, qmailqUID, qmailGID},
		{"todo", syscall.S_IFDIR | 0o750, qmailqUID, qmailGID},
		{"intd", syscall.S_IFDIR | 0o700, qmailqUID, qmailGID},
		{"pid", syscall.S_IFDIR | 0o700, qmailqUID, qmailGID},
		{"bounce", syscall.S_IFDIR | 0o700, qmailsUID, qmailGID},
		{"info/6", syscall.S_IFDIR | 0o700, qmailsUID, qmailGID},
		{"lock", syscall.S_IFDIR | 0o750, qmailqUID, qmailGID},
		{"lock/trigger", syscall.S_IFIFO | 0o622, qmailsUID, qmailGID},
		{"lock/sendmutex", syscall.S_IFREG | 0o600, qmailsUID, qmailGID},
		{"lock/tcpto", syscall.S_IFREG | 0o644, qmailrUID, qmailGID},
	} {
		st := stat(t, filepath.Join(queue, one.name))
		if st.Mode != one.mode {
			t.Errorf("%s: mode %o, want %o", one.name, st.Mode, one.mode)
		}
		if os.Geteuid() == 0 && (st.Uid != one.uid || st.Gid != one.gid) {
			t.Errorf("%s: owner %d:%d, want %d:%d", one.name, st.Uid, st.Gid, one.uid, one.gid)
		}
	}
	for id, path := range files(t, o, "info") {
		if mode := stat(t, path).Mode; mode != syscall.S_IFREG|0o600 {
			t.Fatalf("info/%s: mode %o", id, mode)
		}
	}
}

func TestTruthIsTheSameForTheSameSeed(t *testing.T) {
	truth := func(seed uint64, workers int) []string {
		o, _ := small(t, func(o *Options) { o.Seed, o.Workers, o.Messages, o.Split = seed, workers, 300, 1 })
		var list []string
		for line := range strings.Lines(string(read(t, TruthFile(o.Dir)))) {
			_, rest, _ := strings.Cut(line, "\t")
			list = append(list, rest)
		}
		return list
	}
	if !slices.Equal(truth(1, 1), truth(1, 3)) {
		t.Error("the number of workers changes the truth")
	}
	if slices.Equal(truth(1, 2), truth(2, 2)) {
		t.Error("the seed does not change the truth")
	}
}

func TestCancelledGenerationStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := Options{Dir: t.TempDir(), Messages: 1000, Split: 23, Workers: 2}
	if _, err := Generate(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
