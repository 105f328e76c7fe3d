"""A workload: one Kustomize overlay, its images pinned by digest, applied to a cluster and waited for.

What is applied is what was previewed: the overlay is rendered again and refused when it has become another one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from workspace import manifests, neutral, readiness
from workspace.errors import Broken, Refused, Unsettled
from workspace.work import Certainty, Outcome, Preview, Result, Work

_DEADLINE_SECONDS = 600
_RUNS_PODS = ("Deployment", "StatefulSet", "DaemonSet")
_HAS_REVISIONS = ("Deployment", "StatefulSet")
_ADDRESSED = ("Gateway", "Ingress", "Service")
# A Certificate needs a name in the DNS that only comes later; a node of its own waits for it.
_WAITED_FOR_ELSEWHERE = ("Certificate",)


def preview(work: Work, outside: Any) -> Preview:
    """What the API server says that applying would change, computed by a dry run of the pinned overlay."""
    objects = _objects(work, outside)
    found = _cluster(work, outside).differences(objects)
    certainty = Certainty.DEFERRED if any(each.is_guess for each in found) else Certainty.EXACT
    return Preview(tuple(str(each) for each in found), certainty, plan=manifests.content(objects))


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Apply the previewed objects that differ; Refused when the overlay is no longer the previewed one.

    Pods that had failed before are started anew, so that running again after a repair finishes.
    """
    objects = _objects(work, outside)
    content = manifests.content(objects)
    if preview.plan and preview.plan != content:
        raise Refused(f"{work.settings['overlay']} renders something else than what was previewed; preview it again")
    cluster = _cluster(work, outside)
    done = [] if preview.plan and preview.is_empty else cluster.apply(objects, work.say)
    revived = cluster.revive(objects, work.say, work.announce)
    outcome = Outcome.CHANGED if done or revived else Outcome.UNCHANGED
    return Result(outcome, _told(objects, done, revived), _gives(work, objects), _content(work, content))


def reads(work: Work, preview: Preview, outside: Any) -> Mapping[str, str]:
    """The objects themselves, as the overlay renders them."""
    return {"objects": preview.plan}


def verify(work: Work, result: Result, outside: Any) -> Result:
    """Wait until everything is ready and runs the pinned digests; the result then knows the address, if any."""
    objects, cluster = _objects(work, outside), _cluster(work, outside)
    ready = _wait(work, cluster, [each for each in objects if each["kind"] not in _WAITED_FOR_ELSEWHERE])
    for thing in ready:
        _refuse_other_images(thing, cluster)
    gives = {**result.gives, **_gives(work, objects), **_address(ready), **_rendered(work, outside)}
    return Result(result.outcome, result.detail, gives, result.content)


def undo(work: Work, outside: Any) -> Result:
    """Put each Deployment and StatefulSet of the overlay back to its previous revision and wait for it."""
    rendered = outside.kustomize.render(work.definitions / work.settings["overlay"])
    workloads = [each for each in rendered if each["kind"] in _HAS_REVISIONS]
    cluster = _cluster(work, outside)
    undone = []
    for each in workloads:
        said = cluster.undo(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"])
        if said:
            work.say(said)
            undone.append(said)
    _wait(work, cluster, workloads)
    outcome = Outcome.CHANGED if undone else Outcome.UNCHANGED
    return Result(outcome, "; ".join(undone) or "nothing to take back")


def _cluster(work: Work, outside: Any) -> Any:
    return outside.cluster(work.settings["cluster"]["group"], work.settings["cluster"]["name"])


def _wait(work: Work, cluster: Any, objects: Sequence[Mapping[str, Any]]) -> list[Any]:
    deadline = float(work.settings.get("deadline_seconds", _DEADLINE_SECONDS))
    return list(cluster.wait_ready(objects, deadline, work.say))


def _objects(work: Work, outside: Any) -> list[dict[str, Any]]:
    """The objects of the overlay as they are to be: pinned, with the settings in, and nothing left open."""
    made = manifests.with_values(_pinned(work, outside), work.settings.get("set", ()))
    missing = manifests.dangling(made)
    if missing:
        raise Refused(f"{'; '.join(missing)}; is a rule missing under `set`?")
    return made


def _pinned(work: Work, outside: Any) -> list[dict[str, Any]]:
    settings = work.settings
    rendered = outside.kustomize.render(work.definitions / settings["overlay"], work.say)
    _refuse_strangers(rendered, settings["namespace"], settings["overlay"])
    return manifests.pinned(rendered, settings.get("images", {}), settings.get("external_images", ()))


def _rendered(work: Work, outside: Any) -> dict[str, str]:
    """What the overlay renders to, images and all, but for what belongs to this environment, where that is said."""
    objects = _pinned(work, outside)
    content = neutral.content(objects, work.environment.name, work.definitions, work.settings["overlay"])
    return {"rendered": content} if content else {}


def _told(objects: Sequence[Any], done: Sequence[Any], revived: Sequence[Any]) -> str:
    applied = (
        f"applied {len(done)} of {len(objects)} objects" if done else f"{len(objects)} objects were as they should be"
    )
    return f"{applied}, started {len(revived)} failed pods anew" if revived else applied


def _refuse_strangers(objects: Sequence[Mapping[str, Any]], namespace: str, overlay: str) -> None:
    places = {each["metadata"].get("namespace", namespace) for each in objects}
    strangers = sorted(places - {namespace})
    if strangers:
        raise Refused(f"{overlay} holds objects of namespace {', '.join(strangers)}; it may only touch {namespace}")


def _refuse_other_images(thing: Mapping[str, Any], cluster: Any) -> None:
    if thing["kind"] not in _RUNS_PODS or thing["spec"].get("replicas") == 0:
        return
    running = cluster.running_images(thing)
    for container in thing["spec"]["template"]["spec"]["containers"]:
        wanted = manifests.digest_of(container["image"])
        others = running.get(container["name"], frozenset()) ^ {wanted}
        if wanted and others:
            raise Broken(
                f"container {container['name']} of {manifests.name_of(thing)} does not run {wanted} alone "
                f"(differing: {', '.join(sorted(others))}); something else replaces its pods"
            )


def _gives(work: Work, objects: Sequence[Any]) -> dict[str, Any]:
    return {"images": dict(work.settings.get("images", {})), "objects": len(objects)}


def _content(work: Work, content: str) -> str:
    """The digest that runs, where the overlay runs exactly one image; else the content of the objects."""
    digests = {manifests.digest_of(each) for each in work.settings.get("images", {}).values()}
    return digests.pop() if len(digests) == 1 else content


def _address(ready: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Where the outside reaches this workload: its Gateway's address, else its Ingress's, else a load balancer's."""
    for kind in _ADDRESSED:
        for thing in (each for each in ready if each["kind"] == kind):
            found = readiness.addresses(thing)
            if found:
                return {"address": found[0]}
            if kind == "Gateway":
                raise Unsettled(f"{manifests.name_of(thing)} is programmed but has no address yet")
    return {}
