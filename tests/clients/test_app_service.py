"""The App Service client on recorded traffic."""

import hashlib
from pathlib import Path

import pytest
from web_replay import Anybody, Replay, exchange, recorded_error, story
from workspace.clients.app_service import AppService
from workspace.errors import Broken, Unsettled

AZD = ("4d042dc6-fe17-4698-a23f-ec6a8d1e98f4", "rg-azdtest-d347996", "app-yswqbm6bq4kx2")
SWAP = ("ec0aa5f7-9e78-40c9-85cd-535c6305b380", "javacsmrg6347", "java-webapp-8537")
FAR = float("inf")


def client(replay: Replay, subscription: str) -> AppService:
    return AppService(credential=Anybody(), subscription=subscription, transport=replay.transport, polling_seconds=0)


@pytest.fixture
def package(tmp_path: Path) -> tuple[Path, str]:
    file = tmp_path / "api.zip"
    file.write_bytes(b"zip")
    return file, hashlib.sha256(b"zip").hexdigest()


def test_a_recorded_site_and_slot_tell_their_hosts(samples: Path) -> None:
    subscription, group, site = AZD
    apps = client(story(samples, "webapp-zipdeploy-async-and-slot-2026"), subscription)

    production, staging = apps.state(group, site), apps.state(group, site, "staging")

    assert production is not None
    assert staging is not None
    assert production.host == f"{site}.azurewebsites.net"
    assert production.linux
    assert production.verification.startswith("66B450D1")
    assert staging.host == f"{site}-staging.azurewebsites.net"


def test_a_recorded_deployment_to_a_site_is_one_push_followed_through_arm(
    samples: Path, package: tuple[Path, str]
) -> None:
    subscription, group, site = AZD
    replay = story(samples, "webapp-zipdeploy-async-and-slot-2026")

    client(replay, subscription).push(group, site, "", *package, deadline=FAR)

    assert replay.writes == 1
    assert [status for _, path, status in replay.log if "deploymentstatus" in path] == [202, 200]
    assert package[1] in str(replay.sent[0].url)


def test_a_recorded_deployment_to_a_slot_is_one_push_followed_through_kudu(
    samples: Path, package: tuple[Path, str]
) -> None:
    subscription, group, site = AZD
    replay = story(samples, "webapp-zipdeploy-async-and-slot-2026")
    # The story mixes two Kudu hosts with the same path: leave the site's own push out.
    replay._exchanges = [each for i, each in enumerate(replay._exchanges) if i != 3]

    client(replay, subscription).push(group, site, "staging", *package, deadline=FAR)

    assert [(method, status) for method, _, status in replay.log] == [("POST", 202), ("GET", 200)]


def test_what_somebody_else_pushed_is_not_taken_for_a_package_of_ours(samples: Path) -> None:
    subscription, group, site = AZD
    replay = story(samples, "webapp-zipdeploy-async-and-slot-2026", 12)

    assert client(replay, subscription).deployed(group, site, "staging") == ""


@pytest.mark.parametrize("identifier", ["30aa1dd6a0", "7303f30965"])
def test_a_recorded_cold_kudu_is_unsettled(samples: Path, identifier: str, package: tuple[Path, str]) -> None:
    error = recorded_error(samples, identifier)
    replay = Replay([{"request": error["request"], "response": error["response"]}])

    with pytest.raises(Unsettled, match="not ready"):
        client(replay, AZD[0]).push("group", "webapp6", "", *package, deadline=FAR)
    assert replay.writes == 1


def test_a_recorded_404_right_after_the_push_is_waited_out(samples: Path, package: tuple[Path, str]) -> None:
    subscription, group, site = AZD
    replay = story(samples, "webapp-zipdeploy-async-and-slot-2026", 3, 4, 5)
    early = recorded_error(samples, "3bf7bf8d03")["response"]
    replay._exchanges.insert(1, {"request": replay._exchanges[1]["request"], "response": early})

    client(replay, subscription).push(group, site, "", *package, deadline=FAR)

    assert [status for _, path, status in replay.log if "deploymentstatus" in path] == [404, 202, 200]


def test_a_deployment_that_arm_calls_failed_is_broken_with_its_words(package: tuple[Path, str]) -> None:
    failed = {"properties": {"status": "RuntimeFailed", "errors": [{"message": "container did not start"}]}}
    replay = Replay(
        [
            exchange("POST", "/api/zipdeploy", 202, scm_deployment_id="1"),
            exchange(
                "GET",
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a/deploymentStatus/1",
                200,
                failed,
            ),
        ]
    )

    with pytest.raises(Broken, match="RuntimeFailed: container did not start"):
        client(replay, "s").push("g", "a", "", *package, deadline=FAR)


def test_a_kudu_that_turns_us_away_is_broken(package: tuple[Path, str]) -> None:
    with pytest.raises(Broken, match="Website Contributor"):
        client(Replay([exchange("POST", "/api/zipdeploy", 403, "Ip Forbidden", Content_Type="text/plain")]), "s").push(
            "g", "a", "", *package, deadline=FAR
        )


def test_the_recorded_swap_is_one_write_followed_to_its_end(samples: Path) -> None:
    subscription, group, site = SWAP
    replay = story(samples, "webapp-slots-swap-net")

    assert client(replay, subscription).swap(group, site, "java-slot-6659", target="java-slot-7468")

    assert replay.writes == 1
    assert [status for _, path, status in replay.log if "operationresults" in path][-1] == 200


def test_recorded_settings_are_merged_into_what_is_there(samples: Path) -> None:
    subscription, group, site = SWAP
    replay = story(samples, "webapp-slots-swap-net")
    apps = client(replay, subscription)

    changed = apps.merge_settings(group, site, "", {"appkey": "appvalue", "WEBSITE_NODE_DEFAULT_VERSION": "6.9.1"})

    assert changed == ("appkey",)
    assert replay.writes == 1
    assert '"WEBSITE_NODE_DEFAULT_VERSION": "6.9.1"' in str(replay.sent[-1].body)


def test_recorded_settings_that_say_so_already_are_not_written(samples: Path) -> None:
    subscription, group, site = SWAP
    replay = story(samples, "webapp-slots-swap-net")

    assert client(replay, subscription).merge_settings(group, site, "", {"WEBSITE_NODE_DEFAULT_VERSION": "6.9.1"}) == ()
    assert replay.writes == 0


def test_a_recorded_site_that_is_not_there_is_none(samples: Path) -> None:
    error = recorded_error(samples, "0266dcae51")
    replay = Replay([{"request": error["request"], "response": error["response"]}])

    assert client(replay, SWAP[0]).state("javacsmrg1704", "nonexist") is None


@pytest.mark.parametrize("identifier", ["99ce9bc98b", "7d4bb567e1"])
def test_a_recorded_busy_app_service_is_unsettled(samples: Path, identifier: str) -> None:
    error = recorded_error(samples, identifier)
    parts = error["request"]["path"].split("/")
    replay = Replay([{"request": {**error["request"], "method": "GET"}, "response": error["response"]}])

    with pytest.raises(Unsettled):
        client(replay, parts[2]).state(parts[4], parts[8], parts[10])


def test_a_host_whose_records_are_not_seen_yet_is_unsettled() -> None:
    said = "A TXT record pointing from asuid.api.example.com to 66b4 was not found."
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a/hostNameBindings/api.example.com"
    replay = Replay(
        [
            exchange("GET", path, 404, {"Code": "NotFound", "Message": "Cannot find HostNameBinding."}),
            exchange("PUT", path, 400, {"Code": "BadRequest", "Message": said}),
        ]
    )

    with pytest.raises(Unsettled, match="asuid"):
        client(replay, "s").bind("g", "a", "api.example.com")


def test_the_values_of_settings_stand_in_no_error() -> None:
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a/config/appsettings"
    replay = Replay(
        [
            exchange("POST", f"{path}/list", 200, {"properties": {"Old": "hidden-one"}}),
            exchange("PUT", path, 409, {"Code": "Conflict", "Message": "no"}),
        ]
    )

    with pytest.raises(Broken) as refused:
        client(replay, "s").merge_settings("g", "a", "", {"Jwt": "hidden-two"})
    assert "hidden" not in str(refused.value)
