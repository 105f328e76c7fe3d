"""The managed Kubernetes clusters as Azure knows them: their state, and the credentials to speak to them."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.mgmt.containerservice import ContainerServiceClient

from workspace import diagnosis, management
from workspace.errors import Broken, Refused, Unsettled

AZURE = "https://management.azure.com"

_CHANGING = {"creating", "updating", "upgrading", "scaling", "starting", "stopping", "deleting", "migrating"}


@dataclass(frozen=True)
class ManagedCluster:
    """A cluster as it is: whether it runs, what version, and at which address."""

    name: str
    group: str
    state: str
    power: str
    version: str = ""
    address: str = ""
    issuer: str = ""


class ManagedClusters:
    """The clusters of one subscription. Calls may come from any thread."""

    def __init__(
        self,
        *,
        credential: TokenCredential | None,
        subscription: str,
        base_url: str = AZURE,
        scopes: Sequence[str] = (),
        verify: str | bool = True,
        transport: Any = None,
        polling_seconds: float = 5.0,
    ) -> None:
        self._arguments = management.arguments(
            credential=credential,
            subscription=subscription,
            base_url=base_url,
            scopes=scopes,
            verify=verify,
            transport=transport,
            polling_seconds=polling_seconds,
        )
        self._pause = polling_seconds

    def close(self) -> None:
        """Close the connections that were opened; a later call opens them again."""
        if opened := self.__dict__.pop("_client", None):
            opened.close()

    def cluster(self, group: str, name: str) -> ManagedCluster | None:
        """The cluster, or None when there is none."""
        try:
            return _cluster(group, self._client.managed_clusters.get(group, name).as_dict())
        except AzureError as error:
            absent = diagnosis.of(error).codes & {"resourcenotfound", "resourcegroupnotfound", "notfound"}
            if absent and isinstance(error, HttpResponseError) and error.status_code == 404:
                return None
            raise diagnosis.explain(_about(group, name), error) from error

    def ready(self, group: str, name: str) -> ManagedCluster:
        """The cluster once it can be spoken to; one in change needs time, one stopped or failed needs a person."""
        found = self.cluster(group, name)
        if found is None:
            raise Unsettled(f"{_about(group, name)} does not exist (yet)")
        if found.power.lower() == "stopped":
            raise Refused(f"{_about(group, name)} is stopped: start it with az aks start, then run again")
        if found.state.lower() in _CHANGING:
            raise Unsettled(f"{_about(group, name)} is {found.state.lower()}: wait until it is done")
        if found.state.lower() != "succeeded":
            raise Broken(f"{_about(group, name)} is {found.state or 'in no known state'}: look at it in Azure first")
        return found

    def kubeconfig(self, group: str, name: str, *, admin: bool = False) -> str:
        """The text of a kubeconfig for the cluster: the user's, or where `admin` allows it the administrator's.

        With `admin` the user's credentials are still asked for first; the administrator's are the fallback.
        """
        self.ready(group, name)
        try:
            return self._text(group, name, self._client.managed_clusters.list_cluster_user_credentials(group, name))
        except AzureError as error:
            if not admin:
                raise diagnosis.explain(f"credentials of {_about(group, name)}", error) from error
        try:
            return self._text(group, name, self._client.managed_clusters.list_cluster_admin_credentials(group, name))
        except AzureError as error:
            raise diagnosis.explain(f"administrator's credentials of {_about(group, name)}", error) from error

    def _text(self, group: str, name: str, answer: Any) -> str:
        configurations = [each for each in answer.as_dict().get("kubeconfigs") or [] if each.get("value")]
        if not configurations:
            raise Broken(f"{_about(group, name)} gave no credentials: check the role of the deploying identity")
        try:
            # depending on the SDK's version the value is still in base64 or is it already the bytes behind it
            value = configurations[0]["value"]
            return (base64.b64decode(value, validate=True) if isinstance(value, str) else bytes(value)).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Broken(f"{_about(group, name)} gave credentials that cannot be read") from error

    @cached_property
    def _client(self) -> ContainerServiceClient:
        return ContainerServiceClient(**self._arguments)


def _about(group: str, name: str) -> str:
    return f"cluster {name} in {group}"


def _cluster(group: str, said: Mapping[str, Any]) -> ManagedCluster:
    properties = said.get("properties") or {}
    return ManagedCluster(
        name=str(said.get("name", "")),
        group=group,
        state=str(properties.get("provisioningState", "")),
        power=str((properties.get("powerState") or {}).get("code", "Running")),
        version=str(properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or ""),
        address=str(properties.get("fqdn") or properties.get("privateFQDN") or ""),
        issuer=str((properties.get("oidcIssuerProfile") or {}).get("issuerURL", "")),
    )
