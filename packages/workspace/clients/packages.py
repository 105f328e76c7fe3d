"""The packages that apps and sites are deployed from, kept by what is in them: one file per SHA-256."""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import BinaryIO, Protocol

from workspace.contents import Contents
from workspace.errors import Broken, Refused

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Packages(Protocol):
    """What a store of packages offers; a folder of this machine, or a team's container."""

    def put(self, file: Path) -> str:
        """Keep a copy of the file; returns its SHA-256. Keeping it again changes nothing."""

    def exists(self, sha256: str) -> bool:
        """True when the store holds this very content."""

    def path(self, sha256: str) -> Path:
        """A local file with exactly this content, checked."""

    def open(self, sha256: str) -> BinaryIO:
        """The content, checked, ready to be read."""

    def url(self, sha256: str) -> str:
        """Where the content can be fetched by whoever may read the store."""


class PackageFolder:
    """A store in one private directory. Safe to use from several threads and processes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, file: Path) -> str:
        """Keep a copy of the file; returns its SHA-256. Keeping it again changes nothing."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        handle, partial = tempfile.mkstemp(dir=self._directory, prefix=".partial-")
        try:
            with os.fdopen(handle, "wb") as kept, file.open("rb") as given:
                sha256 = _copied(given, kept)
            Path(partial).replace(self._directory / sha256)
        finally:
            Path(partial).unlink(missing_ok=True)
        return sha256

    def exists(self, sha256: str) -> bool:
        """True when the store holds this very content; a damaged copy does not count."""
        try:
            self.path(sha256)
        except (Refused, Broken):
            return False
        return True

    def path(self, sha256: str) -> Path:
        """The file with exactly this content; Refused when the store has none, Broken when its bytes have changed."""
        if not _SHA256.fullmatch(sha256):
            raise Refused(f"{sha256!r} names no package: 64 hexadecimal digits do")
        file = self._directory / sha256
        if not file.is_file():
            raise Refused(f"the package store at {self._directory} holds no {sha256}: build it where it is built first")
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != sha256:
            raise Broken(
                f"package {sha256} at {self._directory} has changed (it hashes to {found}): remove and rebuild it"
            )
        return file

    def open(self, sha256: str) -> BinaryIO:
        """The content, checked, ready to be read; the caller closes it."""
        return self.path(sha256).open("rb")

    def url(self, sha256: str) -> str:
        """The content's address, a file URL."""
        return self.path(sha256).resolve().as_uri()


class SharedPackages:
    """A team's store, with a folder of this machine before it; content is checked on its way in and out."""

    def __init__(self, contents: Contents, folder: PackageFolder) -> None:
        self._contents, self._folder = contents, folder

    def put(self, file: Path) -> str:
        """Keep a copy of the file for everybody; returns its SHA-256. Keeping it again changes nothing.

        Broken when the store holds something else under that name.
        """
        sha256 = self._folder.put(file)
        if not self._contents.put(sha256, self._folder.path(sha256)):
            self._fetched(sha256)
        return sha256

    def exists(self, sha256: str) -> bool:
        """True when everybody can have this very content; a damaged copy does not count."""
        try:
            self.path(sha256)
        except (Refused, Broken):
            return False
        return self._contents.has(sha256)

    def path(self, sha256: str) -> Path:
        """A file of this machine with exactly this content; Refused when nobody has it, Broken when it was altered."""
        if not self._folder.exists(sha256):
            if not _SHA256.fullmatch(sha256):
                raise Refused(f"{sha256!r} names no package: 64 hexadecimal digits do")
            self._fetched(sha256)
        return self._folder.path(sha256)

    def open(self, sha256: str) -> BinaryIO:
        """The content, checked, ready to be read; the caller closes it."""
        return self.path(sha256).open("rb")

    def url(self, sha256: str) -> str:
        """An address at which Azure can fetch the content for a while; it holds a signature and is shown nowhere."""
        self.path(sha256)
        return self._contents.url(sha256)

    def _fetched(self, sha256: str) -> None:
        """Bring the content from the team's store into the folder."""
        with tempfile.TemporaryDirectory(prefix="package-") as beside:
            file = Path(beside, "content")
            if not self._contents.fetch(sha256, file):
                raise Refused(
                    f"the package store at {self._contents.place} holds no {sha256}: build it where it is built first"
                )
            with file.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
            if found != sha256:
                raise Broken(
                    f"package {sha256} at {self._contents.place} has changed (it hashes to {found}): remove it there "
                    f"and rebuild it"
                )
            self._folder.put(file)


def _copied(given: BinaryIO, kept: BinaryIO) -> str:
    seen = hashlib.sha256()
    while piece := given.read(1024 * 1024):
        seen.update(piece)
        kept.write(piece)
    return seen.hexdigest()
