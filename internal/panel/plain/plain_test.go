package plain

import (
	"testing"

	"spoor"
	"spoor/internal/host"
)

func TestPlainAnswersFromPasswd(t *testing.T) {
	var gaps spoor.Gaps
	p := Open(host.ParsePasswd([]byte("root:x:0:0::/root:/bin/sh\n"+
		"www-data:x:33:33::/var/www:/usr/sbin/nologin\n"+
		"Debian-exim:x:101:103::/var/spool/exim4:/usr/sbin/nologin\n"+
		"anna:x:1000:1000::/var/www/vhosts/shop.example:/bin/bash\n"+
		"bad line\n"), &gaps))
	for uid, want := range map[int]spoor.Role{
		0: spoor.RoleRoot, 33: spoor.RoleWebServer, 101: spoor.RoleMailSystem, 1000: spoor.RoleUser, 4711: spoor.RoleNobody,
	} {
		if got := p.Owner(uid); got.Role != want || got.UID != uid || got.Site != "" || got.Exact {
			t.Errorf("Owner(%d) = %+v, want %s", uid, got, want)
		}
	}
	if p.Name() != "plain" || p.Version() != "" || p.Sites() != nil || p.Gaps() != nil || p.Close() != nil {
		t.Error("a server without panel has no version, sites or gaps")
	}
	if gaps.Total() != 1 {
		t.Errorf("gaps: %v", gaps.List())
	}
}

func TestPlainWithoutPasswd(t *testing.T) {
	if got := Open(&host.Passwd{}).Owner(0); got.Role != spoor.RoleNobody || got.GID != -1 {
		t.Errorf("Owner(0) = %+v", got)
	}
}
