"""Resolve every dependency in one go and write requirements.lock: versions and hashes, no index address.

`make lock` runs it. With the word `scanners` it resolves the outside scanners' own lock instead: they pin old versions
that the project must not have, so they never share an environment.

pykustomize is added by hand: its wheel works on Python 3.11 and says it does not (see docs/decisions), so no resolver
would take it; the set-up installs the lock without asking for declared versions.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
BESIDE = "pykustomize==0.1.4"
HEAD = "# Made by `make lock` from pyproject.toml; every file is checked against its hash. Do not edit.\n"
SCANNERS_LOCK = ROOT / "requirements-scanners.lock"
SCANNERS = "checkov==3.3.30\nhadolint-bin==2.15.1\ntrivy-py-ecc==0.76.0.1\n"
SCANNERS_HEAD = "# Made by `scripts/lock.py scanners`; every file is checked against its hash. Do not edit.\n"


def main() -> None:
    """Write the lock, or end with the resolver's words."""
    if sys.argv[1:] == ["scanners"]:
        SCANNERS_LOCK.write_text(SCANNERS_HEAD + resolved("-", wanted=SCANNERS))
    else:
        LOCK.write_text(HEAD + resolved("pyproject.toml", "--extra", "test", "--extra", "setup") + beside())


def resolved(*source: str, wanted: str | None = None) -> str:
    """The lock's lines for what a file asks for, or for what is handed over here."""
    uv = [sys.executable, "-m", "uv", "pip", "compile", *source]
    options = ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--python-version", "3.11"]
    command = [*uv, *options, "--python-platform", "x86_64-manylinux_2_35"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, input=wanted).stdout


def beside() -> str:
    """The lock's lines for the one package that no resolver takes."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
        subprocess.run([*pip, "--dest", folder, BESIDE], check=True)
        hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in Path(folder).iterdir()]
    return "".join([BESIDE, *(f" \\\n    --hash=sha256:{each}" for each in hashes), "\n"])


if __name__ == "__main__":
    main()
