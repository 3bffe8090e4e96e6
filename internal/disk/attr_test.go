package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"spoor/internal/disk"
)

func TestAttributesAreSetAsAWhole(t *testing.T) {
	d, _ := open(t, nil)
	write(t, d, "file", "x")
	f, err := d.Open("file")
	must(t, err)
	defer func() { must(t, f.Close()) }()
	before, err := f.Attrs()
	must(t, err)
	if err := f.SetAttr("user.old", []byte("1")); errors.Is(err, syscall.ENOTSUP) {
		t.Skip("the file system has no extended attributes")
	}
	must(t, f.SetAttrs(disk.Attrs{"user.a": []byte("one"), "user.empty": {}}))
	got, err := f.Attrs()
	must(t, err)
	if len(got) != 2 || string(got["user.a"]) != "one" || got["user.empty"] == nil {
		t.Errorf("the file has %q", got)
	}
	must(t, f.SetAttrs(before))
	if _, there, err := f.Attr("user.a"); there || err != nil {
		t.Errorf("user.a is there: %v, %v", there, err)
	}
}

func TestNothingLeadsOutOfTheFolder(t *testing.T) {
	d, name := open(t, nil)
	must(t, os.MkdirAll(filepath.Join(name, "home/web"), 0o755))
	write(t, d, "outside", "secret")
	must(t, os.WriteFile(filepath.Join(name, "home/web/a.php"), []byte("<?php"), 0o644))
	must(t, os.Symlink("web", filepath.Join(name, "home/www")))
	must(t, os.Symlink("..", filepath.Join(name, "home/up")))
	must(t, os.Symlink("a.php", filepath.Join(name, "home/web/link.php")))
	home, err := d.OpenDir("home")
	must(t, err)
	defer func() { must(t, home.Close()) }()
	for path, want := range map[string]error{
		"web/a.php": nil, "www/a.php": nil, "up/outside": syscall.EXDEV, "../outside": syscall.EXDEV,
		"web/link.php": syscall.ELOOP, "web": disk.ErrNotRegular, "web/none": syscall.ENOENT,
	} {
		f, err := home.OpenBelow(path)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		if err == nil {
			must(t, f.Close())
		}
	}
}

func TestPutIsAllOrNothing(t *testing.T) {
	d, _ := open(t, nil)
	must(t, d.Put("file", 0o600, []byte("one")))
	must(t, d.Put("file", 0o640, []byte("two")))
	got, err := d.Get("file", 3)
	must(t, err)
	if st, err := d.Stat("file"); string(got) != "two" || st.Mode != 0o640 || err != nil {
		t.Errorf("the file holds %q and is %+v, %v", got, st, err)
	}
	if _, err := d.Get("file", 2); !errors.Is(err, disk.ErrTooLarge) {
		t.Errorf("over the limit: %v, want ErrTooLarge", err)
	}
}
