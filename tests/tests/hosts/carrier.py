"""What a web server may do to those who fetch from it, behind nginx: a body without an end, half of
one. A server that takes connections and says nothing. And a proxy (CONNECT) that writes down whom
it was asked for."""

import http.server
import select
import socket
import threading


class Hostile(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        self.send_response(200)
        if self.path == "/half":
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 500)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self):
        with open("/var/log/proxy", "a") as log:
            log.write(self.path + "\n")
        host, port = self.path.split(":")
        there = socket.create_connection((host, int(port)))
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        ends = {self.connection: there, there: self.connection}
        while True:
            for ready in select.select(list(ends), [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                ends[ready].sendall(data)

    def log_message(self, *_):
        pass


silent = socket.create_server(("", 8447))
hostile = http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Hostile)
threading.Thread(target=hostile.serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("", 3128), Proxy).serve_forever()
