"""One container, through Azure's SDK: single requests, tried again where that is harmless, failures in our words.

The SDK's own retries are off. They cannot know that the answer to a write was lost and the write was not: tried again,
a write under a condition is refused because of itself. Here it is recognised as written.
"""

import datetime
import email.utils
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, TypeVar

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.transport import HttpTransport
from azure.storage.blob import BlobClient, BlobPrefix, BlobServiceClient, ContainerClient, UserDelegationKey

from workspace.blob_address import parse
from workspace.errors import Broken, Unsettled
from workspace.store import Conflict

PAUSES = (0.2, 0.8, 2.0, 4.0)
"""Seconds between tries; together with the tries a good deal less than a lease lasts."""

_CONNECT_SECONDS, _ANSWER_SECONDS = 5, 10
_PIECE = 16 * 1024 * 1024
_LONGEST_PAUSE = 10.0
_SKEW_SECONDS = 300
_PASSING = (408, 429, 500, 502, 503, 504)
_CONFLICTS = ("AppendPositionConditionNotMet", "ConditionNotMet", "TargetConditionNotMet", "BlobAlreadyExists")
_MISSING = ("BlobNotFound", "ResourceNotFound")
_ROLE = "Storage Blob Data Contributor"
_SIGNING_ROLE = "Storage Blob Delegator"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Known:
    """What is known of a blob without its content. `blocks` counts the appends that made it, 0 for another type."""

    name: str
    size: int
    etag: str
    appendable: bool = True
    blocks: int = 0
    changed: datetime.datetime | None = None


class Container:
    """The blobs below one address; names are those after its prefix. Safe to use from several threads.

    Calls raise Unsettled when Azure did not answer well after several tries, and Broken when a person must look.
    """

    def __init__(
        self,
        url: str,
        *,
        credential: TokenCredential,
        verify: str | bool = True,
        transport: HttpTransport[Any, Any] | None = None,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.place = url
        self.address = parse(url)
        self._pauses = pauses
        settings: dict[str, Any] = {} if transport is None else {"transport": transport}
        self.client = ContainerClient(
            self.address.account,
            self.address.container,
            credential=credential,
            connection_verify=verify,
            connection_timeout=_CONNECT_SECONDS,
            read_timeout=_ANSWER_SECONDS,
            retry_total=0,
            max_single_get_size=_PIECE,
            **settings,
        )

    def blob(self, name: str) -> BlobClient:
        """The SDK's client of one blob."""
        return self.client.get_blob_client(self.address.prefix + name)

    def listed(self, beginning: str) -> list[Known]:
        """The blobs whose names begin so, in order, without those in folders below."""
        start = self.address.prefix + beginning

        def request() -> list[Known]:
            found = self.client.walk_blobs(name_starts_with=start, delimiter="/")
            return [
                Known(
                    each.name.removeprefix(self.address.prefix), int(each.size), each.etag, changed=each.last_modified
                )
                for each in found
                if not isinstance(each, BlobPrefix)
            ]

        return self.ask(request)

    def known(self, name: str) -> Known | None:
        """A blob's size, version and type; None when there is none."""

        def request() -> Known | None:
            with _absent():
                found = self.blob(name).get_blob_properties()
                appendable = str(getattr(found.blob_type, "value", found.blob_type)) == "AppendBlob"
                blocks = found.append_blob_committed_block_count or 0
                return Known(name, int(found.size), found.etag, appendable, int(blocks))
            return None

        return self.ask(request)

    def piece(self, name: str, start: int, length: int) -> bytes:
        """So many bytes of a blob from `start` on, fewer when it ends before; in requests of bounded size."""
        found = bytearray()
        while len(found) < length:
            at, wanted = start + len(found), min(_PIECE, length - len(found))
            data = self.ask(lambda at=at, wanted=wanted: self.blob(name).download_blob(at, wanted).readall())  # type: ignore[misc]
            found += data
            if len(data) < wanted:
                break
        return bytes(found)

    def whole(self, name: str) -> tuple[bytes, str] | None:
        """A small blob and its version; None when there is none."""

        def request() -> tuple[bytes, str] | None:
            with _absent():
                stream = self.blob(name).download_blob()
                return stream.readall(), str(stream.properties.etag)
            return None

        return self.ask(request)

    def create_record(self, name: str) -> None:
        """An empty append blob, unless there is one of that name."""
        try:
            self.ask(
                lambda: self.blob(name).create_append_blob(match_condition=MatchConditions.IfMissing),
                written=lambda: self.known(name),
            )
        except Conflict:
            return

    def append(self, name: str, data: bytes, at: int) -> int:
        """Add a block at exactly this length; how many blocks there are then. Raises Conflict at another length.

        When an answer was lost, the same bytes at the same place are the block that was asked for.
        """

        def written() -> int | None:
            known = self.known(name)
            if known is None or known.size < at + len(data) or self.piece(name, at, len(data)) != data:
                return None
            # Others may have written on since: then the count is theirs, and who appends next finds that out.
            return known.blocks

        def request() -> int:
            answer = self.blob(name).append_block(data, length=len(data), appendpos_condition=at)
            return int(str(answer["blob_committed_block_count"]))

        return self.ask(request, written)

    def replace(self, name: str, data: bytes, version: str) -> str:
        """Write a blob that has this version, empty for none, and return the new one; raises Conflict otherwise."""
        condition = MatchConditions.IfNotModified if version else MatchConditions.IfMissing
        settings: dict[str, Any] = {"etag": version} if version else {}

        def written() -> str | None:
            found = self.whole(name)
            return found[1] if found is not None and found[0] == data and found[1] != version else None

        def request() -> str:
            blob = self.blob(name)
            return str(blob.upload_blob(data, overwrite=True, match_condition=condition, **settings)["etag"])

        return self.ask(request, written)

    def write(self, name: str, data: bytes) -> None:
        """Write a blob whatever was there."""
        self.ask(lambda: self.blob(name).upload_blob(data, overwrite=True))

    def touch(self, name: str) -> bool:
        """Give a blob a new version with the same content; False when there is none."""

        def request() -> bool:
            with _absent():
                self.blob(name).set_blob_metadata({})
                return True
            return False

        return self.ask(request)

    def remove(self, name: str, version: str) -> None:
        """Remove a blob that has this version, unless it is gone; raises Conflict when it has another."""

        def request() -> None:
            with _absent():
                self.blob(name).delete_blob(etag=version, match_condition=MatchConditions.IfNotModified)

        self.ask(request)

    def upload(self, name: str, file: BinaryIO, size: int) -> None:
        """Write a blob that is not there yet; raises Conflict when it is."""

        def request() -> object:
            file.seek(0)
            return self.blob(name).upload_blob(file, length=size, match_condition=MatchConditions.IfMissing)

        def written() -> object | None:
            known = self.known(name)
            return known if known is not None and known.size == size else None

        self.ask(request, written)

    def delegation_key(self, begins: datetime.datetime, ends: datetime.datetime) -> UserDelegationKey:
        """A key of our own, good for so long, to sign addresses with; it takes a role on the whole account."""
        account = BlobServiceClient(
            self.address.account, credential=self.client.credential, _pipeline=self.client._pipeline
        )
        account_wide = (
            f'the role "{_SIGNING_ROLE}" on the storage account {self.address.account} (on its container alone it is '
            f"not enough)"
        )
        return self.ask(lambda: account.get_user_delegation_key(begins, ends), role=account_wide)

    def ask(self, request: Callable[[], _T], written: Callable[[], _T | None] | None = None, *, role: str = "") -> _T:
        """What a request is answered, asked again while what hinders it passes.

        `role` is what it takes, where that is another one than for reading and writing. `written` is asked when a
        condition is not met after an answer was lost: it says whether what was asked for was done all the same.
        """
        pauses, doubtful = iter(self._pauses), False
        while True:
            try:
                return request()
            except AzureError as error:
                if _is_conflict(error):
                    if doubtful and written is not None and (done := written()) is not None:
                        return done
                    raise Conflict(self.place) from error
                if distrust := _distrust(error):
                    self._tell_distrust(distrust, error)
                if not _is_passing(error):
                    self._tell(error, role)
                pause = next(pauses, None)
                doubtful = True
                if pause is None:
                    self._give_up(error)
                time.sleep(min(_LONGEST_PAUSE, max(pause, _asked_pause(error))))

    def _give_up(self, error: AzureError) -> NoReturn:
        unsettled = Unsettled(
            f"{self.place} did not answer well in {len(self._pauses) + 1} tries ({_reason(error)}); what it was asked "
            f"for last may or may not be done. Run it again when Azure Storage answers; what is done is not done again."
        )
        unsettled.after = min(60.0, _asked_pause(error))
        raise unsettled from error

    def _tell_distrust(self, distrust: ssl.SSLCertVerificationError, error: AzureError) -> NoReturn:
        raise Broken(
            f"What answers for {self.place}, or for the sign-in to it, shows a certificate that is not trusted here "
            f"({distrust.verify_message}), so nothing was sent: have `certificate` of the addresses name a file with "
            f"its CA, or find out who stands between this machine and Azure; then run again."
        ) from error

    def _tell(self, error: AzureError, role: str = "") -> NoReturn:
        """Raise what a person can act upon."""
        code, status, place = _code(error), getattr(error, "status_code", None), self.place
        container = f"container {self.address.container} of {self.address.account}"
        if isinstance(error, ClientAuthenticationError) or status in (401, 403):
            skew = _skew(error)
            if skew:
                raise Broken(
                    f"{place} does not take our token ({_reason(error)}), and this machine's clock differs from "
                    f"Azure's by {skew:.0f} s: set the clock, then run again."
                ) from error
            if status is None or status == 401:
                raise Broken(
                    f"{place} could not be asked, because we could not sign in ({_reason(error)}): sign in with "
                    f"`az login`, or mend `identity` and `tenant` in the addresses, then run again."
                ) from error
            if code == "AuthorizationFailure":
                raise Broken(
                    f"{place} lets nobody in from this network ({_reason(error)}): allow this machine in the firewall "
                    f"of the storage account, or run where it is allowed."
                ) from error
            needed = role or f'the role "{_ROLE}" on the {container}'
            raise Broken(
                f"We may not work with {place} ({_reason(error)}): give our identity {needed}, wait some minutes, and "
                f"run again."
            ) from error
        if code in ("ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"):
            raise Broken(
                f"There is no {container} ({code}), and nothing is done without its ledger: create it, or restore it "
                f"where it was deleted, or mend the address, then run again."
            ) from error
        if code == "InvalidBlobType":
            raise Broken(
                f"A record in {place} is not an append blob: somebody put another blob in its place. Bring it back "
                f"from a copy, then run again."
            ) from error
        raise Broken(
            f"{place} cannot be used ({_reason(error)}); a person must look before it is run again."
        ) from error


@contextmanager
def _absent() -> Iterator[None]:
    """Leave the block, as if it had ended, when there is no such blob."""
    try:
        yield
    except HttpResponseError as error:
        if error.status_code != 404 or _code(error) not in (*_MISSING, ""):
            raise


def _is_conflict(error: AzureError) -> bool:
    return _code(error) in _CONFLICTS or (
        isinstance(error, HttpResponseError) and error.status_code == 412 and not _code(error)
    )


def _is_passing(error: AzureError) -> bool:
    if isinstance(error, ServiceRequestError | ServiceResponseError | IncompleteReadError):
        return True
    status = getattr(error, "status_code", None)
    # A body that broke off has the status of its first line.
    return status in _PASSING or (isinstance(error, HttpResponseError) and status is not None and status < 300)


def _distrust(error: AzureError) -> ssl.SSLCertVerificationError | None:
    """Why a certificate was not believed, which is no passing trouble; the libraries wrap that several times."""
    if not isinstance(error, ServiceRequestError):
        return None
    wrapped: list[BaseException] = [error]
    for each in wrapped:
        if isinstance(each, ssl.SSLCertVerificationError):
            return each
        inner = (getattr(each, "inner_exception", None), each.__cause__, getattr(each, "reason", None), *each.args)
        wrapped += [its for its in inner if isinstance(its, BaseException) and its not in wrapped]
    return None


def _code(error: AzureError) -> str:
    code = getattr(error, "error_code", None)
    if code is None and getattr(error, "response", None) is not None:
        code = error.response.headers.get("x-ms-error-code")  # type: ignore[attr-defined]
    return str(getattr(code, "value", code) or "")


def _reason(error: AzureError) -> str:
    """Status and code, else the first line of what the library says."""
    status, code = getattr(error, "status_code", None), _code(error)
    if status:
        return f"HTTP {status}{' ' + code if code else ''}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _asked_pause(error: AzureError) -> float:
    response = getattr(error, "response", None)
    told = response.headers.get("Retry-After", "") if response is not None else ""
    return float(told) if told.isdecimal() else 0.0


def _skew(error: AzureError) -> float:
    """By how many seconds our clock and Azure's differ, 0 where that does no harm or is not known."""
    response = getattr(error, "response", None)
    told = email.utils.parsedate_tz(response.headers.get("Date", "")) if response is not None else None
    apart = abs(time.time() - email.utils.mktime_tz(told)) if told else 0.0
    return apart if apart > _SKEW_SECONDS else 0.0


class Later:
    """Writes what need not be written at once, the newest of each name, in a thread that ends when nothing is left.

    The process does not end before: the thread is waited for.
    """

    def __init__(self, write: Callable[[str, bytes], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting: dict[str, bytes] = {}
        self._writing = ""
        self._thread: threading.Thread | None = None

    def add(self, name: str, data: bytes) -> None:
        """Have it written soon; what waits under that name is forgotten."""
        with self._lock:
            self._waiting[name] = data
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="notes", daemon=False)
                self._thread.start()

    def settle(self, name: str) -> None:
        """Return when what waits under that name was written."""
        with self._lock:
            thread = self._thread if name == self._writing or name in self._waiting else None
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread, self._writing = None, ""
                    return
                self._writing, data = self._waiting.popitem()
            self._write(self._writing, data)
