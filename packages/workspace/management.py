"""How each client of Azure's management plane is built: where, as whom, whom to trust, and how patiently."""

import ipaddress
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, SansIOHTTPPolicy
from azure.core.pipeline.transport import HttpTransport

_NEVER = 2**40
_CONNECTION_TRIES = 3
_EXPIRED = "ExpiredAuthenticationToken"


class Nobody:
    """The credential of no one: an SDK insists on one where a replay or a plain loopback server asks for none."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """A token that says nothing and never ends."""
        return AccessToken("nobody", _NEVER)


class Renewing(BearerTokenCredentialPolicy[Any, Any]):
    """Signs requests; a token that the other side calls expired before its time is renewed, once, past every cache.

    That happens when the clocks differ or when tokens were revoked. The library renews only what it believes expired.
    """

    def on_challenge(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> bool:
        """True when there is a new token to try with."""
        if super().on_challenge(request, response):
            return True
        if _EXPIRED not in _text_of(response.http_response):
            return False
        # The claim every identity provider understands as: one that was made after this moment.
        newer = {"access_token": {"nbf": {"essential": True, "value": str(int(time.time()))}}}
        self.authorize_request(request, *self._scopes, claims=json.dumps(newer))
        return True


def _text_of(response: Any) -> str:
    try:
        response.read()
        return str(response.text())
    except Exception:  # a body that cannot be read names no code
        return ""


def way(address: str) -> dict[str, Any]:
    """What any client of the SDK is told of the way to an address: the machine's proxy is for the outside alone."""
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    return {"use_env_settings": False} if is_here else {}


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
    asked = list(scopes) or [f"{base_url.rstrip('/')}/.default"]
    settings: dict[str, Any] = {
        "credential": credential or Nobody(),
        "subscription_id": subscription,
        "base_url": base_url,
        "credential_scopes": asked,
        "connection_verify": verify,
        "polling_interval": polling_seconds,
        "retry_total": _CONNECTION_TRIES,
        "retry_status": 0,
        "retry_backoff_factor": 0.1,
    }
    settings |= way(base_url)
    if transport is not None:
        settings["transport"] = transport
    settings["authentication_policy"] = SansIOHTTPPolicy() if credential is None else Renewing(credential, *asked)
    return settings
