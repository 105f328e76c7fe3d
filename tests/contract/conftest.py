"""Which clusters the contract is asked of, and what is told about it at the end."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import clusters_here
import pytest
from clusters_here import NAMED, REAL, STAND_IN, Place

_MARKERS = (
    "since(minor, why): the behaviour came with that Kubernetes 1.minor; an older server must fail the test",
    "declared(place, why): a difference that is known at one place; the test must fail there",
    "pods: needs pods that run: on a cluster of KUBECONFIG, images that it can pull (CONFORMANCE_IMAGE, …_2)",
    "ours(why): is not asked of a cluster that belongs to somebody",
)
_OUTCOMES = {"passed": "passed", "xfailed": "declared differences", "skipped": "not asked", "failed": "failed"}


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers with which a case says where it holds."""
    for each in _MARKERS:
        config.addinivalue_line("markers", each)


@pytest.fixture(scope="session", params=clusters_here.asked_for())
def cluster_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Each cluster in turn, started once."""
    with clusters_here.PLACES[request.param](tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.fixture
def place(request: pytest.FixtureRequest, cluster_place: Place) -> Place:
    """The cluster a case is asked of, with what is declared about the case there."""
    node = request.node
    for marker in node.iter_markers("since"):
        minor, why = marker.args
        if cluster_place.minor < minor:
            _declare(node, f"1.{cluster_place.minor} at {cluster_place.name}: {why} (1.{minor})")
    for marker in node.iter_markers("declared"):
        where, why = marker.args
        if where == cluster_place.name:
            _declare(node, f"{where}: {why}")
    if cluster_place.name == NAMED:
        for marker in node.iter_markers("ours"):
            pytest.skip(f"not asked of a cluster of somebody's: {marker.args[0]}")
        if node.get_closest_marker("pods") and len(list(filter(None, cluster_place.images.values()))) < 2:
            pytest.skip("CONFORMANCE_IMAGE and CONFORMANCE_IMAGE_2 name no two images this cluster can pull")
    return cluster_place


def _declare(node: pytest.Item, why: str) -> None:
    """Strict: a difference that is no more must leave the list."""
    node.add_marker(pytest.mark.xfail(reason=why, strict=True))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How often the contract held at each place, and every declared difference with its reason."""
    counted: dict[str, Counter[str]] = {}
    reasons: list[str] = []
    missing: set[str] = set()
    for outcome, what in {**_OUTCOMES, "error": "failed"}.items():
        for report in terminalreporter.stats.get(outcome, []):
            where = next((each for each in (STAND_IN, REAL, NAMED) if f"[{each}" in report.nodeid), "")
            if where and "test_cluster_contract" in report.nodeid:
                counted.setdefault(where, Counter())[what] += 1
                missing |= {f"{where}: {value}" for key, value in report.user_properties if key == "not served"}
                if outcome in ("xfailed", "skipped"):
                    why = getattr(report, "wasxfail", "") or str(report.longrepr)
                    reasons.append(f"{report.nodeid.rpartition('::')[2]}: {why}")
    if counted.keys() <= {STAND_IN}:
        return
    terminalreporter.section("the cluster contract")
    for where, counts in counted.items():
        told = ", ".join(f"{counts[what]} {what}" for what in dict.fromkeys(_OUTCOMES.values()))
        terminalreporter.write_line(f"{where}: {told}")
    for each in (*sorted(missing), *sorted(reasons)):
        terminalreporter.write_line(f"  {each}")
