"""The token endpoint of a rehearsal: hands a bearer token to whoever knows the client's secret, and checks it later.

A token is signed with the secret and says when it ends, so a stand-in that was restarted still knows its own.
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workspace.rehearsal.arm_answers import Refusal
from workspace.rehearsal.faults import Faults

MANAGEMENT = "https://management.azure.com"
VAULT = "https://vault.azure.net"
_MANAGEMENT = (MANAGEMENT, "https://management.core.windows.net")
_OTHERS = (
    VAULT,
    "https://containerregistry.azure.net",
    "https://graph.microsoft.com",
    "https://storage.azure.com",
    "6dae42f8-4368-4678-94ff-3960e28e3630",  # AKS's own Entra server, the same in every tenant
)
_ANY_TENANT = ("common", "organizations")


class Identity:
    """One tenant with one client, whose object id in the directory is `object_id`.

    `token_seconds` is how long a token is good. A token is for one resource, as in the real directory: Resource Manager
    does not take a vault's. Faults have the point `identity`. Of the subject `token`: `short` (a token is good for so
    many `seconds` and says so), `expired-secret`, `unavailable`. Of the subject `sign-in`: `revoked`, no token from
    before is taken any more.
    """

    def __init__(
        self,
        *,
        tenant: str,
        client_id: str,
        client_secret: str,
        faults: Faults,
        object_id: str = "",
        token_seconds: float = 3599,
    ) -> None:
        self._faults = faults
        self._revoked = 0.0
        self._object_id = object_id
        self._tenant = tenant
        self._client_id = client_id
        self._secret = client_secret
        self.token_seconds = token_seconds

    def token(self, resource: str = MANAGEMENT, seconds: float = 0.0, *, inside: bool = False) -> str:
        """A fresh token for a resource; one for use inside the stand-in is never revoked."""
        now = time.time()
        ends = int(now + (seconds or self.token_seconds))
        who = {"appid": self._client_id, "oid": self._object_id, "tid": self._tenant}
        times = {"iat": int(now), "nbf": int(now), "exp": ends}
        # Said as the directory says it, so that another's test server takes it, too; the signature is a rehearsal's.
        claims = {"aud": resource, "iss": f"https://sts.windows.net/{self._tenant}/", **who, **times}
        claims["_made"] = float("inf") if inside else now
        claims["_by"] = "rehearsal"
        payload = ".".join(_encoded(part) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{payload}.{self._signature(payload)}"

    def claims(self, authorization: str | None) -> dict[str, Any]:
        """What the token in a header says, when it is one of ours and still good; else raise what is answered."""
        if not authorization:
            raise _unauthenticated("AuthenticationFailed", "The 'Authorization' header is missing.", self._tenant)
        scheme, _, token = authorization.partition(" ")
        payload, _, signature = token.rpartition(".")
        if scheme.lower() != "bearer" or not hmac.compare_digest(signature, self._signature(payload)):
            raise _unauthenticated("InvalidAuthenticationToken", "The access token is invalid.", self._tenant)
        claims = _decoded(payload.split(".")[1])
        if (ends := claims["exp"]) < time.time() or claims["_made"] < self._revoked:
            ends = min(ends, int(time.time()))
            text = f"The access token expiry UTC time '{_clock(ends)}' is earlier than current UTC time."
            raise _unauthenticated("ExpiredAuthenticationToken", text, self._tenant)
        return claims

    def claims_or_none(self, authorization: str | None) -> dict[str, Any] | None:
        """The same without raising: None for no token, or none that is good."""
        try:
            return self.claims(authorization)
        except Refusal:
            return None

    def check_for_management(self, request: Request) -> None:
        """Return when the request carries a good token for Resource Manager; else raise what it answers."""
        if self._faults.find("identity", "sign-in"):
            self._revoked = time.time()
        claims = self.claims(request.headers.get("authorization"))
        if not is_for_management(claims):
            text = f"The access token has been obtained for wrong audience or resource '{claims['aud']}'. It should "
            allowed = ",".join(f"'{each}'" for each in _MANAGEMENT)
            text += f"exactly match with one of the allowed audiences {allowed}."
            raise _unauthenticated("InvalidAuthenticationTokenAudience", text, self._tenant)

    def routes(self) -> list[Route]:
        """What a sign-in library asks: where the endpoints are, then for a token."""
        return [
            Route("/common/discovery/instance", self._instance),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
            Route("/{tenant}/oauth2/v2.0/token", self._answer, methods=["POST"]),
        ]

    def _signature(self, payload: str) -> str:
        digest = hmac.new(self._secret.encode(), payload.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    async def _instance(self, request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        metadata = {"preferred_network": request.url.netloc, "preferred_cache": request.url.netloc}
        return JSONResponse(
            {
                "tenant_discovery_endpoint": f"{base}/{self._tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{**metadata, "aliases": [request.url.netloc]}],
            }
        )

    async def _configuration(self, request: Request) -> Response:
        base, tenant = str(request.base_url).rstrip("/"), request.path_params["tenant"]
        # who signs in without naming a tenant is told to put the one it learns later into the issuer
        issuer = "{tenantid}" if tenant.lower() in _ANY_TENANT else tenant
        if tenant.lower() not in (self._tenant.lower(), *_ANY_TENANT):
            return _no_tenant(tenant)
        return JSONResponse(
            {
                "issuer": f"{base}/{issuer}/v2.0",
                "authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/{tenant}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/{tenant}/discovery/v2.0/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "tenant_region_scope": "REHEARSAL",
            }
        )

    async def _answer(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        tenant = request.path_params["tenant"]
        if tenant.lower() != self._tenant.lower():
            return _no_tenant(tenant)
        if form.get("client_id") != self._client_id:
            text = (
                f"AADSTS700016: Application with identifier '{form.get('client_id')}' was not found in the directory."
            )
            return _oauth_error(400, "unauthorized_client", text, 700016)
        if not hmac.compare_digest(form.get("client_secret", ""), self._secret):
            text = f"AADSTS7000215: Invalid client secret provided for app '{self._client_id}'."
            return _oauth_error(401, "invalid_client", text, 7000215)
        if form.get("grant_type") != "client_credentials":
            text = f"AADSTS70003: The app requested an unsupported grant type '{form.get('grant_type')}'."
            return _oauth_error(400, "unsupported_grant_type", text, 70003)
        resource = _resource(form.get("scope", ""), str(request.base_url))
        if not resource:
            asked = form.get("scope", "")
            text = f"AADSTS70011: The provided value for the input parameter 'scope' is not valid: {asked!r}."
            return _oauth_error(400, "invalid_scope", text, 70011)
        if resource not in (*_MANAGEMENT, *_OTHERS):
            text = f"AADSTS500011: The resource principal named {resource} was not found in the tenant named rehearsal."
            return _oauth_error(400, "invalid_resource", text, 500011)
        fault = self._faults.find("identity", "token")
        if fault and fault.how in _FAILURES:
            return _oauth_error(*_FAILURES[fault.how])
        seconds = int(fault.details.get("seconds", 2)) if fault else int(self.token_seconds)
        life = {"expires_in": seconds, "ext_expires_in": seconds}
        return JSONResponse({"token_type": "Bearer", **life, "access_token": self.token(resource, seconds)})


_ENDED = "AADSTS7000222: The provided client secret keys for app 'rehearsal' are expired."
_UNAVAILABLE = "AADSTS90033: A transient error has occurred. Please try again."
_FAILURES = {
    "expired-secret": (401, "invalid_client", _ENDED, 7000222),
    "unavailable": (503, "temporarily_unavailable", _UNAVAILABLE, 90033),
}


def is_for_management(claims: dict[str, Any]) -> bool:
    """True for what a token for Resource Manager, and for Kudu behind it, says."""
    return str(claims["aud"]).rstrip("/") in _MANAGEMENT


def _resource(scope: str, base: str) -> str:
    """The resource that a scope such as `https://vault.azure.net/.default` is about; empty when it is none."""
    resource, marker, rest = scope.split(" ")[0].partition("/.default")
    if not marker or rest:
        return ""
    resource = resource.rstrip("/")
    return MANAGEMENT if resource == base.rstrip("/") else resource


def _no_tenant(tenant: str) -> Response:
    text = f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
    return _oauth_error(400, "invalid_tenant", text, 90002)


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _decoded(part: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _clock(seconds: float) -> str:
    return time.strftime("%m/%d/%Y %H:%M:%S", time.gmtime(seconds))


def _unauthenticated(code: str, text: str, tenant: str) -> Refusal:
    challenge = f'Bearer authorization_uri="https://login.windows.net/{tenant}", error="invalid_token"'
    lead = "Authentication failed. " if code == "AuthenticationFailed" else ""
    return Refusal(401, code, lead + text, headers={"WWW-Authenticate": challenge})


def _oauth_error(status: int, error: str, text: str, number: int) -> Response:
    trace = str(uuid.uuid4())
    described = {"error": error, "error_description": f"{text} Trace ID: {trace}", "error_codes": [number]}
    return JSONResponse({**described, "trace_id": trace, "correlation_id": trace}, status)
