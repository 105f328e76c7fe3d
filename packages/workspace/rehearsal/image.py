"""The build context of the image that stands for a service: Debian's static busybox, and what it answers.

`python -m workspace.rehearsal.image FOLDER` prepares the context in a folder and prints how to build from it by hand.
"""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from workspace.errors import Refused

RECIPE = Path(__file__).resolve().parents[3] / "infra" / "docker" / "rehearsal"
# The ports of each service's own image, which its manifests call.
PORTS = {
    "chain": "8545",
    "publisher": "3000 3001",
    "story-generator": "8080 8081",
    "app-api": "8080",
    "admin-api": "8080",
}
NO_PROGRAM = "rehearsal: no busybox was at hand when this image was built, so it holds no program and cannot be run.\n"

# Where a busybox of this machine would be.
PLACES = tuple(Path(each) for each in (shutil.which("busybox"), "/bin/busybox", "/usr/bin/busybox") if each)

_PACKAGE = "busybox-static"
_APPLETS = {"httpd", "sh", "wget"}
# Without a way to the packages the answer is wanted soon.
_IMPATIENT = ("-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10")
_FETCH_SECONDS = 60
_INTERPRETER = 3


@dataclass(frozen=True)
class Context:
    """A prepared folder; `lacks` is one clause that says what the images do not have, empty when they can be run."""

    folder: Path
    version: str
    lacks: str = ""

    def arguments(self, service: str) -> dict[str, str]:
        """The build arguments of the image that stands for this service."""
        return {"SERVICE": service, "PORTS": PORTS[service], "VERSION": self.version}


def prepare(folder: Path, *, runs: bool, cache: Path | None = None, places: Sequence[Path] = PLACES) -> Context:
    """The context in this folder: the same bytes for the same recipe and the same busybox.

    Where the engine `runs` what it builds, busybox is fetched into the `cache` when none is at hand, and Refused when
    it cannot be; a stand-in is content with a text in its place, which is then said in `lacks`.
    """
    cache = cache or user_cache_path("mystira-workspace")
    program = at_hand([*places, cache / "busybox"]) or (fetch(cache) if runs else None)
    content = program.read_bytes() if program else NO_PROGRAM.encode()
    serve = (RECIPE / "serve").read_bytes()
    version = f"rehearsal-{hashlib.sha256(content + serve + (RECIPE / 'Dockerfile').read_bytes()).hexdigest()[:12]}"
    shutil.rmtree(folder, ignore_errors=True)
    _write(folder / "busybox", content, is_program=True)
    _write(folder / "serve", serve, is_program=True)
    for service in PORTS:
        told = json.dumps({"service": service, "version": version}) + "\n"
        for name, text in {"health": "healthy\n", "ready": "ready\n", "version": told}.items():
            _write(folder / "services" / service / name, text.encode())
    return Context(folder, version, "" if program else "the images hold no program: no static busybox is at hand")


def at_hand(places: Iterable[Path]) -> Path | None:
    """The first of these that is a static busybox with what the image needs."""
    return next((each for each in places if _serves(each)), None)


def fetch(cache: Path) -> Path:
    """Debian's static busybox, unpacked into the cache without being installed; Refused when it cannot be had."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run("apt-get", *_IMPATIENT, "download", _PACKAGE, folder=folder)
        (package,) = folder.glob("*.deb")
        _run("dpkg-deb", "-x", str(package), "unpacked", folder=folder)
        unpacked = next((each for each in folder.glob("unpacked/**/bin/busybox") if _serves(each)), None)
        if unpacked is None:
            raise Refused(_sentence(f"{package.name} holds no static busybox with {', '.join(sorted(_APPLETS))}"))
        kept = cache / "busybox"
        _write(kept.with_name(f".busybox-{os.getpid()}"), unpacked.read_bytes(), is_program=True).replace(kept)
    return kept


def _run(*command: str, folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(_sentence(str(error))) from error
    if done.returncode:
        raise Refused(_sentence(f"{command[0]} says {(done.stderr.strip() or 'nothing').splitlines()[-1]}"))


def _sentence(why: str) -> str:
    return (
        f"The Docker engine here would run the rehearsal's images, and they need a static busybox, which cannot be had "
        f"({why}): install Debian's package {_PACKAGE}."
    )


def _serves(program: Path) -> bool:
    """True for a busybox that needs no library and has the applets of the image."""
    if not program.is_file() or not _is_static(program):
        return False
    try:
        done = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return set(done.stdout.split()) >= _APPLETS


def _is_static(program: Path) -> bool:
    """True for a 64-bit ELF program that names no interpreter to load it."""
    with program.open("rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            return False
        (offset,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(offset)
        table = file.read(size * count)
    kinds = [struct.unpack_from("<I", table, number * size)[0] for number in range(count)]
    return bool(kinds) and _INTERPRETER not in kinds


def _write(file: Path, content: bytes, *, is_program: bool = False) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.chmod(0o755 if is_program else 0o644)
    return file


def main(arguments: Sequence[str]) -> None:
    """Prepare a context for builds by hand; ends with one sentence when it cannot be done."""
    if len(arguments) != 1:
        sys.exit(__doc__)
    try:
        context = prepare(Path(arguments[0]), runs=True)
    except Refused as error:
        sys.exit(str(error))
    for service in PORTS:
        given = " ".join(f"--build-arg {name}='{value}'" for name, value in context.arguments(service).items())
        what = f"--file {RECIPE / 'Dockerfile'} {given} --tag rehearsal/{service} {context.folder}"
        sys.stdout.write(f"docker build {what}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
