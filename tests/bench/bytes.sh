#!/bin/bash
# How many bytes leave a host in a minute: what ktally would send of the minute that minute.sh recorded, and what perf wrote of it:
# make bench-bytes
#
# usage: tests/bench/bytes.sh
#
# The captures are read again, and all is made of them by what makes it for the daemon: metrics of two intervals of 30 s, with the
# ready-made categories, by process, and profiles of the whole minute. What is compressed is so as it is sent, each request by itself. The
# page for Prometheus is what one scrape gets. "-" is what nobody would send: pprof is never without gzip, and neither Elasticsearch nor
# Prometheus is sent zstd. Files are compressed whole, to compare with.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/../.."
build=${BUILD:-build}
minute=build/bench/minute
mkdir -p "$build/bench"
make --no-print-directory BUILD="$build" "$build/stages.a" "$build/libktally.a" >&2
${CC:-gcc} -O2 -g -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Iuser -Ikmod/uapi -I"$build" -o "$build/bench/bytes" \
	tests/bench/bytes.c "$build/stages.a" "$build/libktally.a" -lcurl -lprotobuf-c -luring -lyaml -lz -lzstd -llzma -liberty -lseccomp

row() { printf '%-56s %8s %10s %10s %10s\n' "$@"; }

# show NAME SAMPLES KEY FILE [ALL]: the line of FILE that begins with KEY. Without ALL there is no zstd.
show() {
	local plain gzip zstd
	IFS=$'\t' read -r _ plain gzip zstd < <(grep "^$3"$'\t' "$4")
	[[ ${5-} ]] || zstd=-
	((plain)) || plain=-
	row "$1" "$2" "$plain" "$gzip" "$zstd"
}

# show_file NAME SAMPLES FILE
show_file() {
	"$build/bench/bytes" file file "$3" >"$minute/sizes"
	show "$1" "$2" file "$minute/sizes" all
}

# samples_of NAME: as its recorder said.
samples_of() { sed -nE 's/.*[( ]([0-9]+) samples.*/\1/p' "$minute/$1.log" | tail -n 1; }

row 'bytes of one host in one minute' samples 'as it is' gzip zstd
for rate in 19 99; do
	samples=$(samples_of "ktally-$rate")
	"$build/bench/bytes" metrics 30 "$minute/ktally-$rate.ktally" >"$minute/metrics"
	"$build/bench/bytes" profiles "$minute/ktally-$rate.ktally" >"$minute/profiles"
	show "metrics, $rate Hz: OTLP" "$samples" otlp "$minute/metrics" all
	show "metrics, $rate Hz: Elasticsearch, _bulk" "$samples" bulk "$minute/metrics"
	show "metrics, $rate Hz: Prometheus, one scrape" "$samples" page "$minute/metrics"
	show "every stack, $rate Hz: OTLP profiles" "$samples" otlp "$minute/profiles" all
	show "every stack, $rate Hz: pprof" "$samples" pprof "$minute/profiles"
	show_file "ktally record -a -F $rate" "$samples" "$minute/ktally-$rate.ktally"
	show_file "perf record -a -g -F $rate" "$(samples_of "perf-$rate")" "$minute/perf-$rate.data"
	show_file "perf record -a --call-graph dwarf -F $rate" "$(samples_of "dwarf-$rate")" "$minute/dwarf-$rate.data"
done
