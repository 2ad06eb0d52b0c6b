#!/usr/bin/env python3
"""Drives the admin console in Chromium, against `promptgate demo` on free ports.

    python3 tests/console/run.py                  build, set up, run every case; pictures are in target/console/
    python3 tests/console/run.py --only dark      the cases whose name contains this

Needs python3 with venv, npm and chromium. Exits 1 when a case fails, 2 when it could not begin.
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
import traceback
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "console"
AXE = "axe-core@4.14.1"
INSTALL_SECONDS = 300
READY_SECONDS = 20
STOP_SECONDS = 15


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--binary", help="default: cargo build, then target/debug/promptgate")
    options = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        print("chromium is not installed", file=sys.stderr)
        return 2
    prepare()
    if not sys.executable.startswith(str(WORK)):
        os.execv(WORK / "venv" / "bin" / "python", [str(WORK / "venv" / "bin" / "python"), __file__, *sys.argv[1:]])
    binary = options.binary or build()
    with Demo(binary) as demo:
        return run(demo, browser, options.only)


def prepare():
    """What is needed is installed once, and anew when the list of it changes."""
    wanted = (HERE / "requirements.txt").read_text() + AXE
    stamp = WORK / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(WORK / "venv", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
    pip = [WORK / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True, timeout=INSTALL_SECONDS)
    npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", WORK, AXE]
    subprocess.run(npm, check=True, timeout=INSTALL_SECONDS)
    stamp.write_text(wanted)


def build():
    subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "promptgate"


class Demo:
    """Gateway, admin listener and echo upstream as one child process."""

    def __init__(self, binary):
        self.binary = binary
        self.gateway, self.admin, self.upstream = (f"127.0.0.1:{port}" for port in free_ports(3))

    def __enter__(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTGATE")}
        environment.update(PROMPTGATE__GATEWAY__LISTEN=self.gateway, PROMPTGATE__ADMIN__LISTEN=self.admin,
                           PROMPTGATE__TIMEOUTS__DRAIN="2s")
        self.log = open(WORK / "demo.log", "wb")
        command = [self.binary, "demo", "--upstream", self.upstream]
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=subprocess.STDOUT, cwd=WORK)
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                sys.exit(f"the gateway did not start: {WORK / 'demo.log'}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def is_ready(self):
        try:
            return urllib.request.urlopen(f"http://{self.admin}/readyz", timeout=1).status == 200
        except OSError:
            return False

    def ask(self, text, token="spv-user-dev-2024-def456"):
        """The status of one chat request through the gateway."""
        body = {"model": "demo", "messages": [{"role": "user", "content": text}]}
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        request = urllib.request.Request(f"http://{self.gateway}/v1/chat/completions", json.dumps(body).encode(), headers)
        try:
            return urllib.request.urlopen(request, timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def run(demo, browser, only):
    import cases
    from playwright.sync_api import sync_playwright

    failed = 0
    chosen = [case for case in cases.CASES if only in case.__name__]
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=browser, args=arguments)
        for case in chosen:
            console = cases.Console(chromium, demo, WORK)
            try:
                case(console)
                console.check_quiet()
                print(f"ok    {case.__name__}", flush=True)
            except Exception:
                failed += 1
                console.picture(f"failed-{case.__name__}")
                print(f"FAIL  {case.__name__}\n{traceback.format_exc()}", flush=True)
            finally:
                console.close()
        chromium.close()
    print(f"{len(chosen) - failed} passed, {failed} failed; pictures in {WORK.relative_to(ROOT)}")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
