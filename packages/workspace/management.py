"""How each client of Azure's management plane is built: where, as whom, whom to trust, and how patiently."""

from collections.abc import Sequence
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import HttpTransport

_NEVER = 2**40
_CONNECTION_TRIES = 3


class Nobody:
    """The credential of no one: an SDK insists on one where a replay or a plain loopback server asks for none."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """A token that says nothing and never ends."""
        return AccessToken("nobody", _NEVER)


def arguments(
    *,
    credential: TokenCredential | None,
    subscription: str,
    base_url: str,
    scopes: Sequence[str],
    verify: str | bool,
    transport: HttpTransport[Any, Any] | None,
    polling_seconds: float,
) -> dict[str, Any]:
    """Keyword arguments for the constructor of any management client.

    Scopes default to those of the address. Without a credential nothing is signed. Only the way there is tried again
    here; an answer, whatever it says, is for the tasks to be patient about.
    """
    settings: dict[str, Any] = {
        "credential": credential or Nobody(),
        "subscription_id": subscription,
        "base_url": base_url,
        "credential_scopes": list(scopes) or [f"{base_url.rstrip('/')}/.default"],
        "connection_verify": verify,
        "polling_interval": polling_seconds,
        "retry_total": _CONNECTION_TRIES,
        "retry_status": 0,
        "retry_backoff_factor": 0.1,
    }
    if transport is not None:
        settings["transport"] = transport
    if credential is None:
        settings["authentication_policy"] = SansIOHTTPPolicy()
    return settings
