//go:build e2e

// Package shim installs spoor's sendmail shim with the real dpkg, on a copy of this
// machine that exists in a mount namespace alone.
package shim

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// box makes a copy-on-write copy of the whole machine in $1, and goes on in it with
// the script $2. With the namespace all of it ends.
const box = `set -e
mount -t tmpfs -o size=512m box "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay box -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc none "$1/root/proc"
mount --bind /dev "$1/root/dev"
mount -t tmpfs -o mode=755 run "$1/root/run"
mount -t tmpfs -o mode=1777 tmp "$1/root/tmp"
mkdir -p "$1/root/usr/lib/spoor"
cp "$3/bin/spoor" "$1/root/usr/bin/spoor"
cp "$3/bin/spoor-sendmail" "$1/root/usr/lib/spoor/spoor-sendmail"
cp "$3/.tools/mailservers/postfix/usr/sbin/sendmail" "$1/root/tmp/sendmail"
chown -R 0:0 "$1/root/usr/bin/spoor" "$1/root/usr/lib/spoor" "$1/root/tmp/sendmail"
exec chroot "$1/root" sh -c "$2"`

// inside is what happens there. The package has a program with a set-id bit in place
// of Postfix' sendmail, which says what it was called and what it got.
const inside = `set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
fail() { echo "FAIL: $*"; exit 1; }
mta=$(dpkg-query -S /usr/sbin/sendmail 2>/dev/null | cut -d: -f1) # the machine's own gives up its place, without its scripts, which stop services
if [ -n "$mta" ]; then
	rm -f /var/lib/dpkg/info/"$mta".prerm /var/lib/dpkg/info/"$mta".postrm
	dpkg --purge --force-depends "$mta" >/dev/null 2>&1 || fail "$mta stays"
fi
mkdir -p /etc/postfix /var/spool/postfix
for queue in maildrop incoming active deferred hold corrupt; do mkdir -p /var/spool/postfix/$queue; done
echo 'myhostname = mx.shop.example' > /etc/postfix/main.cf
package() {
	rm -rf /tmp/deb; mkdir -p /tmp/deb/DEBIAN /tmp/deb/usr/sbin
	printf 'Package: shimtest\nVersion: %s\nArchitecture: all\nMaintainer: nobody\nDescription: a sendmail\n' "$1" > /tmp/deb/DEBIAN/control
	printf '#!/bin/sh\necho "version %s called $0 $*"\ncat\nexit 7\n' "$1" > /tmp/deb/usr/sbin/sendmail
	chmod 2755 /tmp/deb/usr/sbin/sendmail; chown 0:8 /tmp/deb/usr/sbin/sendmail; chmod g+s /tmp/deb/usr/sbin/sendmail
	dpkg-deb --build /tmp/deb /tmp/shimtest-$1.deb >/dev/null
}
package 1; package 2
dpkg -i /tmp/shimtest-1.deb >/dev/null
manifest() { find /usr/sbin /etc /usr/lib/spoor ! -type d -printf '%p %y %m %U %G %s %T@ %l\n' | sort; sha256sum /usr/sbin/sendmail /var/lib/dpkg/diversions; }
manifest > /tmp/before

spoor shim install -n > /tmp/plan
grep -q 'Nothing was changed' /tmp/plan || fail "the plan: $(cat /tmp/plan)"
manifest | cmp -s - /tmp/before || fail "a plan has changed something"
spoor shim install --yes </dev/null && fail "installed without a reason"
watch() { rm -f /tmp/over /tmp/gone; while [ ! -e /tmp/over ]; do [ -x /usr/sbin/sendmail ] || echo gone > /tmp/gone; done & }
watched() { : > /tmp/over; wait $!; [ ! -e /tmp/gone ] || fail "$1: there was no sendmail for a moment"; }
watch
spoor shim install --yes --reason test || fail "install ended with $?"
watched install
cmp -s /usr/sbin/sendmail /usr/lib/spoor/spoor-sendmail || fail "the shim is not in place"
[ "$(stat -c '%a %u %g' /usr/sbin/sendmail.spoor-real)" = "2755 0 8" ] || fail "the real one is $(stat -c '%a %u %g' /usr/sbin/sendmail.spoor-real)"
[ "$(stat -c '%a %u %g' /usr/sbin/sendmail)" = "755 0 0" ] || fail "the shim is $(stat -c '%a %u %g' /usr/sbin/sendmail)"
spoor shim install --yes --reason twice && fail "installed twice"

set +e
printf 'To: a\n\nhello' | /usr/sbin/sendmail -t -i > /tmp/out; status=$?
set -e
[ $status = 7 ] || fail "status $status"
grep -q '^version 1 called .* -t -i$' /tmp/out || fail "called: $(cat /tmp/out)"
[ "$(tail -n +2 /tmp/out)" = "$(printf 'To: a\n\nhello')" ] || fail "without a recorder: $(cat /tmp/out)"
spoor shim serve 2>/tmp/problems & recorder=$!
for try in $(seq 500); do spoor shim status | grep -q 'recorder *answers' && break; sleep 0.02; done
set +e
printf 'To: a\n\nhello' | /usr/sbin/sendmail -t -i > /tmp/out
set -e
grep -q '^X-Spoor-Origin: 1\..*' /tmp/out || fail "with a recorder: $(cat /tmp/out /tmp/problems)"

dpkg -i /tmp/shimtest-2.deb >/dev/null
cmp -s /usr/sbin/sendmail /usr/lib/spoor/spoor-sendmail || fail "the package's next version replaced the shim"
grep -q 'version 2' /usr/sbin/sendmail.spoor-real || fail "the next version is not behind the shim"
dpkg -i /tmp/shimtest-1.deb >/dev/null

kill $recorder; wait $recorder || fail "the recorder ended with $?: $(cat /tmp/problems)"
watch
spoor shim remove --yes --reason enough || fail "remove ended with $?"
watched remove
sed -i 's/ [0-9.]* $/ /' /tmp/before; manifest | sed 's/ [0-9.]* $/ /' > /tmp/after # dpkg has unpacked it again: its times are new
grep -v spoor-shim /tmp/after | diff /tmp/before - || fail "not as it was before"
dpkg -V shimtest || fail "dpkg -V"
spoor shim remove --yes --reason again && fail "removed twice"

spoor shim install --yes --reason again || fail "the second install"
echo '#!/bin/sh' > /tmp/other; chmod 755 /tmp/other; mv /tmp/other /usr/sbin/sendmail # somebody else's idea
spoor shim remove --yes --reason conflict && fail "took away what is not ours"
[ "$(cat /usr/sbin/sendmail)" = '#!/bin/sh' ] || fail "somebody else's program is gone"
grep -q 'version 1' /usr/sbin/sendmail.spoor-real || fail "the real one is gone"
rm /usr/sbin/sendmail
spoor shim remove --yes --reason "put right" || fail "remove after the conflict"
manifest | sed 's/ [0-9.]* $/ /' | diff /tmp/before - || fail "not as it was before, after a conflict"

mv /usr/bin/dpkg-divert /tmp/ # as where there is no dpkg: sendmail is a link of alternatives there
mv /usr/sbin/sendmail /usr/sbin/sendmail.mta; mkdir -p /etc/alternatives; ln -s /usr/sbin/sendmail.mta /etc/alternatives/mta; ln -s /etc/alternatives/mta /usr/sbin/sendmail
manifest > /tmp/before
spoor shim install --yes --reason rename || fail "install by renaming"
[ "$(readlink /usr/sbin/sendmail.spoor-real)" = /etc/alternatives/mta ] || fail "the real one is no link any more"
set +e
printf 'To: a\n\nhello' | /usr/sbin/sendmail -t -i > /tmp/out; status=$?
set -e
[ $status = 7 ] || fail "renamed: $status"
spoor shim remove --yes --reason rename || fail "remove by renaming"
manifest | diff /tmp/before - || fail "not as it was before the renaming"
spoor shim install --yes --reason rename || fail "install by renaming again"
ln -sfn /etc/alternatives/mta /usr/sbin/sendmail # as alternatives --auto does
spoor shim status | grep -q 'another program has taken the place' || fail "status: $(spoor shim status)"
rm /usr/sbin/sendmail; spoor shim remove --yes --reason rename || fail "remove what was replaced"
manifest | diff /tmp/before - || fail "not as it was before it was replaced"
mv /tmp/dpkg-divert /usr/bin/; rm /usr/sbin/sendmail; mv /usr/sbin/sendmail.mta /usr/sbin/sendmail

mkdir -p /etc/php/8.2/fpm/conf.d; echo 'sendmail_path = "/usr/sbin/sendmail -t -i -fweb@shop.example"' > /etc/php/8.2/fpm/php.ini
spoor shim install --php --yes --reason php || fail "install --php"
grep -q '^sendmail_path = "/usr/lib/spoor/spoor-sendmail -t -i -fweb@shop.example"' /etc/php/8.2/fpm/conf.d/zz-spoor-shim.ini || fail "php: $(cat /etc/php/8.2/fpm/conf.d/*)"
set +e
printf 'To: a\n\nhello' | /usr/lib/spoor/spoor-sendmail -t -i > /tmp/out; status=$?
set -e
[ $status = 7 ] || fail "by its own name: $status"
spoor shim remove --yes --reason php || fail "remove --php"
[ -z "$(ls /etc/php/8.2/fpm/conf.d)" ] || fail "a file stays"
echo PASSED`

func TestInstallAndRemove(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", box, "box", dir, inside, root)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "USER=root"}
	out, err := c.CombinedOutput()
	if err != nil || len(out) < 7 || string(out[len(out)-7:]) != "PASSED\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
