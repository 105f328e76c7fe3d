"""Who we are towards Azure: one credential, from a file of our own or from the machine we run on."""

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workspace import management
from workspace.errors import Refused

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential, TokenRequestOptions

_RETRIES = 2


def credential(
    *, authority: str = "", tenant: str = "", identity_file: Path | None = None, verify: str | bool = True
) -> "TokenCredential":
    """The credential every Azure client is given; nothing is asked of anybody until the first token is needed.

    With an identity file (`{"client_id": …, "client_secret": …}`, readable by its owner alone) it is that service
    principal; without one it is what the machine offers: a workload identity, a managed identity, or `az login`. An
    authority of one's own, as a rehearsal has, is taken at its word: it is not looked up in the public directory.
    """
    if identity_file is None:
        return _found_on_this_machine(authority, tenant)
    from azure.identity import ClientSecretCredential

    client_id, client_secret = identity(identity_file)
    if not tenant:
        raise Refused(f"the identity in {identity_file} needs a tenant: name it beside the file")
    return ClientSecretCredential(
        tenant,
        client_id,
        client_secret,
        connection_verify=verify,
        retry_total=_RETRIES,
        **_own_authority(authority),
        **management.way(authority),
    )


class OfTenant:
    """A credential whose tokens are of one tenant, whichever the machine's own login is in at the moment."""

    def __init__(self, credential: Any, tenant: str) -> None:
        self._credential, self._tenant = credential, tenant

    def get_token(self, *scopes: str, **more: Any) -> "AccessToken":
        """A token of the tenant, unless another one is asked for by name."""
        more["tenant_id"] = more.get("tenant_id") or self._tenant
        token: AccessToken = self._credential.get_token(*scopes, **more)
        return token

    def get_token_info(self, *scopes: str, options: "TokenRequestOptions | None" = None) -> "AccessTokenInfo":
        """The same, as newer clients ask."""
        asked = {**(options or {})}
        asked["tenant_id"] = asked.get("tenant_id") or self._tenant
        token: AccessTokenInfo = self._credential.get_token_info(*scopes, options=asked)
        return token


def identity(file: Path) -> tuple[str, str]:
    """The client id and secret in a file that only its owner can read; anything else is refused."""
    try:
        mode = file.stat().st_mode
        text = file.read_text()
    except OSError as error:
        raise Refused(f"the identity file {file} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refused(f"the identity file {file} can be read by others: make it private with chmod 600")
    try:
        found = json.loads(text)
        return str(found["client_id"]), str(found["client_secret"])
    except (ValueError, KeyError, TypeError):
        # the cause would show the text, and the text holds a secret
        raise Refused(f"the identity file {file} must hold JSON with client_id and client_secret") from None


def _found_on_this_machine(authority: str, tenant: str) -> "TokenCredential":
    from azure.identity import DefaultAzureCredential

    asked = {"workload_identity_tenant_id": tenant, "additionally_allowed_tenants": [tenant]} if tenant else {}
    found = DefaultAzureCredential(exclude_interactive_browser_credential=True, **asked, **_own_authority(authority))
    return OfTenant(found, tenant) if tenant else found


def _own_authority(authority: str) -> dict[str, str | bool]:
    return {"authority": authority, "disable_instance_discovery": True} if authority else {}
