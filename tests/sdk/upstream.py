"""The recording upstream: speaks the providers' dialects and keeps every request as it arrived. Not a proxy, not a model.

Standard library only. The model name tells it how to behave, since that is the one field a gateway must pass on:
`...-error429` answers that status, `-cut` breaks the stream off, `-slow` streams for ten seconds, `-hang` never answers,
`-tool` calls a tool, `-leak` repeats the credential it was given in a response header, `-echo` and `-made` answer as `echoes`
says, `-gzip`, `-br` and `-zstd` compress the answer, wanted or not. Answers to one request are the same every time, so that a
run through the gateway can be compared byte for byte with one past it.

`GET /_rec` lists what arrived, `GET /_rec/body/N` returns a body, `DELETE /_rec` forgets.
"""

import hashlib
import json
import re
import select
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import answers
import coding

STREAM_PIECE_SECONDS = 0.005
SLOW_PIECE_SECONDS = 0.1
SLOW_PIECES = 100


class Record:
    """One request. `complete` is false when the connection broke off before the end of the body."""

    def __init__(self, number, handler):
        self.number = number
        self.method = handler.command
        self.path, _, self.query = handler.path.partition("?")
        self.headers = [(name.lower(), value) for name, value in handler.headers.items()]
        self.body = b""
        self.complete = False
        self.aborted_at = None

    def summary(self):
        return {
            "number": self.number, "method": self.method, "path": self.path, "query": self.query,
            "headers": self.headers, "sha256": hashlib.sha256(self.body).hexdigest(), "length": len(self.body),
            "complete": self.complete, "aborted_at": self.aborted_at,
        }


class Records:
    def __init__(self):
        self.lock = threading.Lock()
        self.list = []
        self.count = 0

    def add(self, handler):
        with self.lock:
            record = Record(self.count, handler)
            self.count += 1
            self.list.append(record)
            return record

    def clear(self):
        with self.lock:
            self.list = []

    def summaries(self):
        with self.lock:
            return [record.summary() for record in self.list]

    def body(self, number):
        with self.lock:
            return next((record.body for record in self.list if record.number == number), None)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *_):
        pass

    def handle_any(self):
        if self.path.startswith("/_rec"):
            return self.control()
        record = self.server.records.add(self)
        try:
            for piece in self.body_pieces():
                record.body += piece
            record.complete = True
            self.respond(record)
        except (ConnectionError, socket.timeout, TimeoutError, ValueError):
            record.aborted_at = time.time()
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any

    def control(self):
        if self.command == "DELETE":
            self.server.records.clear()
            return self.whole(200, [], b"{}")
        number = re.fullmatch(r"/_rec/body/(\d+)", self.path)
        if number:
            body = self.server.records.body(int(number[1]))
            return self.whole(404 if body is None else 200, [], body or b"")
        return self.whole(200, [], json.dumps(self.server.records.summaries()).encode())

    def body_pieces(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            yield from self.chunks()
        else:
            yield from self.exactly(int(self.headers.get("Content-Length") or 0))

    def chunks(self):
        while True:
            size = int(self.rfile.readline(1024).split(b";")[0], 16)
            if size == 0:
                while self.rfile.readline(65536).strip():
                    pass
                return
            yield from self.exactly(size)
            self.rfile.readline(1024)

    def exactly(self, size):
        while size:
            piece = self.rfile.read1(min(size, 65536))
            if not piece:
                raise ConnectionResetError("the body broke off")
            size -= len(piece)
            yield piece

    def respond(self, record):
        answer = answers.answer(record.method, record.path, record.query, record.body)
        if "hang" in answer.behaviour:
            self.pause(30)
        headers = list(answers.HEADERS)
        if "leak" in answer.behaviour:
            credential = next((v for k, v in record.headers if k in ("authorization", "x-api-key")), "none")
            headers.append(("x-received-credential", credential))
            answer.body = answer.body.replace(b"upstream says", f"upstream was given {credential}, says".encode())
        for name in coding.CODINGS.keys() & answer.behaviour:
            headers.append(("Content-Encoding", name))
            encode = coding.CODINGS[name]
            answer.pieces, answer.body = answer.pieces and [*encode(answer.pieces)], b"".join(encode([answer.body]))
        if answer.pieces is None:
            self.whole(answer.status, headers + [("Content-Type", answer.content_type)], answer.body)
        else:
            self.stream(answer, headers)

    def whole(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, answer, headers):
        self.send_response(200)
        for name, value in headers + [("Content-Type", answer.content_type), ("Transfer-Encoding", "chunked")]:
            self.send_header(name, value)
        self.end_headers()
        pieces, pause = answer.pieces, 0 if answer.behaviour & {"echo", "made"} else STREAM_PIECE_SECONDS
        if "slow" in answer.behaviour:
            pieces, pause = (pieces[1:-1] * SLOW_PIECES)[:SLOW_PIECES], SLOW_PIECE_SECONDS
        if "cut" in answer.behaviour:
            pieces = pieces[: len(pieces) // 2]
        for piece in filter(None, pieces):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.pause(pause)
        if "cut" in answer.behaviour:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.wfile.write(b"0\r\n\r\n")

    def pause(self, seconds):
        """Waits, and notices a peer that has gone."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        if readable and self.connection.recv(1, socket.MSG_PEEK) == b"":
            raise ConnectionResetError("the peer has gone")
        if readable:
            time.sleep(seconds)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        """A peer that resets the connection between two requests is no news."""


def start(port=0):
    """Returns the running server; its port is `server.server_address[1]`."""
    server = Server(("127.0.0.1", port), Handler)
    server.records = Records()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    return server


if __name__ == "__main__":
    print(f"http://127.0.0.1:{start(9000).server_address[1]}", flush=True)
    threading.Event().wait()
