"""Static Web Apps: upload a package through ARM, know what is deployed, and bind custom domains."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import HttpTransport
from azure.mgmt.web import WebSiteManagementClient, models

from workspace import diagnosis, management, operations
from workspace.errors import Broken, Overdue, Unsettled
from workspace.work import say_nothing

_MARK = "MYSTIRA_WORKSPACE_PACKAGE"
_SHA256 = "sha256:"
_LONGEST_PAUSE = 10.0
_READY = "Ready"
_LOST = ("Failed", "Unhealthy")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Domain:
    """A custom domain of a site. `token` is what a TXT record must hold where the domain is proved by TXT."""

    host: str
    status: str
    token: str = ""
    error: str = ""

    @property
    def is_ready(self) -> bool:
        """True when the site answers under this name with its certificate."""
        return self.status == _READY


class StaticSite:
    """The Static Web Apps of one subscription; may be shared between threads."""

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
        self._sites = self._client.static_sites
        self._polling = polling_seconds

    def host(self, group: str, name: str) -> str:
        """The site's own host name; empty when there is no such site."""
        try:
            with _asking(f"site {name}"):
                return self._sites.get_static_site(group, name).default_hostname or ""
        except _Missing:
            return ""

    def deployed(self, group: str, name: str) -> str:
        """The SHA-256 of the package we deployed last; empty when there is none.

        Azure keeps no content address of a site, so it is kept in one app setting that is written after the upload.
        Between the two nobody knows what is served, and the setting names no package.
        """
        mark = self._settings(group, name).get(_MARK, "")
        return mark.removeprefix(_SHA256) if mark.startswith(_SHA256) else ""

    def deploy(
        self, group: str, name: str, url: str, sha256: str, *, deadline_seconds: float = 900, say: Say = say_nothing
    ) -> bool:
        """Have Azure fetch the package at this URL and serve it; False when it is served already.

        The URL may hold a signature and is shown nowhere.
        """
        settings = self._settings(group, name)
        if settings.get(_MARK) == f"{_SHA256}{sha256}":
            return False
        if _MARK in settings:
            # What was there before may be gone from now on; who dies after the upload must not leave its name behind.
            self._mark(group, name, settings, f"begun {_SHA256}{sha256}")
        wanted = models.StaticSiteZipDeploymentARMResource(
            properties=models.StaticSiteZipDeployment(
                app_zip_url=url, deployment_title=f"{_SHA256}{sha256}", provider="mystira-workspace"
            )
        )
        with _asking(f"the upload to site {name}"):
            operations.finish(
                self._client,
                f"the upload to {name}",
                partial(self._sites.begin_create_zip_deployment_for_static_site, group, name, wanted),
                deadline_seconds=deadline_seconds,
                longest_pause=self._polling,
            )
        say(f"{name} took the package {sha256[:12]}…")
        self._mark(group, name, settings, f"{_SHA256}{sha256}")
        return True

    def domain(self, group: str, name: str, host: str) -> Domain | None:
        """The custom domain as Azure sees it; None when the site has none of that name."""
        try:
            with _asking(f"domain {host} of site {name}"):
                found = self._sites.get_static_site_custom_domain(group, name, host)
        except _Missing:
            return None
        status = str(getattr(found.status, "value", found.status) or "")
        return Domain(host, status, found.validation_token or "", found.error_message or "")

    def bind(
        self,
        group: str,
        name: str,
        host: str,
        *,
        validation: str = "cname-delegation",
        deadline_seconds: float = 600,
        say: Say = say_nothing,
    ) -> bool:
        """Make the site answer under this name; False when it does.

        Azure looks the record up in the public DNS: while it does not see it, or at the deadline, the answer is
        unsettled. A domain Azure gave up on is asked for again.
        """
        found = self.domain(group, name, host)
        if found is not None and found.is_ready:
            return False
        if found is None or found.status in _LOST:
            self._ask_for(group, name, host, validation)
        self._wait(group, name, host, deadline_seconds, say)
        return True

    def claim(self, group: str, name: str, host: str, *, deadline_seconds: float = 120) -> str:
        """Tell Azure that the host shall be the site's, to be proved by a TXT record; the token to write there.

        Empty once the host is proved: Azure then forgets the token. Claiming twice gives the same token.
        """
        found = self.domain(group, name, host)
        if found is None or found.status in _LOST:
            self._ask_for(group, name, host, "dns-txt-token")
        for _ in self._looks(deadline_seconds):
            found = self.domain(group, name, host) or Domain(host, "unknown")
            if found.token or found.is_ready:
                return found.token
        raise Overdue(f"Azure gave no token for {host} of {name} within {deadline_seconds:.0f} s.")

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def _ask_for(self, group: str, name: str, host: str, validation: str) -> None:
        wanted = models.StaticSiteCustomDomainRequestPropertiesARMResource(
            properties=models.StaticSiteCustomDomainRequestPropertiesARMResourceProperties(validation_method=validation)
        )
        with _asking(f"domain {host} of site {name}"):
            # A domain proved by TXT is done only when somebody wrote the record: its end must not be waited for.
            operations.begin(
                f"domain {host} of site {name}",
                partial(self._sites.begin_create_or_update_static_site_custom_domain, group, name, host, wanted),
            )

    def _wait(self, group: str, name: str, host: str, deadline_seconds: float, say: Say) -> None:
        found = Domain(host, "unknown")
        for _ in self._looks(deadline_seconds):
            before, found = found, self.domain(group, name, host) or Domain(host, "unknown")
            if found.is_ready:
                return
            if found.status in _LOST:
                raise Unsettled(f"Azure could not prove that {host} belongs to {name}: {found.error or found.status}")
            if found.status != before.status:
                say(f"{host}: {found.status}")
        record = f" It waits for a TXT record with {found.token}." if found.token else ""
        raise Overdue(f"{host} of {name} is still {found.status} after {deadline_seconds:.0f} s.{record}")

    def _looks(self, seconds: float) -> operations.Pace:
        return operations.Pace(seconds, _LONGEST_PAUSE, min(0.1, self._polling))

    def _mark(self, group: str, name: str, settings: Mapping[str, str], mark: str) -> None:
        with _asking(f"the settings of site {name}"):
            self._sites.create_or_update_static_site_app_settings(
                group, name, models.StringDictionary(properties={**settings, _MARK: mark})
            )

    def _settings(self, group: str, name: str) -> dict[str, str]:
        with _asking(f"the settings of site {name}"):
            return dict(self._sites.list_static_site_app_settings(group, name).properties or {})


class _Missing(Broken):
    """Azure has no such thing."""


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn what Azure says against a request about `what` into our words."""
    try:
        yield
    except AzureError as error:
        found = diagnosis.of(error)
        if found.status == 404:
            raise _Missing(f"{what}: {found}") from error
        if found.status == 400 and "CNAME" in str(found):
            raise Unsettled(f"{what}: Azure does not see the DNS record yet: {found}") from error
        raise diagnosis.explain(what, error) from error
