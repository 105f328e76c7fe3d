"""Who we are: whether Azure takes our credential, whose it is, and whether the subscription is there for it."""

import re
from collections.abc import Iterator
from typing import Any

from workspace.addresses import Addresses
from workspace.errors import Broken, Refused
from workspace.preflight.finding import Finding
from workspace.preflight.live_rules import EXPIRED, NO_CREDENTIAL, WRONG_SUBSCRIPTION, WRONG_TENANT

_EXPIRED = re.compile(r"AADSTS(7000222|700082|700084|50173|50078|70043)\b|ExpiredAuthenticationToken|expired", re.I)
_OTHER_TENANT = re.compile(
    r"AADSTS(90002|700016|50020|90072|500011)\b|InvalidAuthenticationTokenTenant|"
    r"authority configuration|invalid_tenant",
    re.IGNORECASE,
)


def check(addresses: Addresses, outside: Any) -> Iterator[Finding]:
    """What is wrong with our credential, at most one thing."""
    place = f"/subscriptions/{addresses.subscription}"
    try:
        caller = outside.inspection.caller()
        subscription = outside.inspection.subscription()
    except (Broken, Refused) as error:
        yield _refused(place, str(error))
        return
    if addresses.tenant and caller.tenant and caller.tenant.lower() != addresses.tenant.lower():
        yield WRONG_TENANT.at(
            place, f"We are {caller} of tenant {caller.tenant}, and the target is in {addresses.tenant}."
        )
    elif subscription is None:
        yield WRONG_SUBSCRIPTION.at(place, f"{caller} sees no subscription {addresses.subscription}.")
    elif caller.tenant and subscription.tenant and caller.tenant.lower() != subscription.tenant.lower():
        yield WRONG_TENANT.at(
            place, f"The subscription is in tenant {subscription.tenant}, and we are {caller} of {caller.tenant}."
        )
    elif subscription.state.lower() not in ("enabled", ""):
        yield WRONG_SUBSCRIPTION.at(place, f"The subscription {addresses.subscription} is {subscription.state}.")


def _refused(place: str, said: str) -> Finding:
    if _OTHER_TENANT.search(said):
        return WRONG_TENANT.at(place, f"The credential is not known in the target's tenant: {said}")
    if _EXPIRED.search(said):
        return EXPIRED.at(place, f"The credential has expired: {said}")
    return NO_CREDENTIAL.at(place, f"Azure takes no credential of ours: {said}")
