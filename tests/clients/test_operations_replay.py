"""Long operations as Azure was recorded answering them, followed to their end."""

from pathlib import Path
from typing import Any

import pytest
from azure.core.rest import HttpRequest
from azure.mgmt.resource.resources import ResourceManagementClient
from web_replay import Replay, story
from workspace import management, operations
from workspace.errors import Broken, Unsettled

# story, method and end of the path that the operation begins with, how often it is asked how it goes
WELL = [
    ("aks-create-nodepool-credentials-2020", "PUT", "managedclusters/aks0a39932063", 6),
    ("aks-create-nodepool-credentials-2020", "PUT", "agentpools/ap2541807", 6),
    ("lro-location-storage-202", "PUT", "985b19f9239c4a40b9ee", 2),
    ("keyvault-softdelete-purge", "POST", "/purge", 5),
    ("webapp-slots-swap-net", "POST", "/slotsswap", 3),
    ("webapp-slots-swap-net", "PUT", "sites/java-webapp-8537", 0),
]
BADLY = [
    (
        "lro-async-failed-sql-region",
        "PUT",
        "sqlserver9849302379dffe",
        "ended as Failed: RegionDoesNotAllowProvisioning",
    ),
    ("rg-delete-blocked-409", "DELETE", "rg80174", "InUseSubnetCannotBeDeleted"),
]


def run(replay: Replay, method: str, ending: str, deadline_seconds: float = 20) -> operations.Ended:
    paths = (each["request"]["path"] for each in replay._exchanges if each["request"]["method"] == method)
    path = next(path for path in paths if path.rstrip("/").lower().endswith(ending))
    settings = management.arguments(
        credential=None,
        subscription="s",
        base_url="https://management.azure.com",
        scopes=(),
        verify=True,
        transport=replay.transport,
        polling_seconds=0,
    )
    with ResourceManagementClient(**settings) as client:

        def begin(*, polling: bool, **hook: Any) -> None:
            client.send_request(HttpRequest(method, path), stream=True, **hook).read()

        return operations.finish(
            client, f"{method} {ending}", begin, deadline_seconds=deadline_seconds, longest_pause=0
        )


@pytest.mark.parametrize(("name", "method", "ending", "times"), WELL)
def test_a_recorded_operation_is_followed_until_it_is_over(
    samples: Path, name: str, method: str, ending: str, times: int
) -> None:
    replay = story(samples, name)

    ended = run(replay, method, ending)

    assert [each[0] for each in replay.log] == [method, *["GET"] * times]
    state = (ended.fields.get("properties") or {}).get("provisioningState") or ended.fields.get("status")
    assert str(state or "Succeeded") == "Succeeded"


@pytest.mark.parametrize(("name", "method", "ending", "says"), BADLY)
def test_a_recorded_operation_that_failed_is_told_by_its_innermost_cause(
    samples: Path, name: str, method: str, ending: str, says: str
) -> None:
    with pytest.raises(Broken, match=says):
        run(story(samples, name), method, ending)


def test_a_recorded_resource_named_as_its_own_location_is_not_done_while_it_is_creating(samples: Path) -> None:
    replay = story(samples, "lro-redis-201-java")

    # the recording ends while the cache is still being made; azure-core takes the first 200 for success
    with pytest.raises(Unsettled, match="last: Creating"):
        run(replay, "PUT", "redis/javacsmrc96773second", deadline_seconds=0.1)

    assert len(replay.log) > 3
