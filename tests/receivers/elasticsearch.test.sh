#!/bin/bash
# ktallyd and a real Elasticsearch, which tests/receivers/with-elasticsearch runs on the host.
# shellcheck source=tests/receivers/burner.sh
. "$(dirname "$0")/burner.sh"

if [[ ! ${ELASTICSEARCH_PORT-} ]]; then
	skip 'a real Elasticsearch' "${ELASTICSEARCH_MISSING:-tests/receivers/with-elasticsearch runs it}"
	finish
fi
# In the virtual machine: scripts/vm --network.
if [[ -e /run/ktally-monitor ]]; then
	base=http://10.0.2.2:$ELASTICSEARCH_PORT
	reach_host() { modprobe virtio_net && ip link set lo up && ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up; }
	ok 'the host can be reached' reach_host
else
	base=http://127.0.0.1:$ELASTICSEARCH_PORT
fi

elasticsearch() { answers "$1" --user manager:ktally-test -H 'Content-Type: application/json' "$base/$2" "${@:3}"; }
node_is_up() { elasticsearch '.status == "green" or .status == "yellow"' _cluster/health; }

# The set-up as it is, but for what is in modules of Elastic's distribution only: a type of fields, and how late documents may be.
prepare_set_up() {
	cp -r user/examples/elasticsearch "$work/set-up" &&
		jq '(.template.mappings.properties[] | select(.type == "constant_keyword")) |= { type: "keyword" }' \
			user/examples/elasticsearch/mappings.json >"$work/set-up/mappings.json" &&
		jq 'del(.template.settings.index.look_back_time)' user/examples/elasticsearch/settings.json >"$work/set-up/settings.json"
}
may_not_write() {
	[[ $(curl -s -o "$work/answer" -w '%{http_code}' "$base/_bulk" -H 'Content-Type: application/x-ndjson' --data-binary '{}') == 401 ]]
}

# Of the burner, in the stream.
milliseconds_found() {
	elasticsearch '.aggregations.time.value * 1000 | floor' metrics-ktally.tally-default/_search \
		-d '{"size":0,"query":{"term":{"process.executable.name":"burner"}},"aggs":{"time":{"sum":{"field":"ktally.cpu.time"}}}}'
}
found() { (($(milliseconds_found) >= $1)); }
counted() { elasticsearch '.count > 0' "$1/_count"; }
refresh() { elasticsearch '._shards.failed == 0' "$1/_refresh" -X POST; }
of_the_stream() { elasticsearch "[.[]] | length > 0 and all($2)" "metrics-ktally.tally-default/$1"; }

# A document that is there, as it would be sent once more.
twice() {
	elasticsearch '.hits.hits[0]._source | tojson' metrics-ktally.tally-default/_search -d '{"size":1}' >"$work/source" || return
	{
		echo '{"create":{"_index":"metrics-ktally.tally-default"}}'
		cat "$work/source"
	} >"$work/again"
	elasticsearch '.items[0].create.status == 409' _bulk --data-binary "@$work/again"
}

ok 'Elasticsearch starts' within 300 node_is_up
ok 'the set-up is there' prepare_set_up
ok 'the script sets it up' "$work/set-up/set-up" "$base" --user manager:ktally-test
ok 'the index template keeps 90 days' elasticsearch '.index_templates[0].index_template.template.lifecycle.data_retention == "90d"' \
	_index_template/metrics-ktally
ok 'a stranger may not write' may_not_write
KTALLY_ELASTICSEARCH_HEADERS=Authorization=Basic%20$(printf ktally:ktally-test | base64 | sed 's/=/%3D/g')
export KTALLY_ELASTICSEARCH_HEADERS
mark started
background ktallyd --no-config --rate 199 --interval 1 --control none --elasticsearch "$base" 2>"$work/elastic.log"
daemon=$last
ok 'a daemon starts' within 60 says elastic 'sampling .* CPUs'
mark samples
ok 'documents are found, of which the program ran' within 120 found 3000
mark stopped
ok 'it ends well' stop elastic "$daemon"
mark ended
ok 'all is there' refresh metrics-ktally.tally-default
ok 'the time is what the kernel charged' as_charged "$(milliseconds_found)"
ok 'documents of ktally itself too' counted metrics-ktally.self-default
ok 'nothing was rejected or lost' says_not elastic 'reject|does not take|not delivered|dropped'
ok 'the stream is one of time series, routed by their fingerprint' of_the_stream _settings \
	'.settings.index.mode == "time_series" and .settings.index.routing_path == ["ktally.series"]'
ok 'its fields are those of the template' of_the_stream _mapping \
	'.mappings.dynamic == "false" and .mappings.properties.process.properties.executable.properties.name.time_series_dimension'
ok 'what is sent twice is there once' twice

# A field of another type, as an administrator may have made one.
ok 'a stream that does not take all can be made' elasticsearch .acknowledged _index_template/refusing -X PUT -d '{
	"index_patterns": ["metrics-ktally.*-refusing"], "priority": 501, "data_stream": {},
	"template": { "mappings": { "properties": { "ktally.cpu.time": { "type": "ip" } } } } }'
mark started
background ktallyd --no-config --rate 199 --interval 1 --control none --elasticsearch "$base" --elasticsearch-namespace refusing \
	2>"$work/refused.log"
daemon=$last
ok 'documents that do not fit are told of' within 90 says refused 'rejected [0-9]+ data points .*document_parsing_exception'
stop refused "$daemon" >/dev/null
refresh metrics-ktally.self-refusing >/dev/null
ok 'and the others are taken' counted metrics-ktally.self-refusing

for what in 'lifecycles' 'API keys' 'late documents' 'constant_keyword'; do
	skip "Elasticsearch: $what" "the module is in Elastic's own distribution only"
done
finish
