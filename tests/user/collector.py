# SPDX-License-Identifier: GPL-2.0-or-later
"""An HTTP server for tests/user/sender.c. It does what the path says, and writes a line for each request to the log.

Usage: collector.py LOG [CERTIFICATE KEY]. It prints its process id and its ports: plain, TLS, TLS with client certificates;
the last two only with a certificate, which then vouches for clients too.
"""
import email.utils
import gzip
import hashlib
import http.server
import os
import ssl
import sys
import threading
import time

PROTOBUF = "application/x-protobuf"
log = open(sys.argv[1], "w", buffering=1)
lock = threading.Lock()
seen = {}


def status(message):
    """google.rpc.Status with a message."""
    return b"\x08\x0d\x12" + bytes([len(message)]) + message


def partial(rejected, message):
    """ExportMetricsServiceResponse with a partial success; rejected < 128."""
    inner = b"\x08" + bytes([rejected]) + b"\x12" + bytes([len(message)]) + message
    return b"\x0a" + bytes([len(inner)]) + inner


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, code, body=b"", kind=PROTOBUF, **headers):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def endless(self, piece):
        try:
            while True:
                self.wfile.write(piece)
        except OSError:
            self.close_connection = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with lock:
            seen[self.path] = seen.get(self.path, 0) + 1
            first = seen[self.path] == 1
            log.write("%s %s %s %s agent=%s test=%s empty=%s expect=%s\n" % (
                self.path, self.headers["Content-Type"], self.headers.get("Content-Encoding"),
                hashlib.sha256(body).hexdigest(), self.headers["User-Agent"], self.headers.get("X-Test"),
                repr(self.headers.get("X-Empty")), self.headers.get("Expect")))
        name = self.path.strip("/")
        if name == "v1/metrics" or (not first and name in ("503", "429", "date", "close", "backoff")):
            self.answer(200)
        elif name == "message":
            self.answer(200, partial(0, b"a warning"))
        elif name == "partial":
            self.answer(200, partial(3, b"too old\n"))
        elif name == "greedy":
            self.answer(200, partial(127, b""))
        elif name == "json":
            self.answer(200, b'{"partialSuccess": {"rejectedDataPoints": "2"}}', "application/json")
        elif name == "503":
            self.answer(503, b"try later\nmore", "text/plain", Retry_After="1")
        elif name == "backoff":
            self.answer(504)
        elif name == "429":
            self.answer(429, status(b"too many"), Retry_After="1")
        elif name == "date":
            self.answer(502, Retry_After=email.utils.formatdate(time.time() + 3, usegmt=True))
        elif name == "later":
            self.answer(503, Retry_After="301")
        elif name == "400":
            self.answer(400, status(b"bad \x1b data"))
        elif name == "500":
            self.answer(500, b"<h1>it broke</h1>\nmore", "text/html")
        elif name == "html":
            self.answer(200, b"<html>welcome</html>", "text/html")
        elif name == "redirect":
            self.answer(307, Location="/v1/metrics")
        elif name == "close":
            self.close_connection = True
        elif name == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.close_connection = True
        elif name == "garbage":
            self.wfile.write(b"\x00\xffthis is no HTTP\r\n\r\n" * 100)
            self.close_connection = True
        elif name == "hang":
            time.sleep(3)
            self.close_connection = True
        elif name == "body":
            self.send_response(503)
            self.end_headers()
            self.endless(b"x" * 65536)
        elif name == "headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self.endless(b"X-Header: " + b"x" * 1000 + b"\r\n")
        else:
            self.answer(404)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def serve(certificate=None, key=None, verify=False):
    server = Server(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if verify:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


ports = [serve()]
if len(sys.argv) > 3:
    ports += [serve(*sys.argv[2:4]), serve(*sys.argv[2:4], verify=True)]
print(os.getpid(), *ports, flush=True)
os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
while os.getppid() != 1:        # whoever started it may die
    time.sleep(0.2)
