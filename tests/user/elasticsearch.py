# SPDX-License-Identifier: GPL-2.0-or-later
"""What of Elasticsearch tests/user/elasticsearch.c needs: a bulk API that has the templates of user/examples, and is as strict.

Usage: elasticsearch.py LOG. It prints its process id and its port. A path before _bulk is what goes wrong: /busy/_bulk takes every third
document only at the second time, /full/_bulk no document at the first time, /unauthorized/_bulk nothing. Documents of the service
"refused" are refused for good, and those that are there already are conflicts. Writes to the log: for each request "request STATUS
DOCUMENTS", and for each document that is taken "document INDEX JSON".
"""
import gzip
import http.server
import json
import os
import sys
import threading
import time

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../user/examples")
load = lambda name: json.load(open(os.path.join(root, name)))  # noqa: E731
template = load("elasticsearch/template.json")
fields = load("elasticsearch/mappings.json")["template"]["mappings"]["properties"]
settings = load("elasticsearch/settings.json")["template"]["settings"]["index"]
dimensions = {name for name, field in fields.items() if field.get("time_series_dimension")}
assert set(settings["routing_path"]) <= dimensions and len(dimensions) <= settings["mapping"]["dimension_fields"]["limit"]
# No field may be both a value and the object around another.
assert not [name for name in fields for other in fields if other.startswith(name + ".")]
others = load("opensearch/template.json")["template"]["mappings"]["properties"]
assert {name: f["type"].replace("constant_", "") for name, f in fields.items()} == {name: f["type"] for name, f in others.items()}
log = open(sys.argv[1], "w", buffering=1)
lock = threading.Lock()
there, seen = set(), set()


def wrong(document):
    """Why a document does not fit the mappings, if it does not."""
    for name, value in document.items():
        field = fields.get(name)
        if field is None:
            return f"{name} is not in the template"
        kinds = {"long": int, "double": (int, float)}.get(field["type"], str)
        if not isinstance(value, kinds) or isinstance(value, bool):
            return f"{name} is no {field['type']}: {value}"
    for name in "@timestamp", "start_timestamp":
        if time.strptime(document[name][:-5], "%Y-%m-%dT%H:%M:%S") is None or not document[name].endswith("Z"):
            return "time"
    return None


def take(mode, number, action, document):
    index = action["create"]["_index"]
    if wrong(document):
        return 400, "mapper_parsing_exception", wrong(document)
    if index != "metrics-{data_stream.dataset}-{data_stream.namespace}".replace("{data_stream.dataset}", document["data_stream.dataset"]) \
            .replace("{data_stream.namespace}", document["data_stream.namespace"]):
        return 400, "illegal_argument_exception", "not the stream that it says"
    if document.get("service.name") == "refused":
        return 400, "illegal_argument_exception", "the document \x1b[31m is of no use"
    key = (index, document["@timestamp"], tuple(sorted((k, v) for k, v in document.items() if k in dimensions)))
    late = mode == "full" or (mode == "busy" and number % 3 == 0)
    if late and (mode, key) not in seen:
        seen.add((mode, key))
        return 429, "es_rejected_execution_exception", "rejected execution"
    if key in there:
        return 409, "version_conflict_engine_exception", "document already exists"
    there.add(key)
    log.write(f"document {index} {json.dumps(document)}\n")
    return 201, None, None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        path, _, query = self.path.partition("?")
        mode = path[1:-len("/_bulk")]
        if mode == "unauthorized":
            error = {"root_cause": [], "type": "security_exception", "reason": "missing authentication credentials"}
            return self.answer(401, {"error": error, "status": 401})
        lines = body.decode("utf-8", "strict").split("\n")
        good = (path.endswith("/_bulk") and lines.pop() == "" and len(lines) % 2 == 0 and query.startswith("filter_path=errors,") and
                self.headers["Content-Type"] == "application/x-ndjson" and self.headers["Authorization"] == "ApiKey a+b=="
                and len(body) < 2 << 20)
        if not good:
            log.write("request bad\n")
            return self.answer(400, {"error": "a bad request", "status": 400})
        with lock:
            results = [take(mode, i // 2, json.loads(lines[i]), json.loads(lines[i + 1])) for i in range(0, len(lines), 2)]
            log.write(f"request 200 {len(results)}\n")
        items = [{"create": {"status": s, **({"error": {"type": t, "reason": r}} if t else {})}} for s, t, r in results]
        return self.answer(200, {"errors": any(t for _, t, _ in results), "items": items}, Retry_After="1")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(os.getpid(), server.server_address[1], flush=True)
os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
while os.getppid() != 1:        # whoever started it may die
    time.sleep(0.2)
