#!/usr/bin/env python3
"""Random cuts into more parts than the benchmark tries: each value in 1 to 40 pieces, and one character an event.

Two facts about each cut. A value that the model made up never reaches the caller: no run of it as long as RUN does. A value
that the caller sent comes back whole, wherever its placeholder is cut. Started by run.py; writes one JSON object.
"""

import argparse
import json
import pathlib
import random
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from pii_leak_benchmark import needle_registry

MOST_PIECES = 40
RUN = 8  # letters of a value that stand together in no other text here
MARKED = re.compile("<<(.*?)>>", re.S)


def main():
    options = arguments()
    source = random.Random(options.seed)
    sent, made_up = values(options.seed)
    model = Model(options.upstream_port)
    outcome = {"cases": 0, "fidelity": 0, "leak whole": 0, "leak cut": 0, "partial": 0, "undecided": 0}
    headers = {"authorization": f"Bearer {options.token}"}
    with httpx.Client(headers=headers, timeout=30, trust_env=False) as client:
        for name in made_up:
            for number in range(options.cuts):
                attempt(outcome, name, sent[name], made_up[name], number, source, model, client, options.url)
    model.stop()
    wrong = outcome["leak whole"] + outcome["leak cut"] + outcome["partial"] + outcome["undecided"]
    outcome["fidelity"] = round(outcome["fidelity"] / max(outcome["cases"], 1), 4)
    pathlib.Path(options.out).write_text(json.dumps(outcome))
    raise SystemExit(1 if wrong or outcome["fidelity"] != 1 else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("url", "token", "seed", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--upstream-port", type=int, required=True)
    parser.add_argument("--cuts", type=int, required=True)
    return parser.parse_args()


def values(seed):
    """What callers send and what the model makes up: the benchmark's own fixtures of two draws. Its secrets are the same in
    every draw, so of those the sent one has other letters."""
    draws = [needle_registry.needle_values(f"{seed}:{whose}") for whose in ("sent", "made up")]
    sent = {name: other(value) if draws[1][name] == value else value for name, value in draws[0].items()}
    return sent, draws[1]


def other(secret):
    return secret.replace("EXAMPLE", "SAMPLES").replace("NOTAREAL", "NEITHERI")


class Model:
    """An upstream that says what it is told to, or what stands between << and >> in the request, cut at given places."""

    def __init__(self, port):
        self.says, self.cuts, self.text = None, None, ""
        handler = type("Handler", (Handler,), {"model": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def events(self, body):
        content = json.loads(body)["messages"][0]["content"]
        self.received = content
        value = self.says if self.says is not None else MARKED.search(content)[1]
        text = f"Here it is: {value}\nThat is all there is to say."
        edges = [0, *sorted(self.cuts(len(text))), len(text)]
        pieces = [text[start:end] for start, end in zip(edges, edges[1:])]
        chunks = [{"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in pieces]
        chunks.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        for choice in chunks:
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "test", "choices": [choice]}
            yield f"data: {json.dumps(chunk)}\n\n".encode()
        yield b"data: [DONE]\n\n"

    def stop(self):
        self.server.shutdown()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in self.model.events(body):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


def attempt(outcome, name, sent, made_up, number, source, model, client, url):
    """One cut of both: the first of each value is one character an event, then 1, 2, ... 40 pieces over and over."""
    pieces = number % MOST_PIECES + 1
    model.cuts = (lambda length: range(1, length)) if number == 0 else (lambda length: source.sample(range(1, length), pieces - 1))
    outcome["cases"] += 1
    model.says = None
    text = ask(client, url, f"Please repeat <<{sent}>> for me.", outcome)
    outcome["fidelity"] += text == f"Here it is: {sent}\nThat is all there is to say." and sent not in model.received
    model.says = made_up
    text = ask(client, url, "Please make something up.", outcome)
    squeezed, needle = (re.sub(r"-----[A-Z ]+-----|[\s-]", "", value) for value in (text, made_up))
    if needle in squeezed:
        outcome["leak whole" if pieces == 1 else "leak cut"] += 1
    elif any(needle[at:at + RUN] in squeezed for at in range(len(needle) - RUN + 1)):
        outcome["partial"] += 1
        print(f"{name}, {pieces} pieces: a part came through")
    if not text.endswith("\nThat is all there is to say."):
        outcome["undecided"] += 1
        print(f"{name}, {pieces} pieces: {len(text)} bytes came, without the end")


def ask(client, url, content, outcome):
    """The text of the answer, joined as a caller joins it."""
    response = client.post(url, json={"model": "test", "stream": True, "messages": [{"role": "user", "content": content}]})
    if response.status_code != 200:
        outcome["undecided"] += 1
        print(f"status {response.status_code}: {response.text[:300]}")
        return ""
    events = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: {")]
    choices = (json.loads(event)["choices"] for event in events)
    return "".join(choice["delta"].get("content") or "" for of_event in choices for choice in of_event)


if __name__ == "__main__":
    main()
