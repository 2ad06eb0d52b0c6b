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
import subprocess
import sys
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import gateway  # noqa: E402

WORK = gateway.ROOT / "target" / "recipes"
TOKEN = "spv-basic-dev-2024-ghi789"
SECRET = "hunter2-9f3b"
RECIPE_SECONDS = 120
# What calls elsewhere is refused at once: nothing but the gateway is needed, and nobody's own login is used.
ALONE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1", "HOME": str(WORK / "home")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="recipes whose file name contains this")
    parser.add_argument("--binary", help="the gateway; default: cargo build, then target/debug/promptgate")
    options = parser.parse_args()
    recipes = sorted(path for path in HERE.iterdir() if path.suffix in COMMANDS and path.name != "run.py")
    recipes = [path for path in recipes if options.only in path.name]
    gateway.install_python(WORK / "python", HERE / "requirements.txt")
    gateway.install_node(WORK / "node", HERE / "package.json")
    with gateway.Gateway(options.binary or gateway.build(), WORK) as demo:
        failed = [path.name for path in recipes if not passes(path, demo)]
    print(f"\n{len(recipes) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not recipes else 0


def passes(recipe, demo):
    shutil.rmtree(WORK / "home", ignore_errors=True)
    (WORK / "home").mkdir()
    environment = ALONE | {"PATH": f"{WORK / 'node/node_modules/.bin'}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    environment |= {"GATEWAY": f"http://{demo.base}", "TOKEN": TOKEN, "PROMPT": f"My password is {SECRET}"}
    urllib.request.urlopen(urllib.request.Request(f"http://{demo.upstream}/demo/received", method="DELETE")).close()
    command = COMMANDS[recipe.suffix](recipe)
    ran = subprocess.run(command, env=environment, cwd=WORK / "home", stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=RECIPE_SECONDS)
    received = last_body(demo)
    problems = [
        (ran.returncode != 0, f"exit code {ran.returncode}: {ran.stderr[-600:]}"),
        (SECRET not in ran.stdout, f"the password did not come back: {ran.stdout[-300:]}"),
        (SECRET in received, "the password went up"),
        ("[promptgate: " in received, "a text of the client's own was withheld"),
        ("My password is PASSWORD_" not in received, f"no placeholder went up: {received[-300:]}"),
    ]
    told = [problem for is_one, problem in problems if is_one]
    print(f"{'FAILED' if told else 'ok':7}{recipe.name}" + "".join(f"\n       {problem}" for problem in told), flush=True)
    return not told


def last_body(demo):
    """Empty if nothing went up."""
    try:
        with urllib.request.urlopen(f"http://{demo.upstream}/demo/received") as answer:
            return answer.read().decode()
    except urllib.error.HTTPError:
        return ""


def python(recipe):
    return [str(WORK / "python/bin/python"), str(recipe)]


def node(recipe):
    # Beside its packages, where imports are looked for.
    return ["node", shutil.copy(recipe, WORK / "node")]


COMMANDS = {".py": python, ".mjs": node, ".sh": lambda recipe: ["bash", str(recipe)]}


if __name__ == "__main__":
    sys.exit(main())
