"""The definitions a release is made from, kept by content: what dev proved is what staging and prod read.

A run does not read the checkout, which may move on while it is at work and after it. It reads a copy whose name is the
digest of everything in it; a release names that digest and so carries the copy onward.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from workspace import commit
from workspace.commit import Commit
from workspace.errors import Broken, Refused

_LOCK_FILE = ".terraform.lock.hcl"
_NEVER = ("__pycache__", "node_modules")
_STATES = (".tfstate", ".tfstate.backup", ".auto.tfvars.json", ".pyc")
_STACKS = "infra/terraform/stacks"
_MODULE = re.compile(r'^\s*source\s*=\s*"(\.{1,2}/[^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Kept:
    """A kept copy: where it is, the digest of all of it, and the commit of the checkout it was taken from."""

    root: Path
    digest: str
    commit: Commit = field(default_factory=Commit)


def digest_of(root: Path, folders: Iterable[str], made: Mapping[str, bytes] = MappingProxyType({})) -> str:
    """One digest over all files of these folders below the root: their names and their bytes; `made` are more of them.

    Left out is what tools leave behind: hidden files other than Terraform's lock file, caches, states.
    """
    total = hashlib.sha256()
    contents = {name: file.read_bytes() for name, file in files(root, folders)} | dict(made)
    for name, content in sorted(contents.items()):
        total.update(f"{name}\0".encode())
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def keep(root: Path, folders: Sequence[str], store: Path, made: Mapping[str, bytes] = MappingProxyType({})) -> Kept:
    """Keep a copy of these folders under the digest that names it; one that is kept already is left alone.

    `made` are files, by name, that belong to the copy and are not in the checkout; they lie in folders of their own.
    Broken where the copy that is kept already was altered.
    """
    digest = digest_of(root, folders, made)
    target, every = store / digest, {*folders, *(name.partition("/")[0] for name in made)}
    if _is_used(target):
        _require_unaltered(target, every, "it")
        return Kept(target, digest, commit.of(root))
    partial = store / f".{digest}.{uuid.uuid4().hex[:8]}"
    for name, file in files(root, folders):
        copied = partial / name
        copied.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy2(file, copied)
        copied.chmod(0o400)
    for name, content in made.items():
        written = partial / name
        written.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        written.write_bytes(content)
        written.chmod(0o400)
    partial.mkdir(parents=True, exist_ok=True, mode=0o700)
    if digest_of(partial, every) != digest:
        shutil.rmtree(partial)
        raise Refused(f"The definitions in {root} changed while they were read, and nothing was touched; run it again.")
    try:
        partial.rename(target)
    except OSError:
        # Another run kept the same at the same moment.
        shutil.rmtree(partial)
    return Kept(target, digest, commit.of(root))


def kept(digest: str, folders: Sequence[str], store: Path, builder: str) -> Kept:
    """The copy of that digest, checked byte by byte. Refused when it is not there, broken when it was altered."""
    found = store / digest
    if not _is_used(found):
        raise Refused(
            f"The definitions of the release ({digest[:12]}) are not in {store}, and nothing was touched; run "
            f"promote/{builder} again, which keeps them, or bring the folder from where it was built."
        )
    _require_unaltered(found, folders, f"promote/{builder}")
    return Kept(found, digest)


def _require_unaltered(copy: Path, folders: Iterable[str], flow: str) -> None:
    if digest_of(copy, folders) != copy.name:
        raise Broken(
            f"{copy} is not what its name says: the kept definitions were altered, and nothing was touched. Remove "
            f"that folder and run {flow} again."
        )


@contextlib.contextmanager
def alone(store: Path) -> Iterator[None]:
    """Be the only one on this machine who begins to use a kept copy or takes one away, until the end of the block."""
    store.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(store / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Not left to closing: a child that another thread starts at this moment holds the file, too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _is_used(copy: Path) -> bool:
    """True when the copy is there; its time says from now on that it was used, so that it is not pruned."""
    with alone(copy.parent):
        if copy.is_dir():
            os.utime(copy)
            return True
    return False


def stack(root: Path, name: str) -> str:
    """The digest of what defines a Terraform stack: its files, its lock, and the modules it uses, directly or not."""
    folders, waiting = set[str](), [f"{_STACKS}/{name}"]
    while waiting:
        folder = waiting.pop()
        if folder not in folders and (root / folder).is_dir():
            folders.add(folder)
            waiting += [os.path.normpath(f"{folder}/{each}") for each in _modules(root / folder)]
    return digest_of(root, folders)


def lock(root: Path, name: str) -> str:
    """The digest of the lock file that pins a stack's providers; empty where it has none."""
    file = root / _STACKS / name / _LOCK_FILE
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def workload(root: Path, overlay: str) -> str:
    """The digest of what an overlay is made from outside itself: bases and components, the same in all environments."""
    environments = overlay.partition("/overlays/")[0] + "/overlays/"
    seen, waiting = set[str](), [overlay]
    while waiting:
        folder = waiting.pop()
        if folder not in seen:
            seen.add(folder)
            waiting += [os.path.normpath(f"{folder}/{each}") for each in _named(root / folder / "kustomization.yaml")]
    return digest_of(root, [each for each in seen if not each.startswith(environments)])


def _modules(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*.tf")):
        yield from _MODULE.findall(file.read_text())


def _named(file: Path) -> Iterator[str]:
    """Folders that a kustomization builds upon."""
    if not file.exists():
        return
    said: Mapping[str, Any] = yaml.safe_load(file.read_text()) or {}
    for key in ("resources", "bases", "components"):
        entries = said.get(key) or []
        yield from (each for each in entries if isinstance(each, str) and (file.parent / each).is_dir())


def files(root: Path, folders: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """The files of these folders that count, each with its name below the root."""
    for folder in folders:
        for place, names, found in os.walk(root / folder):
            names[:] = [name for name in names if not name.startswith(".") and name not in _NEVER]
            for name in found:
                if name == _LOCK_FILE or not (name.startswith(".") or name.endswith(_STATES)):
                    file = Path(place, name)
                    yield file.relative_to(root).as_posix(), file
