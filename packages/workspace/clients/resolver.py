"""What names resolve to: asked of the zone's own servers and of public resolvers, until both agree."""

import ipaddress
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from workspace.errors import Overdue, Unsettled

Servers = Sequence[str] | Callable[[str], Sequence[str]]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0
_GROWTH = 1.7


class Reason(StrEnum):
    """Why a resolver does not say what it should."""

    NO_SUCH_NAME = "no such name"
    NO_SUCH_TYPE = "no record of that type"
    OTHER_VALUES = "other values"
    SERVER_FAILURE = "server failure"
    NO_ANSWER = "no answer"


class Disagreement(Unsettled):
    """A resolver does not say what was expected; `reason` says in which way."""

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason = reason


class StillDisagreement(Disagreement, Overdue):
    """The last disagreement when the time given for agreement was over."""


class Resolver:
    """Looks names up; may be shared between threads.

    Servers are written `address` or `address:port`. `nameservers` are the public resolvers, those of this machine when
    not given. `authoritative` are the zone's own servers, or a function from a name to them; when not given they are
    found through the zone's NS records.
    """

    def __init__(
        self,
        *,
        nameservers: Sequence[str] | None = None,
        port: int = 53,
        authoritative: Servers | None = None,
        timeout_seconds: float = 3.0,
    ) -> None:
        self._public = tuple(nameservers) if nameservers else ()
        self._port = port
        self._authoritative = authoritative
        self._timeout = timeout_seconds

    def answers(self, name: str, type: str = "A") -> tuple[str, ...]:
        """What the public resolvers say, sorted; empty when there is no such name or no record of that type.

        The first server that answers decides; when none does, the answer is unsettled.
        """
        failure: Disagreement | None = None
        for server in self._public_servers():
            try:
                return self._ask(server, name, type)
            except Disagreement as error:
                if error.reason in (Reason.NO_SUCH_NAME, Reason.NO_SUCH_TYPE):
                    return ()
                failure = error
        raise failure or Unsettled(f"No resolver is known to ask about {name}.")

    def wait_for(
        self,
        name: str,
        type: str,
        values: Sequence[str],
        deadline_seconds: float,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Return once every authoritative and every public server says exactly these values.

        With no values, any answer will do. At the deadline it is overdue, with the last disagreement.
        """
        wanted = sorted(_plain(type, value) for value in values)
        deadline, pause, told = time.monotonic() + deadline_seconds, _FIRST_PAUSE, ""
        while True:
            disagreement = self._disagreement(name, type, wanted)
            if disagreement is None:
                return
            if time.monotonic() + pause > deadline:
                sentence = f"{str(disagreement).rstrip('.')}, still after {deadline_seconds:.0f} s."
                raise StillDisagreement(sentence, disagreement.reason) from disagreement
            if str(disagreement) != told:
                told = str(disagreement)
                say(told)
            time.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    def authoritative(self, name: str) -> tuple[str, ...]:
        """The servers that hold the zone of this name."""
        if callable(self._authoritative):
            return tuple(self._authoritative(name))
        if self._authoritative is not None:
            return tuple(self._authoritative)
        return self._delegated(name)

    def _disagreement(self, name: str, type: str, wanted: Sequence[str]) -> Disagreement | None:
        try:
            views = [("authoritative", server) for server in self.authoritative(name)]
            views += [("public", server) for server in self._public_servers()]
            for view, server in views:
                found = self._ask(server, name, type)
                if wanted and sorted(found) != list(wanted):
                    said, expected = ", ".join(found), ", ".join(wanted)
                    sentence = f"The {view} server {server} says {said} for {name} {type}, not {expected}."
                    return Disagreement(sentence, Reason.OTHER_VALUES)
        except Disagreement as error:
            return error
        return None

    def _ask(self, server: str, name: str, type: str) -> tuple[str, ...]:
        address, port = _place(server, self._port)
        query = dns.message.make_query(name, type)
        try:
            answer, _ = dns.query.udp_with_fallback(query, address, timeout=self._timeout, port=port)
        except (dns.exception.DNSException, OSError) as error:
            raise Disagreement(f"{server} does not answer about {name} {type}: {error}", Reason.NO_ANSWER) from error
        if answer.rcode() == dns.rcode.NXDOMAIN:
            raise Disagreement(f"{server} says there is no name {name} (NXDOMAIN).", Reason.NO_SUCH_NAME)
        if answer.rcode() != dns.rcode.NOERROR:
            text = dns.rcode.to_text(answer.rcode())
            raise Disagreement(f"{server} fails on {name} {type} ({text}).", Reason.SERVER_FAILURE)
        wanted = dns.rdatatype.from_text(type)
        found = sorted(_text(type, record) for rrset in answer.answer if rrset.rdtype == wanted for record in rrset)
        if not found:
            raise Disagreement(f"{server} has no {type} record for {name}.", Reason.NO_SUCH_TYPE)
        return tuple(found)

    def _public_servers(self) -> tuple[str, ...]:
        return self._public or tuple(str(each) for each in dns.resolver.get_default_resolver().nameservers)

    def _delegated(self, name: str) -> tuple[str, ...]:
        for zone in _parents(name):
            if servers := self.answers(zone, "NS"):
                return tuple(address for server in servers for address in self.answers(server, "A"))
        raise Disagreement(f"No zone above {name} is delegated to any server.", Reason.NO_SUCH_NAME)


def _parents(name: str) -> list[str]:
    labels = name.rstrip(".").split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)]


def _place(server: str, port: int) -> tuple[str, int]:
    """`address` or `address:port`, where the address may be of version 6."""
    try:
        return str(ipaddress.ip_address(server)), port
    except ValueError:
        address, _, written = server.rpartition(":")
        return address.strip("[]"), int(written)


def _text(type: str, record: object) -> str:
    strings = getattr(record, "strings", None)
    return b"".join(strings).decode() if strings is not None else _plain(type, str(record))


def _plain(type: str, value: str) -> str:
    return value if type == "TXT" else value.rstrip(".").lower()
