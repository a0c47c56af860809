#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A collector for tests: takes OTLP metrics over HTTP, and the messages of a service's NOTIFY_SOCKET.

usage: collector.py PORT LOG [NOTIFY_SOCKET]

Writes a line for each thing that comes: "metrics BYTES" for a request that is what it says, "bad WHY" for one that is not,
"notify TEXT". Answers 503 while there is a file LOG.refuse. Where there is a directory LOG.bodies, what was taken is kept in it.
"""
import gzip
import http.server
import os
import socket
import sys
import threading
import time

port, path = int(sys.argv[1]), sys.argv[2]
log = open(path, "a", buffering=1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def judge(self, body):
        if self.path != "/v1/metrics":
            return f"bad path {self.path}"
        if self.headers["Content-Type"] != "application/x-protobuf":
            return f"bad type {self.headers['Content-Type']}"
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if os.path.isdir(path + ".bodies"):
            with open(f"{path}.bodies/{time.time_ns()}", "wb") as file:
                file.write(body)
        for wanted in b"ktally.cpu.time", b"samples.kernel.count", b"ktally.samples.read":
            if wanted not in body:
                return f"bad body: no {wanted.decode()}"
        return f"metrics {len(body)}"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refuse = os.path.exists(path + ".refuse")
        log.write("refused\n" if refuse else self.judge(body) + "\n")
        self.send_response(503 if refuse else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def listen_to(path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    while True:
        log.write("notify " + listener.recv(4096).decode().replace("\n", " ") + "\n")


if len(sys.argv) > 3:
    threading.Thread(target=listen_to, args=(sys.argv[3],), daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
