#!/usr/bin/env python3
"""Lets a gateway tell its requests to a collector that decodes them with OpenTelemetry's own messages.

    python3 tests/otlp/run.py
    python3 tests/otlp/run.py --binary target/debug/promptgate

`facts.py` says what is asked. Needs python3 with venv, and a package index for the first run. Exits 1 when something is
wrong, 2 when it could not begin.
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import gateway  # noqa: E402

RUN_SECONDS = 300


def main():
    options = arguments()
    python = gateway.install_python(gateway.ROOT / "target" / "otlp" / "venv", HERE / "requirements.txt")
    binary = pathlib.Path(options.binary or gateway.build()).resolve()
    return subprocess.run([python, HERE / "facts.py", binary], timeout=RUN_SECONDS).returncode


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="the gateway; default: cargo build, then target/debug/promptgate")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
