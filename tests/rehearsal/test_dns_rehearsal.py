"""The zone as a real DNS server."""

import json
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.dns import Dns
from workspace.rehearsal.faults import Faults

ZONE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnszones/mystira.app"
APP_HOST = "mys-dev-mystira-api-san.azurewebsites.net"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("dns"))


@pytest.fixture(scope="module")
def cloud(folder: Path) -> Cloud:
    made = Cloud(folder / "cloud")
    made.put({"id": ZONE, "properties": {}})
    return made


@pytest.fixture(scope="module")
def server(cloud: Cloud, folder: Path) -> Iterator[Dns]:
    with Dns(cloud, Faults(folder), addresses={APP_HOST: "127.77.0.1"}.get) as made:
        yield made


def put(cloud: Cloud, kind: str, name: str, **properties: object) -> None:
    cloud.put({"id": f"{ZONE}/{kind}/{name}", "properties": {"TTL": 60, **properties}})


def ask(where: str, name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
    host, _, port = where.partition(":")
    query = dns.message.make_query(name, kind)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, host, port=int(port), timeout=5)


def values(answer: dns.message.Message, kind: str = "A") -> list[str]:
    wanted = dns.rdatatype.from_text(kind)
    return sorted(str(record) for rrset in answer.answer if rrset.rdtype == wanted for record in rrset)


@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
@pytest.mark.parametrize(
    ("kind", "properties", "said"),
    [
        ("A", {"ARecords": [{"ipv4Address": "127.77.0.9"}]}, ["127.77.0.9"]),
        ("AAAA", {"AAAARecords": [{"ipv6Address": "2001:db8::1"}]}, ["2001:db8::1"]),
        ("TXT", {"TXTRecords": [{"value": ["one", "two"]}]}, ['"onetwo"']),
        ("NS", {"NSRecords": [{"nsdname": "ns1.example.net"}]}, ["ns1.example.net."]),
        ("CNAME", {"cnameRecord": {"cname": "else.example.net"}}, ["else.example.net."]),
    ],
)
def test_record_sets_are_answered_over_udp_and_tcp(
    server: Dns, cloud: Cloud, kind: str, properties: dict[str, object], said: list[str], tcp: bool
) -> None:
    put(cloud, kind, f"kind-{kind.lower()}", **properties)

    assert values(ask(server.public, f"kind-{kind}.mystira.app", kind, tcp=tcp), kind) == said


def test_a_host_of_azures_own_is_found_through_the_cname_by_public_resolvers_only(server: Dns, cloud: Cloud) -> None:
    put(cloud, "CNAME", "api.dev", CNAMERecord={"cname": APP_HOST})

    assert values(ask(server.public, "api.dev.mystira.app")) == ["127.77.0.1"]
    assert values(ask(server.authoritative, "api.dev.mystira.app")) == []
    assert values(ask(server.authoritative, "api.dev.mystira.app"), "CNAME") == [f"{APP_HOST}."]


def test_a_name_that_is_not_there_is_nxdomain_with_the_soa(server: Dns) -> None:
    answer = ask(server.authoritative, "nothing.mystira.app")

    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.authority[0].rdtype == dns.rdatatype.SOA


def test_a_name_of_another_type_or_above_another_name_is_no_nxdomain(server: Dns, cloud: Cloud) -> None:
    put(cloud, "TXT", "only.text", TXTRecords=[{"value": ["x"]}])

    for name in ("only.text.mystira.app", "text.mystira.app"):
        answer = ask(server.public, name)
        assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, [])


def test_the_zone_answers_for_its_servers_and_its_soa(server: Dns) -> None:
    assert len(values(ask(server.public, "mystira.app", "NS"), "NS")) == 4
    assert "azuredns-hostmaster" in values(ask(server.public, "mystira.app", "SOA"), "SOA")[0]


def test_a_name_outside_is_refused_by_the_zones_servers_and_unknown_to_the_public(server: Dns) -> None:
    assert ask(server.authoritative, "example.net").rcode() == dns.rcode.REFUSED
    assert ask(server.public, "example.net").rcode() == dns.rcode.NXDOMAIN
    assert ask(server.public, "none.azurewebsites.net").rcode() == dns.rcode.NXDOMAIN


def test_a_change_reaches_the_zones_servers_at_once_and_public_resolvers_later(server: Dns, cloud: Cloud) -> None:
    put(cloud, "A", "moved", ARecords=[{"ipv4Address": "127.77.0.1"}])
    assert values(ask(server.public, "moved.mystira.app")) == ["127.77.0.1"]
    server.propagation_seconds = 3600
    put(cloud, "A", "moved", ARecords=[{"ipv4Address": "127.77.0.2"}])
    put(cloud, "A", "new", ARecords=[{"ipv4Address": "127.77.0.3"}])

    assert values(ask(server.authoritative, "moved.mystira.app")) == ["127.77.0.2"]
    assert ask(server.public, "new.mystira.app").rcode() == dns.rcode.NXDOMAIN
    server.propagation_seconds = 0
    assert values(ask(server.public, "new.mystira.app")) == ["127.77.0.3"]


def test_what_was_there_when_the_server_started_is_old_news(cloud: Cloud, faults: Faults) -> None:
    put(cloud, "A", "old", ARecords=[{"ipv4Address": "127.77.0.4"}])
    with Dns(cloud, faults, propagation_seconds=3600) as server:
        assert values(ask(server.public, "old.mystira.app")) == ["127.77.0.4"]


def test_an_alias_answers_with_the_address_of_its_resource(server: Dns, cloud: Cloud) -> None:
    site = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/x"
    cloud.put({"id": site, "properties": {"defaultHostName": APP_HOST}})
    put(cloud, "A", "@", targetResource={"id": site})

    assert values(ask(server.public, "mystira.app")) == ["127.77.0.1"]


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [("servfail", dns.rcode.SERVFAIL, []), ("nxdomain", dns.rcode.NXDOMAIN, []), ("wrong", 0, ["192.0.2.1"])],
)
def test_a_fault_is_answered_as_told(
    server: Dns, cloud: Cloud, folder: Path, how: str, code: int, said: list[str]
) -> None:
    put(cloud, "A", "faulty", ARecords=[{"ipv4Address": "127.77.0.5"}])
    (folder / "faults.json").write_text(json.dumps([{"point": "dns", "subject": "faulty.*", "how": how}]))

    answer = ask(server.public, "faulty.mystira.app")
    assert (answer.rcode(), values(answer)) == (code, said)
    (folder / "faults.json").unlink()


def test_a_deleted_record_is_gone(server: Dns, cloud: Cloud) -> None:
    put(cloud, "A", "gone", ARecords=[{"ipv4Address": "127.77.0.6"}])
    cloud.delete(f"{ZONE}/A/gone")

    assert ask(server.public, "gone.mystira.app").rcode() == dns.rcode.NXDOMAIN
