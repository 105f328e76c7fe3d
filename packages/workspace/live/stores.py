"""What we may in the containers that a team shares: its ledger, and its packages where these have one of their own."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from workspace import blob_address
from workspace.addresses import Addresses
from workspace.errors import Broken
from workspace.live import roles
from workspace.live.needs import Needs
from workspace.live.roles import Wanted
from workspace.node import Kind
from workspace.preflight.finding import Finding

_ACCOUNTS = "Microsoft.Storage/storageAccounts"
_CONTAINERS = "blobServices/default/containers"
_BLOBS = f"{_ACCOUNTS}/blobServices/containers/blobs"
_ON_BLOBS = frozenset(f"{_BLOBS}/{each}" for each in ("read", "write", "add/action", "delete"))
_SIGN = f"{_ACCOUNTS}/blobServices/generateUserDelegationKey/action"


def addresses(given: Addresses) -> tuple[str, ...]:
    """The containers of a target in Azure, once each; those of an emulator on this machine ask for no role."""
    told = dict.fromkeys(each for each in (given.ledger, given.packages) if blob_address.is_blob_address(each))
    return tuple(each for each in told if not blob_address.is_loopback(urlsplit(each).hostname or ""))


def check(needs: Needs, outside: Any, url: str) -> Iterator[Finding]:
    """The roles that are missing on a container and, where a site is handed a signed address, on its account.

    Broken where the account or the container is not in the subscription, so that nobody can tell.
    """
    address = blob_address.parse(url)
    account = outside.inspection.id_of(_ACCOUNTS, address.account_name)
    if account is None:
        raise Broken(f"the subscription has no storage account {address.account_name} that we can see")
    container = f"{account}/{_CONTAINERS}/{address.container}"
    if outside.inspection.permissions(container) is None:
        raise Broken(f"the storage account {address.account_name} has no container {address.container}")
    yield from roles.check(outside.inspection, container, Wanted(data=set(_ON_BLOBS)))
    if needs.of_kind(Kind.SITE) and _keeps_packages(outside.addresses, url):
        yield from roles.check(outside.inspection, account, Wanted(actions={_SIGN}))


def _keeps_packages(given: Addresses, url: str) -> bool:
    """Packages are kept beside the ledger where they have no place of their own."""
    return url == (given.packages or given.ledger)
