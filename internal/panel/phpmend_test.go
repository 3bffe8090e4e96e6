package panel

import (
	"path"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

// A step that names no path of a program is refused when it is done, and its inverse
// could never be.
func TestPHPIsReloadedByAProgramWithAPath(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"run/systemd/system/x": "", "etc/php/8.2/fpm/php.ini": "[PHP]\n", "etc/php/8.2/fpm/pool.d/www.conf": "[www]\nuser = root\n",
	})
	m := MendPHP(root, &host.Passwd{}, &spoor.Mending{Finding: spoor.Finding{Subject: "/etc/php/8.2/fpm/php.ini"}, Live: true})
	commands := 0
	for _, step := range m.Steps {
		if step.Command == nil {
			continue
		}
		for _, argv := range [][]string{step.Command.Do, step.Command.Undo} {
			if len(argv) > 0 {
				commands++
				if !path.IsAbs(argv[0]) {
					t.Errorf("%q", argv)
				}
			}
		}
	}
	if commands != 2 {
		t.Errorf("%d commands in %+v", commands, m)
	}
}
