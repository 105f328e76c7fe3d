"""The private folder a stack is worked on in: a mirror of its definitions, its backend and its variables."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workspace.errors import Refused, Unsettled

LOCK_FILE = ".terraform.lock.hcl"
"""Terraform keeps the chosen providers in it; ours to read, Terraform's to write in the mirror."""

_OURS = ("backend_override.tf.json", "workspace.auto.tfvars.json", "adoptions.tf.json")
_SENSITIVE_VARIABLE = re.compile(
    r'^variable\s+"(?P<short>[^"]+)"\s*\{(?P<line>[^\n]*)\}\s*$|^variable\s+"(?P<name>[^"]+)"\s*\{(?P<body>.*?)^\}',
    re.MULTILINE | re.DOTALL,
)
_SENSITIVE = re.compile(r"^\s*sensitive\s*=\s*true\b", re.MULTILINE)
_RELEVANT = (".tf", ".tf.json", LOCK_FILE)
_BEGAN_AS = f"{LOCK_FILE}.began-as"


def private(folder: Path) -> Path:
    """The folder, made if needed, for nobody else to look into."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder; unsettled while another process of this machine holds it."""
    with (private(folder) / "busy").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unsettled(f"Another run is working in {folder}; wait until it is over.") from error
        try:
            yield
        finally:
            # Not left to closing: a child that another thread starts at this moment has the file, and so the lock, too.
            fcntl.flock(file, fcntl.LOCK_UN)


def write_private(file: Path, text: str) -> None:
    """Write a file only its owner can read, in one step, and only when it says something new."""
    if file.exists() and file.read_text() == text:
        return
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    partial.replace(file)


def mirror(definitions: Path, root: str, target: Path, lock: str = "") -> Path:
    """Copy what the stack at `definitions/root` may refer to, with relative paths kept true; returns the copy's root.

    That is the stack's own folder and everything beside the folder of stacks. Unchanged files are left alone, files
    that are gone disappear, and nothing is ever written to the definitions. Where the stack brings no lock file it has
    the one of the text `lock`. What Terraform adds to a lock file stays as long as it began as the same one.
    """
    source = definitions / root
    if not source.is_dir():
        raise Refused(f"There is no stack {root} in {definitions}.")
    first = Path(root).parts[0] if root not in ("", ".") else ""
    wanted = [source] if first else []
    wanted += [each for each in sorted(definitions.iterdir()) if each.name != first and not _is_hidden(each.name)]
    kept: set[Path] = set()
    for each in wanted:
        kept |= _copy(each, target / each.relative_to(definitions))
    copied = target / root
    if lock and copied / LOCK_FILE not in kept:
        kept |= _write_lock(lock.encode(), copied / LOCK_FILE)
    chosen = () if (copied / _BEGAN_AS).exists() else (LOCK_FILE,)
    _sweep(target, kept, {copied / name for name in (*_OURS, *chosen)})
    return copied


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.endswith((".tfstate", ".tfstate.backup", ".auto.tfvars.json"))


def _copy(source: Path, target: Path) -> set[Path]:
    if source.is_file():
        _copy_file(source, target)
        return {target}
    copied: set[Path] = set()
    for folder, names, files in os.walk(source):
        names[:] = [name for name in names if not _is_hidden(name)]
        here = target / Path(folder).relative_to(source)
        here.mkdir(parents=True, exist_ok=True)
        for name in files:
            if name == LOCK_FILE:
                copied |= _write_lock(Path(folder, name).read_bytes(), here / name)
            elif not _is_hidden(name):
                _copy_file(Path(folder, name), here / name)
                copied.add(here / name)
    return copied


def _write_lock(content: bytes, target: Path) -> set[Path]:
    """Write a lock file unless the one that is there began as the same; an older release brings an older one."""
    began_as, said = target.with_name(_BEGAN_AS), hashlib.sha256(content).hexdigest()
    if not (target.exists() and began_as.exists() and began_as.read_text() == said):
        began_as.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        write_private(target, content.decode())
        write_private(began_as, said)
    return {target, began_as}


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file unless it is there byte for byte; times tell nothing, an unpacked checkout may have one for all."""
    content = source.read_bytes()
    if target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(content)
    partial.chmod(0o600)
    partial.replace(target)


def _sweep(target: Path, kept: set[Path], ours: set[Path]) -> None:
    for folder, _, files in os.walk(target, topdown=False):
        for name in files:
            file = Path(folder, name)
            if file not in kept and file not in ours:
                file.unlink()
        if Path(folder) != target and not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def write_backend(folder: Path, backend: Mapping[str, Mapping[str, Any]]) -> None:
    """Say where the state is, over whatever the stack itself says."""
    write_private(folder / _OURS[0], _backend(backend))


def has_backend(folder: Path, backend: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the folder says that the state is there."""
    file = folder / _OURS[0]
    return file.exists() and file.read_text() == _backend(backend)


def _backend(backend: Mapping[str, Mapping[str, Any]]) -> str:
    return json.dumps({"terraform": {"backend": backend}}, indent=1, sort_keys=True)


def write_variables(folder: Path, variables: Mapping[str, Any]) -> None:
    """Hand the stack its variables in a file only its owner can read."""
    write_private(folder / _OURS[1], json.dumps(variables, indent=1, sort_keys=True))


def write_adoptions(folder: Path, adopts: Mapping[str, str]) -> None:
    """Say what exists already and is to be taken over."""
    if not adopts:
        (folder / _OURS[2]).unlink(missing_ok=True)
        return
    blocks = [{"to": address, "id": resource_id} for address, resource_id in sorted(adopts.items())]
    write_private(folder / _OURS[2], json.dumps({"import": blocks}, indent=1))


def sensitive_variables(folder: Path) -> set[str]:
    """The variables a root declares as sensitive."""
    names: set[str] = set()
    for file in sorted(folder.glob("*.tf")):
        for found in _SENSITIVE_VARIABLE.finditer(file.read_text()):
            if _SENSITIVE.search(found["body"] or found["line"] or ""):
                names.add(found["name"] or found["short"])
    return names


def fingerprint(folder: Path, extra: str) -> str:
    """Changes when anything changes that `terraform init` looks at."""
    digest = hashlib.sha256(extra.encode())
    for file in sorted(folder.rglob("*")):
        if file.name.endswith(_RELEVANT) and file.is_file():
            digest.update(f"{file.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def digest_of(file: Path) -> str:
    """The SHA-256 of a file; empty when there is none."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
