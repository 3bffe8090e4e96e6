package panel

import (
	"testing"

	"spoor"
	"spoor/internal/host"
)

func TestOwnerOfGoesByLoginAndNotByNumber(t *testing.T) {
	var gaps spoor.Gaps
	suse := host.ParsePasswd([]byte("root:x:0:0::/root:/bin/sh\n"+
		"toor:x:0:0::/root:/bin/sh\n"+
		"wwwrun:x:30:8::/var/lib/wwwrun:/bin/false\n"+
		"popuser:x:110:31::/var/qmail/popuser:/bin/false\n"+
		"qmailq:x:2520:2520::/var/qmail:/bin/false\n"+
		"nobody:x:65534:65534::/:/bin/false\n"+
		"anna:x:1000:100::/home/anna:/bin/sh\n"+
		"anna2:x:1000:101::/home/anna2:/bin/sh\n"), &gaps)
	owner := func(p *host.Passwd, uid int, login string, role spoor.Role) {
		t.Helper()
		got := OwnerOf(p, uid)
		if got.UID != uid || got.Login != login || got.Role != role || got.Exact || got.Site != "" {
			t.Errorf("OwnerOf(%d) = %+v, want %s, %s", uid, got, login, role)
		}
		if (login != "") != (len(got.Proof) == 1) || (login == "") != (got.GID == -1) {
			t.Errorf("OwnerOf(%d): proof %v, GID %d", uid, got.Proof, got.GID)
		}
	}
	owner(suse, 0, "root", spoor.RoleRoot)
	owner(suse, 30, "wwwrun", spoor.RoleWebServer)
	owner(suse, 110, "popuser", spoor.RoleMailSystem)
	owner(suse, 2520, "qmailq", spoor.RoleMailSystem)
	owner(suse, 65534, "nobody", spoor.RoleUser)
	owner(suse, 1000, "anna", spoor.RoleUser) // getpwuid(3)
	owner(suse, 4711, "", spoor.RoleNobody)
	owner(suse, -1, "", spoor.RoleNobody)

	ubuntu := host.ParsePasswd([]byte("popuser:x:30:31::/var/qmail/popuser:/bin/false\n"), &gaps)
	owner(ubuntu, 30, "popuser", spoor.RoleMailSystem)
	owner(ubuntu, 0, "", spoor.RoleNobody)

	built := host.ParsePasswd([]byte("nobody:x:99:99::/:/sbin/nologin\n"), &gaps)
	owner(built, 99, "nobody", spoor.RoleWebServer)

	owner(&host.Passwd{}, 33, "", spoor.RoleNobody)
	if gaps.Total() != 0 {
		t.Errorf("gaps: %v", gaps.List())
	}
}
