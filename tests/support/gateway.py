"""A gateway as a child process on free ports, and packages that are installed once: what the runners in Python share."""

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
INSTALL_SECONDS = 900
READY_SECONDS = 30
STOP_SECONDS = 15


class Gateway:
    """Gateway and admin listener, at `base` and `admin`, for as long as the block lasts.

    Without a `configuration`, the text of a file, it is `promptgate demo`, whose upstream is at `upstream`. `settings` are
    variables of its own; those of whoever runs the tests it does not see. Files are written to `work`, named by `name`.
    """

    def __init__(self, binary, work, configuration=None, settings=None, name="gateway"):
        self.binary, self.work, self.name, self.process = binary, work, name, None
        self.configuration, self.settings = configuration, settings or {}
        self.base, self.admin, self.upstream = (f"127.0.0.1:{port}" for port in free_ports(3))

    def __enter__(self):
        self.work.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTGATE")}
        environment.update(PROMPTGATE__GATEWAY__LISTEN=self.base, PROMPTGATE__ADMIN__LISTEN=self.admin, PROMPTGATE__TIMEOUTS__DRAIN="2s")
        environment.update(self.settings)
        self.log = open(self.work / f"{self.name}.log", "wb")
        self.process = subprocess.Popen([self.binary, *self.command()], env=environment, stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def command(self):
        if self.configuration is None:
            return ["demo", "--upstream", self.upstream]
        config = self.work / f"{self.name}.toml"
        config.write_text(self.configuration)
        return ["serve", "--config", config]

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                fail(f"the gateway ended with status {self.process.returncode}:\n{self.written()[-3000:]}")
            try:
                with urllib.request.urlopen(f"http://{self.admin}/readyz", timeout=1) as response:
                    if response.status == 200:
                        return
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.05)
        fail(f"the gateway was not ready within {READY_SECONDS} s:\n{self.written()[-3000:]}")

    def written(self):
        """Everything it wrote to standard output and error: log and audit records."""
        return (self.work / f"{self.name}.log").read_text(errors="replace")

    def __exit__(self, *_):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def shipped():
    """The configuration of the repository."""
    return (ROOT / "conf" / "promptgate.toml").read_text()


def build():
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--bin", "promptgate"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "promptgate"


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def install_python(home, requirements):
    """A virtual environment at `home` with what the file lists, and its interpreter."""
    python = home / "bin" / "python"

    def install():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", requirements], check=True, timeout=INSTALL_SECONDS)

    once(home, requirements, install)
    return python


def install_node(home, package):
    """A folder at `home` with the packages that the file lists. Modules find them from beside `node_modules`."""
    def install():
        home.mkdir(parents=True)
        shutil.copy(package, home)
        subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit"], cwd=home, check=True, timeout=INSTALL_SECONDS)

    once(home, package, install)
    return home


def once(home, wanted, install):
    """Runs `install` for a folder that is not there yet, and anew when the list of what is wanted changes."""
    stamp = home / ".installed"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return
    print(f"installing {home}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    install()
    stamp.write_text(wanted.read_text())


def fail(why):
    print(why, file=sys.stderr)
    raise SystemExit(2)
