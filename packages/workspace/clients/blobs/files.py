"""Files by content in a container: written once, never replaced."""

import datetime
import re
from pathlib import Path

from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from workspace.clients.blobs.container import Container
from workspace.contents import File
from workspace.errors import Refused
from workspace.store import Conflict

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")
_FETCHABLE = datetime.timedelta(hours=1)
_CLOCKS_APART = datetime.timedelta(minutes=10)
_PIECE = 16 * 1024 * 1024


class BlobContents:
    """The files in one folder of a container. Any thread may use it."""

    def __init__(self, container: Container, folder: str) -> None:
        self._container, self._folder = container, folder

    @property
    def place(self) -> str:
        """The folder's address."""
        return f"{self._container.place}/{self._folder}".rstrip("/")

    def has(self, name: str) -> bool:
        """True when there is a file of that name; what is in it was not looked at."""
        return self._container.known(self._blob(name)) is not None

    def put(self, name: str, file: Path) -> bool:
        """Keep a file unless there is one of that name already: False then, and nothing is written."""
        if self.has(name):
            return False
        with file.open("rb") as content:
            try:
                self._container.upload(self._blob(name), content, file.stat().st_size)
            except Conflict:
                return False
        return True

    def fetch(self, name: str, into: Path) -> bool:
        """Write the file of that name to a path of this machine (mode 0600); False when there is none."""
        blob = self._blob(name)
        known = self._container.known(blob)
        if known is None:
            return False
        into.touch(mode=0o600)
        with into.open("wb") as kept:
            for at in range(0, known.size, _PIECE):
                kept.write(self._container.piece(blob, at, min(_PIECE, known.size - at)))
        return True

    def use(self, name: str) -> bool:
        """Mark a file as used now, so that nobody prunes it; False when there is none."""
        return self._container.touch(self._blob(name))

    def files(self) -> tuple[File, ...]:
        """All files, by name."""
        start = self._blob("x").removesuffix("x")
        return tuple(
            File(each.name.removeprefix(start), each.size, each.changed, each.etag)
            for each in self._container.listed(start)
            if each.changed is not None
        )

    def remove(self, file: File) -> bool:
        """Remove a file that was not used since it was listed; False when it was."""
        try:
            self._container.remove(self._blob(file.name), file.version)
        except Conflict:
            return False
        return True

    def url(self, name: str) -> str:
        """An address at which the file can be read for an hour, signed in the name of who we are; shown nowhere.

        Broken where we may not sign: that takes a role on the account, not only on its container.
        """
        container, now = self._container, datetime.datetime.now(datetime.UTC)
        begins, ends = now - _CLOCKS_APART, now + _FETCHABLE
        blob = container.blob(self._blob(name))
        key = container.delegation_key(begins, ends)
        signature = generate_blob_sas(
            account_name=container.address.account_name,
            container_name=blob.container_name,
            blob_name=blob.blob_name,
            user_delegation_key=key,
            permission=BlobSasPermissions(read=True),
            start=begins,
            expiry=ends,
        )
        return f"{blob.url}?{signature}"

    def _blob(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise Refused(f"{name!r} is no name of a file by content: letters, digits, '.', '_' and '-' make one")
        return f"{self._folder}/{name}" if self._folder else name
