"""Runs every case with the SDKs of the interpreter it is started by, and prints one JSON row a case. Started by run.py."""

import importlib
import json
import sys

import harness

MODULES = ["cases_openai", "cases_anthropic", "cases_gemini", "cases_ollama", "cases_both"]


def main():
    settings = harness.Settings.load()
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for module in MODULES + (["cases_more", "cases_http"] if settings.generation == "new" else []):
        importlib.import_module(module)
    for chosen in harness.CASES:
        if wanted in f"{chosen.sdk}: {chosen.name}":
            print(json.dumps(harness.run_case(settings, chosen)), flush=True)


main()
