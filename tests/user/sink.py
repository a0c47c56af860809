# SPDX-License-Identifier: GPL-2.0-or-later
"""A receiver of anything by HTTP: writes the body of each request to DIRECTORY/NUMBER.PATH, NUMBER from 1 on, with "/" of the path as "_".

Usage: sink.py DIRECTORY. It prints its process id and its port.
"""
import gzip
import http.server
import os
import sys
import threading
import time

lock = threading.Lock()
count = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with lock:
            count += 1
            name = "%s/%d.%s" % (sys.argv[1], count, self.path.partition("?")[0].strip("/").replace("/", "_"))
            with open(name + ".part", "wb") as file:
                file.write(body)
            os.rename(name + ".part", name)
        answer = b'{"errors":false}' if "_bulk" in self.path else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(os.getpid(), server.server_address[1], flush=True)
os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
while os.getppid() != 1:        # whoever started it may die
    time.sleep(0.2)
