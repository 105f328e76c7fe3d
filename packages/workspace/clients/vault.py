"""Key Vault's secrets: read one, write one when it differs, and never show a value."""

import threading
from typing import Any, cast

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import HttpTransport
from azure.keyvault.secrets import SecretClient

from workspace import diagnosis, management
from workspace.errors import Broken, Unsettled, WorkspaceError

_AZURE = ".vault.azure.net"
_READER = "Key Vault Secrets User"
_WRITER = "Key Vault Secrets Officer"


class Vault:
    """The data plane of Key Vaults, by vault name; may be shared between threads.

    `address` is where a vault is, with `{name}` in its place. Values are returned and taken, and stand in no message.
    """

    def __init__(
        self,
        *,
        credential: TokenCredential | None,
        address: str = "https://{name}.vault.azure.net",
        verify: str | bool = True,
        transport: HttpTransport[Any, Any] | None = None,
    ) -> None:
        self._credential = credential or cast(TokenCredential, management.Nobody())
        self._address = address
        self._settings: dict[str, Any] = {
            "connection_verify": verify,
            "retry_total": 3,
            "retry_status": 0,
            "retry_backoff_factor": 0.1,
            "verify_challenge_resource": address.endswith(_AZURE),
            **management.way(address),
        }
        if transport is not None:
            self._settings["transport"] = transport
        self._clients: dict[str, SecretClient] = {}
        self._lock = threading.Lock()

    def get(self, vault: str, name: str) -> str | None:
        """The secret's value; None when the vault has no such secret."""
        try:
            return self._client(vault).get_secret(name).value
        except AzureError as error:
            verdict = _verdict(vault, name, _READER, error)
            if verdict is None:
                return None
            raise verdict from error

    def set(self, vault: str, name: str, value: str) -> bool:
        """Make the secret hold this value; False when it already did and nothing was written."""
        if self.get(vault, name) == value:
            return False
        try:
            self._client(vault).set_secret(name, value)
        except AzureError as error:
            raise _verdict(vault, name, _WRITER, error) or _no_vault(vault) from error
        return True

    def names(self, vault: str) -> tuple[str, ...]:
        """The names of the vault's secrets, sorted."""
        try:
            found = [each.name for each in self._client(vault).list_properties_of_secrets()]
        except AzureError as error:
            raise _verdict(vault, "(all)", _READER, error) or _no_vault(vault) from error
        return tuple(sorted(name for name in found if name))

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            for each in self._clients.values():
                each.close()
            self._clients = {}

    def _client(self, vault: str) -> SecretClient:
        with self._lock:
            if vault not in self._clients:
                url = self._address.format(name=vault)
                self._clients[vault] = SecretClient(url, self._credential, **self._settings)
            return self._clients[vault]


def _no_vault(vault: str) -> WorkspaceError:
    return Broken(f"There is no vault {vault}; promote the stack that makes it first.")


def _verdict(vault: str, name: str, role: str, error: AzureError) -> WorkspaceError | None:
    """Our words for what the vault said; None when it has no such secret."""
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status is None:
        return diagnosis.explain(f"vault {vault}", error)
    code, inner = _said(error)
    if status == 404:
        return None if code == "SecretNotFound" else _no_vault(vault)
    if status == 403 and inner == "SecretDisabled":
        return Broken(f"Secret {name} of vault {vault} is disabled; enable it or set a new version.")
    if status in (401, 403):
        return Broken(f"We may not use secret {name} of vault {vault} ({inner or code}); grant the role {role} on it.")
    if status == 409 and inner == "ObjectIsDeletedButRecoverable":
        return Broken(f"Secret {name} of vault {vault} is deleted but recoverable; recover or purge it first.")
    if status in (408, 409, 429) or status >= 500:
        unsettled = Unsettled(f"Vault {vault} cannot answer about {name} now ({status} {code}).")
        unsettled.after = diagnosis.asked_to_wait(getattr(cast(Any, error).response, "headers", {}))
        return unsettled
    return Broken(f"Vault {vault} said {status} {code} about {name}.")


def _said(error: AzureError) -> tuple[str, str]:
    """The code and the inner code of the vault's answer. Its text is not used: it may quote the request."""
    try:
        body = cast(Any, error).response.json()["error"]
        return str(body.get("code") or ""), str((body.get("innererror") or {}).get("code") or "")
    except (AttributeError, KeyError, TypeError, ValueError):
        return "", ""
