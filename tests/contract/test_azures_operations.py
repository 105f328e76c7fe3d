"""The judge of exchanges says no where Azure could not have answered so."""

from pathlib import Path

import pytest
from azures_operations import NOTHING, Judged, Operations
from workspace.rehearsal.arm import Exchange

SUBSCRIPTION = "/subscriptions/s"
GROUP = f"{SUBSCRIPTION}/resourceGroups/g"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/a"
LATER = {"location": "https://127.0.0.1/later"}


@pytest.fixture(scope="module")
def known(samples: Path) -> Operations:
    return Operations(samples)


def judged(known: Operations, method: str, path: str, status: int, headers: dict[str, str] | None = None) -> Judged:
    found = Judged()
    found.judge(Exchange(method, path, "", status, headers or {}), known)
    return found


@pytest.mark.parametrize(
    ("method", "path", "status", "headers"),
    [
        ("GET", GROUP, 200, {}),
        ("GET", GROUP.lower().replace("/g", "//g"), 404, {}),
        ("PUT", GROUP, 201, {}),
        ("DELETE", GROUP, 202, LATER),
        ("PUT", f"{GROUP}/providers/Microsoft.Resources/deployments/d", 201, LATER),
        ("PUT", f"{SITE}/providers/Microsoft.Authorization/roleAssignments/r", 201, {}),
    ],
)
def test_what_azure_offers_is_good(
    known: Operations, method: str, path: str, status: int, headers: dict[str, str]
) -> None:
    found = judged(known, method, path, status, headers)
    assert (found.good, found.besides, found.complaints) == (1, 0, [])


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "said"),
    [
        ("GET", f"{SUBSCRIPTION}/nonsense", 200, {}, "is no operation of Azure's"),
        ("PUT", f"{GROUP}/providers/Microsoft.Storage/warehouses/w", 201, {}, "is no operation of Azure's"),
        ("PUT", GROUP, 202, {}, "may not answer 202"),
        ("GET", GROUP, 204, {}, "may not answer 204"),
        ("GET", SITE, 200, LATER, "is not long-running"),
    ],
)
def test_what_azure_could_not_have_answered_is_a_complaint(
    known: Operations, method: str, path: str, status: int, headers: dict[str, str], said: str
) -> None:
    found = judged(known, method, path, status, headers)
    assert found.good == found.besides == 0
    assert said in found.complaints[0]


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/tenant/oauth2/v2.0/token", 200, "the token endpoint"),
        (
            f"{GROUP}/providers/Microsoft.Insights/components/c",
            200,
            "PUT Microsoft.Insights/components: of Microsoft.Ins",
        ),
        (f"{GROUP}/providers/Microsoft.Storage/warehouses/w", 404, f"PUT Microsoft.Storage/warehouses: {NOTHING}"),
    ],
)
def test_what_the_list_does_not_hold_is_named(known: Operations, path: str, status: int, named: str) -> None:
    found = judged(known, "PUT", path, status)
    assert (found.good, found.besides, found.complaints) == (0, 1, [])
    assert found.named.pop().startswith(named)
