"""Pins: another target than before is refused before anything is written; what our own steps made is no surprise."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from workspace import pins
from workspace.addresses import Addresses
from workspace.environment import WORLD, Environment
from workspace.errors import Broken, Refused, Unsettled, WorkspaceError
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.node import TARGET, Kind, Node, Output, Stage
from workspace.pins import Pin, Pins
from workspace.plan import draw
from workspace.work import Certainty, Outcome, Preview, Result, Work

GROUP, CLUSTER, ZONE = "dev-rg", "dev-aks", "a.test"
MAKES = "create module.cluster.azurerm_kubernetes_cluster.this"


class Target:
    """A made-up target: what answers for each thing, and what was asked, of whom and how often."""

    def __init__(self, folder: Path) -> None:
        registry = {"registry": "https://acr.azurecr.io", "registry_name": "acr.azurecr.io"}
        self.addresses = Addresses(subscription="s-1", tenant="t-1", state=folder, **registry)
        self.account = ("s-1", "t-1")
        self.resources: dict[str, Any] = {
            f"/subscriptions/s-1/resourceGroups/{GROUP}": {},
            f"/subscriptions/s-1/resourceGroups/{GROUP}/providers/Microsoft.Network/dnsZones/{ZONE}": {
                "properties": {"nameServers": ["ns2-04.azure-dns.net.", "ns1-04.azure-dns.com."]}
            },
        }
        self.by_name = {"acr": "/subscriptions/s-1/acr", "dev-kv": "/subscriptions/s-1/dev-kv"}
        self.clusters = {(GROUP, CLUSTER): "uid-1"}
        self.lineages = {"network": "line-1", "cluster": "line-2"}
        self.trouble: WorkspaceError | None = None
        self.asked: list[str] = []
        self.forgotten: list[tuple[str, str]] = []
        self.arm = self.managed_clusters = self.terraform = self

    def subscription(self, subscription: str) -> tuple[str, str]:
        self._tell(f"subscription {subscription}")
        return self.account

    def resource(self, resource_id: str, _: str) -> Mapping[str, Any] | None:
        self._tell(resource_id)
        found = self.resources.get(resource_id)
        return None if found is None else {"id": resource_id, **found}

    def named(self, kind: str, name: str) -> Mapping[str, Any] | None:
        self._tell(f"{kind} {name}")
        return {"id": self.by_name[name], "createdTime": "2026"} if name in self.by_name else None

    def cluster(self, group: str, name: str) -> Any:
        return Credentials(self, self.clusters[group, name]) if (group, name) in self.clusters else None

    def forget_cluster(self, group: str, name: str) -> None:
        self.forgotten.append((group, name))

    def stack(self, *, root: str, **_: Any) -> Any:
        self._tell(root)
        return State(self.lineages.get(root.removeprefix("stacks/"), ""))

    def _tell(self, what: str) -> None:
        self.asked.append(what)
        if self.trouble:
            raise self.trouble


@dataclass(frozen=True)
class Credentials:
    """What leads to a cluster."""

    target: Target
    uid: str

    def identity(self) -> str:
        self.target._tell(self.uid)
        return self.uid


@dataclass(frozen=True)
class State:
    """A stack's state."""

    line: str

    def lineage(self) -> str:
        return self.line


@dataclass
class Doing:
    """A made-up kind: steps that change things, told in order; `does` happens in the middle of one."""

    changes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    does: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    def preview(self, work: Work, outside: Any) -> Preview:
        return Preview(self.changes.get(work.node.id, (f"update {work.node.id}",)))

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        if not preview.is_empty:
            self.written.append(work.node.id)
            self.does.get(work.node.id, lambda: None)()
        return Result(Outcome.UNCHANGED if preview.is_empty else Outcome.CHANGED, gives={"name": work.node.id})

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        return result


IN_CLUSTER = {"cluster": {"group": GROUP, "name": CLUSTER}}
NODES = (
    Node("network", Kind.STACK, Stage.ZONE, settings={"root": "network", "variables": {"resource_group_name": GROUP}}),
    Node(
        "cluster",
        Kind.STACK,
        Stage.ZONE,
        settings={"root": "cluster", "variables": {"subscription_id": Output(TARGET, "subscription")}},
        owns=(f"Microsoft.ContainerService/managedClusters {CLUSTER}",),
    ),
    Node("rollout", Kind.WORKLOAD, Stage.NAMES, needs=frozenset({"cluster", "network"}), settings=IN_CLUSTER),
    Node("secret", Kind.SECRET, Stage.NAMES, settings={**IN_CLUSTER, "keys": {"k": {"vault": "dev-kv"}}}),
    Node("record", Kind.RECORD, Stage.NAMES, settings={"group": GROUP, "zone": ZONE}),
    Node("image", Kind.IMAGE, Stage.IMAGES),
    Node("app", Kind.APP, Stage.NAMES, settings={"group": GROUP}),
    Node("check", Kind.CHECK, Stage.VERIFICATION),
)


class Place:
    """An environment with a ledger and a target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder)
        self.target = Target(folder)
        self.runs = 0

    def execution(self, doing: Doing | None = None, nodes: tuple[Node, ...] = NODES, name: str = "dev") -> Execution:
        self.runs += 1
        run, plan, kind = f"run-{self.runs}", draw(Environment(name), nodes, world={}), doing or Doing()
        return Execution(
            plan,
            run=run,
            outside=self.target,
            ledger=self.ledger,
            kinds=dict.fromkeys(Kind, kind),
            sources=self.folder,
            state=self.folder,
            target=self.target.addresses.facts(),
            pins=Pins(self.ledger, name, run, self.target, plan.nodes),
        )

    def promote(self, doing: Doing | None = None, nodes: tuple[Node, ...] = NODES, name: str = "dev") -> Doing:
        doing = doing or Doing()
        execution = self.execution(doing, nodes, name)
        execution.begin("somebody")
        for each in execution.plan.order:
            execution.apply(each)
        return doing

    def pins(self, name: str = "dev") -> dict[str, Pin]:
        return {each.name: each for each in pins.book(self.ledger, name).pins()}

    def events(self, event: Event, run: str = "") -> list[str]:
        return [entry.node for entry in self.ledger.after(0, "dev", run) if entry.event is event]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    with contextlib.closing(made.ledger):
        yield made


def test_the_first_run_pins_what_each_node_touches(place: Place) -> None:
    place.promote()
    zone = f"/subscriptions/s-1/resourcegroups/{GROUP}/providers/microsoft.network/dnszones/{ZONE}"
    assert {name: pin.value for name, pin in place.pins().items()} == {
        "tenant": "t-1",
        "subscription": "s-1",
        f"group:{GROUP}": f"/subscriptions/s-1/resourcegroups/{GROUP}",
        f"cluster:{CLUSTER}": "uid-1",
        f"zone:{ZONE}": f"{zone} at ns1-04.azure-dns.com, ns2-04.azure-dns.net",
        "state:network": "line-1",
        "state:cluster": "line-2",
        "registry:acr.azurecr.io": "/subscriptions/s-1/acr, made 2026",
        "vault:dev-kv": "/subscriptions/s-1/dev-kv, made 2026",
    }
    assert place.pins()[f"cluster:{CLUSTER}"].nodes == ("rollout", "secret")
    assert (place.pins()["tenant"].by, place.pins()["tenant"].run) == ("somebody", "run-1")


def test_the_same_target_is_pinned_once(place: Place) -> None:
    place.promote()
    before = len([each for each in place.ledger.after(0, "dev") if each.event is Event.PINNED])
    assert place.promote().written == list(place.execution().plan.order)
    assert len([each for each in place.ledger.after(0, "dev") if each.event is Event.PINNED]) == before


def other_tenant(target: Target) -> None:
    target.addresses = target.addresses.model_copy(update={"tenant": ""})
    target.account = ("s-1", "t-2")


def other_subscription(target: Target) -> None:
    target.addresses = target.addresses.model_copy(update={"subscription": "s-2"})
    target.account = ("s-2", "t-1")
    target.resources = {key.replace("s-1", "s-2"): value for key, value in target.resources.items()}


def other_servers(target: Target) -> None:
    zone = next(key for key in target.resources if ZONE in key)
    target.resources[zone] = {"properties": {"nameServers": ["ns1-09.azure-dns.com."]}}


def unknown_subscription(target: Target) -> None:
    target.addresses = target.addresses.model_copy(update={"subscription": "s-2"})
    target.trouble = Broken("s-2: SubscriptionNotFound")


def other_registry(target: Target) -> None:
    target.addresses = target.addresses.model_copy(update={"registry_name": "else.azurecr.io"})


def asked_elsewhere(target: Target) -> None:
    target.addresses = target.addresses.model_copy(update={"registry": "https://else.azurecr.io"})


MUTANTS: dict[str, tuple[Callable[[Target], Any], str]] = {
    "another tenant": (other_tenant, "tenant"),
    "another subscription": (other_subscription, "subscription"),
    "another subscription, which does not answer": (unknown_subscription, "subscription"),
    "another cluster": (lambda target: target.clusters.update({(GROUP, CLUSTER): "uid-2"}), f"cluster:{CLUSTER}"),
    "a zone at other name servers": (other_servers, f"zone:{ZONE}"),
    "another state": (lambda target: target.lineages.update(network="line-9"), "state:network"),
    "a lost state": (lambda target: target.lineages.pop("network"), "state:network"),
    "another registry": (lambda target: target.by_name.update(acr="/subscriptions/s-1/other"), "registry:acr"),
    "a registry of somebody else": (other_registry, "registry:else.azurecr.io"),
    "a registry asked elsewhere": (asked_elsewhere, "registry:acr"),
    "another vault": (lambda target: target.by_name.update({"dev-kv": "/subscriptions/s-1/other"}), "vault:dev-kv"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_another_target_is_refused_before_the_first_write(place: Place, mutant: str) -> None:
    place.promote()
    change, name = MUTANTS[mutant]
    change(place.target)
    doing = Doing()
    with pytest.raises(Refused, match=f"workspace repin dev {name}"):
        place.promote(doing)
    assert doing.written == []
    assert place.events(Event.INTENT, "run-2") == []


@pytest.mark.parametrize(
    ("node", "settings"),
    [
        ("app", {"group": "prod-rg"}),
        ("network", {"root": "network", "variables": {"resource_group_name": "prod-rg"}}),
        ("record", {"group": GROUP, "zone": "b.test"}),
        ("rollout", {"cluster": {"group": GROUP, "name": "prod-aks"}}),
        ("secret", {**IN_CLUSTER, "keys": {"k": {"vault": "prod-kv"}}}),
        ("network", {"root": "other", "variables": {"resource_group_name": GROUP}}),
        ("cluster", {"root": "cluster", "variables": {"subscription_id": "s-2"}}),
    ],
)
def test_a_node_that_is_sent_elsewhere_by_its_settings_is_refused(
    place: Place, node: str, settings: Mapping[str, Any]
) -> None:
    place.promote()
    target = place.target
    target.resources |= {"/subscriptions/s-1/resourceGroups/prod-rg": {}}
    target.clusters |= {(GROUP, "prod-aks"): "uid-of-prod"}
    target.by_name |= {"prod-kv": "/subscriptions/s-1/prod-kv"}
    target.lineages |= {"other": "line-of-other"}
    changed = tuple(replace(each, settings=settings) if each.id == node else each for each in NODES)
    doing = Doing()
    with pytest.raises(Refused):
        place.promote(doing, changed)
    assert doing.written == []


def vaults(*names: str) -> tuple[Node, ...]:
    """The nodes, with a secret that is filled from these vaults."""
    keys = {"keys": {name: {"vault": name} for name in names}}
    return tuple(replace(each, settings={**IN_CLUSTER, **keys}) if each.id == "secret" else each for each in NODES)


def test_a_node_may_touch_several_things_of_a_sort_and_come_to_touch_one_more_or_less(place: Place) -> None:
    place.target.by_name |= {name: f"/subscriptions/s-1/{name}" for name in ("a-kv", "b-kv", "c-kv", "d-kv")}
    for names in (("a-kv",), ("a-kv", "b-kv"), ("a-kv", "b-kv"), ("b-kv",), ("b-kv", "a-kv")):
        assert "secret" in place.promote(nodes=vaults(*names)).written
    with pytest.raises(Refused, match=r"the vault was b-kv .* and is c-kv now"):
        place.promote(nodes=vaults("a-kv", "c-kv"))
    pins.repin(place.ledger, "dev", "vault:c-kv", because="moved", by="a person")
    with place.ledger.hold("dev", "after"):
        assert "secret" in place.promote(nodes=vaults("a-kv", "c-kv")).written
        assert "secret" in place.promote(nodes=vaults("a-kv", "c-kv", "d-kv")).written
        place.target.by_name["a-kv"] = "/subscriptions/s-1/another"
        with pytest.raises(Refused, match="the vault a-kv is another one"):
            place.promote(nodes=vaults("a-kv", "c-kv", "d-kv"))


def test_what_the_addresses_declare_is_compared_from_the_very_first_run(place: Place) -> None:
    place.target.account = ("s-1", "t-2")
    with pytest.raises(Refused, match="name the tenant t-1, and subscription s-1 belongs to t-2") as told:
        place.promote()
    assert "repin" not in str(told.value), "a declared fact is corrected where it is declared"
    assert place.pins() == {}


def test_the_sentence_says_what_it_was_since_when_what_answers_and_what_to_do(place: Place) -> None:
    place.promote()
    place.target.clusters[GROUP, CLUSTER] = "uid-2"
    with pytest.raises(Refused) as told:
        place.promote()
    for part in ("cluster dev-aks in dev-rg", "was uid-1 since 20", "(run run-1)", "uid-2 answers now", "Correct the"):
        assert part in str(told.value)


def test_a_target_that_changes_in_the_middle_stops_the_next_step(place: Place) -> None:
    place.promote()
    doing = Doing(does={"cluster": lambda: place.target.clusters.update({(GROUP, CLUSTER): "uid-2"})})
    with pytest.raises(Refused, match="uid-2 answers now"):
        place.promote(doing)
    assert "cluster" in doing.written
    assert not {"rollout", "secret"} & {*doing.written}


def test_a_step_without_changes_that_applies_anyway_asks_as_well(place: Place) -> None:
    place.promote()
    other = {**IN_CLUSTER, "overlay": "another"}
    nodes = tuple(replace(each, settings=other) if each.id == "rollout" else each for each in NODES)
    execution = place.execution(Doing(changes={"rollout": ()}), nodes)
    place.target.clusters[GROUP, CLUSTER] = "uid-2"
    with pytest.raises(Refused):
        execution.apply("rollout")


def test_a_stack_without_changes_is_not_asked_for(place: Place) -> None:
    place.promote()
    place.target.asked.clear()
    place.execution(Doing(changes={"network": ()})).apply("network")
    assert place.target.asked == []


def test_what_our_own_step_makes_anew_is_pinned_anew(place: Place) -> None:
    place.promote()
    made = {"cluster": lambda: place.target.clusters.update({(GROUP, CLUSTER): "uid-2"})}
    place.promote(Doing(changes={"cluster": (MAKES,)}, does=made))
    pin = place.pins()[f"cluster:{CLUSTER}"]
    assert (pin.value, pin.why, pin.nodes) == ("uid-2", "made by cluster", ("rollout", "secret"))
    assert place.target.forgotten == [(GROUP, CLUSTER)], "the credentials of the one before are not used again"


def test_what_our_own_step_makes_is_pinned_although_the_step_failed(place: Place) -> None:
    place.promote()

    def fails() -> None:
        place.target.clusters[GROUP, CLUSTER] = "uid-2"
        raise Broken("the node pool was not made")

    with pytest.raises(Broken):
        place.promote(Doing(changes={"cluster": (MAKES,)}, does={"cluster": fails}))
    assert place.pins()[f"cluster:{CLUSTER}"].value == "uid-2"


def test_a_step_that_was_killed_as_it_made_something_is_no_wrong_target(place: Place) -> None:
    place.promote()
    place.ledger.write("killed", "dev", Event.INTENT, "cluster", changes=[MAKES])
    place.target.clusters[GROUP, CLUSTER] = "uid-2"
    place.promote()
    assert place.pins()[f"cluster:{CLUSTER}"].why == "made by cluster, which was cut short"


@pytest.mark.parametrize("ended", ["only updated it", "ended well"])
def test_a_step_that_made_nothing_excuses_nothing(place: Place, ended: str) -> None:
    place.promote()
    changes = ["update azurerm_kubernetes_cluster.this"] if ended == "only updated it" else [MAKES]
    place.ledger.write("before", "dev", Event.INTENT, "cluster", changes=changes)
    if ended == "ended well":
        place.ledger.outcome("before", "dev", "cluster", Result(Outcome.CHANGED))
    place.target.clusters[GROUP, CLUSTER] = "uid-2"
    with pytest.raises(Refused, match="uid-2 answers now"):
        place.promote()


def test_a_state_is_never_excused(place: Place) -> None:
    place.promote()
    place.ledger.write("killed", "dev", Event.INTENT, "network", changes=["create azurerm_resource_group.this"])
    del place.target.lineages["network"]
    with pytest.raises(Refused, match="is lost: Terraform would make everything a second time"):
        place.promote()


def test_what_is_gone_is_said_and_no_wrong_target(place: Place) -> None:
    place.promote()
    place.target.clusters.clear()
    execution = place.execution()
    execution.begin()
    lines = [str(entry.body["line"]) for entry in place.ledger.after(0, "dev") if entry.event is Event.PROGRESS]
    assert any(f"cluster {CLUSTER} in {GROUP}, pinned since" in line and "not there now" in line for line in lines)


def test_somebody_elses_new_one_in_place_of_what_was_gone_is_refused(place: Place) -> None:
    place.promote()
    place.target.clusters.clear()
    place.execution().begin()
    place.target.clusters[GROUP, CLUSTER] = "uid-of-somebody"
    with pytest.raises(Refused, match="uid-of-somebody answers now"):
        place.promote()


def test_a_target_that_cannot_be_asked_is_left_to_the_step_which_writes_nothing(place: Place) -> None:
    place.promote()
    place.target.trouble = Unsettled("Azure does not answer")
    doing = Doing()
    execution = place.execution(doing)
    execution.begin()
    with pytest.raises(Unsettled, match="does not answer"):
        execution.apply("app")
    assert doing.written == []


def test_another_environment_is_held_to_what_the_world_met(place: Place) -> None:
    place.promote(nodes=NODES[4:5], name=WORLD)
    other_servers(place.target)
    with pytest.raises(Refused, match=f"zone {ZONE} in {GROUP} is another one"):
        place.promote()


def test_what_the_world_made_anew_is_right_everywhere(place: Place) -> None:
    zone = replace(
        NODES[0],
        id="zone",
        settings={"root": "zone", "variables": {}},
        owns=(f"Microsoft.Network/dnsZones {ZONE}",),
    )
    world = (zone, NODES[4])
    place.promote(nodes=world, name=WORLD)
    place.promote()
    made = Doing(
        changes={"zone": ("replace azurerm_dns_zone.this",)}, does={"zone": lambda: other_servers(place.target)}
    )
    place.promote(made, world, WORLD)
    place.promote()
    assert place.pins()[f"zone:{ZONE}"].why == "made anew in world"


def test_a_person_can_say_that_it_was_meant(place: Place) -> None:
    place.promote()
    place.target.clusters[GROUP, CLUSTER] = "uid-2"
    with pytest.raises(Refused):
        place.promote()
    (meant,) = pins.repin(place.ledger, "dev", "cluster", because="it was moved to another region", by="a person")
    assert (meant.value, meant.nodes) == ("uid-2", ("rollout", "secret"))
    assert pins.book(place.ledger, "dev").strays() == ()
    fresh = Place(place.folder)
    fresh.target, fresh.runs = place.target, 10
    pin = fresh.pins()[f"cluster:{CLUSTER}"]
    assert (pin.value, pin.why, pin.by) == ("uid-2", "it was moved to another region", "a person")


def test_only_what_a_refusal_showed_can_be_pinned_anew(place: Place) -> None:
    place.promote()
    with pytest.raises(Refused, match="nothing to pin anew"):
        pins.repin(place.ledger, "dev", "cluster", because="why not", by="a person")
    with pytest.raises(Refused, match="--because"):
        pins.repin(place.ledger, "dev", "cluster", because=" ", by="a person")


def test_a_lost_state_that_was_meant_is_made_anew_and_pinned(place: Place) -> None:
    place.promote()
    del place.target.lineages["network"]
    with pytest.raises(Refused):
        place.promote()
    pins.repin(place.ledger, "dev", "state:network", because="the group was deleted with all in it", by="a person")
    with place.ledger.hold("dev", "run"):
        place.promote(Doing(does={"network": lambda: place.target.lineages.update(network="line-9")}))
    pin = place.pins()["state:network"]
    assert (pin.value, pin.why) == ("line-9", "made by network")


def test_who_asks_while_another_asks_shares_the_next_answer_and_never_an_older_one() -> None:
    answer, began, go = pins._Answer(), threading.Event(), threading.Event()
    asked: list[str] = []

    def ask() -> str:
        asked.append("asked")
        began.set()
        go.wait()
        return f"answer {len(asked)}"

    with ThreadPoolExecutor() as pool:
        first = pool.submit(answer.since, time.monotonic(), ask)
        began.wait()
        later = [pool.submit(answer.since, time.monotonic(), ask) for _ in range(5)]
        go.set()
        assert first.result() == "answer 1"
        assert {each.result() for each in later} == {"answer 2"}


def test_a_preview_that_is_deferred_asks_before_its_intent(place: Place) -> None:
    class Deferred(Doing):
        def preview(self, work: Work, outside: Any) -> Preview:
            return Preview((), Certainty.DEFERRED)

    place.promote()
    execution = place.execution(Deferred())
    place.target.lineages["network"] = "line-9"
    with pytest.raises(Refused):
        execution.apply("network")
    assert place.events(Event.INTENT, execution.run) == []
