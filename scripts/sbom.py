"""The list of the components of the program `sf` (CycloneDX 1.5), from cargo's own.

Usage: sbom.py FILE. Without development dependencies, for Linux on x86-64; the same for the same Cargo.lock.
"""

import json
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMAND = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"]

metadata = json.loads(subprocess.run(COMMAND, cwd=ROOT, check=True, capture_output=True).stdout)
lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
digests = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
root = next(package["id"] for package in metadata["packages"] if package["name"] == "cli")

reached, waiting, edges = {root}, [root], {}
while waiting:
    here = waiting.pop()
    found = [dep["pkg"] for dep in nodes[here]["deps"] if any(kind["kind"] != "dev" for kind in dep["dep_kinds"])]
    edges[here] = sorted(found)
    waiting += [other for other in found if other not in reached]
    reached |= set(found)


def reference(identifier: str) -> str:
    package = packages[identifier]
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(identifier: str) -> dict:
    package = packages[identifier]
    described = {
        "type": "library",
        "bom-ref": reference(identifier),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(identifier),
    }
    if package.get("license"):
        described["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if digest := digests.get((package["name"], package["version"])):
        described["hashes"] = [{"alg": "SHA-256", "content": digest}]
    return described


components = [component(identifier) for identifier in sorted(reached - {root}, key=reference)]
bom = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components, sort_keys=True))}",
    "version": 1,
    "metadata": {"component": {"type": "application", "bom-ref": reference(root), "name": "signaux-faibles", "version": packages[root]["version"]}},
    "components": components,
    "dependencies": [
        {"ref": reference(identifier), "dependsOn": [reference(other) for other in edges[identifier]]}
        for identifier in sorted(reached, key=reference)
    ],
}
Path(sys.argv[1]).write_text(json.dumps(bom, indent=1) + "\n")
print(f"{len(components)} components")
