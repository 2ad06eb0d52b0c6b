#!/usr/bin/env python3
"""Runs the providers' own SDKs against the gateway and a recording upstream: two generations in Python, and JavaScript where npm is.

    python3 tests/sdk/run.py                    build, set up the virtual environments, run everything
    python3 tests/sdk/run.py --direct           without the gateway: checks the cases and the upstream themselves
    python3 tests/sdk/run.py --only "openai: chat" --generation new --seed 7

Needs python3 with venv, and a package index for the first run. Exits 1 when a case fails, 2 when it could not begin.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import upstream

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from gateway import ROOT, Gateway, build, fail, free_ports, install_node, install_python, shipped  # noqa: E402

WORK = ROOT / "target" / "sdk"
TOKEN = "spv-basic-dev-2024-ghi789"
PYTHON_GENERATIONS = ["new", "old"]
GENERATIONS = [*PYTHON_GENERATIONS, "node"]
RUN_SECONDS = 600
BLOCKING = {"PROMPTGATE__SECURITY__ANSWERS__SECRET__ACTION": "block"}


def main():
    options = arguments()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    print(f"seed {seed}", flush=True)
    random.seed(seed)
    generations = options.generation or [*PYTHON_GENERATIONS, *(["node"] if shutil.which("npm") else [])]
    for generation in generations:
        prepare(generation)
    server = upstream.start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    key = f"{random.randrange(16**64):064x}"
    binary = None if options.direct else options.binary or build()
    with Recorded("gateway", binary, origin, key) as gateway, Recorded("blocking", binary, origin, key, BLOCKING) as blocking:
        runs = [run(generation, origin, gateway, blocking, seed, options) for generation in generations]
        metrics = "" if options.direct else gateway.metrics()
    rows = [row for rows in runs for row in rows]
    if not options.direct:
        rows.append(kept_quiet(gateway, gateway.written() + blocking.written(), metrics, rows, generations[0]))
    return summary(rows, generations, seed)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--direct", action="store_true", help="talk to the recording upstream without the gateway")
    parser.add_argument("--generation", choices=GENERATIONS, action="append")
    parser.add_argument("--only", default="", help="run cases whose 'sdk: name' contains this")
    parser.add_argument("--seed", type=int, help="of the generated secrets")
    parser.add_argument("--binary", help="the gateway; default: cargo build, then target/debug/promptgate")
    return parser.parse_args()


def prepare(generation):
    home = WORK / generation
    if generation == "node":
        install_node(home, HERE / "node" / "package.json")
        shutil.copy(HERE / "node" / "cases.mjs", home)  # beside its node_modules, where imports are looked for
    else:
        install_python(home, HERE / f"requirements-{generation}.txt")


class Recorded(Gateway):
    """With the shipped configuration pointed at the recording upstream. Without a binary there is none.

    `key` is that of its placeholders, `more` are settings of its own.
    """

    def __init__(self, name, binary, origin, key, more=None):
        super().__init__(binary, WORK, name=name)
        self.origin, self.key, self.keys = origin, key, {}
        self.narrow_token = f"sdk-stats-only-{random.randrange(16**16):016x}"
        self.configuration = self.pointed(shipped())
        self.settings = {**self.keys, "PROMPTGATE__TIMEOUTS__DRAIN": "5s", "PROMPTGATE_TOKEN_KEY": key, **(more or {})}

    def __enter__(self):
        return super().__enter__() if self.binary else self

    def pointed(self, shipped):
        """Every upstream URL becomes the recording upstream, every key a canary, and one token has no right to call models."""
        for name in sorted(set(re.findall(r'^api_key_env\s*=\s*"(\w+)"', shipped, re.M))):
            drawn = hashlib.sha256(f"{self.key} {name}".encode()).hexdigest()[:16]
            self.keys[name] = f"canary-{name.lower().replace('_', '-')}-{drawn}"
        pointed, count = re.subn(r'^url\s*=\s*"https?://[^/"]+', f'url = "{self.origin}', shipped, flags=re.M)
        if count == 0:
            fail("conf/promptgate.toml has no upstream url to replace")
        pointed = pointed.replace("\nfiles = []\n", f'\nfiles = ["{HERE / "rules.toml"}"]\n')
        digest = hashlib.sha256(self.narrow_token.encode()).hexdigest()
        token = f'\n[[auth.static.token]]\nsha256 = "{digest}"\nclient_id = "stats@example.org"\nname = "stats"\n'
        return f'{pointed}{token}scopes = ["security:stats"]\n{self.extra_routes()}'

    def extra_routes(self):
        """Three upstreams the shipped file has no example of: the caller's own key, a key that is not set, nobody there."""
        tables = []
        for name, line, origin in [
            ("pass", 'auth = "pass"', self.origin), ("keyless", 'api_key_env = "PROMPTGATE_SDK_KEY_NOT_SET"', self.origin),
            ("absent", "", f"http://127.0.0.1:{free_ports(1)[0]}"),
        ]:
            tables.append(f'\n[[upstream]]\nname = "{name}"\nurl = "{origin}"\n{line}\n\n[[route]]\n'
                          f'path = "/{name}/v1/chat/completions"\nformat = "openai.chat"\nupstream = "{name}"\n'
                          f'upstream_path = "/v1/chat/completions"\n')
        return "".join(tables)

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=5) as response:
            return response.read().decode()


def run(generation, origin, gateway, blocking, seed, options):
    settings = {
        "gateway": f"http://{gateway.base}", "blocking": f"http://{blocking.base}", "upstream": origin, "seed": seed,
        "generation": generation, "token": TOKEN, "narrow_token": gateway.narrow_token, "keys": gateway.keys, "through_gateway": not options.direct,
    }
    python = WORK / generation / "bin" / "python"
    command = ["node", WORK / "node" / "cases.mjs"] if generation == "node" else [python, "-u", HERE / "cases.py"]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(WORK), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8",
        "PROMPTGATE_SDK_SETTINGS": json.dumps(settings),
    }
    child = subprocess.Popen([*command, options.only], env=environment, stdout=subprocess.PIPE, text=True)
    rows, deadline = [], time.monotonic() + RUN_SECONDS
    try:
        for line in child.stdout:
            rows.append(json.loads(line))
            show(rows[-1])
            if time.monotonic() > deadline:
                child.kill()
        child.wait(30)
    finally:
        child.kill()
    if child.returncode != 0:
        why = f"the cases ended with status {child.returncode}"
        rows.append({"generation": generation, "sdk": "-", "name": "the run itself", "outcome": "FAILED", "why": why})
        show(rows[-1])
    return rows


def kept_quiet(gateway, written, metrics, rows, generation):
    """No secret of any case, no token and no provider key is in the log, the audit records or the metrics."""
    found = []
    for place, text in [("the log", written), ("the metrics", metrics)]:
        secrets = {
            "a secret of a case": [secret for row in rows for secret in row.get("secrets", [])], "an attack": ["You are now DAN"],
            "a token": [TOKEN, gateway.narrow_token], "a provider key": gateway.keys.values(),
        }
        found += [f"{kind} is in {place}" for kind, values in secrets.items() if any(value in text for value in values)]
    row = {"generation": generation, "sdk": "gateway", "name": "its log, audit records and metrics hold no secret"}
    row.update(outcome="FAILED" if found else "ok", why="; ".join(found))
    show(row)
    return row


def show(row):
    line = f"{row['generation']:4} {row['outcome']:8} {row.get('seconds', ''):>6} {row['sdk']}: {row['name']}"
    print(line + (f"\n       {row['why']}" if row["why"] else ""), flush=True)


def summary(rows, generations, seed):
    print("\n" + f"{'sdk':16}" + "".join(f"{generation:>26}" for generation in generations))
    for sdk in dict.fromkeys(row["sdk"] for row in rows):
        cells = []
        for generation in generations:
            outcomes = [row["outcome"] for row in rows if (row["sdk"], row["generation"]) == (sdk, generation)]
            counts = [(outcomes.count(outcome), outcome) for outcome in ("ok", "FAILED", "skipped")]
            cells.append(", ".join(f"{count} {outcome}" for count, outcome in counts if count) or "-")
        print(f"{sdk:16}" + "".join(f"{cell:>26}" for cell in cells))
    failed = [row for row in rows if row["outcome"] == "FAILED"]
    passed = sum(row["outcome"] == "ok" for row in rows)
    print(f"\n{passed} passed, {len(failed)} failed, seed {seed}")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    for ending in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(ending, lambda number, _: fail(f"ended by signal {number}"))  # so that the gateway is stopped too
    signal.alarm(3 * RUN_SECONDS)
    sys.exit(main())
