"""One Kubernetes cluster: objects applied under our name, waited for with the pod's own reason, taken back.

Everything is server-side apply with one field manager. What another manager owns is never taken by force: the conflict
is named and a person decides. Only fields that our own undo wrote are taken back.
"""

import base64
import contextlib
import copy
import dataclasses
import datetime
import hashlib
import hmac
import itertools
import json
import re
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ResourceNotFoundError, ResourceNotUniqueError

from workspace import manifests, readiness
from workspace.errors import Broken, Refused, Unsettled, WorkspaceError

Object = dict[str, Any]
Say = Callable[[str], None]

_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_UNDONE = "mystira.app/undone-to"
_REVISION = "deployment.kubernetes.io/revision"
_RESTARTABLE = {"Deployment", "StatefulSet"}
_RUNS_PODS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}
# They follow their workload and may need minutes of metrics: told, never waited for.
_ADVISERS = {"HorizontalPodAutoscaler", "PodDisruptionBudget"}
_FIRST_POLL, _SLOWEST_POLL, _POLL_GROWTH = 0.1, 2.0, 1.4
_OWNERSHIP = "metadata.managedFields"
_ESTABLISH_SECONDS = 60.0
_AT_ONCE = 6
_SILENCE_SECONDS = 15.0
_SECOND_CHANCE = 60.0
_NOT_IN_SCHEMA = "failed to create typed patch object"
_OWNER = re.compile(r'conflict with "([^"]+)"')
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Difference:
    """What applying one object would do: `create` or `change`, to what, and at which paths.

    `is_guess` is true where the API server could not be asked, because the namespace or the kind is not there yet.
    """

    name: str
    change: str
    paths: tuple[str, ...] = ()
    is_guess: bool = False

    def __str__(self) -> str:
        return f"{self.change} {self.name}" + (f": {', '.join(self.paths)}" if self.paths else "")


@dataclass(frozen=True)
class SecretState:
    """Which keys of a secret would be added, changed, removed, and the version that is there (empty: none)."""

    version: str
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """True when the secret is as wanted."""
        return bool(self.version) and not (self.added or self.changed or self.removed)


class Cluster:
    """A cluster as its kubeconfig describes it; nothing of the person's own configuration is read.

    `kubeconfig` is the text. Where its user asks for a credential program (AKS with Entra ID), `token` must give a
    bearer token instead. May be used from several threads. `close` removes what little had to be put on disk.
    """

    def __init__(
        self,
        kubeconfig: str,
        *,
        field_manager: str = "mystira-workspace",
        timeout_seconds: float = 30.0,
        token: Callable[[], str] | None = None,
    ) -> None:
        self._manager = field_manager
        self._timeout = timeout_seconds
        self._private = tempfile.TemporaryDirectory(prefix="mystira-cluster-")
        self._configuration = _configuration(kubeconfig, Path(self._private.name), token)
        self._http = ApiClient(self._configuration)
        self._lock = threading.RLock()
        self._api: DynamicClient | None = None

    @property
    def address(self) -> str:
        """Where the API server is."""
        return str(self._configuration.host)

    def close(self) -> None:
        """End the connections and remove the private files; a second call does nothing."""
        with self._lock:
            self._http.rest_client.close()
            self._api = None
        self._private.cleanup()

    def identity(self) -> str:
        """What tells this cluster from every other one, however it is called: the UID of its kube-system namespace."""
        found = self.get("v1", "Namespace", "", "kube-system")
        if found is None:
            raise Broken(f"{self.address} has no namespace kube-system; is it a Kubernetes cluster?")
        return str(found["metadata"]["uid"])

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        """The object as it is now, or None when it, or its kind, is not there."""
        path = self._path(api_version, kind, namespace, name)
        return self._ask("get", path, f"{kind} {name}", absent=True) if path else None

    def differences(self, objects: Sequence[Object], say: Say = lambda _: None) -> list[Difference]:
        """What applying would change, as the API server itself computes it in a dry run; writes nothing.

        Refused where a field would change that never can. Broken where somebody else owns a field we set.
        """
        wanted = manifests.ordered(objects)
        places = {each["metadata"].get("namespace", "") for each in wanted}
        there = {place for place in places if not place or self.get("v1", "Namespace", "", place) is not None}
        # Each object costs two round trips and none depends on another.
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            tried = list(pool.map(lambda thing: self._difference(thing, there), wanted))
        found = [each for each in tried if each is not None]
        for each in found:
            say(f"would {each}")
        return found

    def apply(self, objects: Sequence[Object], say: Say = lambda _: None) -> list[Difference]:
        """Apply the objects in order and return what that changed; where nothing differs the server writes nothing.

        New namespaces and kinds are waited for before what stands on them is applied. Refused, before anything is
        written, where a field would change that never can.
        """
        wanted = manifests.ordered(objects)
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            lives = list(pool.map(self._live, wanted))
        for live, thing in zip(lives, wanted, strict=True):
            self._refuse_immutable(live, thing)
        done = []
        for _, group in itertools.groupby(zip(lives, wanted, strict=True), lambda pair: manifests.wave(pair[1])):
            made = [(thing, self._applied(live, thing)) for live, thing in group]
            changed = [(thing, change) for thing, change in made if change]
            done += [change for _, change in changed]
            for _, change in changed:
                say(_past(change))
            grounds = [thing for thing, _ in changed if thing["kind"] in ("Namespace", "CustomResourceDefinition")]
            if grounds:
                self.wait_ready(grounds, _ESTABLISH_SECONDS, say)
        return done

    def wait_ready(self, objects: Sequence[Object], deadline_seconds: float, say: Say = lambda _: None) -> list[Object]:
        """Wait until every object that becomes ready by itself is so, and return those as they are then.

        Broken as soon as one cannot become ready, with the reason the pod or the controller gives, and Broken with
        the reason seen last when the deadline passes.
        """
        watch = _Watch(self, deadline_seconds, say)
        return watch.until_ready([each for each in objects if readiness.has_progress(each) and not _advises(each)])

    def trouble(self, thing: Mapping[str, Any]) -> readiness.Verdict | None:
        """Why a workload cannot start, as its newest pods or their events say; None while nothing speaks against it."""
        if thing.get("kind") not in _RUNS_PODS:
            return None
        now = datetime.datetime.now(datetime.UTC)
        for pod in self._newest_pods(thing):
            verdict = readiness.verdict(pod, now)
            if verdict.is_failed:
                said = f"pod {pod['metadata']['name']}: {verdict.reason}"
                return readiness.Verdict(verdict.state, said, verdict.grace)
        return self._refused_pods(thing)

    def last_warning(self, thing: Mapping[str, Any]) -> str:
        """The newest warning about a workload or one of its pods, as the events tell it; empty when there is none."""
        things = [thing, *(self._newest_pods(thing) if thing.get("kind") in _RUNS_PODS else [])]
        warnings = [each for one in things for each in self._warnings(one)]
        newest = max(warnings, key=_event_time, default=None)
        return f"{newest.get('message', '')} ({newest.get('reason', '')})" if newest else ""

    def running_images(self, thing: Mapping[str, Any]) -> dict[str, frozenset[str]]:
        """The digests that a workload's pods run, by container; pods that are leaving do not count."""
        running: dict[str, set[str]] = {}
        for pod in self._pods(thing):
            told = {each["name"]: each.get("image", "") for each in pod["spec"].get("containers") or ()}
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                told_digest = manifests.digest_of(told.get(status["name"], ""))
                # The runtime may name one platform's manifest; the digest the pod was told is then the proof.
                digest = told_digest or manifests.digest_of(status.get("imageID", ""))
                if digest and "running" in (status.get("state") or {}):
                    running.setdefault(status["name"], set()).add(digest)
        return {name: frozenset(digests) for name, digests in running.items()}

    def undo(self, kind: str, namespace: str, name: str) -> str:
        """Put a Deployment or StatefulSet back to its previous pod template; returns one line about what was done.

        Empty when it stands there already, because it was undone before. Refused when there is no earlier revision.
        """
        if kind not in _RESTARTABLE:
            raise Refused(f"{kind} {namespace}/{name} has no revisions to go back to")
        live = self.get("apps/v1", kind, namespace, name)
        if live is None:
            raise Refused(f"there is no {kind} {namespace}/{name} to undo")
        if _annotation(live, _UNDONE) == _fingerprint(live["spec"]["template"]):
            return ""
        revision, template = self._previous(live)
        self._put_template(live, template)
        return f"{manifests.name_of(live)} is back at revision {revision}"

    def free_stuck_pods(self, thing: Mapping[str, Any]) -> list[str]:
        """Delete pods of an old revision that can never become ready and so hold up a StatefulSet; returns their names.

        Its controller waits for such a pod before it goes on, with the old template as with the new one.
        """
        wanted = (thing.get("status") or {}).get("updateRevision")
        if thing.get("kind") != "StatefulSet" or not wanted:
            return []
        pods = self._pods(thing)
        return self._delete_failed(
            [each for each in pods if _label(each, "controller-revision-hash") not in ("", wanted)]
        )

    def revive(
        self, objects: Sequence[Mapping[str, Any]], say: Say = lambda _: None, announce: Say = lambda _: None
    ) -> list[str]:
        """Delete the pods of these workloads that have failed already, so that new ones start at once; their names.

        Each workload of which pods are to go is announced before. A pod that crashes is started ever more rarely, and a
        run that comes after the cause was removed would see only the old failure.
        """
        revived = []
        for thing in (each for each in objects if each["kind"] in _RUNS_PODS):
            failed = [each for each in self._pods(thing) if readiness.verdict(each).is_failed]
            if failed:
                announce(f"start {len(failed)} failed pods of {manifests.name_of(thing)} anew")
            for name in self._delete_failed(failed):
                say(f"deleted pod {name} of {manifests.name_of(thing)}, which had failed before")
                revived.append(name)
        return revived

    def secret_state(self, namespace: str, name: str, values: Mapping[str, str]) -> SecretState:
        """How a secret differs from the wanted values, told by keys; values are compared by digest and never leave."""
        live = self.get("v1", "Secret", namespace, name)
        if live is None:
            return SecretState("", added=tuple(sorted(values)))
        have = {key: base64.b64decode(value) for key, value in (live.get("data") or {}).items()}
        ours = _owned_keys(live, self._manager)
        return SecretState(
            str(live["metadata"]["resourceVersion"]),
            added=tuple(sorted(set(values) - set(have))),
            changed=tuple(sorted(key for key in set(values) & set(have) if not _same(values[key], have[key]))),
            removed=tuple(sorted((set(have) - set(values)) & ours)),
        )

    def write_secret(self, namespace: str, name: str, values: Mapping[str, str]) -> SecretState:
        """Make a secret hold these values and say which keys that changed; writes nothing when none did."""
        before = self.secret_state(namespace, name, values)
        if before.is_settled:
            return before
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        metadata = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": self._manager}}
        made = self._apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
        version = str(made["metadata"]["resourceVersion"])
        return SecretState(version, before.added, before.changed, before.removed)

    def all_of(self, api_version: str, kind: str, namespace: str, label_selector: str = "") -> list[Object]:
        """The objects of one kind in a namespace; empty when the kind is not known here."""
        path = self._path(api_version, kind, namespace, "")
        if not path:
            return []
        found = self._ask("get", path, f"{kind} in {namespace}", absent=True, label_selector=label_selector or None)
        return [{"apiVersion": api_version, "kind": kind, **each} for each in (found or {}).get("items") or ()]

    def why_not_issued(self, certificate: Mapping[str, Any]) -> str:
        """What the newest ACME challenge, order or request of a Certificate says; empty when none says anything."""
        namespace, name = certificate["metadata"]["namespace"], certificate["metadata"]["name"]
        hosts = set((certificate.get("spec") or {}).get("dnsNames") or ())
        for each in self.all_of("acme.cert-manager.io/v1", "Challenge", namespace):
            if each["spec"].get("dnsName") in hosts and (each.get("status") or {}).get("reason"):
                return f"challenge for {each['spec']['dnsName']}: {each['status']['reason']}"
        for each in self.all_of("acme.cert-manager.io/v1", "Order", namespace):
            if hosts & set(each["spec"].get("dnsNames") or ()) and (each.get("status") or {}).get("reason"):
                return f"order for {', '.join(sorted(hosts))}: {each['status']['reason']}"
        requests = self.all_of("cert-manager.io/v1", "CertificateRequest", namespace)
        ours = [each for each in requests if _annotation(each, "cert-manager.io/certificate-name") == name]
        newest = max(ours, key=lambda each: str(each["metadata"].get("creationTimestamp", "")), default=None)
        return "" if newest is None else readiness.verdict(newest).reason

    def _difference(self, thing: Object, there: Collection[str]) -> Difference | None:
        name, metadata = manifests.name_of(thing), thing["metadata"]
        namespace = metadata.get("namespace", "")
        path = self._path(thing["apiVersion"], thing["kind"], namespace, metadata["name"])
        if not path or namespace not in there:
            return Difference(name, "create", is_guess=True)
        live = self._ask("get", path, name, absent=True)
        if live is None:
            self._patch(path, thing, dry_run=True)
            return Difference(name, "create")
        self._refuse_immutable(live, thing)
        return self._change(live, self._patch(path, thing, dry_run=True))

    def _live(self, thing: Object) -> Object | None:
        metadata = thing["metadata"]
        return self.get(thing["apiVersion"], thing["kind"], metadata.get("namespace", ""), metadata["name"])

    def _applied(self, live: Object | None, thing: Object) -> Difference | None:
        """What applying an object changed, if anything: an apply that changes nothing leaves the version as it was."""
        made = self._apply(thing)
        if live is None:
            return Difference(manifests.name_of(thing), "create")
        if made["metadata"].get("resourceVersion") == live["metadata"].get("resourceVersion"):
            return None
        return self._change(live, made)

    def _change(self, live: Object, made: Object) -> Difference | None:
        """What our apply makes of an object, if anything.

        Between the two states a controller may have written its part (a status, the revision of a rollout): where
        nothing differs that we say or said, nothing is changed by us.
        """
        before, after = (_claims(each, self._manager) for each in (live, made))
        changes = manifests.differences(live, made)
        known = [each for each in (before, after) if each is not None]
        if after is not None and not any(_claimed(each, path) for path in changes for each in known):
            changes = [] if before == after else [_OWNERSHIP]
        return Difference(manifests.name_of(made), "change", tuple(changes)) if changes else None

    def _refuse_immutable(self, live: Object | None, thing: Object) -> None:
        if live is None:
            return
        never = manifests.immutable_changes(live, thing)
        if never:
            name = manifests.name_of(thing)
            raise Refused(
                f"{name} exists with another {', '.join(never)}, which Kubernetes never changes; keep it as it is, or "
                f"delete the object and let this run create it again (kubectl delete --cascade=orphan keeps its pods)"
            )

    def _apply(self, thing: Object) -> Object:
        metadata = thing["metadata"]
        path = self._path(thing["apiVersion"], thing["kind"], metadata.get("namespace", ""), metadata["name"])
        if not path:
            raise Broken(
                f"{self.address} does not know the kind {thing['kind']} of {thing['apiVersion']}; "
                f"{manifests.name_of(thing)} needs its definition installed first"
            )
        return self._patch(path, thing, dry_run=False)

    def _patch(self, path: str, thing: Object, *, dry_run: bool) -> Object:
        name, is_secret = manifests.name_of(thing), thing["kind"] == "Secret"
        options: dict[str, Any] = {
            "body": thing,
            "content_type": _APPLY,
            "field_manager": self._manager,
            "dry_run": "All" if dry_run else None,
        }
        try:
            made = self._ask("patch", path, name, is_secret=is_secret, is_trial=dry_run, **options)
        except _Conflict as conflict:
            if not conflict.owners <= {self._manager, self._undoer}:
                raise Broken(conflict.sentence) from None
            made = self._ask("patch", path, name, is_secret=is_secret, force_conflicts=True, **options)
        return made or {}

    @property
    def _undoer(self) -> str:
        return f"{self._manager}-undo"

    def _previous(self, live: Object) -> tuple[str, Object]:
        """The number and pod template of the revision before the present one."""
        find = self._controller_revisions if live["kind"] == "StatefulSet" else self._replica_set_revisions
        revisions = find(live)
        newest = max((number for number, _ in revisions), default=0)
        now = _fingerprint(live["spec"]["template"])
        earlier = [each for each in revisions if each[0] < newest and _fingerprint(each[1]) != now]
        if not earlier:
            raise Refused(f"{manifests.name_of(live)} has no earlier revision to go back to")
        number, template = max(earlier, key=lambda each: each[0])
        return str(number), template

    def _replica_set_revisions(self, live: Object) -> list[tuple[int, Object]]:
        found = []
        for each in self._owned("apps/v1", "ReplicaSet", live):
            template = copy.deepcopy(each["spec"]["template"])
            (template["metadata"].get("labels") or {}).pop("pod-template-hash", None)
            found.append((int(_annotation(each, _REVISION) or 0), template))
        return found

    def _controller_revisions(self, live: Object) -> list[tuple[int, Object]]:
        found = []
        for each in self._owned("apps/v1", "ControllerRevision", live):
            template = copy.deepcopy(each["data"]["spec"]["template"])
            template.pop("$patch", None)
            found.append((int(each["revision"]), template))
        return found

    def _put_template(self, live: Object, template: Object) -> None:
        metadata = live["metadata"]
        path = self._path("apps/v1", live["kind"], metadata["namespace"], metadata["name"])
        patch = [{"op": "replace", "path": "/spec/template", "value": template}]
        name = manifests.name_of(live)
        made = self._ask("patch", str(path), name, body=patch, content_type=_JSON_PATCH, field_manager=self._undoer)
        # The server may have filled in defaults, so what it made is what the mark must match.
        mark = {_UNDONE: _fingerprint((made or {})["spec"]["template"])}
        self._ask(
            "patch",
            str(path),
            name,
            body={"metadata": {"annotations": mark}},
            content_type="application/merge-patch+json",
            field_manager=self._undoer,
        )

    def _owned(self, api_version: str, kind: str, owner: Mapping[str, Any]) -> list[Object]:
        metadata = owner["metadata"]
        selector = _label_selector((owner.get("spec") or {}).get("selector") or {})
        found = self.all_of(api_version, kind, metadata["namespace"], selector)
        return [each for each in found if _owner(each) == metadata.get("uid")]

    def _pods(self, thing: Mapping[str, Any]) -> list[Object]:
        selector = _label_selector((thing.get("spec") or {}).get("selector") or {})
        found = self.all_of("v1", "Pod", thing["metadata"]["namespace"], selector)
        return [each for each in found if not each["metadata"].get("deletionTimestamp")]

    def _delete_failed(self, pods: Sequence[Object]) -> list[str]:
        failed = [each for each in pods if readiness.verdict(each).is_failed]
        for each in failed:
            path = self._path("v1", "Pod", each["metadata"]["namespace"], each["metadata"]["name"])
            self._ask("delete", path, manifests.name_of(each), absent=True)
        return [str(each["metadata"]["name"]) for each in failed]

    def _newest_pods(self, thing: Mapping[str, Any]) -> list[Object]:
        """The pods of the present template: what an old revision's pods suffer from is over."""
        label, wanted = "", ""
        if thing.get("kind") == "StatefulSet":
            label, wanted = "controller-revision-hash", str((thing.get("status") or {}).get("updateRevision") or "")
        elif thing.get("kind") == "Deployment":
            label, wanted = "pod-template-hash", self._newest_hash(thing)
        pods = self._pods(thing)
        if not wanted:
            return pods
        return [each for each in pods if _label(each, label) in ("", wanted)]

    def _newest_hash(self, thing: Mapping[str, Any]) -> str:
        revision = _annotation(thing, _REVISION)
        for each in self._owned("apps/v1", "ReplicaSet", thing):
            if _annotation(each, _REVISION) == revision:
                return _label(each, "pod-template-hash")
        return ""

    def _refused_pods(self, thing: Mapping[str, Any]) -> readiness.Verdict | None:
        """A StatefulSet tells only in its events that a quota or a policy refuses its pods."""
        if thing.get("kind") != "StatefulSet" or (thing.get("status") or {}).get("replicas"):
            return None
        for each in self._warnings(thing):
            if each.get("reason") == "FailedCreate":
                return readiness.Verdict(readiness.State.FAILED, str(each.get("message", "")), 15.0)
        return None

    def _warnings(self, thing: Mapping[str, Any]) -> list[Object]:
        metadata = thing["metadata"]
        path = self._path("v1", "Event", metadata.get("namespace", ""), "")
        wanted = f"involvedObject.uid={metadata.get('uid', '')},type=Warning"
        found = self._ask("get", str(path), "events", absent=True, field_selector=wanted) if path else None
        items = (found or {}).get("items") or ()
        return [each for each in items if (each.get("involvedObject") or {}).get("uid") == metadata.get("uid")]

    def _path(self, api_version: str, kind: str, namespace: str, name: str) -> str:
        """Where the object is in the API; empty when the cluster does not know the kind."""
        with self._lock, self._translated(f"the kinds of {self.address}"):
            try:
                resource = self._client().resources.get(api_version=api_version, kind=kind)
            except ResourceNotFoundError:
                return ""
            except ResourceNotUniqueError as error:
                raise Broken(f"{self.address} has several kinds {kind} in {api_version}: {error}") from error
        if resource.namespaced and name and not namespace:
            raise Refused(f"{kind} {name} needs a namespace; the overlay gives it none")
        return str(resource.path(name=name or None, namespace=namespace or None))

    def _client(self) -> DynamicClient:
        if self._api is None:
            # The library would keep what it discovers in a world-readable place and share it between clusters.
            cache = str(Path(self._private.name) / "discovery.json")
            self._api = DynamicClient(self._http, cache_file=cache)  # type: ignore[no-untyped-call]
        return self._api

    def _ask(
        self,
        verb: str,
        path: str,
        what: str,
        *,
        absent: bool = False,
        is_secret: bool = False,
        is_trial: bool = False,
        **options: Any,
    ) -> Object | None:
        with self._lock, self._translated(what):
            client = self._client()
        options = {key: value for key, value in options.items() if value is not None}
        with self._translated(what, is_secret=is_secret, is_trial=is_trial, absent=absent):
            # Unknown and repeated fields are errors, not something to drop in silence.
            query = [("fieldValidation", "Strict")] if options.get("content_type") == _APPLY else []
            answer = client.request(
                verb, path, serialize=False, query_params=query, _request_timeout=self._timeout, **options
            )
            found = json.loads(answer.data)
            return found if isinstance(found, dict) else {}
        return None

    @contextlib.contextmanager
    def _translated(
        self, what: str, *, is_secret: bool = False, is_trial: bool = False, absent: bool = False
    ) -> Iterator[None]:
        """Turn the library's errors into ours; with `absent`, a 404 ends the block in silence."""
        try:
            yield
        except ApiException as error:
            if error.status == 404 and absent:
                return
            sentence = self._sentence(error, what, is_secret=is_secret)
            cause = None if is_secret else error
            _raise_status(error, sentence, is_trial=is_trial, cause=cause)
        except urllib3.exceptions.HTTPError as error:
            self._raise_unreachable(error)
        except (ValueError, KeyError) as error:
            raise Broken(f"{self.address} answers about {what} with what is no Kubernetes answer") from error

    def _sentence(self, error: ApiException, what: str, *, is_secret: bool) -> str:
        status = _status_of(error)
        said = status.get("reason", "") if is_secret else status.get("message") or error.reason or ""
        return f"{self.address} answers {error.status} about {what}: {' '.join(str(said).split())[:600]}"

    def _raise_unreachable(self, error: urllib3.exceptions.HTTPError) -> NoReturn:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.SSLError | ssl.SSLError):
            raise Broken(f"{self.address} shows a certificate that its kubeconfig does not trust: {reason}") from error
        raise Unsettled(f"{self.address} does not answer: {type(reason).__name__}; is the cluster up?") from error


class _Conflict(Exception):
    """Other managers own fields we set."""

    def __init__(self, sentence: str, owners: frozenset[str]) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.owners = owners


class _Watch:
    """One wait: what is not ready yet, what was seen last, and since when something looks failed."""

    def __init__(self, cluster: Cluster, deadline_seconds: float, say: Say) -> None:
        self._cluster = cluster
        self._seconds = deadline_seconds
        self._deadline = time.monotonic() + deadline_seconds
        self._say = say
        self._failing: dict[str, float] = {}
        self._last: dict[str, str] = {}
        self._before: dict[str, str] = {}
        self._silent_since = 0.0

    def until_ready(self, objects: Sequence[Object]) -> list[Object]:
        pending = {manifests.name_of(each): each for each in objects}
        ready: dict[str, Object] = {}
        pause = _FIRST_POLL
        while True:
            for name in list(pending):
                now = self._look(name, pending[name])
                if now is not None:
                    ready[name] = now
                    del pending[name]
            if not pending:
                return [ready[manifests.name_of(each)] for each in objects]
            left = self._deadline - time.monotonic()
            if left <= 0:
                self._give_up(pending)
            time.sleep(min(pause, left))
            pause = min(pause * _POLL_GROWTH, _SLOWEST_POLL)

    def _look(self, name: str, wanted: Object) -> Object | None:
        """The object when it is ready; None while it is not; Broken when it never will be."""
        try:
            live = self._cluster._live(wanted)
            if live is None:
                self._tell(name, "is not there")
                return None
            verdict = readiness.verdict(live)
            if verdict.is_ready:
                self._tell(name, "is ready")
                return live
            # Until the controller has seen the change, every pod there is belongs to what was before.
            if readiness.is_observed(live):
                for pod in self._cluster.free_stuck_pods(live):
                    self._say(f"deleted pod {pod}, which held up {name}")
                self._judge(live, verdict, self._cluster.trouble(live))
            else:
                self._tell(name, verdict.reason)
            self._silent_since = 0.0
        except Unsettled as silence:
            self._bear(silence)
        return None

    def _judge(self, live: Object, verdict: readiness.Verdict, trouble: readiness.Verdict | None) -> None:
        name = manifests.name_of(live)
        # What has failed at the first look failed before this wait, and a Deployment says so until it is available.
        known = self._before.setdefault(name, verdict.reason if verdict.is_failed else "")
        if verdict.reason == known:
            verdict = dataclasses.replace(verdict, grace=max(verdict.grace, _SECOND_CHANCE))
        failed = [each for each in (trouble, verdict) if each and each.is_failed]
        if not failed:
            self._failing.pop(name, None)
            self._tell(name, verdict.reason)
            return
        since = self._failing.setdefault(name, time.monotonic())
        reason = "; ".join(each.reason for each in failed)
        self._tell(name, reason)
        if time.monotonic() - since >= min(each.grace for each in failed):
            raise Broken(f"{name} cannot become ready in {self._cluster.address}: {reason}{self._hint(live, reason)}")

    def _hint(self, live: Object, reason: str) -> str:
        """The newest warning, where only a deadline says that something is wrong."""
        if "deadline" not in reason:
            return ""
        with contextlib.suppress(WorkspaceError):
            warning = self._cluster.last_warning(live)
            if warning and warning.rpartition(" (")[0] not in reason:
                return f"; the last warning: {warning}"
        return ""

    def _tell(self, name: str, said: str) -> None:
        if self._last.get(name) != said:
            self._last[name] = said
            self._say(f"{name}: {said}")

    def _bear(self, silence: Unsettled) -> None:
        """One missed answer is no news; a server that stays silent is."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since > _SILENCE_SECONDS or now > self._deadline:
            raise silence

    def _give_up(self, pending: Mapping[str, Object]) -> NoReturn:
        reasons = []
        for name, wanted in pending.items():
            warning = ""
            with contextlib.suppress(WorkspaceError):
                live = self._cluster._live(wanted)
                warning = self._cluster.last_warning(live) if live else ""
            last = self._last.get(name, "was not seen")
            is_news = warning and warning.rpartition(" (")[0] not in last
            reasons.append(f"{name} {last}" + (f"; {warning}" if is_news else ""))
        raise Broken(f"not ready in {self._cluster.address} after {self._seconds:.0f} s: {'; '.join(reasons)}")


def _configuration(text: str, private: Path, token: Callable[[], str] | None) -> Configuration:
    """The connection a kubeconfig describes; certificates the library wants as files go into `private`, mode 0600."""
    cluster, user = _current(text)
    made = Configuration(host=str(cluster.get("server", "")).rstrip("/"))
    if urlsplit(made.host).hostname in _LOOPBACK:
        made.proxy = None
    elif cluster.get("proxy-url"):
        made.proxy = cluster["proxy-url"]
    made.retries = urllib3.Retry(total=2, connect=2, read=0, status=0, other=0, respect_retry_after_header=False)
    made.verify_ssl = not cluster.get("insecure-skip-tls-verify", False)
    made.tls_server_name = cluster.get("tls-server-name")
    if cluster.get("certificate-authority-data"):
        made.ca_cert_data = base64.b64decode(cluster["certificate-authority-data"]).decode()
    made.cert_file = _private_file(private / "client.pem", user.get("client-certificate-data"))
    made.key_file = _private_file(private / "client.key", user.get("client-key-data"))
    _authenticate(made, user, token)
    return made


def _authenticate(made: Configuration, user: Mapping[str, Any], token: Callable[[], str] | None) -> None:
    if token is not None and (user.get("exec") or user.get("auth-provider")):
        _ask_for_tokens(made, token)
    elif user.get("token"):
        made.api_key["BearerToken"] = f"Bearer {user['token']}"
    elif user.get("exec") or user.get("auth-provider"):
        raise Refused(
            "the kubeconfig asks for a credential program, which is not run here; ask for the cluster's local account "
            "(az aks get-credentials --admin) or give this workspace a credential that may ask for tokens"
        )


def _ask_for_tokens(made: Configuration, token: Callable[[], str]) -> None:
    """Ask for a token before each request, so that a run may outlive its first one."""

    def refresh(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = f"Bearer {token()}"

    made.refresh_api_key_hook = refresh  # type: ignore[assignment]
    refresh(made)


def _current(text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The cluster and the user of the kubeconfig's current context."""
    try:
        given = yaml.safe_load(text)
        context = _named(given, "contexts", given.get("current-context") or given["contexts"][0]["name"])["context"]
        cluster = _named(given, "clusters", context["cluster"])["cluster"]
        user = _named(given, "users", context["user"])["user"] or {}
    except (yaml.YAMLError, AttributeError, KeyError, IndexError, TypeError, StopIteration):
        raise Refused("the kubeconfig is not one: it needs a current context with a cluster and a user") from None
    for part in (cluster, user):
        files = [
            key for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile") if part.get(key)
        ]
        if files:
            raise Refused(f"the kubeconfig points to files ({', '.join(files)}); it must hold everything itself")
    if not str(cluster.get("server", "")).startswith(("https://", "http://")):
        raise Refused("the kubeconfig names no server")
    return cluster, user


def _named(given: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    return next(each for each in given[key] if each["name"] == name)


def _private_file(file: Path, data: str | None) -> str | None:
    if not data:
        return None
    file.touch(mode=0o600)
    file.write_bytes(base64.b64decode(data))
    return str(file)


def _status_of(error: ApiException) -> Mapping[str, Any]:
    body = error.body
    try:
        found = json.loads(body) if body else {}
    except ValueError:
        return {"message": body if isinstance(body, str) else ""}
    return found if isinstance(found, dict) else {}


def _raise_status(error: ApiException, sentence: str, *, is_trial: bool, cause: ApiException | None) -> NoReturn:
    status, code = _status_of(error), error.status
    message = str(status.get("message", ""))
    if code == 422 and "immutable" in message:
        sentence += "; keep it as it is, or delete the object and let this run create it again"
    if code == 500 and _NOT_IN_SCHEMA in message:
        # The API server's own way of saying that the request is wrong.
        code = 422
    if code == 409 and _OWNER.search(message):
        raise _conflict(status, sentence) from cause
    if code in (409, 410, 429) or code is None or code >= 500 or "being terminated" in message:
        raise Unsettled(sentence) from cause
    if code in (400, 422) and is_trial:
        raise Refused(sentence) from cause
    if code in (401, 403) and "quota" not in message:
        raise Broken(f"{sentence}; the credential must be allowed to do this") from cause
    raise Broken(sentence) from cause


def _conflict(status: Mapping[str, Any], sentence: str) -> _Conflict:
    causes = (status.get("details") or {}).get("causes") or ()
    owned = [(_OWNER.search(str(each.get("message", ""))), each.get("field", "")) for each in causes]
    told = [f"{owner[1]} owns {field}" for owner, field in owned if owner]
    owners = frozenset(_OWNER.findall(str(status.get("message", ""))) + [owner[1] for owner, _ in owned if owner])
    what = sentence.partition(" about ")[2].partition(": ")[0]
    return _Conflict(
        f"{what} is not ours alone: {'; '.join(told) or ', '.join(sorted(owners))}; remove the field from the "
        "definitions, or take it from that manager (kubectl apply --server-side --force-conflicts)",
        owners,
    )


def _owner(thing: Mapping[str, Any]) -> str:
    owners = (thing.get("metadata") or {}).get("ownerReferences") or ()
    return next((str(each.get("uid")) for each in owners if each.get("controller")), "")


def _advises(thing: Mapping[str, Any]) -> bool:
    return thing["kind"] in _ADVISERS


def _annotation(thing: Mapping[str, Any], name: str) -> str:
    return str((thing["metadata"].get("annotations") or {}).get(name, ""))


def _label(thing: Mapping[str, Any], name: str) -> str:
    return str((thing["metadata"].get("labels") or {}).get(name, ""))


def _claims(live: Mapping[str, Any], manager: str) -> Mapping[str, Any] | None:
    """The fields that a manager owns by applying them; None where it has applied nothing."""
    for each in (live.get("metadata") or {}).get("managedFields") or ():
        if each.get("manager") == manager and each.get("operation") == "Apply":
            return each.get("fieldsV1") or {}
    return None


def _claimed(claims: Mapping[str, Any], path: str) -> bool:
    """Whether a path, as `spec.ports[http].port`, is, holds or lies in a field of a tree of FieldsV1."""
    if not path or not claims:
        return True
    if path.startswith("["):
        # Items are named otherwise there; whoever owns some of a list's items is asked about all of them.
        return any(not key.startswith("f:") and key != "." for key in claims)
    for key, inner in claims.items():
        name = key.removeprefix("f:")
        if path == name or path.startswith((f"{name}.", f"{name}[")):
            return _claimed(inner, path[len(name) :].removeprefix("."))
    return False


def _owned_keys(live: Mapping[str, Any], manager: str) -> set[str]:
    """The data keys of a secret that we wrote; a key that somebody else added stays theirs."""
    return {key.removeprefix("f:") for key in (_claims(live, manager) or {}).get("f:data") or ()}


def _label_selector(selector: Mapping[str, Any]) -> str:
    """A workload's selector as the API takes it in a query; only equality is used in this workspace."""
    return ",".join(f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items()))


def _fingerprint(template: Mapping[str, Any]) -> str:
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value is not None}
    text = json.dumps({**template, "metadata": metadata}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _same(wanted: str, have: bytes) -> bool:
    return hmac.compare_digest(hashlib.sha256(wanted.encode()).digest(), hashlib.sha256(have).digest())


def _event_time(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def _past(difference: Difference) -> str:
    return f"{'created' if difference.change == 'create' else 'changed'} {difference.name}"
