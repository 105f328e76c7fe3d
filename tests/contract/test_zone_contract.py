"""Our zone client against the zone stand-in."""

import pytest
from azure_here import ZONE, ZONE_GROUP, AzureHere, shared
from workspace.clients.zone import RecordSet
from workspace.errors import Broken, Refused, Unsettled

OURS = "mystira-workspace/dev"


@pytest.fixture
def azure() -> AzureHere:
    here = shared()
    here.fail()
    return here


def a_record(name: str, *values: str, type: str = "A", owner: str = OURS, ttl: int = 300) -> RecordSet:
    return RecordSet(name, type, ttl, values, owner)


def test_a_zone_names_the_servers_to_delegate_to(azure: AzureHere) -> None:
    servers = azure.zone.name_servers(ZONE_GROUP, ZONE)

    assert len(servers) == 4
    assert all(server.startswith("ns") and ".azure-dns." in server for server in servers)


def test_a_zone_that_is_not_there_is_broken_when_a_record_of_it_is_read(azure: AzureHere) -> None:
    with pytest.raises(Broken, match=r"nowhere\.example"):
        azure.zone.read(ZONE_GROUP, "nowhere.example", "www", "A")


def test_a_written_record_set_reads_back_as_it_was_wanted(azure: AzureHere) -> None:
    for wanted in (
        a_record("four", "127.77.0.9"),
        a_record("six", "2001:db8::1", type="AAAA"),
        a_record("documents", "mys-dev-mystira-api-san.azurewebsites.net", type="CNAME", ttl=3600),
        a_record("asuid.documents", "A" * 300, type="TXT", ttl=3600),
        a_record("below", "ns1.example.net", "ns2.example.net", type="NS"),
    ):
        assert azure.zone.ensure(ZONE_GROUP, ZONE, wanted)
        found = azure.zone.read(ZONE_GROUP, ZONE, wanted.name, wanted.type)

        assert found is not None
        assert (found.values, found.ttl, found.owner) == (wanted.values, wanted.ttl, OURS)


def test_a_record_set_that_says_the_same_is_not_written_again(azure: AzureHere) -> None:
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("same", "127.77.0.1", "127.77.0.2"))
    before = azure.writes

    assert not azure.zone.ensure(ZONE_GROUP, ZONE, a_record("same", "127.77.0.2", "127.77.0.1"))
    assert azure.writes == before


def test_an_old_address_never_stays_beside_the_new_one(azure: AzureHere) -> None:
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("moved", "127.77.0.1"))
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("moved", "127.77.0.2"))

    found = azure.zone.read(ZONE_GROUP, ZONE, "moved", "A")
    assert found is not None
    assert found.values == ("127.77.0.2",)


@pytest.mark.parametrize("owner", ["", "mystira-workspace/prod"])
def test_a_record_set_of_somebody_else_is_left_alone_until_adoption_is_asked(azure: AzureHere, owner: str) -> None:
    name = f"foreign-{len(owner)}"
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record(name, "127.77.0.1", owner=owner))

    with pytest.raises(Refused, match="left alone"):
        azure.zone.ensure(ZONE_GROUP, ZONE, a_record(name, "127.77.0.2"))
    assert azure.zone.ensure(ZONE_GROUP, ZONE, a_record(name, "127.77.0.2"), adopt=True)


def test_a_foreign_record_set_that_already_says_it_needs_no_write(azure: AzureHere) -> None:
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("agreed", "127.77.0.1", owner=""))

    assert not azure.zone.ensure(ZONE_GROUP, ZONE, a_record("agreed", "127.77.0.1"))


def test_a_change_in_between_is_unsettled_and_loses_nothing(azure: AzureHere, monkeypatch: pytest.MonkeyPatch) -> None:
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("raced", "127.77.0.1"))
    seen = azure.zone.read(ZONE_GROUP, ZONE, "raced", "A")
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("raced", "127.77.0.2"))
    monkeypatch.setattr(azure.zone, "read", lambda *_: seen)

    with pytest.raises(Unsettled, match="same moment"):
        azure.zone.ensure(ZONE_GROUP, ZONE, a_record("raced", "127.77.0.3"))
    monkeypatch.undo()
    found = azure.zone.read(ZONE_GROUP, ZONE, "raced", "A")
    assert found is not None
    assert found.values == ("127.77.0.2",)


def test_two_who_create_at_the_same_moment_do_not_overwrite_each_other(
    azure: AzureHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("twice", "127.77.0.1"))
    monkeypatch.setattr(azure.zone, "read", lambda *_: None)

    with pytest.raises(Unsettled):
        azure.zone.ensure(ZONE_GROUP, ZONE, a_record("twice", "127.77.0.2"))


def test_the_zone_itself_cannot_be_a_cname(azure: AzureHere) -> None:
    with pytest.raises(Refused, match="alias"):
        azure.zone.ensure(ZONE_GROUP, ZONE, a_record("@", "somewhere.example.net", type="CNAME"))


def test_a_cname_beside_another_record_is_refused_by_azure(azure: AzureHere) -> None:
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("busy", "127.77.0.1"))

    with pytest.raises(Broken, match="another record with the same name"):
        azure.zone.ensure(ZONE_GROUP, ZONE, a_record("busy", "x.example.net", type="CNAME"))


def test_only_a_record_set_of_ours_is_deleted(azure: AzureHere) -> None:
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("gone", "127.77.0.1"))
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("kept", "127.77.0.1", owner=""))

    assert azure.zone.delete(ZONE_GROUP, ZONE, "gone", "A", owner=OURS)
    assert not azure.zone.delete(ZONE_GROUP, ZONE, "gone", "A", owner=OURS)
    with pytest.raises(Refused):
        azure.zone.delete(ZONE_GROUP, ZONE, "kept", "A", owner=OURS)


def test_the_records_of_an_owner_can_be_listed(azure: AzureHere) -> None:
    azure.zone.ensure(ZONE_GROUP, ZONE, a_record("mine", "127.77.0.1", owner="mystira-workspace/lister"))

    assert [each.name for each in azure.zone.owned(ZONE_GROUP, ZONE, "mystira-workspace/lister")] == ["mine"]


def test_a_throttled_request_is_unsettled(azure: AzureHere) -> None:
    azure.fail({"point": "arm", "subject": "GET Microsoft.Network/dnsZones/A *", "how": "throttle", "times": 1})

    with pytest.raises(Unsettled):
        azure.zone.read(ZONE_GROUP, ZONE, "mine", "A")
