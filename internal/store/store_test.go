package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, path string) *store.Index {
	t.Helper()
	x, err := store.Open(path)
	must(t, err)
	t.Cleanup(func() { _ = x.Close() })
	return x
}

func row(n int) store.Row {
	return store.Row{
		Plan: "p", Sequence: uint64(n), Offset: int64(n) * 1000, ID: spoor.QueueID(fmt.Sprint("q", n)), MTA: "qmail",
		Sender: "Info@Shop.example", Subject: "offer", Recipients: 3, Done: 1, SizeBytes: int64(5000 - n), PackedBytes: 900,
		Source: spoor.Source{Kind: spoor.KindSite, Name: "shop.example"}, Class: spoor.Spam, Confidence: 0.9,
		Arrived: time.Unix(1700000000+int64(n), 7).UTC(), Stored: time.Unix(1700001000+int64(n), 0).UTC(), Fate: "stored",
	}
}

func query(t testing.TB, x *store.Index, f store.Filter) (list []store.Row) {
	t.Helper()
	for r, err := range x.Query(context.Background(), f) {
		must(t, err)
		list = append(list, r)
	}
	return list
}

func TestRowsComeBackAsTheyWere(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "in dex?#%.db")
	x := open(t, path)
	odd := row(2)
	odd.ID, odd.Sender, odd.Subject = "a\x00b", "\xff\x00'\"@x", "\x00"
	odd.Source, odd.NewID, odd.Damaged = spoor.Source{Kind: spoor.KindScript, Name: "/a\nb\xfe"}, "n\x00", true
	odd.Arrived, odd.Stored, odd.Fate = time.Time{}, time.Unix(-1, 5).UTC(), "restored"
	want := []store.Row{row(1), odd, row(3)}
	must(t, x.Put(ctx, []store.Row{row(3), odd, {Plan: "p", Sequence: 1}}))
	must(t, x.Put(ctx, []store.Row{row(1)}))
	must(t, x.SetKnown(ctx, "p", store.Stamp{SizeBytes: 77, Modified: time.Unix(5, 6).UTC()}))
	must(t, x.Close())
	x = open(t, path)
	if got := query(t, x, store.Filter{}); !reflect.DeepEqual(got, want) {
		t.Errorf("rows are\n%+v\nwant\n%+v", got, want)
	}
	stamp, ok, err := x.Known(ctx, "p")
	if want := (store.Stamp{SizeBytes: 77, Modified: time.Unix(5, 6).UTC()}); !ok || err != nil || stamp != want {
		t.Errorf("Known gives %+v, %v, %v", stamp, ok, err)
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("the index has mode %v", info.Mode())
	}
	must(t, x.Forget(ctx, "p"))
	if _, ok, _ := x.Known(ctx, "p"); ok || len(query(t, x, store.Filter{})) != 0 {
		t.Error("a plan that was forgotten is known")
	}
}

func TestFiltersAndOrders(t *testing.T) {
	x := open(t, filepath.Join(t.TempDir(), "index.db"))
	rows := []store.Row{row(1), row(2), row(3), row(4)}
	rows[1].Plan, rows[1].Sender, rows[1].NewID, rows[1].Fate = "q", "other@sub.shop.example", "new", "restored"
	rows[2].Source, rows[2].Sender = spoor.Source{Kind: spoor.KindAccount, Name: "shop.example"}, "x@it-shop.example"
	rows[3].Sender, rows[3].SizeBytes = "", 9999
	must(t, x.Put(context.Background(), rows))
	check := func(f store.Filter, want ...uint64) {
		t.Helper()
		var got []uint64
		for _, r := range query(t, x, f) {
			got = append(got, r.Sequence)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v yields %v, want %v", f, got, want)
		}
	}
	check(store.Filter{}, 1, 3, 4, 2)
	check(store.Filter{Descending: true}, 2, 4, 3, 1)
	check(store.Filter{Plan: "q"}, 2)
	check(store.Filter{ID: "q3"}, 3)
	check(store.Filter{ID: "new"}, 2)
	check(store.Filter{Sender: "info@shop.EXAMPLE"}, 1)
	check(store.Filter{Sender: "@SHOP.example"}, 1)
	check(store.Filter{Sender: "%"})
	check(store.Filter{Source: spoor.Source{Kind: spoor.KindSite, Name: "shop.example"}}, 1, 4, 2)
	check(store.Filter{Fate: "restored"}, 2)
	check(store.Filter{Since: rows[2].Stored}, 3, 4)
	check(store.Filter{Until: rows[2].Stored}, 1, 2)
	check(store.Filter{Order: store.ByStored, Limit: 2}, 1, 2)
	check(store.Filter{Order: store.ByArrived, Descending: true, Limit: 1}, 4)
	check(store.Filter{Order: store.BySize}, 3, 2, 1, 4)
	check(store.Filter{Order: store.BySender}, 4, 1, 2, 3)
	check(store.Filter{Plan: "p", Fate: "restored"})
	for _, order := range store.Orders() {
		if len(query(t, x, store.Filter{Order: order})) != 4 || order.String() == store.Order(9).String() {
			t.Errorf("the order %v is none", order)
		}
	}
	for _, err := range x.Query(context.Background(), store.Filter{}) {
		if err != nil {
			t.Error(err)
		}
		break // leaves nothing open that a Put would wait for
	}
	must(t, x.Put(context.Background(), rows))
}

func TestWhatIsNoIndexIsMovedAside(t *testing.T) {
	for what, content := range map[string][]byte{
		"text":  bytes.Repeat([]byte("not a database at all\n"), 500),
		"short": []byte("x"),
	} {
		path := filepath.Join(t.TempDir(), "index.db")
		must(t, os.WriteFile(path, content, 0o600))
		must(t, os.WriteFile(path+"-journal", content, 0o600))
		x := open(t, path)
		must(t, x.Put(context.Background(), []store.Row{row(1)}))
		if len(query(t, x, store.Filter{})) != 1 {
			t.Errorf("%s: the new index does not work", what)
		}
		if aside, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(aside, content) {
			t.Errorf("%s was not moved aside: %v", what, err)
		}
	}
}

func TestDamageInsideIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	x := open(t, path)
	rows := make([]store.Row, 2000)
	for i := range rows {
		rows[i] = row(i + 1)
	}
	must(t, x.Put(context.Background(), rows))
	must(t, x.Close())
	image, err := os.ReadFile(path)
	must(t, err)
	for at := 8192; at < len(image); at += 64 {
		copy(image[at:], bytes.Repeat([]byte{0xff}, 32))
	}
	must(t, os.WriteFile(path, image, 0o600))
	x, err = store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, x.Close()) }()
	for _, err := range x.Query(context.Background(), store.Filter{Order: store.BySize}) {
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("the error is %v", err)
			}
			return
		}
	}
	t.Error("nobody told of the damage")
}

func TestAnIndexThatCanOnlyBeReadIsRead(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "index.db")
	x := open(t, path)
	must(t, x.Put(context.Background(), []store.Row{row(1)}))
	must(t, x.Close())
	if os.Geteuid() == 0 {
		if err := syscall.Mount(folder, folder, "", syscall.MS_BIND, ""); err != nil {
			t.Skip(err)
		}
		defer func() { must(t, syscall.Unmount(folder, 0)) }()
		must(t, syscall.Mount("", folder, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	} else {
		must(t, os.Chmod(path, 0o400))
		must(t, os.Chmod(folder, 0o500))
		defer func() { must(t, os.Chmod(folder, 0o700)) }()
	}
	x, err := store.Open(path)
	must(t, err)
	defer func() { must(t, x.Close()) }()
	if !x.ReadOnly() || len(query(t, x, store.Filter{})) != 1 {
		t.Errorf("read-only is %v", x.ReadOnly())
	}
	for what, err := range map[string]error{
		"Put": x.Put(context.Background(), []store.Row{row(2)}), "Forget": x.Forget(context.Background(), "p"),
		"SetKnown": x.SetKnown(context.Background(), "p", store.Stamp{}),
	} {
		if !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("%s gives %v", what, err)
		}
	}
}

func TestALinkIsRefused(t *testing.T) {
	folder := t.TempDir()
	target := filepath.Join(folder, "target")
	must(t, os.WriteFile(target, nil, 0o600))
	must(t, os.Symlink(target, filepath.Join(folder, "index.db")))
	if x, err := store.Open(filepath.Join(folder, "index.db")); err == nil {
		must(t, x.Close())
		t.Error("a link was followed")
	}
	if info, err := os.Stat(target); err != nil || info.Size() != 0 {
		t.Errorf("what the link leads to was changed: %v", err)
	}
	must(t, os.Mkdir(filepath.Join(folder, "directory"), 0o700))
	if _, err := store.Open(filepath.Join(folder, "directory")); err == nil {
		t.Error("a directory was opened")
	}
}

// BenchmarkPut adds rows a thousand at a time.
func BenchmarkPut(b *testing.B) {
	x := open(b, filepath.Join(b.TempDir(), "index.db"))
	n := 0
	var used syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	before := used.Utime.Nano() + used.Stime.Nano()
	for b.Loop() {
		rows := make([]store.Row, 1000)
		for i := range rows {
			n++
			rows[i] = row(n)
		}
		must(b, x.Put(context.Background(), rows))
	}
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(n)/time.Duration(used.Utime.Nano()+used.Stime.Nano()-before).Seconds(), "rows/s-of-processor")
}

// BenchmarkQuery reads all of 10,000 rows.
func BenchmarkQuery(b *testing.B) {
	x := open(b, filepath.Join(b.TempDir(), "index.db"))
	rows := make([]store.Row, 10_000)
	for i := range rows {
		rows[i] = row(i + 1)
	}
	must(b, x.Put(context.Background(), rows))
	n := 0
	for b.Loop() {
		n += len(query(b, x, store.Filter{Order: store.ByStored}))
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}
