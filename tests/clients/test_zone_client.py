"""The zone client on recorded traffic."""

import json
from pathlib import Path

import pytest
from web_replay import Anybody, Replay, exchange, recorded_error, story
from workspace.clients.zone import RecordSet, Zone
from workspace.errors import Broken, Unsettled

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP, ZONE = "rg246591", "www.contoso246591.com"
PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/dnsZones/{ZONE}"


def client(replay: Replay) -> Zone:
    return Zone(credential=Anybody(), subscription=SUBSCRIPTION, transport=replay.transport, polling_seconds=0)


@pytest.mark.parametrize(
    ("type", "name", "index", "values"),
    [
        ("A", "www", 15, ("23.96.104.40", "24.97.105.41")),
        ("AAAA", "www", 5, ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "2002:0db9:85a4:0000:0000:8a2e:0371:7335")),
        ("CNAME", "documents", 8, ("doc.contoso.com",)),
        ("TXT", "@", 3, ("windows-apps-verification=2ZzjfideIJFLFje83",)),
        (
            "NS",
            "partners",
            19,
            tuple(f"ns{i}-05.azure-dns.{end}" for i, end in ((1, "com"), (2, "net"), (3, "org"), (4, "info"))),
        ),
    ],
)
def test_every_recorded_kind_of_record_set_is_read(
    samples: Path, type: str, name: str, index: int, values: tuple[str, ...]
) -> None:
    replay = story(samples, "dns-zone-records-crud", index)
    replay._exchanges[0]["request"]["method"] = "GET"
    replay._exchanges[0]["response"]["status"] = 200

    found = client(replay).read(GROUP, ZONE, name, type)

    assert found is not None
    assert (found.name, found.type, found.values) == (name, type, values)
    assert found.etag


def test_a_recorded_update_is_one_read_and_one_guarded_write(samples: Path) -> None:
    replay = story(samples, "dns-zone-records-crud", 15, 16)
    wanted = RecordSet("www", "A", 7200, ("24.97.105.41", "23.96.104.42"), "us")

    assert client(replay).ensure(GROUP, ZONE, wanted, adopt=True)

    assert [method for method, _, _ in replay.log] == ["GET", "PUT"]
    sent = replay.sent[-1]
    assert sent.headers["If-Match"] == "a8a19c57-2b05-4fd1-b04f-e4504cb1e7d9"
    body = json.loads(sent.body or "")
    assert body["properties"]["ARecords"] == [{"ipv4Address": "24.97.105.41"}, {"ipv4Address": "23.96.104.42"}]
    assert body["properties"]["metadata"] == {"owner": "us"}


def test_a_recorded_record_set_that_says_the_same_is_not_written(samples: Path) -> None:
    replay = story(samples, "dns-zone-records-crud", 15)

    assert not client(replay).ensure(GROUP, ZONE, RecordSet("www", "A", 7200, ("24.97.105.41", "23.96.104.40"), "us"))
    assert replay.writes == 0


def test_a_recorded_zone_tells_its_servers(samples: Path) -> None:
    replay = story(samples, "dns-zone-records-crud", 14)
    replay._exchanges[0]["request"]["method"] = "GET"

    assert client(replay).name_servers(GROUP, ZONE)[0] == "ns1-03.azure-dns.com"


@pytest.mark.parametrize(
    "identifier", ["00b8bd5e1b", "17b12e44bf", "25f9659f20", "4f5f4d592a", "7bcf922c8e", "f43eb9adae"]
)
def test_a_recorded_412_is_unsettled_whichever_guard_failed(samples: Path, identifier: str) -> None:
    error = recorded_error(samples, identifier)
    parts = error["request"]["path"].split("/")
    zone, kind, name = parts[-3:]
    missing = exchange("GET", error["request"]["path"], 404, {"code": "NotFound", "message": "does not exist"})
    replay = Replay([missing, {"request": error["request"], "response": error["response"]}])
    values = ("host.example.net",) if kind == "CNAME" else ("2001:db8::1",) if kind == "AAAA" else ("192.0.2.1",)
    zones = Zone(credential=Anybody(), subscription=parts[2], transport=replay.transport)

    with pytest.raises(Unsettled, match="nothing was written"):
        zones.ensure(parts[4], zone, RecordSet(name, kind, 300, values, "us"))


def test_a_recorded_412_of_the_zone_is_read_by_its_code(samples: Path) -> None:
    replay = story(samples, "dns-zone-etag-412", 1)
    replay._exchanges[0]["request"]["method"] = "GET"
    parts = replay._exchanges[0]["request"]["path"].split("/")

    with pytest.raises(Unsettled, match="PreconditionFailed"):
        client(replay).name_servers(parts[4], parts[-1])


def test_a_new_record_set_is_guarded_against_another_creator() -> None:
    replay = Replay(
        [
            exchange("GET", f"{PATH}/A/new", 404, {"code": "NotFound", "message": "does not exist"}),
            exchange(
                "PUT", f"{PATH}/A/new", 201, {"id": f"{PATH}/A/new", "name": "new", "type": "x/A", "properties": {}}
            ),
        ]
    )

    assert client(replay).ensure(GROUP, ZONE, RecordSet("new", "A", 300, ("192.0.2.1",), "us"))
    assert replay.sent[-1].headers["If-None-Match"] == "*"


def test_a_group_that_is_not_there_is_not_taken_for_a_missing_record() -> None:
    body = {"error": {"code": "ResourceGroupNotFound", "message": "Resource group 'rg246591' could not be found."}}

    with pytest.raises(Broken, match="rg246591"):
        client(Replay([exchange("GET", f"{PATH}/A/www", 404, body)])).read(GROUP, ZONE, "www", "A")


def test_what_dns_ignores_does_not_count_as_a_difference() -> None:
    one = RecordSet("docs", "CNAME", 300, ("Doc.Contoso.com.",))
    other = RecordSet("docs", "CNAME", 300, ("doc.contoso.com",), owner="us", etag="1")

    assert one.says_the_same_as(other)
    assert not one.says_the_same_as(RecordSet("docs", "CNAME", 60, ("doc.contoso.com",)))


def test_an_alias_is_written_with_its_target_and_no_values() -> None:
    target = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/x/providers/Microsoft.Web/staticSites/pwa"
    replay = Replay(
        [
            exchange("GET", f"{PATH}/A/@", 404, {"code": "NotFound", "message": "does not exist"}),
            exchange("PUT", f"{PATH}/A/@", 201, {"id": f"{PATH}/A/@", "name": "@", "type": "x/A", "properties": {}}),
        ]
    )

    client(replay).ensure(GROUP, ZONE, RecordSet("@", "A", 3600, (), "us", target))

    assert json.loads(replay.sent[-1].body or "")["properties"]["targetResource"] == {"id": target}
