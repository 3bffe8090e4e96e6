#!/bin/sh
# Measures spoor on a large log of Postfix against pflogsumm, and holds its answer
# against the truth. See README.md.
set -eu

bytes=${BYTES:-1073741824}
peer_bytes=${PEER_BYTES:-104857600}
rounds=${ROUNDS:-5}
dir=${SPOOR_BENCH_DIR:-/tmp/spoor-bench-postfix}

cd "$(dirname "$0")/.."
mkdir -p "$dir/root/etc/postfix"
go build -o "$dir/" ./bench/cmd/maillog ./bench/cmd/pair ./bench/cmd/accuracy
if [ -n "${SPOOR:-}" ]; then
	spoor=$SPOOR
else
	spoor=$dir/spoor
	go build -trimpath -o "$spoor" ./cmd/spoor
fi
log=$dir/root/mail.log
small=$dir/root/peer.log
[ -f "$log" ] || "$dir/maillog" -kind postfix -out "$log" -bytes "$bytes"
[ -f "$small" ] || "$dir/maillog" -kind postfix -out "$small" -bytes "$peer_bytes"
"$dir/accuracy" -server "$dir/root"

# spoor ends with status 4 here, since there is no queue.
cat >"$dir/answer" <<'ANSWER'
#!/bin/sh
"$@" || [ $? = 4 ]
ANSWER
chmod +x "$dir/answer"
answer="$dir/answer $spoor --root $dir/root --mta postfix"

$answer --log mail.log --json >"$dir/answer.json" 2>/dev/null
"$dir/accuracy" -answer "$dir/answer.json" -truth "$log.truth.json"

# pflogsumm takes more than twice as long for twice the log, so it gets a tenth.
if peer=$(command -v pflogsumm); then
	wc -l "$small"
	"$dir/pair" -n "$rounds" -messages "$(wc -l <"$small")" -base pflogsumm \
		pflogsumm "$peer" "$small" \
		-- spoor-json $answer --log peer.log --json \
		-- spoor $answer --log peer.log
else
	echo "pflogsumm is not installed: not compared" >&2
fi

wc -l "$log"
set -- spoor-json $answer --log mail.log --json \
	-- spoor $answer --log mail.log \
	-- logs-check $answer --log mail.log logs check \
	-- wc "$(command -v wc)" -l "$log"
if rg=$(command -v rg); then
	set -- "$@" -- rg "$rg" -c sasl_username= "$log"
fi
exec "$dir/pair" -n "$rounds" -messages "$(wc -l <"$log")" -base wc "$@"
