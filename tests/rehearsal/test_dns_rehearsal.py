"""The zone as a real DNS server."""

import json
from collections.abc import Iterator
from pathlib import Path

import dns.flags
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
        ("MX", {"MXRecords": [{"preference": 5, "exchange": "mail.example.net"}]}, ["5 mail.example.net."]),
        ("PTR", {"PTRRecords": [{"ptrdname": "host.example.net"}]}, ["host.example.net."]),
        (
            "SRV",
            {"SRVRecords": [{"priority": 1, "weight": 2, "port": 443, "target": "srv.example.net"}]},
            ["1 2 443 srv.example.net."],
        ),
        ("CAA", {"caaRecords": [{"flags": 0, "tag": "issue", "value": "ca.test"}]}, ['0 issue "ca.test"']),
    ],
)
def test_record_sets_are_answered_over_udp_and_tcp(
    server: Dns, cloud: Cloud, kind: str, properties: dict[str, object], said: list[str], tcp: bool
) -> None:
    put(cloud, kind, f"kind-{kind.lower()}", **properties)

    assert values(ask(server.public, f"kind-{kind}.mystira.app", kind, tcp=tcp), kind) == said


def test_an_answer_too_large_for_udp_asks_for_tcp_and_is_whole_there(server: Dns, cloud: Cloud) -> None:
    put(cloud, "TXT", "large", TXTRecords=[{"value": ["x" * 200]}, {"value": ["y" * 200]}, {"value": ["z" * 200]}])

    plain = ask(server.public, "large.mystira.app", "TXT")
    assert plain.flags & dns.flags.TC and not plain.answer
    assert len(values(ask(server.public, "large.mystira.app", "TXT", tcp=True), "TXT")) == 3
    host, _, port = server.public.partition(":")
    roomy = dns.message.make_query("large.mystira.app", "TXT", use_edns=0, payload=1232)
    answer = dns.query.udp(roomy, host, port=int(port), timeout=5)
    assert not answer.flags & dns.flags.TC and len(values(answer, "TXT")) == 3


def test_a_wildcard_stands_for_names_that_are_not_there(server: Dns, cloud: Cloud) -> None:
    put(cloud, "A", "*.wild", ARecords=[{"ipv4Address": "127.77.0.8"}])
    put(cloud, "TXT", "own.wild", TXTRecords=[{"value": ["x"]}])

    assert values(ask(server.public, "any.wild.mystira.app")) == ["127.77.0.8"]
    assert values(ask(server.public, "deep.any.wild.mystira.app")) == ["127.77.0.8"]
    assert values(ask(server.public, "own.wild.mystira.app")) == []
    assert ask(server.public, "below.own.wild.mystira.app").rcode() == dns.rcode.NXDOMAIN
    assert ask(server.public, "any.other.mystira.app").rcode() == dns.rcode.NXDOMAIN


def test_a_name_below_a_delegation_is_referred_to_its_servers(server: Dns, cloud: Cloud) -> None:
    put(cloud, "NS", "handed", NSRecords=[{"nsdname": "ns1.example.net"}])

    answer = ask(server.authoritative, "www.handed.mystira.app")
    assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, [])
    assert not answer.flags & dns.flags.AA
    assert str(answer.authority[0][0]) == "ns1.example.net."
    assert ask(server.public, "www.handed.mystira.app").rcode() == dns.rcode.SERVFAIL


def test_names_are_the_same_in_any_case(server: Dns, cloud: Cloud) -> None:
    put(cloud, "CNAME", "Mixed", CNAMERecord={"cname": "Target.Mystira.App"})
    put(cloud, "A", "target", ARecords=[{"ipv4Address": "127.77.0.7"}])

    assert values(ask(server.public, "mIxEd.MyStIrA.aPp")) == ["127.77.0.7"]


def test_the_servers_say_that_they_are_a_rehearsals(server: Dns) -> None:
    for where in (server.authoritative, server.public):
        host, _, port = where.partition(":")
        query = dns.message.make_query("version.bind", "TXT", rdclass="CH")
        answer = dns.query.udp(query, host, port=int(port), timeout=5)
        assert "rehearsal" in str(answer.answer[0][0])


def test_a_host_of_azures_own_is_found_through_the_cname_by_public_resolvers_only(server: Dns, cloud: Cloud) -> None:
    put(cloud, "CNAME", "api.dev", CNAMERecord={"cname": APP_HOST})

    assert values(ask(server.public, "api.dev.mystira.app")) == ["127.77.0.1"]
    assert values(ask(server.authoritative, "api.dev.mystira.app")) == []
    assert values(ask(server.authoritative, "api.dev.mystira.app"), "CNAME") == [f"{APP_HOST}."]


def test_a_name_that_is_not_there_is_nxdomain_with_the_soa(server: Dns) -> None:
    answer = ask(server.authoritative, "nothing.mystira.app")

    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.authority[0].rdtype == dns.rdatatype.SOA
    assert (answer.authority[0].ttl, answer.authority[0][0].minimum) == (300, 300)


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
    server.propagation_seconds = lambda: 0.0
    assert values(ask(server.public, "new.mystira.app")) == ["127.77.0.3"]


def test_a_fault_makes_one_name_late_for_the_public(server: Dns, cloud: Cloud, folder: Path) -> None:
    (folder / "faults.json").write_text(json.dumps([{"point": "dns", "subject": "late.*", "how": "late"}]))
    put(cloud, "A", "late", ARecords=[{"ipv4Address": "127.77.0.3"}])
    put(cloud, "A", "other", ARecords=[{"ipv4Address": "127.77.0.3"}])

    assert ask(server.public, "late.mystira.app").rcode() == dns.rcode.NXDOMAIN
    assert values(ask(server.authoritative, "late.mystira.app")) == ["127.77.0.3"]
    assert values(ask(server.public, "other.mystira.app")) == ["127.77.0.3"]
    (folder / "faults.json").unlink()


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
