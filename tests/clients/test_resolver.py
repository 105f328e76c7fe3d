"""The resolver against small name servers on loopback."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from dnslib import QTYPE, RCODE, RR, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer
from workspace.clients.resolver import Disagreement, Reason, Resolver
from workspace.errors import Unsettled

NAME = "dev.chain.mystira.app"


class Saying(BaseResolver):
    """Says the lines of a zone file, whatever is asked; or fails with a code."""

    def __init__(self, *lines: str, code: str = "NOERROR") -> None:
        self.lines = lines
        self.code = code
        self.asked = 0
        self.then: Callable[[], None] = lambda: None

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        self.asked += 1
        self.then()
        reply = request.reply()
        reply.header.rcode = getattr(RCODE, self.code)
        for record in (record for line in self.lines for record in RR.fromZone(line)):
            if QTYPE[record.rtype] in (QTYPE[request.q.qtype], "CNAME"):
                reply.add_answer(record)
        return reply


@contextmanager
def served(says: Saying) -> Iterator[str]:
    server = DNSServer(says, address="127.0.0.1", port=0, logger=DNSLogger(logf=lambda _: None))
    thread = threading.Thread(target=server.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server.server_address[1]}"
    finally:
        server.server.shutdown()
        server.server.server_close()


def resolver(public: str, authoritative: str = "") -> Resolver:
    return Resolver(nameservers=[public], authoritative=[authoritative or public], timeout_seconds=0.5)


def test_the_values_of_a_name_come_sorted_and_without_the_dot() -> None:
    with served(
        Saying(f"{NAME}. 60 A 127.77.0.2", f"{NAME}. 60 A 127.77.0.1", f"{NAME}. 60 NS NS1.Example.NET.")
    ) as one:
        assert resolver(one).answers(NAME) == ("127.77.0.1", "127.77.0.2")
        assert resolver(one).answers(NAME, "NS") == ("ns1.example.net",)


def test_a_cname_on_the_way_is_followed_by_the_server_and_left_out() -> None:
    with served(Saying(f"{NAME}. 60 CNAME app.example.net.", "app.example.net. 60 A 127.77.0.3")) as one:
        assert resolver(one).answers(NAME) == ("127.77.0.3",)


def test_a_long_text_comes_in_one_piece() -> None:
    text = " ".join(f'"{part * 200}"' for part in "ab")
    with served(Saying(f"{NAME}. 60 TXT {text}")) as one:
        assert resolver(one).answers(NAME, "TXT") == ("a" * 200 + "b" * 200,)


def test_no_such_name_is_no_values() -> None:
    with served(Saying(code="NXDOMAIN")) as one:
        assert resolver(one).answers(NAME) == ()


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (Saying(code="NXDOMAIN"), Reason.NO_SUCH_NAME),
        (Saying(), Reason.NO_SUCH_TYPE),
        (Saying(f"{NAME}. 60 A 127.77.0.9"), Reason.OTHER_VALUES),
        (Saying(f"{NAME}. 60 A 127.77.0.1", f"{NAME}. 60 A 127.77.0.9"), Reason.OTHER_VALUES),
        (Saying(code="SERVFAIL"), Reason.SERVER_FAILURE),
    ],
    ids=["NXDOMAIN", "no data", "old value", "old value beside the new", "SERVFAIL"],
)
def test_a_wait_that_fails_says_why(says: Saying, reason: Reason) -> None:
    with served(says) as one, pytest.raises(Disagreement) as failed:
        resolver(one).wait_for(NAME, "A", ["127.77.0.1"], deadline_seconds=0.06)

    assert failed.value.reason is reason
    assert isinstance(failed.value, Unsettled)
    assert NAME in str(failed.value)


def test_a_server_that_is_silent_is_no_answer() -> None:
    silent = Resolver(nameservers=["127.0.0.1:9"], authoritative=["127.0.0.1:9"], timeout_seconds=0.05)

    with pytest.raises(Disagreement) as failed:
        silent.wait_for(NAME, "A", ["127.77.0.1"], deadline_seconds=0.01)
    assert failed.value.reason is Reason.NO_ANSWER


def test_a_wait_ends_when_the_answer_changes_and_tells_what_it_waited_for() -> None:
    says, told = Saying(code="NXDOMAIN"), list[str]()

    def change() -> None:
        if says.asked == 3:
            says.lines, says.code = (f"{NAME}. 60 A 127.77.0.1",), "NOERROR"

    says.then = change
    with served(says) as one:
        resolver(one).wait_for(NAME, "A", ["127.77.0.1"], deadline_seconds=10, say=told.append)

    assert len(told) == 1
    assert "NXDOMAIN" in told[0]


def test_authoritative_servers_alone_do_not_decide() -> None:
    new, old = Saying(f"{NAME}. 60 A 127.77.0.1"), Saying(f"{NAME}. 60 A 127.77.0.9")
    with served(new) as authoritative, served(old) as public, pytest.raises(Disagreement, match="public"):
        resolver(public, authoritative).wait_for(NAME, "A", ["127.77.0.1"], deadline_seconds=0.06)


def test_the_first_public_resolver_that_answers_decides() -> None:
    with served(Saying(code="SERVFAIL")) as broken, served(Saying(f"{NAME}. 60 A 127.77.0.1")) as good:
        assert Resolver(nameservers=[broken, good], timeout_seconds=0.5).answers(NAME) == ("127.77.0.1",)


def test_without_expected_values_any_answer_will_do() -> None:
    with served(Saying(f"{NAME}. 60 A 127.77.0.5")) as one:
        resolver(one).wait_for(NAME, "A", [], deadline_seconds=0.06)


def test_the_servers_of_a_zone_are_found_through_its_delegation() -> None:
    says = Saying("mystira.app. 60 NS ns1.example.net.", "ns1.example.net. 60 A 127.0.0.1")
    with served(says) as public:
        assert Resolver(nameservers=[public], timeout_seconds=0.5).authoritative(NAME) == ("127.0.0.1",)
