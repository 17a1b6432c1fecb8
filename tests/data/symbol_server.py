"""A symbol server for tests: serves a store with the faults that its paths name.

symbol_server.py STORE LOG [CERTIFICATE]. Prints its port. With a certificate (PEM, with its key) over TLS. Every request is a line of LOG: path, then its Range.
LOG.most has the largest number of requests that were answered at the same time.
/plain    serves the store, with ranges
/twotier  the same as a store of two tiers: index2.txt, and ab/abc.pdb/ID/abc.pdb
/breaks   a file's first transfer ends in its middle; ranges are served
/noranges the same, and every answer begins anew
/busy     503 twice, then the file
/down     500
/stalls   sends the first half and then nothing
/slow     sends a few bytes at a time
/slower   the same, so that a person would see it
/packed   only what ends in '_'
/pointer  only file.ptr, which names the same file below /plain
"""

import collections
import http.server
import os
import ssl
import sys
import threading
import time

store, log = sys.argv[1:3]
certificate = sys.argv[3] if len(sys.argv) > 3 else None
seen = collections.Counter()
busy = most = 0
lock = threading.Lock()
stop = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def fail(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send(self, body, ranges=True, stop_after=None, pause=0.0):
        begin = 0
        wanted = self.headers.get("Range")
        if ranges and wanted:
            begin = int(wanted.split("=")[1].split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        part = body[begin:]
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        try:
            if pause:
                for at in range(0, len(part), len(part) // 8 + 1):
                    self.wfile.write(part[at : at + len(part) // 8 + 1])
                    self.wfile.flush()
                    time.sleep(pause)
                return
            self.wfile.write(part if stop_after is None else part[:stop_after])
            self.wfile.flush()
        except OSError:
            pass

    def do_GET(self):
        global busy, most
        with lock:
            busy += 1
            if busy > most:
                most = busy
                with open(log + ".most", "w") as out:
                    out.write(str(most))
        try:
            self.answer()
        finally:
            with lock:
                busy -= 1

    def answer(self):
        with lock:
            with open(log, "a") as out:
                out.write(f"{self.path} {self.headers.get('Range', '-')}\n")
            seen[self.path] += 1
            count = seen[self.path]
        kind, _, rest = self.path.lstrip("/").partition("/")
        if kind == "twotier":
            if rest == "index2.txt":
                return self.send(b"")
            tier, _, inner = rest.partition("/")
            if inner[:2] != tier:
                return self.fail(404)
            rest = inner
        if kind == "pointer":
            if not rest.endswith("/file.ptr"):
                return self.fail(404)
            name = rest.split("/")[0]
            port = self.server.server_address[1]
            target = rest.replace("file.ptr", name)
            return self.send(f"PATH:http://127.0.0.1:{port}/plain/{target}".encode())
        if kind == "down":
            return self.fail(500)
        path = os.path.join(store, rest)
        if kind == "packed" and not rest.endswith("_") or not os.path.isfile(path):
            return self.fail(404)
        if kind == "busy" and count <= 2:
            return self.fail(503)
        with open(path, "rb") as file:
            body = file.read()
        if kind in ("breaks", "noranges"):
            if count == 1:
                self.send(body, stop_after=len(body) // 2)
                self.close_connection = True
                return None
            return self.send(body, ranges=kind == "breaks")
        if kind == "stalls":
            self.send(body, stop_after=len(body) // 2)
            stop.wait(60)
            self.close_connection = True
            return None
        return self.send(body, pause={"slow": 0.05, "slower": 0.15}.get(kind, 0.0))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
if certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
