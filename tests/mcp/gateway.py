"""A gateway as a child process, and packages installed once: what the tests of the admin listener in Python share."""

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

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INSTALL_SECONDS = 600
READY_SECONDS = 30
STOP_SECONDS = 15


class Gateway:
    """The gateway as a child process, on free ports, with the shipped configuration."""

    def __init__(self, binary, work, settings=None):
        self.binary, self.work, self.settings = binary, work, settings or {}
        self.base, self.admin = (f"127.0.0.1:{port}" for port in free_ports(2))

    def __enter__(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTGATE__")}
        environment.update(PROMPTGATE__GATEWAY__LISTEN=self.base, PROMPTGATE__ADMIN__LISTEN=self.admin,
                           PROMPTGATE__TIMEOUTS__DRAIN="2s")
        config = self.work / "gateway.toml"
        config.write_text(self.configuration())
        self.log = open(self.work / "gateway.log", "wb")
        self.process = subprocess.Popen([self.binary, "serve", "--config", config], env=environment, stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def configuration(self):
        """The shipped one, with other addresses of upstreams."""
        text = (ROOT / "conf" / "promptgate.toml").read_text()
        for old, new in self.settings.items():
            if old not in text:
                fail(f"conf/promptgate.toml does not hold {old}")
            text = text.replace(old, new)
        return text

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


def once(home, wanted, install):
    """Runs `install` for a folder that is not there yet, and anew when the list of what is wanted changes."""
    stamp = home / ".installed"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return
    print(f"installing {home}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    install()
    stamp.write_text(wanted.read_text())


def install_python(home, requirements):
    """A virtual environment with what the file lists."""
    def install():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", requirements], check=True, timeout=INSTALL_SECONDS)

    once(home, requirements, install)


def fail(why):
    print(why, file=sys.stderr)
    raise SystemExit(2)
