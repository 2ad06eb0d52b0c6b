"""What the binary is made of, as a CycloneDX 1.6 document on standard output: `python3 deploy/sbom.py`.

From `cargo metadata` and Cargo.lock alone, so it needs no network once the crates are there, and gives the same bytes for the same
lock file. Of the normal and build dependencies of the default features; what only tests use is left out.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).parent.parent


def metadata(target: str) -> dict:
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


def host() -> str:
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.removeprefix("host: ") for line in version.splitlines() if line.startswith("host: "))


def shipped(resolve: dict) -> dict[str, list[str]]:
    """Each package that goes into the binary or builds it, with those it needs."""
    nodes = {node["id"]: node for node in resolve["nodes"]}
    reached: dict[str, list[str]] = {}
    waiting = [resolve["root"]]
    while waiting:
        package = waiting.pop()
        if package in reached:
            continue
        kinds = lambda needed: {kind["kind"] for kind in needed["dep_kinds"]}
        needs = [needed["pkg"] for needed in nodes[package]["deps"] if kinds(needed) - {"dev"}]
        reached[package] = needs
        waiting.extend(needs)
    return reached


def component(package: dict, checksums: dict[tuple[str, str], str], kind: str = "library") -> dict:
    name, version = package["name"], package["version"]
    purl = f"pkg:cargo/{name}@{version}"
    about = {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if package["license"]:
        # Old crates write "MIT/Apache-2.0".
        about["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum := checksums.get((name, version)):
        about["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return about


def document() -> dict:
    lock = (ROOT / "Cargo.lock").read_bytes()
    found = metadata(host())
    packages = {package["id"]: package for package in found["packages"]}
    locked = tomllib.loads(lock.decode())["package"]
    checksums = {(row["name"], row["version"]): row["checksum"] for row in locked if "checksum" in row}
    reached = shipped(found["resolve"])
    root = found["resolve"]["root"]
    ref = lambda package: f"pkg:cargo/{packages[package]['name']}@{packages[package]['version']}"
    rows = sorted((component(packages[package], checksums) for package in reached if package != root), key=lambda row: row["purl"])
    needs = sorted(({"ref": ref(package), "dependsOn": sorted({ref(need) for need in needed})} for package, needed in reached.items()), key=lambda row: row["ref"])
    serial = uuid.UUID(bytes=hashlib.sha256(lock).digest()[:16], version=4)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": component(packages[root], checksums, "application")},
        "components": rows,
        "dependencies": needs,
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=2)
    print()
