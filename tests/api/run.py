#!/usr/bin/env python3
"""Lets schemathesis call the admin listener as its description allows and forbids, and holds each answer against it.

    python3 tests/api/run.py                    a few hundred calls, as in CI
    python3 tests/api/run.py --calls 2000       about so many

No answer may be of 5xx, of a status or content type the description does not name, or of another shape. Needs python3 with
venv, and a package index for the first run. Exits 1 when an answer was wrong, 2 when it could not begin.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import gateway  # noqa: E402

WORK = gateway.ROOT / "target" / "api"
TOKEN = "spv-admin-dev-2024-abc123"
RUN_SECONDS = 900
# Not `positive_data_acceptance`: what JSON-RPC calls an error has status 200 or 400 by the method and the revision.
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "unsupported_method", "ignored_auth"]


def main():
    options = arguments()
    gateway.install_python(WORK / "venv", HERE / "requirements.txt")
    binary = pathlib.Path(options.binary or gateway.build()).resolve()
    with gateway.Gateway(binary, WORK, gateway.shipped()) as running:
        description = WORK / "openapi.json"
        description.write_bytes(fetch(f"http://{running.admin}/openapi.json"))
        paths = json.loads(description.read_text())["paths"]
        taking = sum("requestBody" in told for operations in paths.values() for told in operations.values())
        per_operation = -(-options.calls // taking)  # of what takes nothing there are only a few different calls
        command = [WORK / "venv" / "bin" / "schemathesis", "run", description, "--url", f"http://{running.admin}", "--header",
                   f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing",
                   "--max-examples", str(per_operation), "--continue-on-failure", "--warnings", "off",
                   "--suppress-health-check", "all", "--request-timeout", "30"]
        if options.seed is not None:
            command += ["--seed", str(options.seed)]
        return subprocess.run(command, cwd=WORK, timeout=RUN_SECONDS).returncode and 1


def fetch(url):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300, help="about so many, spread over the operations that take a body")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--binary", help="the gateway; default: cargo build, then target/debug/promptgate")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
