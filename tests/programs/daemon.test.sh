#!/bin/bash
# ktallyd from its start to its end, and all that can go wrong meanwhile.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

port=14318
url=http://127.0.0.1:$port
nowhere=http://127.0.0.1:14319
started=()

cleanup() {
	((${#started[@]})) && kill -9 "${started[@]}" 2>/dev/null
	for disk in small little; do
		mountpoint -q "$work/$disk" && umount "$work/$disk"
	done
	rm -rf "$work"
}
trap cleanup EXIT
unset "${!OTEL_@}"

# within SECONDS COMMAND...: until it succeeds.
within() {
	local tries=$(($1 * 5))		# not by the clock, which is set here
	shift
	until "$@" >/dev/null 2>&1; do
		((tries--)) || return 1
		sleep 0.2
	done
}

# Something to sample, in a child whose name is its own.
cat >"$work/burn.py" <<'END'
import hashlib
while True:
    hashlib.sha256(b"x" * 100000).digest()
END
background nice -n 19 python3 "$work/burn.py"

# start NAME OPTIONS...: a daemon that has said it samples; its messages are in $work/NAME.
start() {
	says=$work/$1
	shift
	background ktallyd --interval 1 "$@" 2>"$says"
	daemon=$last
	within 60 grep -q 'sampling .* CPUs' "$says"
}

says() { grep -qE -- "$1" "$says"; }
says_once() { [[ $(grep -cE -- "$1" "$says") == 1 ]]; }

# stop STATUS: SIGTERM, and the status it ends with.
stop() {
	local status=0
	kill -TERM "$daemon"
	wait "$daemon" || status=$?
	cat "$says"
	((status == $1))
}

report() { ktally report -i "$1" >"$work/report"; }

collected() { (($(grep -c '^metrics' "$work/collected") >= $1)); }

# ---- what people call it with

fails 2 '1 to 10000' 'a rate out of bounds is a usage error' ktallyd --rate 0
fails 2 'not a URL' 'so is a collector that is no URL' ktallyd --endpoint collector:4318
fails 1 'cannot create' 'a capture that cannot be made is told at once' ktallyd --capture "$work/no/such/directory"
fails 1 'cannot write' 'so is a file of metrics' ktallyd --metrics-json "$work/no/such/directory/file"

# ---- who may

nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
program=$(command -v ktallyd)
cp "$program" "$work/ktallyd" && chmod 755 "$work" "$work/ktallyd"
fails 77 'not allowed to open /dev/ktally' 'without rights to the device it says so' nobody "$work/ktallyd"
mode=$(stat -c %a /dev/ktally)
chmod 666 /dev/ktally
fails 77 'CAP_PERFMON' 'without CAP_PERFMON it says so' nobody "$work/ktallyd"
chmod "$mode" /dev/ktally

# ---- a whole life, on each loop

# Python takes its time to start, so this one starts beside what comes first.
background python3 tests/user/elasticsearch.py "$work/elastic" >"$work/elastic.port"
: >"$work/collected"
background python3 tests/programs/collector.py $port "$work/collected" "$work/notify"
within 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
for loop in io_uring poll; do
	out=$work/out-$loop
	export NOTIFY_SOCKET=$work/notify
	ok "$loop: it starts" start "$loop" --rate 199 --loop $loop --endpoint $url --out "$out" --metrics-json "$work/metrics.json"
	unset NOTIFY_SOCKET
	ok "$loop: and says what it waits with" says "reading with $loop"
	ok "$loop: metrics arrive" within 60 collected 2
	ok "$loop: it is ready for the service manager" grep -q 'notify.*READY=1' "$work/collected"
	ok "$loop: and tells it how it is" within 20 grep -qE 'notify STATUS=199 Hz, [1-9][0-9]* samples' "$work/collected"
	if [[ -e /sys/module/ktally/refcnt ]]; then
		fails 1 'in use' "$loop: the module cannot be unloaded meanwhile" rmmod ktally
	fi
	ok "$loop: SIGTERM ends it well" stop 0
	ok "$loop: it says what it took" says '[1-9][0-9]* samples, .* s of CPU time, nothing lost'
	ok "$loop: and tells the service manager" within 5 grep -q 'notify STOPPING=1' "$work/collected"
	for file in oncpu.pb.gz oncpu.folded flame.html metrics.json capture.ktally; do
		ok "$loop: $file is there" test -s "$out/$file"
	done
	ok "$loop: metrics are JSON" jq -e '.resourceMetrics | length > 0' "$out/metrics.json" "$work/metrics.json"
	ok "$loop: and name what ran" grep -q python3 "$work/metrics.json"
	ok "$loop: the capture can be read" report "$out/capture.ktally"
	ok "$loop: and names what ran" grep -q python3 "$work/report"
	ok "$loop: files are for their owner only" test "$(stat -c %a "$out/capture.ktally" "$out/flame.html" | sort -u)" = 600
	: >"$work/collected"
done
ok 'every request was one' bash -c "! grep '^bad' $work/collected"

# ---- Prometheus

scrape() { curl -sf --max-time 20 -H "Accept: $2" "http://$1/metrics" >"$work/page"; }
seconds() { awk '/^ktally_cpu_time_seconds_total\{.*python3/ { sum += $NF } END { printf "%d", sum * 1000 }' "$work/page"; }

fails 2 'no numeric address' 'Prometheus at no address is a usage error' ktallyd --prometheus metrics:9464
for loop in io_uring poll; do
	ok "$loop: it serves metrics" start "prometheus-$loop" --loop $loop --prometheus 19464 --rate 199
	ok "$loop: on loopback" says 'serving metrics at http://127.0.0.1:19464/metrics'
	sleep 2
	ok "$loop: they can be scraped" scrape 127.0.0.1:19464 'text/plain;version=0.0.4'
	before=$(seconds)
	ok "$loop: they have what ran" test "$before" -gt 500
	sleep 2
	ok "$loop: as OpenMetrics too" scrape localhost:19464 application/openmetrics-text
	ok "$loop: what ran meanwhile is in it" test $(($(seconds) - before)) -gt 1000
	ok "$loop: and metrics of ktally itself" grep -q '^ktally_samples_read_total' "$work/page"
	fails 1 'something else serves port 19464' "$loop: two cannot have the same port" ktallyd --prometheus 19464
	ok "$loop: it ends well" stop 0
done
ok 'a strict reader can read it' python3 tests/user/exposition.py openmetrics <"$work/page"

# ---- Elasticsearch

within 60 test -s "$work/elastic.port"
read -r _ elastic <"$work/elastic.port"
fails 2 'not a URL' 'Elasticsearch at no URL is a usage error' ktallyd --elasticsearch localhost:9200
export KTALLY_ELASTICSEARCH_API_KEY='a+b=='
ok 'to Elasticsearch: it starts' start elastic --elasticsearch "http://127.0.0.1:$elastic" --elasticsearch-namespace test --rate 199
unset KTALLY_ELASTICSEARCH_API_KEY
ok 'documents arrive, and fit the templates' within 60 grep -q '^document metrics-ktally.tally-test .*"python3' "$work/elastic"
ok 'of ktally itself too' within 20 grep -q '^document metrics-ktally.self-test .*"ktally.samples.read"' "$work/elastic"
ok 'it ends well' stop 0
ok 'and nothing was rejected' bash -c "! grep -q rejected '$says'"

# ---- where io_uring is not

disabled=/proc/sys/kernel/io_uring_disabled
if [[ -e $disabled ]]; then
	former=$(<$disabled)
	echo 2 >$disabled
	ok 'io_uring disabled: it starts' start disabled
	ok 'io_uring disabled: it says so' says 'kernel.io_uring_disabled=2.*poll'
	ok 'io_uring disabled: it waits with poll' says 'reading with poll'
	ok 'io_uring disabled: and ends well' stop 0
	fails 1 'leave out --loop io_uring' 'io_uring disabled: who insists on it is told' ktallyd --loop io_uring
	echo "$former" >$disabled
else
	skip 'io_uring disabled' 'this kernel cannot'
fi

# ---- a collector that does not answer

ok 'a collector that refuses does not end it' start refusing --endpoint $url
within 60 collected 1
touch "$work/collected.refuse"
ok 'it is told that' within 60 says 'does not take metrics: .*503'
sleep 3
rm "$work/collected.refuse"
ok 'and that it takes them again' within 90 says 'takes metrics again after [1-9][0-9]* failed requests; nothing was dropped'
ok 'each once' says_once 'does not take metrics: .*503'
ok 'it ends well' stop 0

ok 'nobody at the address does not end it' start dead --endpoint $nowhere
ok 'it is told that' within 60 says 'does not take metrics: .*connect'
began=$SECONDS
ok 'it ends well all the same' stop 0
ok 'within its time' test $((SECONDS - began)) -le 15
ok 'and says what is lost' says 'not delivered .* lost'

# ---- a spool

spool=$work/spool/metrics
spooled() { (($(find "$spool" -name '*.batch' | wc -l) >= $1)); }
ok 'with a spool and nobody at the address it starts' start away --endpoint $nowhere --spool "$work/spool"
ok 'it is told that nobody is there' within 60 says 'does not take metrics: .*connect'
ok 'what waits is in the spool' within 60 spooled 3
ok 'for its owner only' test "$(stat -c %a "$work/spool" "$spool" "$spool"/*.batch | sort -u | paste -sd' ')" = '600 700'
fails 1 'in use by another process' 'another daemon cannot have it' ktallyd --endpoint $nowhere --spool "$work/spool"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
left=$(find "$spool" -name '*.batch' | wc -l)
ok 'killed with -9, another starts' start respool --endpoint $nowhere --spool "$work/spool"
ok 'and finds what the one before left' says "$left batches of metrics are in the spool"
ok 'nobody is there yet' within 60 says 'does not take metrics: .*connect'
began=$SECONDS
ok 'it ends well' stop 0
ok 'without waiting for who is not there' test $((SECONDS - began)) -le 5
ok 'and says what stays' says 'batches of metrics stay in the spool .* until ktallyd runs again'
ok 'nothing is lost' bash -c "! grep -q 'lost: \|dropped' '$says'"
left=$(find "$spool" -name '*.batch' | wc -l)
: >"$work/collected"
ok 'with a collector, it starts again' start unspool --endpoint $url --spool "$work/spool"
ok 'and delivers what was left' within 60 collected $((left + 1))
ok 'every request was one' bash -c "! grep '^bad' $work/collected"
ok 'it ends well' stop 0
ok 'with nothing left in the spool' bash -c "! ls '$spool'/*.batch 2>/dev/null"

mkdir "$work/little"
mount -t tmpfs -o size=1M none "$work/little"
mkdir "$work/little/spool"
ok 'with a spool on a small disk it starts' start narrow --endpoint $nowhere --spool "$work/little/spool"
dd if=/dev/zero of="$work/little/fill" bs=4k 2>/dev/null
ok 'that the disk is full is told' within 60 says 'the spool .* cannot be written: No space left'
rm "$work/little/fill"
ok 'that there is room again is told too' within 60 says 'the spool .* can be written again'
ok 'it ends well' stop 0
ok 'and all that waited is in the spool' says 'batches of metrics stay in the spool'
mount -o remount,ro "$work/little"
ok 'with a spool that cannot be written it starts' start readonly --endpoint $nowhere --spool "$work/little/spool"
ok 'and says so' says 'the spool .* cannot be used: Read-only file system: .*memory'
ok 'it ends well' stop 0
umount "$work/little"

ok 'without a collector it says that nothing is sent' start silent
ok 'that is' says 'metrics are not sent: .*--endpoint'
ok 'and ends well' stop 0

# ---- a disk that is full

mkdir "$work/small"
mount -t tmpfs -o size=1M none "$work/small"
dd if=/dev/zero of="$work/small/fill" bs=64k count=12 2>/dev/null
ok 'a capture on a small disk: it starts' start full --capture "$work/small/capture" --rate 999 --metrics-json "$work/metrics.json"
ok 'that the disk is full is told' within 60 says 'small/capture failed: No space left'
rm -f "$work/metrics.json"
ok 'counting goes on' within 20 test -s "$work/metrics.json"
ok 'the exit status tells at the end' stop 1
ok 'once' says_once 'No space left'
rm -f "$work/small/"{capture,fill}

ok 'metrics on a small disk: it starts' start full --metrics-json "$work/small/metrics.json"
dd if=/dev/zero of="$work/small/fill" bs=64k 2>/dev/null
ok 'that the disk is full is told' within 20 says 'cannot write .*metrics.json: No space left'
ok 'the file is whole, if old' jq -e .resourceMetrics "$work/small/metrics.json"
rm "$work/small/fill"
ok 'that there is room again is told too' within 20 says 'can be written again'
ok 'the exit status tells at the end' stop 1
umount "$work/small"

# ---- SIGHUP

ok 'with a capture: it starts' start hangup --capture "$work/log"
sleep 3
mv "$work/log" "$work/log.1"
kill -HUP "$daemon"
ok 'after the capture was moved away, SIGHUP begins another' within 20 says 'began a new capture'
sleep 3
kill -HUP "$daemon"
sleep 1
ok 'it ends well' stop 0
ok 'one that is in its place is left alone' says_once 'began a new capture'
for file in log.1 log; do
	ok "$file can be read" report "$work/$file"
	ok "$file names what ran" grep -q python3 "$work/report"
	# Without mappings or stacks it would only name the process.
	ok "$file names libraries" grep -q libcrypto "$work/report"
done

# ---- the end of a daemon that did not expect it

references() { [[ $(</sys/module/ktally/refcnt) == "$1" ]]; }
ok 'it starts' start killed --capture "$work/killed.ktally"
sleep 2
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
ok 'killed, it leaves no session' within 10 references 0
readable() { report "$1" || [[ $? == 1 ]]; }
ok 'what it captured can be read' readable "$work/killed.ktally"
ok 'another starts' start restarted
ok 'and ends well' stop 0

# ---- the administrator has enough of it

ok 'it starts' start off
echo Y >/sys/module/ktally/parameters/disabled
ok 'that sampling is switched off is told' within 20 says 'sampling was switched off'
fails 75 'switched off' 'while it is off none starts' ktallyd
echo N >/sys/module/ktally/parameters/disabled
ok 'so is that it is on again' within 20 says 'switched on again'
ok 'and it ends well' stop 0

# ---- too many

# Sessions that are set up and do nothing. KTALLY_IOC_SETUP, and struct ktally_setup with sources 1 and ring_bytes 16384.
cat >"$work/sessions.py" <<'END'
import fcntl, os, struct, time
files = [os.open("/dev/ktally", os.O_RDWR) for _ in range(16)]
for file in files:
    fcntl.ioctl(file, 0xC000F701, bytearray(struct.pack("<10I2Q2IQ2I", 80, 1, 0, 0, 0, 16384, *[0] * 11)))
print("open", flush=True)
time.sleep(1000)
END
python3 "$work/sessions.py" >"$work/sessions" &
sessions=$!
started+=("$sessions")
ok 'sixteen sessions may be open' within 60 grep -q open "$work/sessions"
fails 75 'too many sessions' 'one more is told so' ktallyd
kill "$sessions"
wait "$sessions" 2>/dev/null
ok 'they end' within 10 references 0

# ---- the clock

if [[ -e /run/ktally-monitor ]]; then
	ok 'it starts' start clock --metrics-json "$work/metrics.json"
	date -s '+1 hour' >/dev/null
	ok 'a clock set forward is noticed' within 60 says 'moved by \+(359|36[0-9])[0-9]'
	date -s '-1 hour' >/dev/null
	ok 'so is one set back' within 60 says 'moved by -(359|36[0-9])[0-9]'
	ok 'and it ends well' stop 0
else
	skip 'a clock that is set' 'this host needs its clock'
fi

finish
