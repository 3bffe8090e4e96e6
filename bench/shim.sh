#!/bin/sh
# Measures what spoor's sendmail shim adds to each message, beside a wrapper in shell
# and a plain one in Go. See README.md. Root runs it, in a mount namespace of its own:
# nothing of the machine changes.
set -eu

if [ "${1:-}" != inside ]; then
	cd "$(dirname "$0")/.."
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$dir/" ./cmd/spoor ./cmd/spoor-sendmail ./bench/cmd/sendbench ./bench/cmd/plainwrapper
	cat >"$dir/real.c" <<'C'
#include <unistd.h>
int main(void) { char b[65536]; while (read(0, b, sizeof b) > 0) { } return 0; }
C
	gcc -O2 -static -o "$dir/real" "$dir/real.c"
	cat >"$dir/shell" <<'S'
#!/bin/sh
(echo "X-Additional-Header: $PWD"; cat) | tee -a "$WRAPPER_LOG" | "$REAL_SENDMAIL" "$@"
S
	chmod 755 "$dir/shell" "$dir"
	mkdir "$dir/alone" "$dir/recorded"
	for place in alone recorded; do
		cp "$dir/spoor-sendmail" "$dir/$place/sendmail"
		ln "$dir/real" "$dir/$place/sendmail.spoor-real"
	done
	unshare --mount --propagation private "$0" inside "$dir" "$@"
	exit
fi

dir=$2
shift 2
for place in /run /var/log /var/lib /var/spool; do
	mount -t tmpfs -o mode=755 bench "$place"
done
export REAL_SENDMAIL="$dir/real" WRAPPER_LOG="$dir/log"
echo "without a recorder:"
"$dir/sendbench" "$@" "nothing=$dir/real" "shim=$dir/alone/sendmail" "shell=$dir/shell" "plain-go=$dir/plainwrapper"
"$dir/spoor" shim serve &
recorder=$!
trap 'kill $recorder' EXIT
until "$dir/spoor" shim status | grep -q 'recorder *answers'; do sleep 0.1; done
echo "with the recorder:"
"$dir/sendbench" "$@" "nothing=$dir/real" "shim=$dir/recorded/sendmail" "shell=$dir/shell" "plain-go=$dir/plainwrapper"
echo "$(wc -l </var/log/spoor/origin.log) lines recorded, $(grep -c '"gone":true' /var/log/spoor/origin.log || true) of them of processes that had ended before they were read"
