"""A receiver of webhooks for tests: checks each signature by itself and says what came.

Says `listening PORT` when it is ready, then one JSON object a line for each request. It answers with the
status in the file `answer` of its directory, else with 204, and not before there is no file `hold`.
"""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("directory")
parser.add_argument("secret")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--certificate")
parser.add_argument("--key")
options = parser.parse_args()

key = base64.b64decode(options.secret.removeprefix("whsec_"))
speaking = threading.Lock()


def path(name):
    return os.path.join(options.directory, name)


def say(**fields):
    with speaking:
        print(json.dumps(fields), flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        event, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = f"{event}.{at}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        good = hmac.compare_digest(expected, self.headers["webhook-signature"])
        status = 204
        if os.path.exists(path("answer")):
            with open(path("answer")) as file:
                status = int(file.read())
        say(
            id=event,
            at=int(at),
            good=good,
            status=status,
            path=self.path,
            kind=self.headers["content-type"],
            agent=self.headers["user-agent"],
            event=json.loads(body),
        )
        while os.path.exists(path("hold")):
            time.sleep(0.02)
        self.send_response(status)
        text = b"" if status == 204 else b"what the receiver says, which nobody shall quote"
        if 300 <= status < 400:
            self.send_header("location", "/elsewhere")
        if status != 204:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


server = Server(("127.0.0.1", options.port), Handler)
if options.certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    # The handshake is left to the thread of its connection.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("listening", server.server_port, flush=True)
server.serve_forever()
