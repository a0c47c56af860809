#!/bin/bash
# ktallyd and the real servers: an OpenTelemetry Collector and Prometheus, as scripts/receivers has them.
#
# What arrived is read from what the servers themselves wrote down or answer, and they must have complained of nothing.
# shellcheck source=tests/receivers/burner.sh
. "$(dirname "$0")/burner.sh"

plain=14318 secure=14319 metrics=19464 prometheus=19090

# ---- OpenTelemetry's Collector

# certificate NAME EXTENSION: signed by the authority, with its key beside it.
certificate() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr" &&
		openssl x509 -req -in "$work/$1.csr" -CA "$work/authority.pem" -CAkey "$work/authority.key" -CAcreateserial -days 2 \
			-extfile <(echo "$2") -out "$work/$1.pem"
}

authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=authority' \
		-keyout "$work/authority.key" -out "$work/authority.pem"
}

# Two receivers that each take one compression only, so that what comes was compressed so; and a file for each.
configure() {
	cat >"$work/collector.yaml" <<-CONFIG
		receivers:
		  otlp/plain:
		    protocols:
		      http:
		        endpoint: 127.0.0.1:$plain
		        compression_algorithms: [gzip]
		  otlp/secure:
		    protocols:
		      http:
		        endpoint: 127.0.0.1:$secure
		        compression_algorithms: [zstd]
		        tls:
		          cert_file: $work/server.pem
		          key_file: $work/server.key
		          client_ca_file: $work/authority.pem
		exporters:
		  debug:
		  file/plain:
		    path: $work/plain.metrics
		  file/secure:
		    path: $work/secure.metrics
		  file/plain-profiles:
		    path: $work/plain.profiles
		  file/secure-profiles:
		    path: $work/secure.profiles
		service:
		  telemetry:
		    metrics:
		      level: none
		    logs:
		      encoding: json
		  pipelines:
		    metrics/plain:
		      receivers: [otlp/plain]
		      exporters: [debug, file/plain]
		    metrics/secure:
		      receivers: [otlp/secure]
		      exporters: [debug, file/secure]
		    profiles/plain:
		      receivers: [otlp/plain]
		      exporters: [debug, file/plain-profiles]
		    profiles/secure:
		      receivers: [otlp/secure]
		      exporters: [debug, file/secure-profiles]
	CONFIG
}

# points NAME METRIC: the points of a metric of the burner.
points() {
	jq -c --arg metric "$2" '.resourceMetrics[]
		| select(any(.resource.attributes[]; .key == "process.executable.name" and .value.stringValue == "burner"))
		| .scopeMetrics[].metrics[] | select(.name == $metric) | .unit as $unit | .sum
		| .dataPoints[] + { unit: $unit, temporality: .aggregationTemporality, monotonic: .isMonotonic }' "$work/$1.metrics"
}
has_points() { [[ $(points "$1" "$2" | wc -l) -ge $3 ]]; }
milliseconds() { points "$1" ktally.cpu.time | jq -s 'map(.asDouble) | add * 1000 | floor'; }
all_are() { points "$1" "$2" | jq -se "length > 0 and all($3)"; }

# milliseconds_of_profile NAME: the CPU time of the burner in the profile. The sample type is by number in the dictionary.
milliseconds_of_profile() {
	jq -s '[.[] | .dictionary.stringTable as $texts | .resourceProfiles[]
		| select(any(.resource.attributes[]; (.key // $texts[.keyStrindex]) == "process.executable.name"
			and (.value.stringValue // $texts[.value.stringValueStrindex]) == "burner"))
		| .scopeProfiles[].profiles[] | select($texts[.sampleType.typeStrindex] == "cpu")
		| .samples[].values[] | tonumber] | add / 1e6 | floor' "$work/$1.profiles"
}
has_name() { jq -se --arg name "$2" 'any(.[].dictionary.stringTable[]; . == $name)' "$work/$1.profiles"; }
profile_arrived() { (($(milliseconds_of_profile "$1") > 0)); }

enters() { curl -sS --max-time 20 --cacert "$work/authority.pem" "$@" "https://127.0.0.1:$secure/v1/metrics"; }
stays_out() { ! enters --http1.1 && says collector "client didn't provide a certificate"; }
# Of whom it was right to complain, that does not count.
no_complaint() { ! grep -E '"level":"(warn|error|dpanic|panic|fatal)"' "$work/collector.log" | grep -v "client didn't provide a certificate"; }

# arrives NAME WHAT: what the daemon that sent to this receiver sent.
arrives() {
	ok "$2: metrics arrive" within 60 has_points "$1" ktally.cpu.time 5
	ok "$2: times are delta sums in seconds" all_are "$1" ktally.cpu.time '.unit == "s" and .temporality == 1 and .monotonic'
	ok "$2: a profile arrives" within 90 profile_arrived "$1"
	ok "$2: with the names of what ran" has_name "$1" burner
}

collector() {
	authority && certificate server 'subjectAltName=IP:127.0.0.1' && certificate client 'extendedKeyUsage=clientAuth' && configure
}

if receiver=$(scripts/receivers cached collector); then
	ok 'certificates can be made' collector
	background "$receiver" --feature-gates=service.profilesSupport --config "$work/collector.yaml" 2>"$work/collector.log" >&2
	receiver=$last
	ok 'the Collector starts' within 90 says collector 'Everything is ready'

	mark started
	background ktallyd --no-config --rate 199 --interval 1 --control "$work/control" --profile 3s \
		--endpoint "http://127.0.0.1:$plain" 2>"$work/plain.log"
	daemon=$last
	ok 'HTTP and gzip: a daemon starts' within 60 says plain 'sampling .* CPUs'
	mark samples
	arrives plain 'HTTP and gzip'
	mark stopped
	ok 'HTTP and gzip: it ends well' stop plain "$daemon"
	mark ended
	ok 'HTTP and gzip: the time is what the kernel charged' as_charged "$(milliseconds plain)"
	ok 'HTTP and gzip: nothing was rejected or lost' says_not plain 'reject|does not take|not delivered|dropped'

	# Without this the certificate of the client could be one that nobody looks at.
	ok 'TLS: with a certificate one gets in' enters --cert "$work/client.pem" --key "$work/client.key"
	ok 'TLS: without one nobody does' stays_out
	export OTEL_EXPORTER_OTLP_CERTIFICATE=$work/authority.pem OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=$work/client.pem
	export OTEL_EXPORTER_OTLP_CLIENT_KEY=$work/client.key OTEL_EXPORTER_OTLP_COMPRESSION=zstd
	mark started
	background ktallyd --no-config --rate 199 --interval 1 --control "$work/control" \
		--endpoint "https://127.0.0.1:$secure" 2>"$work/secure.log"
	daemon=$last
	unset "${!OTEL_@}"
	ok 'TLS and zstd: a daemon starts' within 60 says secure 'sampling .* CPUs'
	mark samples
	ok 'TLS and zstd: ktally profile sends a profile' ktally profile --control "$work/control" --for 3s --hz 199 --send
	arrives secure 'TLS and zstd'
	mark stopped
	ok 'TLS and zstd: it ends well' stop secure "$daemon"
	mark ended
	ok 'TLS and zstd: the time is what the kernel charged' as_charged "$(milliseconds secure)"
	ok 'TLS and zstd: nothing was rejected or lost' says_not secure 'reject|does not take|not delivered|dropped'

	ok 'the Collector complains of nothing' no_complaint
	kill -TERM "$receiver"
	wait "$receiver"
	ok 'nor does it at its end' no_complaint
else
	skip 'a real Collector' 'it is not there: scripts/receivers path collector builds it'
fi

# ---- Prometheus

asks() { answers "$2" -f -G "http://127.0.0.1:$prometheus/api/v1/$1" "${@:3}"; }
# milliseconds_known LABELS: CPU time of the burner, as of the last scrape or as it was sent.
milliseconds_known() {
	asks query '.data.result[0].value[1] | tonumber * 1000 | floor' \
		--data-urlencode "query=sum(ktally_cpu_time_seconds_total{process_executable_name=\"burner\",$1})"
}
knows() { (($(milliseconds_known "$1") >= $2)); }
target_is() { asks targets ".data.activeTargets | length == 1 and all($1)"; }

if receiver=$(scripts/receivers cached prometheus); then
	# The example is what is tried. A scrape may take as long as the interval, of which a busy emulator needs some.
	{
		echo 'global: { scrape_interval: 4s }'
		sed "s/localhost:9464/127.0.0.1:$metrics/" user/examples/prometheus/prometheus.yml
	} >"$work/prometheus.yaml"
	mark started
	background ktallyd --no-config --rate 199 --control none --prometheus $metrics 2>"$work/scraped.log"
	daemon=$last
	ok 'a daemon serves Prometheus' within 60 says scraped 'sampling .* CPUs'
	mark samples
	background "$receiver" --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/tsdb" --web.enable-otlp-receiver \
		--web.listen-address=127.0.0.1:$prometheus 2>"$work/prometheus.log" >&2
	receiver=$last
	ok 'Prometheus starts' within 90 curl -sf "http://127.0.0.1:$prometheus/-/ready"
	ok 'it scrapes ktallyd' within 60 target_is '.health == "up" and .lastError == ""'
	mark stopped	# as far as the scrape that was seen has to know
	ok 'and knows how long the program ran' within 60 knows 'job="ktally"' 3000
	known=$(milliseconds_known 'job="ktally"')
	mark ended
	ok 'as the kernel charged it' as_charged "$known"
	ok 'it knows the type of it' asks metadata '.data.ktally_cpu_time_seconds[0].type == "counter"'
	ok 'samples in the kernel are there too' asks query '.data.result | length > 0' \
		--data-urlencode 'query=samples_kernel_count_total > 0'
	ok 'no scrape failed since the first that did not' asks query '.data.result[0].value[1] == "1"' \
		--data-urlencode 'query=min_over_time(up[20s])'
	ok 'the daemon ends well' stop scraped "$daemon"
	ok 'it complains of nothing' says_not prometheus 'level=(warn|error)'

	to=http://127.0.0.1:$prometheus/api/v1/otlp/v1/metrics
	mark started
	background ktallyd --no-config --rate 199 --interval 1 --control none --temporality cumulative --endpoint "$to" 2>"$work/pushed.log"
	daemon=$last
	ok 'OTLP to Prometheus: a daemon starts' within 60 says pushed 'sampling .* CPUs'
	mark samples
	ok 'OTLP to Prometheus: it knows how long the program ran' within 60 knows 'job!="ktally"' 3000
	mark stopped
	ok 'OTLP to Prometheus: the daemon ends well' stop pushed "$daemon"
	mark ended
	ok 'OTLP to Prometheus: the time is what the kernel charged' as_charged "$(milliseconds_known 'job!="ktally"')"
	ok 'OTLP to Prometheus: of whom, by the labels of the example' asks query '.data.result | length > 0' \
		--data-urlencode 'query=ktally_cpu_time_seconds_total{job="burner",process_executable_name="burner",host_name!=""}'
	ok 'OTLP to Prometheus: nothing was rejected or lost' says_not pushed 'reject|does not take|not delivered|dropped'
	ok 'OTLP to Prometheus: it complains of nothing' says_not prometheus 'level=(warn|error)'

	background ktallyd --no-config --rate 199 --interval 1 --control none --endpoint "$to" 2>"$work/delta.log"
	daemon=$last
	ok 'delta sums Prometheus refuses, as is said' within 60 says delta "$to.*temporality"
	stop delta "$daemon" >/dev/null
	kill -TERM "$receiver"
	wait "$receiver"
else
	skip 'a real Prometheus' 'it is not there: scripts/receivers path prometheus builds it'
fi

finish
