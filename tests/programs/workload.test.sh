#!/bin/bash
# The main job: the mixed workload is profiled, and each of its parts appears under its own name, in what people read and in the
# metrics.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

# In the virtual machine a disk has to be made.
disk=$work
if modprobe loop 2>/dev/null && modprobe ext4 2>/dev/null; then
	truncate -s 256M "$work/image" && mkfs.ext4 -q "$work/image" && mkdir "$work/disk" &&
		mount -o loop "$work/image" "$work/disk" && disk=$work/disk
fi

capture=$work/capture.ktally
ok 'record profiles a command and returns its status' \
	ktally record -a -F 499 --budget-ppm 500000 -o "$capture" -- scripts/workload 15 "$disk"
grep -E 'samples|lost' "$work/output" | sed 's/^/# /'

report() { ktally report -i "$capture" "$@"; }

# share PATTERN: the percentages of the lines that match, added up, must be above zero.
names() { report >"$work/report" && grep -E -- "$1" "$work/report"; }
ok 'TCP is named' names 'tcp'
ok 'writing to the disk is named' names 'disk'
ok 'memory management is named' names 'memory'
ok 'OpenSSL is named by its library' names 'libcrypto'
ok 'zstd is named' names 'zstd'
ok 'Python is named' names '(cpython|python3)'
ok 'system calls are named' names '(sendto|write|fsync|recvfrom)'
ok 'so are a service by its cgroup' names '  ktally-workload '
ok 'a service by its environment' names '  reports '
ok 'and a container' names "  $(printf 'ktally workload' | sha256sum | cut -c 1-12) "
near_account() { names 'accounted' && awk '/accounted/ { for (i = 1; i < NF; i++) if ($i == "for") exit $(i + 1) > 5; exit 1 }' "$work/report"; }
if [[ -e /proc/schedstat ]]; then
	ok 'CPU time is what the kernel charged, within 5 %' near_account
else
	skip 'CPU time is what the kernel charged, within 5 %' 'this kernel charges by ticks only, of which an emulator loses some'
fi
sed 's/^/# /' "$work/report" | head -n 60

metrics() {
	report --format metrics -o "$work/metrics.json" && python3 - "$work/metrics.json" <<'PYTHON'
import json, sys
totals = {}
for resource in json.load(open(sys.argv[1]))["resourceMetrics"]:
    for scope in resource["scopeMetrics"]:
        for metric in scope["metrics"]:
            for point in metric["sum"]["dataPoints"]:
                keys = {a["key"]: a["value"].get("stringValue") for a in point.get("attributes", [])}
                value = float(point.get("asInt", point.get("asDouble", 0)))
                name = metric["name"]
                totals[name] = totals.get(name, 0) + value
                for key, text in keys.items():
                    totals[name, key, text] = totals.get((name, key, text), 0) + value
for wanted in ("samples.kernel.count", "samples.user.count", "samples.native.count",
               ("samples.kernel.count", "kernel_area", "network"), ("samples.kernel.count", "kernel_proto", "tcp"),
               ("samples.kernel.count", "kernel_area", "disk"), ("samples.kernel.count", "kernel_area", "memory"),
               ("samples.native.count", "shlib_name", "libcrypto"), "samples.cpython.count"):
    print(wanted, totals.get(wanted, 0))
    assert totals.get(wanted, 0) > 0, wanted
PYTHON
}
ok 'the metrics have all of it' metrics

# For scripts/test, which asks pprof outside: there it need not be built first.
mkdir -p build/test
ok 'the profile can be written for pprof' report --format pprof -o build/test/oncpu.pb.gz

folded() { report --format folded -o "$work/folded" && awk '$NF !~ /^[0-9]+$/ { exit 1 } END { exit NR < 20 }' "$work/folded"; }
ok 'folded stacks are lines with weights' folded

flame() { report --format flame -o "$work/flame.html" && grep -q '</html>' "$work/flame.html" && ! grep -qE '(src|href)="?https?:' "$work/flame.html"; }
ok 'the flame graph stands alone' flame

script() { ktally script -i "$capture" >"$work/script" && grep -qE '^\S.* +[0-9]+/[0-9]+ +\[[0-9]+\] +[0-9]+\.[0-9]+:' "$work/script" && grep -qE '^\s+[0-9a-f]+ \S+\+0x[0-9a-f]+ \(' "$work/script"; }
ok 'script prints what perf script would' script

dump() { ktally dump -i "$capture" >"$work/dump" && python3 -c 'import json, sys; n = sum(1 for line in sys.stdin if json.loads(line)); assert n > 100, n' <"$work/dump"; }
ok 'dump prints JSON' dump

mountpoint -q "$work/disk" 2>/dev/null && umount "$work/disk"
finish
