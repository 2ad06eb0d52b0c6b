#!/usr/bin/env python3
"""Runs the public `pii-leak-benchmark` against a gateway of its own, and random cuts that the benchmark leaves out.

    python3 tests/leak/run.py                      one seed, cuts in two: what `make leak-test` runs
    python3 tests/leak/run.py --full --seeds 5     every cut in two and three parts, five seeds
    python3 tests/leak/run.py --binary target/debug/promptgate --seed a1b2c3d4e5f60001

Each seed is three runs: the profile of personal data with its partial-emission pass, the profile of personal data and
secrets (FIDE), and `partitions.py`. The gateway has to give every value back and to let nothing out that the model made up.
Needs python3 with venv, and a package index for the first run. Exits 1 when something leaked, was lost or could not be
decided, 2 when it could not begin.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from gateway import ROOT, Gateway, build, fail, install_python  # noqa: E402

WORK = ROOT / "target" / "leak"
TOKEN = "spv-user-dev-2024-def456"
RUN_SECONDS = 3600
QUICK, FULL = "exhaustive-2-part", "union-worst-case"
COLUMNS = ["run", "seed", "cases", "fidelity", "leak whole", "leak cut", "partial", "undecided", "capped", "seconds", "outcome"]


def main():
    options = arguments()
    python = install_python(WORK / "venv", HERE / "requirements.txt")
    oracle = FULL if options.full else QUICK
    seeds = options.seed or [f"{random.SystemRandom().randrange(16**16):016x}" for _ in range(options.seeds)]
    rows = []
    with Benchmarked(options.binary or build(), WORK) as gateway:
        for seed in seeds:
            for run in (personal_data, everything, partitions):
                rows.append(run(python, gateway, seed, oracle, options))
                show(rows[-1])
    return summary(rows, oracle)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="the gateway; default: cargo build, then target/debug/promptgate")
    parser.add_argument("--full", action="store_true", help=f"the oracle {FULL} instead of {QUICK}")
    parser.add_argument("--seeds", type=int, default=1, help="how many, drawn at random")
    parser.add_argument("--seed", action="append", help="this one, in hexadecimal digits")
    parser.add_argument("--partition-cap", type=int, default=6000, help="families of more cuts of one value are left out")
    parser.add_argument("--cuts", type=int, default=150, help="random cuts of each value by partitions.py")
    return parser.parse_args()


class Benchmarked(Gateway):
    """Its upstream is at the port where the benchmark listens."""

    def __init__(self, binary, work):
        super().__init__(binary, work)
        self.configuration = f'[[upstream]]\nname = "openai"\nurl = "http://{self.upstream}"\n'
        self.url, self.upstream_port = f"http://{self.base}/v1/chat/completions", self.upstream.rpartition(":")[2]


# ── the runs ──

def personal_data(python, gateway, seed, oracle, options):
    row, out = started("personal data", seed)
    benchmark(row, [python, "-m", "pii_leak_benchmark.v2_emitter", "--validate", "--partial-emission",
                    *settings(gateway, seed, oracle, options, out)])
    if report := read(out / "pg.json"):
        read_report(row, report)
        row["partial"] = (read(out / "pg.partial-emission.json") or {}).get("metrics", {}).get(
            "partial_emission_rate", {}).get("overall", "missing")
    return judged(row)


def everything(python, gateway, seed, oracle, options):
    row, out = started("and secrets", seed)
    benchmark(row, [python, "-m", "pii_leak_benchmark.fide_emitter", *settings(gateway, seed, oracle, options, out)])
    if report := read(out / "pg.json"):
        read_report(row, report)
    return judged(row)


def partitions(python, gateway, seed, _oracle, options):
    row, out = started("random cuts", seed)
    benchmark(row, [python, HERE / "partitions.py", "--url", gateway.url, "--upstream-port", gateway.upstream_port,
                    "--token", TOKEN, "--seed", seed, "--cuts", str(options.cuts), "--out", out / "partitions.json"])
    row.update(read(out / "partitions.json") or {})
    return judged(row)


def started(run, seed):
    out = WORK / f"{run.replace(' ', '-')}-{seed}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    return {"run": run, "seed": seed, "began": time.monotonic()}, out


def settings(gateway, seed, oracle, options, out):
    return ["--out", out, "--only", "pg", "--gateway-url", gateway.url, "--upstream-port", gateway.upstream_port, "--seed", seed,
            "--oracle", oracle, "--partition-cap", str(options.partition_cap)]


def benchmark(row, command):
    environment = {"PATH": os.environ["PATH"], "HOME": str(WORK), "LANG": "C.UTF-8", "V2_GATEWAY_TOKEN": TOKEN,
                   "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, cwd=WORK, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        try:
            row["said"], _ = child.communicate(timeout=RUN_SECONDS)
        finally:
            child.kill()
    row["status"], row["seconds"] = child.returncode, round(time.monotonic() - row["began"])


def read(path):
    return json.loads(path.read_text()) if path.exists() else None


def read_report(row, report):
    metrics = report["metrics"]
    families = metrics["partition_oracle"].get("families", {})
    row.update({
        "cases": f"{metrics['cases_applicable']}/{metrics['cases_scored']}", "fidelity": metrics["fidelity_rate"],
        "leak whole": metrics["leak_rate"]["single_chunk"], "leak cut": metrics["leak_rate"]["adversarial"],
        "undecided": metrics["cases_inconclusive"], "outcome": report["outcome"],
        "capped": {name: family["cases_capped"] for name, family in families.items() if family.get("cases_capped")},
    })


def judged(row):
    """What the gateway promises, for each run; `capped` is told and judged by nobody: `partitions.py` cuts those values too."""
    wrong = []
    if row["status"] != 0:
        wrong.append(f"ended with status {row['status']}")
    if row.get("fidelity") != 1.0:
        wrong.append("a value did not come back")
    if row.get("leak whole") != 0.0 or row.get("leak cut") != 0.0 or row.get("partial", 0.0) != 0.0:
        wrong.append("a made-up value came through")
    if row.get("undecided") != 0:
        wrong.append("a case was not decided")
    return {**row, "wrong": wrong}


def show(row):
    print("  ".join(f"{name} {row[name]}" for name in COLUMNS if row.get(name) not in (None, {}, "")), flush=True)
    if row["wrong"]:
        print(f"    WRONG: {'; '.join(row['wrong'])}\n{row['said'][-3000:]}", flush=True)


def summary(rows, oracle):
    print(f"\noracle {oracle}")
    table = [COLUMNS, *([str(row.get(name, "-")) for name in COLUMNS] for row in rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(COLUMNS))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    wrong = sum(bool(row["wrong"]) for row in rows)
    print(f"\n{len(rows) - wrong} runs as promised, {wrong} not")
    return 1 if wrong else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: fail(f"ended by signal {number}"))  # so that the gateway is stopped too
    sys.exit(main())
