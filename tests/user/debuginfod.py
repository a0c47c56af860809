# SPDX-License-Identifier: GPL-2.0-or-later
"""A debuginfod: serves DIRECTORY/ID as /buildid/ID/debuginfo, and writes the path of each request to DIRECTORY/log.

Usage: debuginfod.py DIRECTORY. It prints its process id and its port. As long as there is DIRECTORY/hold, nothing is answered.
"""
import http.server
import os
import sys
import threading
import time

directory = sys.argv[1]
log = open(directory + "/log", "w", buffering=1)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        log.write(self.path + "\n")
        while os.path.exists(directory + "/hold"):
            time.sleep(0.02)
        kind, build_id, what = self.path.strip("/").split("/")
        path = directory + "/" + build_id
        if kind != "buildid" or what != "debuginfo" or not os.path.exists(path):
            self.send_error(404)
            return
        with open(path, "rb") as file:
            content = file.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.handle_error = lambda *_: None       # who asked may have gone
threading.Thread(target=server.serve_forever, daemon=True).start()
print(os.getpid(), server.server_address[1], flush=True)
os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
while os.getppid() != 1:        # whoever started it may die
    time.sleep(0.2)
