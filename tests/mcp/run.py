#!/usr/bin/env python3
"""Runs the official MCP clients against the tools of the admin listener and, through the gateway, against an MCP server.

    python3 tests/mcp/run.py                    build, set up the virtual environments, run everything
    python3 tests/mcp/run.py --only "over pipes" --generation old

Two generations of `mcp` and `fastmcp`, and the SDK of TypeScript where npm is. Needs python3 with venv, and a package index
for the first run. Exits 1 when a case fails, 2 when it could not begin.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import gateway  # noqa: E402

WORK = gateway.ROOT / "target" / "mcp"
PYTHON_GENERATIONS = ["new", "old"]
RUN_SECONDS = 300
SHIPPED = "http://127.0.0.1:9100"


def main():
    options = arguments()
    generations = options.generation or [*PYTHON_GENERATIONS, *(["node"] if shutil.which("npm") else [])]
    for generation in dict.fromkeys(["new", *generations]):
        prepare(generation)
    binary = pathlib.Path(options.binary or gateway.build()).resolve()
    rows = [row for generation in generations for row in run(generation, binary, options)]
    failed = [row for row in rows if row["outcome"] == "FAILED"]
    print(f"\n{len(rows) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not rows else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generation", choices=[*PYTHON_GENERATIONS, "node"], action="append")
    parser.add_argument("--only", default="", help="run cases whose name contains this")
    parser.add_argument("--binary", help="the gateway; default: cargo build, then target/debug/promptgate")
    return parser.parse_args()


def prepare(generation):
    home = WORK / generation
    if generation == "node":
        gateway.install_node(home, HERE / "node" / "package.json")
        shutil.copy(HERE / "node" / "cases.mjs", home)  # beside its node_modules, where imports are looked for
    else:
        gateway.install_python(home, HERE / f"requirements-{generation}.txt")


def run(generation, binary, options):
    """Against a gateway, and through it an MCP server of the same generation."""
    with Server(generation) as server:
        configuration = gateway.shipped().replace(SHIPPED, server.origin)
        if server.origin not in configuration:
            gateway.fail(f"conf/promptgate.toml does not hold {SHIPPED}")
        with gateway.Gateway(binary, WORK, configuration) as running:
            return run_cases(generation, running, binary, options)


class Server:
    """The third party, as a child process."""

    def __init__(self, generation):
        self.generation, self.port = generation if generation in PYTHON_GENERATIONS else "new", gateway.free_ports(1)[0]
        self.origin = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        python = WORK / self.generation / "bin" / "python"
        self.log = open(WORK / "server.log", "wb")
        environment = {"PATH": os.environ["PATH"], "HOME": str(WORK), "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen([python, HERE / "server.py", str(self.port)], env=environment, stdout=self.log, stderr=self.log)
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_until_ready(self):
        deadline = time.monotonic() + gateway.READY_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        gateway.fail(f"the MCP server did not start: see {self.log.name}")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


def run_cases(generation, running, binary, options):
    settings = {"admin": f"http://{running.admin}/mcp", "gateway": f"http://{running.base}/mcp", "binary": str(binary),
                "generation": generation}
    python = WORK / generation / "bin" / "python"
    command = ["node", WORK / "node" / "cases.mjs"] if generation == "node" else [python, "-u", HERE / "cases.py"]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(WORK), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8",
        "FASTMCP_LOG_LEVEL": "ERROR", "PROMPTGATE_MCP_SETTINGS": json.dumps(settings),
    }
    child = subprocess.Popen([*command, options.only], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, errors = child.communicate(timeout=RUN_SECONDS)
    finally:
        child.kill()
    rows = [json.loads(line) for line in out.splitlines()]
    if child.returncode != 0:
        why = f"the cases ended with status {child.returncode}: {errors[-2000:]}"
        rows.append({"generation": generation, "client": "-", "name": "the run itself", "outcome": "FAILED", "why": why})
    for row in rows:
        print(f"{row['generation']:4} {row['outcome']:8} {row['client']}: {row['name']}" + (f"\n{row['why']}" if row["why"] else ""), flush=True)
    return rows


if __name__ == "__main__":
    for ending in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(ending, lambda number, _: gateway.fail(f"ended by signal {number}"))  # so that the gateway is stopped too
    signal.alarm(3 * RUN_SECONDS + 2 * gateway.INSTALL_SECONDS)
    sys.exit(main())
