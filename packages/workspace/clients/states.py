"""Terraform's states, looked at from outside: whether their store is there, and who holds the lock of one."""

import base64
import binascii
import contextlib
import fcntl
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from workspace import trust
from workspace.errors import Broken, Refused, Unsettled

_VERSION = "2021-12-02"
_SECONDS = 15.0


class States:
    """The store that a Terraform backend names. Nothing is locked or changed; calls may come from any thread.

    `token` gives an access token for Azure's storage; `endpoint` is where an account answers, with `{account}` in it.
    """

    def __init__(
        self,
        backend: Mapping[str, Any],
        *,
        token: Callable[[], str],
        verify: str | bool = True,
        endpoint: str = "https://{account}.blob.core.windows.net",
    ) -> None:
        self._backend, self._token, self._verify, self._endpoint = backend, token, verify, endpoint

    def holder(self, key: str) -> str:
        """Who holds the lock of a state, in words; empty when nobody does, or when there is no such state yet.

        Broken when the store does not let us read, refused for a store that cannot be looked at.
        """
        for kind, settings in self._backend.items():
            if kind == "local":
                return _held_here(Path(settings.get("path", ".")) / key)
            if kind == "azurerm" and settings.get("use_azuread_auth"):
                return self._held_in_azure(settings, key)
            raise Refused(f"states kept by the backend {kind} with these settings cannot be looked at from here")
        raise Refused("the addresses name no Terraform backend")

    def _held_in_azure(self, settings: Mapping[str, Any], key: str) -> str:
        account, container = str(settings["storage_account_name"]), str(settings["container_name"])
        named = str(settings.get("key", "{key}")).replace("{key}", key)
        base = f"{self._endpoint.format(account=account)}/{container}"
        headers = {"authorization": f"Bearer {self._token()}", "x-ms-version": _VERSION}
        try:
            with httpx.Client(verify=trust.context(self._verify), timeout=_SECONDS, headers=headers) as client:
                store = client.head(base, params={"restype": "container"})
                _check(store, f"container {container} of {account}")
                state = client.head(f"{base}/{named}")
        except httpx.HTTPError as error:
            raise Unsettled(f"{account} does not answer: {error}") from error
        if state.status_code == httpx.codes.NOT_FOUND:
            return ""
        _check(state, f"{named} in {container} of {account}")
        if state.headers.get("x-ms-lease-status") != "locked":
            return ""
        return _who(state.headers.get("x-ms-meta-terraformlockid", ""))


def _check(response: httpx.Response, what: str) -> None:
    if response.is_success:
        return
    code = response.headers.get("x-ms-error-code", "without an explanation")
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        raise Unsettled(f"{what}: {response.status_code} {code}")
    raise Broken(f"{what}: {response.status_code} {code}")


def _who(told: str) -> str:
    """Who wrote the note about a lock that Terraform leaves beside the state."""
    with contextlib.suppress(ValueError, binascii.Error):
        return _said(json.loads(base64.b64decode(told)))
    return "somebody"


def _said(note: Any) -> str:
    if not isinstance(note, dict):
        return "somebody"
    since = f" since {note['Created']}" if note.get("Created") else ""
    return f"{note.get('Who') or 'somebody'}{since} (lock {note.get('ID') or 'unknown'})"


def _held_here(state: Path) -> str:
    """A note without a lock is what a killed process left: Terraform goes on, and so does this."""
    if not state.exists():
        return ""
    try:
        with state.open("rb") as opened:
            try:
                fcntl.lockf(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                return _note(state.with_name(f".{state.name}.lock.info"))
            fcntl.lockf(opened, fcntl.LOCK_UN)
    except OSError as error:
        raise Broken(f"{state} cannot be read: {error.strerror}") from error
    return ""


def _note(file: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return _said(json.loads(file.read_text()))
    return "somebody"
