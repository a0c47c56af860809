# shellcheck shell=bash
# Programs as Debian packages them, that compute for long: start_NAME leaves one's pid in `pid`. What is left behind ends with the
# script, whose $work is a directory.
#
# shellcheck disable=SC2154,SC2034	# work, pid

programs=${PROGRAMS:-openssl xz python3 sqlite3 git cc1 redis-server nginx postgres}
children=()
cleanup() {
	for child in "${children[@]}"; do kill -9 -- -"$child"; done 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

# begin COMMAND...: in a process group of its own, which cleanup ends. Its pid is in `begun`.
begin() {
	setsid "$@" </dev/null >"$work/program" 2>&1 &
	begun=$!
	children+=("$begun")
}

# child_of PID NAME: the pid of the newest process of that name in its session, once there is another than itself.
child_of() {
	local tries=200
	until pid=$(pgrep -n -s "$1" -x "$2") && [[ $pid != "$1" ]]; do
		((tries--)) || return 1
		sleep 0.1
	done
}

unprivileged() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

# Each leaves in `pid` a process that computes for long.
start_openssl() { begin openssl speed -seconds 1000 sha256; pid=$begun; }
start_xz() { begin sh -c 'exec xz -T1 -6 -c </dev/urandom >/dev/null'; pid=$begun; }
start_python3() {
	begin /usr/bin/python3 -c 'import json, re
text = json.dumps([{"a": i, "b": [str(i)] * 3} for i in range(200)])
while True:
    json.dumps(json.loads(text), indent=1)
    re.sub(r"(\d+)[^\d]+", lambda match: match.group(1), text)
    sorted(text.split(), key=lambda word: word[::-1])'
	pid=$begun
}
start_sqlite3() {
	begin sqlite3 :memory: "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 2000)
			INSERT INTO t SELECT x, printf('%08x', x * 7919 % 65536) FROM c;
		SELECT count(*) FROM t a, t b, t c WHERE a.b < b.b AND b.b LIKE '%7%' AND c.b > a.b ORDER BY a.b || b.b;"
	pid=$begun
}
start_git() {
	local i
	git init -q "$work/repository" || return
	for ((i = 0; i < 4000; i++)); do
		seq "$i" 7 30000 >"$work/repository/$i"
	done
	git -C "$work/repository" add . && git -C "$work/repository" ls-files -s | cut -c8-47 >"$work/objects" || return
	# shellcheck disable=SC2016	# that is its own $0
	begin sh -c 'exec git -C "$0/repository" pack-objects --window=1000 --threads=1 --no-reuse-delta --stdout <"$0/objects" >/dev/null' "$work"
	pid=$begun
}
start_cc1() {
	local i
	for ((i = 0; i < 3000; i++)); do
		echo "int f$i(int *a, int n) { int s = $i; for (int i = 0; i < n; i++) for (int j = i; j < n; j += $((i % 7 + 1)))"
		echo "	s += a[i] * a[j] > s ? a[i] ^ j : a[j] / (i + 1); return s; }"
	done >"$work/large.c"
	begin gcc -O3 -c -o /dev/null "$work/large.c"
	child_of "$begun" cc1
}
start_redis-server() {
	begin redis-server --port 0 --unixsocket "$work/redis" --save ''
	pid=$begun
	while ! [[ -S $work/redis ]]; do sleep 0.1; done
	begin redis-benchmark -s "$work/redis" -l -t set,get,lpush,lrange_300,mset -c 4 -r 1000
}
start_nginx() {
	mkdir -p "$work/nginx/logs"
	seq 100000 >"$work/nginx/page"
	cat >"$work/nginx/conf" <<END
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error;
events { worker_connections 64; }
http { access_log off; gzip on; gzip_types *; gzip_min_length 1; server { listen 127.0.0.1:8089; root $work/nginx; } }
END
	chmod -R a+rX "$work"
	begin nginx -p "$work/nginx" -c "$work/nginx/conf" -g 'daemon off; user root;'
	child_of "$begun" nginx
	begin sh -c 'while :; do curl -s --compressed -o /dev/null "http://127.0.0.1:8089/page?[1-100]"; done'
}
start_postgres() {
	local bin
	bin=$(echo /usr/lib/postgresql/*/bin)
	mkdir -m 777 "$work/postgres"
	chmod a+rx "$work"
	unprivileged "$bin/initdb" -D "$work/postgres/data" -A trust -U me >"$work/program" 2>&1 || return
	begin setpriv --reuid 65534 --regid 65534 --clear-groups "$bin/postgres" -D "$work/postgres/data" -k "$work/postgres" -h '' -F
	while ! [[ -S $work/postgres/.s.PGSQL.5432 ]]; do sleep 0.1; done
	sleep 2
	pgbench -h "$work/postgres" -U me -i -q postgres >"$work/program" 2>&1 || return
	begin pgbench -h "$work/postgres" -U me -n -c 1 -T 100000 postgres
	sleep 2	# it asks for a few things first, by another connection
	local tries=200
	until pid=$(pgrep -n -f 'postgres: me postgres'); do
		((tries--)) || return 1
		sleep 0.1
	done
}

# end_programs: all that were started.
end_programs() {
	for child in "${children[@]}"; do kill -9 -- -"$child"; done 2>/dev/null
	children=()
	wait 2>/dev/null
}

# command_of PROGRAM: what must be installed for it.
command_of() {
	case $1 in
	cc1) echo gcc ;;
	postgres) echo pgbench ;;
	*) echo "$1" ;;
	esac
}

# each_program COMMAND...: a test for each program, that must succeed with the program's name as the last word.
each_program() {
	local program
	for program in $programs; do
		if ! command -v gdb >/dev/null; then
			skip "$program: as gdb says" 'gdb is not installed'
		elif ! command -v "$(command_of "$program")" >/dev/null; then
			skip "$program: as gdb says" "$(command_of "$program") is not installed"
		else
			ok "$program: at least 99 of 100 stacks are whole, and as gdb says" "$@" "$program"
			grep '^# [0-9]' "$work/output"
			end_programs
		fi
	done
}
