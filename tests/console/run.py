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
import sys
import traceback
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import gateway  # noqa: E402

WORK = gateway.ROOT / "target" / "console"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--binary", help="default: cargo build, then target/debug/promptgate")
    options = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        print("chromium is not installed", file=sys.stderr)
        return 2
    python = gateway.install_python(WORK / "venv", HERE / "requirements.txt")
    gateway.install_node(WORK / "node", HERE / "package.json")
    if not sys.executable.startswith(str(WORK)):
        os.execv(python, [str(python), __file__, *sys.argv[1:]])
    with Demo(options.binary or gateway.build(), WORK) as demo:
        return run(demo, browser, options.only)


class Demo(gateway.Gateway):
    """With the demo's upstream, and a caller."""

    def ask(self, text, token="spv-user-dev-2024-def456"):
        """The status of one chat request through the gateway."""
        body = {"model": "demo", "messages": [{"role": "user", "content": text}]}
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        request = urllib.request.Request(f"http://{self.base}/v1/chat/completions", json.dumps(body).encode(), headers)
        try:
            return urllib.request.urlopen(request, timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code


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
    print(f"{len(chosen) - failed} passed, {failed} failed; pictures in {WORK.relative_to(gateway.ROOT)}")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
