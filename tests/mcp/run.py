#!/usr/bin/env python3
"""Runs the official MCP clients against the tools of the admin listener and, through the gateway, against an MCP server.

    python3 tests/mcp/run.py                    build, set up the virtual environments, run everything
    python3 tests/mcp/run.py --only "over pipes" --generation old

Two generations of `mcp` and `fastmcp`, and the SDK of TypeScript where npm is. Needs python3 with venv, and a package index
for the first run. Exits 1 when a case fails, 2 when it could not begin.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "mcp"
PYTHON_GENERATIONS = ["new", "old"]
INSTALL_SECONDS = 600
READY_SECONDS = 30
STOP_SECONDS = 15
RUN_SECONDS = 300


def main():
    options = arguments()
    generations = options.generation or [*PYTHON_GENERATIONS, *(["node"] if shutil.which("npm") else [])]
    for generation in generations:
        prepare(generation)
    binary = pathlib.Path(options.binary or build()).resolve()
    with Gateway(binary) as gateway:
        rows = [row for generation in generations for row in run(generation, gateway, binary, options)]
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
    """What a generation needs is installed once, and anew when the list of it changes."""
    node = generation == "node"
    wanted = HERE / ("node/package.json" if node else f"requirements-{generation}.txt")
    home = WORK / generation
    stamp = home / ".installed"
    if not (stamp.exists() and stamp.read_text() == wanted.read_text()):
        print(f"installing {home}", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        install_node(home, wanted) if node else install_python(home, wanted)
        stamp.write_text(wanted.read_text())
    if node:
        shutil.copy(HERE / "node" / "cases.mjs", home)  # beside its node_modules, where imports are looked for


def install_python(home, requirements):
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", requirements], check=True, timeout=INSTALL_SECONDS)


def install_node(home, package):
    home.mkdir(parents=True)
    shutil.copy(package, home)
    subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit"], cwd=home, check=True, timeout=INSTALL_SECONDS)


class Gateway:
    """The gateway as a child process, on free ports, with the shipped configuration."""

    def __init__(self, binary):
        self.binary = binary
        self.base, self.admin = (f"127.0.0.1:{port}" for port in free_ports(2))

    def __enter__(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTGATE__")}
        environment.update(PROMPTGATE__GATEWAY__LISTEN=self.base, PROMPTGATE__ADMIN__LISTEN=self.admin,
                           PROMPTGATE__TIMEOUTS__DRAIN="2s")
        self.log = open(WORK / "gateway.log", "wb")
        self.process = subprocess.Popen([self.binary, "serve"], env=environment, stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                fail(f"the gateway ended with status {self.process.returncode}: see {self.log.name}")
            try:
                with urllib.request.urlopen(f"http://{self.admin}/readyz", timeout=1) as response:
                    if response.status == 200:
                        return
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.05)
        fail(f"the gateway was not ready within {READY_SECONDS} s: see {self.log.name}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def __exit__(self, *_):
        self.stop()


def build():
    subprocess.run(["cargo", "build", "--quiet", "--bin", "promptgate"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "promptgate"


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def run(generation, gateway, binary, options):
    settings = {"admin": f"http://{gateway.admin}/mcp", "binary": str(binary), "generation": generation}
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


def fail(why):
    print(why, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    for ending in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(ending, lambda number, _: fail(f"ended by signal {number}"))  # so that the gateway is stopped too
    signal.alarm(3 * RUN_SECONDS + 2 * INSTALL_SECONDS)
    sys.exit(main())
