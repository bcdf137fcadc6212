"""What the example hooks talk to: a web server on port 8080 and a mail server on port 2525, both of
which write down what they get, as one JSON document a line, in /run/received. A ticket that ends in
404 is not there; while /run/broken exists nothing is taken."""

import hashlib
import hmac
import http.server
import json
import os
import socketserver
import threading


def note(**what):
    with open("/run/received", "a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


class Web(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = (self.headers.get("X-Stint-Timestamp") or "").encode() + b"." + body
        wanted = "sha256=" + hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        status = 503 if os.path.exists("/run/broken") else 404 if "-404/" in self.path else 200
        note(path=self.path, status=status, body=json.loads(body), headers=dict(self.headers),
             signed=hmac.compare_digest(wanted, self.headers.get("X-Stint-Signature") or ""))
        self.send_response(status)
        self.end_headers()


class Mail(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 here")
        to = []
        for line in self.rfile:
            verb = line.decode().strip()
            if verb.upper().startswith("RCPT"):
                to.append(verb.split(":", 1)[1])
            if verb.upper() == "QUIT":
                self.say("221 bye")
                return
            if verb.upper() == "DATA":
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line.decode().rstrip("\r\n"))
                note(to=to, mail=lines)
            self.say("250 fine")


mail = socketserver.ThreadingTCPServer(("127.0.0.1", 2525), Mail)
threading.Thread(target=mail.serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Web).serve_forever()
