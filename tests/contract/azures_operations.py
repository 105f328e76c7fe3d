"""Azure's published operations, and what of a stand-in's exchanges is none of them.

An exchange with Resource Manager must be an operation of the list: its method and path, a status that the operation may
answer (any refusal may come instead), and, where it goes on after its answer, one that is listed as long-running. What
the list does not hold is named here with the reason; what is not named must have been refused, else it is a complaint.
"""

import json
import logging
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from workspace.rehearsal.arm import Exchange

# Not Resource Manager, although one server answers for all of them.
ELSEWHERE = {
    "the token endpoint": r"/[^/]+/oauth2/(v2\.0/)?token|/common/discovery/instance|/[^/]+/(v2\.0/)?\.well-known/.*",
    "what a cloud tells of itself to whoever asks": "/metadata/endpoints",
    "Kudu, a site's own deployment service": "/scm/.*",
    "Key Vault's data plane": "/vault/.*",
    "an account of the tenant": "/tenants",
}
# Azure has them, and the list does not: it was cut for some services, and of some it holds a part.
UNLISTED = {
    "progress of a long operation, at an address that only answers give": (
        r".*/(operationresults|operationstatuses)/[^/]+",
        r".*/sites/[^/]+(/slots/[^/]+)?/deploymentstatus/[^/]+",
    ),
    "of Microsoft.Authorization it holds no locks": r".*/microsoft\.authorization/locks/[^/]+",
    "of Microsoft.Insights it holds workbooks": (
        r".*/microsoft\.insights/(actiongroups|components|metricalerts|scheduledqueryrules|webtests)/[^/]+",
        r".*/microsoft\.insights/diagnosticsettings/[^/]+",
    ),
    "of Microsoft.Network it holds the public DNS zones": (
        r".*/microsoft\.network/(privatednszones|virtualnetworks)/[^/]+",
        r".*/microsoft\.network/virtualnetworks/[^/]+/subnets/[^/]+",
    ),
    "of Microsoft.Web it holds no certificates but the public ones of a site": r".*/microsoft\.web/certificates/[^/]+",
    "of Microsoft.Resources it holds no subscriptions": r"/subscriptions/[^/]+",
    "of Microsoft.Web it holds no question about a name": r".*/providers/microsoft\.web/checknameavailability",
    "it has no Microsoft.Compute": r".*/providers/microsoft\.compute/locations/[^/]+/usages",
    "it has no Microsoft.Consumption": r".*/microsoft\.consumption/budgets/[^/]+",
    "it has no Microsoft.Portal": r".*/microsoft\.portal/dashboards/[^/]+",
}


NOTHING = "in no list, and refused"


@dataclass(frozen=True)
class Operation:
    """One published operation, in all versions of it."""

    name: str
    method: str
    pattern: re.Pattern[str]
    statuses: frozenset[int]
    is_long_running: bool


class Operations:
    """The list, by method and number of steps in the path."""

    def __init__(self, samples: Path) -> None:
        self.file = "contract/dev/arm-operations.json"
        listed = json.loads((samples / self.file).read_text())["operations"]
        self._by_shape: dict[tuple[str, int], list[Operation]] = defaultdict(list)
        self._anywhere: list[Operation] = []
        self.total = len({(each["method"], each["path"].lower()) for each in listed})
        for each in listed:
            made = _operation(each)
            if each["path"].strip("/").startswith("{scope}/"):
                self._anywhere.append(made)
            else:
                self._by_shape[made.method, each["path"].strip("/").count("/")].append(made)
        self._fitting = cache(self._look_up)

    def fitting(self, exchange: Exchange) -> list[Operation]:
        """The operations that this exchange may be."""
        return self._fitting(exchange.method, re.sub("/+", "/", exchange.path).rstrip("/"))

    def _look_up(self, method: str, path: str) -> list[Operation]:
        likely = (*self._by_shape[method, path.strip("/").count("/")], *self._anywhere)
        return [each for each in likely if each.method == method and each.pattern.fullmatch(path)]


@dataclass
class Judged:
    """Exchanges sorted: how many are Azure's, what operations they were, what is besides the list, complaints."""

    good: int = 0
    operations: set[str] = field(default_factory=set)
    besides: int = 0
    named: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def judge(self, exchange: Exchange, known: Operations) -> None:
        """Sort one in."""
        reason = _reason(exchange.path, ELSEWHERE) or _reason(exchange.path, UNLISTED)
        fitting = known.fitting(exchange)
        if fitting and (complaint := _complaint(exchange, fitting)):
            self.complaints.append(complaint)
        elif fitting:
            self.good += 1
            self.operations.add(fitting[0].name)
        elif reason or exchange.status >= 400:
            why = reason or NOTHING
            self.besides += 1
            self.named.add(why if why in ELSEWHERE else f"{_named(exchange)}: {why}")
        else:
            self.complaints.append(f"{exchange.method} {exchange.path} ({exchange.status}) is no operation of Azure's")


def _complaint(exchange: Exchange, fitting: list[Operation]) -> str:
    # a 201 may name where the new thing is: that is no operation
    is_home = exchange.status == 201 and exchange.path.lower() in exchange.headers.get("location", "").lower()
    goes_on = "azure-asyncoperation" in exchange.headers or ("location" in exchange.headers and not is_home)
    if exchange.status < 400 and not any(exchange.status in each.statuses for each in fitting):
        return f"{exchange.method} {exchange.path} may not answer {exchange.status}"
    if goes_on and not any(each.is_long_running for each in fitting):
        return f"{exchange.method} {exchange.path} is not long-running"
    return ""


def _named(exchange: Exchange) -> str:
    """Method and type, without the names that tests give to things."""
    _, provider, rest = exchange.path.rpartition("/providers/")
    parts = rest.split("/")
    if provider:
        return f"{exchange.method} {'/'.join([parts[0], *parts[1::2]])}"
    return f"{exchange.method} {re.sub('^/subscriptions/[^/]+|(?<=s/)[^/]+$', '', exchange.path) or '/subscriptions'}"


def _reason(path: str, known: Mapping[str, str | tuple[str, ...]]) -> str:
    for reason, patterns in known.items():
        if any(
            re.fullmatch(each, path, re.IGNORECASE) for each in ([patterns] if isinstance(patterns, str) else patterns)
        ):
            return reason
    return ""


def _operation(listed: dict[str, Any]) -> Operation:
    parts = [re.escape(part) if not part.startswith("{") else "[^/]+" for part in listed["path"].strip("/").split("/")]
    if listed["path"].strip("/").startswith("{scope}/"):
        parts[0] = ".+"
    pattern = re.compile("/" + "/".join(parts), re.IGNORECASE)
    name = f"{listed['method']} {listed['path']}"
    return Operation(name, listed["method"], pattern, frozenset(listed["status"]), listed["lro"])


class Overheard(logging.Handler):
    """Every exchange of every stand-in for Resource Manager in this process, since it was last asked."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._exchanges: list[Exchange] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One more."""
        self._exchanges.append(record.exchange)  # type: ignore[attr-defined]

    def taken(self) -> list[Exchange]:
        """What came in, which is forgotten then."""
        taken, self._exchanges = self._exchanges, []
        return taken
