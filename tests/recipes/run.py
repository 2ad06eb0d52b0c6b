#!/usr/bin/env python3
"""Runs every recipe for a client beside this file against `promptgate demo`: a password must not reach the upstream and must
come back.

    python3 tests/recipes/run.py                build, install the clients, run everything
    python3 tests/recipes/run.py --only vercel

Needs python3 with venv, npm, curl, and package indexes for the first run. Exits 1 when a recipe fails.
"""

import argparse
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
WORK = ROOT / "target" / "recipes"
TOKEN = "spv-basic-dev-2024-ghi789"
SECRET = "hunter2-9f3b"
READY_SECONDS = 30
RECIPE_SECONDS = 120
INSTALL_SECONDS = 900


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="recipes whose file name contains this")
    parser.add_argument("--binary", help="the gateway; default: cargo build, then target/debug/promptgate")
    options = parser.parse_args()
    recipes = sorted(path for path in HERE.iterdir() if path.suffix in COMMANDS and path.name != "run.py")
    recipes = [path for path in recipes if options.only in path.name]
    install_python()
    install_node()
    binary = options.binary or build()
    gateway, admin, upstream = free_ports(3)
    with Demo(binary, gateway, admin, upstream):
        failed = [path.name for path in recipes if not passes(path, f"http://127.0.0.1:{gateway}", upstream)]
    print(f"\n{len(recipes) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not recipes else 0


def passes(recipe, gateway, upstream):
    environment = os.environ | {"GATEWAY": gateway, "TOKEN": TOKEN, "PROMPT": f"My password is {SECRET}"}
    command = COMMANDS[recipe.suffix](recipe)
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RECIPE_SECONDS)
    with urllib.request.urlopen(f"http://127.0.0.1:{upstream}/demo/received") as answer:
        received = answer.read().decode()
    problems = [
        (ran.returncode != 0, f"exit code {ran.returncode}: {ran.stderr[-600:]}"),
        (SECRET not in ran.stdout, f"the password did not come back: {ran.stdout[-300:]}"),
        (SECRET in received, "the password went up"),
        ("My password is PASSWORD_" not in received, f"no placeholder went up: {received[-300:]}"),
    ]
    told = [problem for is_one, problem in problems if is_one]
    print(f"{'FAILED' if told else 'ok':7}{recipe.name}" + "".join(f"\n       {problem}" for problem in told), flush=True)
    return not told


class Demo:
    """The gateway with its built-in upstream, which ends with the block."""

    def __init__(self, binary, gateway, admin, upstream):
        variables = {"PROMPTGATE__GATEWAY__LISTEN": f"127.0.0.1:{gateway}", "PROMPTGATE__ADMIN__LISTEN": f"127.0.0.1:{admin}"}
        command = [str(binary), "demo", "--upstream", f"127.0.0.1:{upstream}"]
        self.ready = f"http://127.0.0.1:{admin}/readyz"
        self.process = subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.ready):
                    return self
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        self.__exit__()
        sys.exit("the gateway is not ready")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=READY_SECONDS)


def install_python():
    installed("python", HERE / "requirements.txt", lambda home, wanted: [
        [sys.executable, "-m", "venv", str(home)],
        [str(home / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", str(wanted)],
    ])


def install_node():
    installed("node", HERE / "package.json", lambda home, wanted: [
        ["cp", str(wanted), str(home)],
        ["npm", "--prefix", str(home), "install", "--silent", "--no-audit", "--no-fund"],
    ])


def installed(name, wanted, commands):
    """Once, and anew when the list changes."""
    home = WORK / name
    stamp = home / ".installed"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return
    print(f"installing {home}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for command in commands(home, wanted):
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
    stamp.write_text(wanted.read_text())


def python(recipe):
    return [str(WORK / "python/bin/python"), str(recipe)]


def node(recipe):
    # Beside its packages, where imports are looked for.
    return ["node", shutil.copy(recipe, WORK / "node")]


COMMANDS = {".py": python, ".mjs": node, ".sh": lambda recipe: ["bash", str(recipe)]}


def build():
    subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=True)
    return ROOT / "target/debug/promptgate"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    sys.exit(main())
