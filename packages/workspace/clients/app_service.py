"""App Service: deploy a package to a site or a slot, swap, and bind host names; what ARM and Kudu know of it."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.web import WebSiteManagementClient, models

from workspace import diagnosis, management, operations
from workspace.errors import Broken, Overdue, Refused, Unsettled, WorkspaceError
from workspace.work import say_nothing

_MARK = "mystira-workspace sha256:"
_API = "2025-05-01"
_LONGEST_PAUSE = 10.0
_GROWTH = 1.5
_LOG_LINES, _LOG_CHARACTERS = 5, 600
_SUCCESS, _FAILED = 4, 3
_STATUS_FAILED = ("BuildFailed", "BuildAborted", "RuntimeFailed", "TimedOut")
_DNS_MISSING = "was not found"

Say = Callable[[str], None]


@dataclass(frozen=True)
class State:
    """What a site or slot says of itself. `verification` is what its `asuid` TXT records must hold."""

    host: str
    running: bool
    verification: str
    plan: str
    location: str
    hosts: tuple[str, ...]
    linux: bool


@dataclass(frozen=True)
class Binding:
    """A host name bound to a site; `thumbprint` is empty until a certificate serves it."""

    host: str
    thumbprint: str = ""

    @property
    def is_secure(self) -> bool:
        """True when a certificate serves this host."""
        return bool(self.thumbprint)


class AppService:
    """The sites of one subscription; may be shared between threads.

    `kudu` is where the deployment service of a site is, with `{name}` in its place (`site` or `site-slot`).
    """

    def __init__(
        self,
        *,
        credential: TokenCredential | None,
        subscription: str,
        base_url: str = "https://management.azure.com",
        scopes: Sequence[str] = (),
        verify: str | bool = True,
        transport: HttpTransport[Any, Any] | None = None,
        polling_seconds: float = 2.0,
        kudu: str = "https://{name}.scm.azurewebsites.net",
    ) -> None:
        settings = management.arguments(
            credential=credential,
            subscription=subscription,
            base_url=base_url,
            scopes=scopes,
            verify=verify,
            transport=transport,
            polling_seconds=polling_seconds,
        )
        self._client = WebSiteManagementClient(**settings)
        self._base = f"{base_url}/subscriptions/{subscription}"
        self._polling = polling_seconds
        self._kudu = kudu

    # What is there.

    def state(self, group: str, site: str, slot: str = "") -> State | None:
        """What the site or slot says of itself; None when there is none."""
        apps = self._client.web_apps
        try:
            with _asking(_label(site, slot)):
                found = apps.get_slot(group, site, slot) if slot else apps.get(group, site)
        except _Missing:
            return None
        return State(
            host=found.default_host_name or "",
            running=(found.state or "Running").lower() == "running",
            verification=found.custom_domain_verification_id or "",
            plan=found.server_farm_id or "",
            location=found.location or "",
            hosts=tuple(found.host_names or ()),
            linux="linux" in (found.kind or ""),
        )

    def deployed(self, group: str, site: str, slot: str = "") -> str:
        """The SHA-256 of the package that runs there; empty when we did not deploy what runs there.

        It is written into the deployment's message, which stays with the content when slots are swapped.
        """
        latest = self._latest(site, slot)
        return _marked(latest) if latest.get("status") == _SUCCESS and latest.get("complete", True) else ""

    def stale_settings(self, group: str, site: str, slot: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
        """The names, never the values, of app settings that do not say what is wanted."""
        if not wanted:
            return ()
        found = self._settings(group, site, slot)
        return tuple(sorted(name for name, value in wanted.items() if found.get(name) != value))

    # Deploying.

    def deploy(
        self,
        group: str,
        site: str,
        slot: str,
        package: Path,
        sha256: str,
        *,
        deadline_seconds: float = 900,
        say: Say = say_nothing,
    ) -> bool:
        """Bring the zip to the site or slot and return once it is in place; False when it already was.

        A package whose content is not what its name promises is refused. A deployment of the same package that is
        under way is followed instead of started again.
        """
        label = _label(site, slot)
        deadline = time.monotonic() + deadline_seconds
        with package.open("rb") as content:
            if (real := hashlib.file_digest(content, "sha256").hexdigest()) != sha256:
                raise Refused(
                    f"The package {package.name} for {label} is {real[:12]}…, not {sha256[:12]}…; build it again."
                )
        latest = self._latest(site, slot)
        if _marked(latest) == sha256 and latest.get("status") != _FAILED:
            if latest.get("status") == _SUCCESS:
                return False
            self._follow_kudu(label, self._scm(site, slot, "/api/deployments/latest"), deadline, say)
            return True
        self.push(group, site, slot, package, sha256, deadline=deadline, say=say)
        return True

    def push(
        self, group: str, site: str, slot: str, package: Path, sha256: str, *, deadline: float, say: Say = say_nothing
    ) -> None:
        """Send the zip and follow the deployment to its end, whatever is deployed now."""
        label = _label(site, slot)
        url = self._scm(site, slot, "/api/zipdeploy")
        query = {"isAsync": "true", "deployer": "mystira-workspace", "message": f"{_MARK}{sha256}"}
        with package.open("rb") as content:
            request = HttpRequest(
                "POST", url, params=query, content=content, headers={"Content-Type": "application/octet-stream"}
            )
            response = self._send(label, request)
        if response.status_code not in (200, 202):
            raise _kudu_verdict(label, response)
        say(f"{label} took the package {sha256[:12]}…")
        if response.status_code == 200:
            return
        tracked = response.headers.get("SCM-DEPLOYMENT-ID", "")
        if tracked and not slot:
            self._follow_arm(group, site, tracked, deadline, say)
        else:
            location = response.headers.get("Location") or self._scm(site, slot, "/api/deployments/latest")
            self._follow_kudu(label, location, deadline, say)

    def merge_settings(self, group: str, site: str, slot: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
        """Set these app settings and leave the others; returns the names that changed, and writes nothing for none."""
        if not wanted:
            return ()
        found = self._settings(group, site, slot)
        stale = tuple(sorted(name for name, value in wanted.items() if found.get(name) != value))
        if stale:
            apps, merged = self._client.web_apps, models.StringDictionary(properties={**found, **wanted})
            with _asking(f"the app settings of {_label(site, slot)}"):
                if slot:
                    apps.update_application_settings_slot(group, site, slot, merged)
                else:
                    apps.update_application_settings(group, site, merged)
        return stale

    def warm_up(
        self,
        label: str,
        ask: Callable[[], object],
        *,
        times: int = 3,
        deadline_seconds: float = 300,
        say: Say = say_nothing,
    ) -> None:
        """Return once `ask` succeeded this many times in a row; one unsettled answer starts the count again.

        When the deadline passes first the app is broken: it was given its time.
        """
        deadline, pause, in_a_row = time.monotonic() + deadline_seconds, min(0.2, self._polling), 0
        while True:
            try:
                ask()
                in_a_row += 1
                said = f"{label} is well {in_a_row} of {times} times"
            except Unsettled as error:
                in_a_row, said = 0, str(error)
            if in_a_row >= times:
                say(said)
                return
            if time.monotonic() + pause > deadline:
                raise Broken(f"{label} did not become well within {deadline_seconds:.0f} s. It last said: {said}")
            time.sleep(pause)
            pause = pause if in_a_row else min(pause * _GROWTH, _LONGEST_PAUSE)

    def swap(
        self,
        group: str,
        site: str,
        slot: str,
        *,
        target: str = "production",
        package: str = "",
        deadline_seconds: float = 900,
    ) -> bool:
        """Exchange what the slot and the target serve; when `package` is given, only if that brings it to the target.

        A swap is its own opposite, so with `package` the target is read first: False when it serves it already, refused
        when the slot does not hold it. Afterwards the target is read again.
        """
        place = "" if target == "production" else target
        if package and self.deployed(group, site, place) == package:
            return False
        if package and (held := self.deployed(group, site, slot)) != package:
            holds = held[:12] or "nothing of ours"
            raise Refused(f"Slot {slot} of {site} holds {holds}, not {package[:12]}; nothing was swapped.")
        what = f"the swap of {site} {slot} with {target}"
        wanted = models.CsmSlotEntity(target_slot=target, preserve_vnet=True)
        try:
            with _asking(what):
                operations.finish(
                    self._client,
                    what,
                    partial(self._client.web_apps.begin_swap_slot, group, site, slot, wanted),
                    deadline_seconds=deadline_seconds,
                    longest_pause=self._polling,
                )
        except Broken as error:
            raise Broken(f"{error}; look at both slots before going on") from error
        if package and self.deployed(group, site, place) != package:
            raise Unsettled(f"Azure reports {what} as done, but {target} does not serve {package[:12]}… yet.")
        return True

    # Host names.

    def binding(self, group: str, site: str, host: str) -> Binding | None:
        """How the host is bound to the site; None when it is not."""
        try:
            with _asking(f"host {host} of {site}"):
                found = self._client.web_apps.get_host_name_binding(group, site, host)
        except _Missing:
            return None
        secure = str(found.ssl_state or "Disabled").rpartition(".")[2] not in ("Disabled", "DISABLED")
        return Binding(host, (found.thumbprint or "") if secure else "")

    def bind(self, group: str, site: str, host: str) -> bool:
        """Bind the host to the site; False when it is bound.

        Azure looks the CNAME and the `asuid` TXT record up in the public DNS; while it does not see them the answer is
        unsettled.
        """
        if self.binding(group, site, host) is not None:
            return False
        self._write_binding(group, site, host, {})
        return True

    def certificate(self, group: str, host: str) -> str:
        """The thumbprint of the managed certificate of this host; empty while there is none."""
        try:
            with _asking(f"certificate {host}"):
                return self._client.certificates.get(group, host).thumbprint or ""
        except _Missing:
            return ""

    def issue_certificate(
        self, group: str, site: str, host: str, *, deadline_seconds: float = 600, say: Say = say_nothing
    ) -> str:
        """The thumbprint of the host's managed certificate, which is asked for when there is none."""
        if thumbprint := self.certificate(group, host):
            return thumbprint
        state = self.state(group, site)
        if state is None:
            raise Broken(f"There is no site {site} in {group}; promote what makes it first.")
        details = models.CertificateProperties(canonical_name=host, server_farm_id=state.plan)
        certificate = models.Certificate(location=state.location, properties=details)
        try:
            with _asking(f"certificate {host}"):
                self._client.certificates.create_or_update(group, host, certificate)
        except _Accepted:
            say(f"the certificate of {host} is being issued")
        for _ in operations.Pace(deadline_seconds, _LONGEST_PAUSE, self._polling):
            if thumbprint := self.certificate(group, host):
                return thumbprint
        raise Overdue(f"The certificate of {host} was not issued within {deadline_seconds:.0f} s.")

    def secure(self, group: str, site: str, host: str, thumbprint: str) -> bool:
        """Serve the host with this certificate (SNI); False when it is served so."""
        found = self.binding(group, site, host)
        if found is not None and found.thumbprint.lower() == thumbprint.lower():
            return False
        self._write_binding(group, site, host, {"ssl_state": "SniEnabled", "thumbprint": thumbprint})
        return True

    def unbind(self, group: str, site: str, host: str) -> bool:
        """Take the host off the site; False when it was not bound."""
        if self.binding(group, site, host) is None:
            return False
        with _asking(f"host {host} of {site}"):
            self._client.web_apps.delete_host_name_binding(group, site, host)
        return True

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    # How it is done.

    def _write_binding(self, group: str, site: str, host: str, tls: Mapping[str, str]) -> None:
        wanted = models.HostNameBinding(
            properties=models.HostNameBindingProperties(
                site_name=site, custom_host_name_dns_record_type="CName", host_name_type="Verified", **tls
            )
        )
        with _asking(f"host {host} of {site}"):
            self._client.web_apps.create_or_update_host_name_binding(group, site, host, wanted)

    def _settings(self, group: str, site: str, slot: str) -> dict[str, str]:
        apps = self._client.web_apps
        with _asking(f"the app settings of {_label(site, slot)}"):
            found = (
                apps.list_application_settings_slot(group, site, slot)
                if slot
                else apps.list_application_settings(group, site)
            )
        return dict(found.properties or {})

    def _scm(self, site: str, slot: str, path: str) -> str:
        return self._kudu.format(name=_label(site, slot)) + path

    def _send(self, label: str, request: HttpRequest) -> HttpResponse:
        try:
            return self._client.send_request(request)
        except AzureError as error:
            raise diagnosis.explain(f"the deployment service of {label}", error) from error

    def _latest(self, site: str, slot: str) -> dict[str, Any]:
        label = _label(site, slot)
        response = self._send(label, HttpRequest("GET", self._scm(site, slot, "/api/deployments/latest")))
        if response.status_code == 404:
            return {}
        if response.status_code not in (200, 202):
            raise _kudu_verdict(label, response)
        return _object(response)

    def _follow_arm(self, group: str, site: str, tracked: str, deadline: float, say: Say) -> None:
        """Follow a deployment until its instances run. ARM answers 404 for a while after Kudu's 202."""
        path = f"/resourceGroups/{group}/providers/Microsoft.Web/sites/{site}/deploymentStatus/{tracked}"
        for response in self._polled(site, f"{self._base}{path}?api-version={_API}", deadline, say):
            if response.status_code == 404:
                continue
            if response.status_code not in (200, 202):
                raise diagnosis.diagnose(response.text(), response.status_code).error(f"the deployment of {site}")
            found = _object(response).get("properties") or {}
            status = str(found.get("status") or "")
            say(f"{site}: {status}")
            if status == "RuntimeSuccessful":
                return
            if status in _STATUS_FAILED:
                said = [str(each.get("message")) for each in found.get("errors") or () if each.get("message")]
                raise Broken(f"Deploying to {site} ended as {status}: {' | '.join(said) or self._log(site, tracked)}")

    def _follow_kudu(self, label: str, location: str, deadline: float, say: Say) -> None:
        for response in self._polled(label, location, deadline, say):
            if response.status_code == 404 or response.status_code >= 500:
                continue
            if response.status_code not in (200, 202):
                raise _kudu_verdict(label, response)
            found = _object(response)
            if found.get("status") == _FAILED:
                said = self._log(label, str(found.get("id", "latest")))
                raise Broken(
                    f"Deploying to {label} failed: {said or found.get('status_text') or 'Kudu gives no reason'}"
                )
            if found.get("complete") and found.get("status") == _SUCCESS:
                return
            say(f"{label}: {found.get('progress') or found.get('status_text') or 'deployment under way'}")

    def _polled(self, label: str, url: str, deadline: float, say: Say) -> Iterator[HttpResponse]:
        """Ask again and again, as often as is wished there, until the caller has seen enough or the deadline passes."""
        pace = operations.Pace(deadline - time.monotonic(), self._polling)
        for _ in pace:
            response = self._send(label, HttpRequest("GET", url))
            pace.heed(response.headers)
            yield response
        raise Overdue(f"The deployment to {label} did not end before its deadline; it may still be under way.")

    def _log(self, label: str, deployment: str) -> str:
        """The last lines of a deployment's log; empty when there is none to be had."""
        url = self._kudu.format(name=label) + f"/api/deployments/{deployment}/log"
        try:
            lines = self._send(label, HttpRequest("GET", url)).json()
        except (WorkspaceError, ValueError):
            return ""
        said = [str(line.get("message") or "") for line in lines if isinstance(line, dict)]
        return " | ".join([line for line in said if line][-_LOG_LINES:])[-_LOG_CHARACTERS:]


def _label(site: str, slot: str) -> str:
    return f"{site}-{slot}" if slot else site


def _marked(deployment: Mapping[str, Any]) -> str:
    mark, _, digest = str(deployment.get("message") or "").partition(_MARK)
    return digest if not mark else ""


def _object(response: HttpResponse) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class _Missing(Broken):
    """Azure has no such thing."""


class _Accepted(Unsettled):
    """Azure took the request and has not finished: the SDK reports this 202 as an error."""


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn what Azure says against a request about `what` into our words."""
    try:
        yield
    except AzureError as error:
        found = diagnosis.of(error)
        if found.status == 202:
            raise _Accepted(what) from error
        if found.status == 404:
            raise _Missing(f"{what}: {found}") from error
        if found.status == 400 and _DNS_MISSING in str(found):
            raise Unsettled(f"{what}: Azure does not see the DNS records yet: {found}") from error
        raise diagnosis.explain(what, error) from error


def _kudu_verdict(label: str, response: HttpResponse) -> WorkspaceError:
    status, said = response.status_code, " ".join(response.text().split())[:200]
    told = f": {said}" if said else ""
    if status in (404, 408, 409, 429) or status >= 500:
        unsettled = Unsettled(f"The deployment service of {label} is not ready ({status}){told}")
        unsettled.after = diagnosis.asked_to_wait(response.headers)
        return unsettled
    if status in (401, 403):
        return Broken(
            f"The deployment service of {label} turns us away ({status}{told}); grant Website Contributor on it."
        )
    return Broken(f"The deployment service of {label} said {status}{told}")
