"""What can be done with a cluster's objects: the API server without HTTP, used by requests and controllers alike."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from workspace.rehearsal import cluster_defaults as defaults
from workspace.rehearsal import cluster_fields as fields
from workspace.rehearsal import cluster_patch as patches
from workspace.rehearsal import cluster_rules as rules
from workspace.rehearsal import cluster_schema as schema
from workspace.rehearsal import cluster_status as status
from workspace.rehearsal.cluster_kinds import Kind, Kinds, counts_generations
from workspace.rehearsal.cluster_status import Rejected
from workspace.rehearsal.cluster_store import Change, Store, now

Body = dict[str, Any]
Admission = Callable[["Server", Kind, Body, Body | None], None]

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_KEPT_META = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
_MEDIA = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
}


@dataclass(frozen=True)
class Writer:
    """Who writes and how: the field manager, through which subresource, for real or as a dry run."""

    manager: str
    dry: bool = False
    force: bool = False
    validation: str = "Ignore"
    subresource: str = ""
    inside: bool = False
    warnings: list[str] = field(default_factory=list)


CONTROLLER = Writer("kube-controller-manager", inside=True)
KUBELET = Writer("kubelet", inside=True)


class Server:
    """The objects of one cluster and the rules by which they are read and written."""

    def __init__(self, store: Store, admissions: Iterable[Admission] = ()) -> None:
        self.store = store
        self.kinds = Kinds()
        self._admissions = list(admissions)
        for definition in store.every(DEFINITIONS):
            self.kinds.define(definition)
        store.listen(self._learn)

    def kind(self, name: str) -> Kind:
        """The built-in or defined kind of that name; KeyError when the cluster does not serve it."""
        found = self.kinds.named(name)
        if found is None:
            raise KeyError(name)
        return found

    def find(self, kind: str, namespace: str, name: str) -> Body | None:
        """The object of a kind, or None when it or the kind is not there."""
        known = self.kinds.named(kind)
        return self.store.get(known.resource, namespace if known.namespaced else "", name) if known else None

    def every(self, kind: str, namespace: str = "") -> list[Body]:
        """The objects of a kind; none when the cluster does not serve it."""
        known = self.kinds.named(kind)
        return self.store.every(known.resource, namespace) if known else []

    def get(self, kind: Kind, namespace: str, name: str) -> Body:
        """The object, or the Status that says it is not there."""
        found = self.store.get(kind.resource, namespace, name)
        if found is None:
            raise status.not_found(kind.group, kind.plural, name)
        return found

    def create(self, kind: Kind, namespace: str, body: Body, writer: Writer) -> Body:
        """Make an object that is not there yet."""
        with self.store.lock:
            body = _addressed(kind, namespace, body, private=writer.inside)
            metadata = body["metadata"]
            if not metadata.get("name") and metadata.get("generateName"):
                metadata["name"] = metadata["generateName"] + self._suffix(metadata["generateName"])
            self._namespace_takes(kind, namespace, metadata.get("name", ""))
            if self.store.get(kind.resource, namespace, metadata.get("name", "")):
                raise status.exists(kind.group, kind.plural, metadata["name"])
            writer.warnings.extend(rules.strict(kind, body, writer.validation))
            body = schema.prune(body, schema.resolve(kind.shape))
            body = _own_half(kind, body, None, writer)
            return self._commit(kind, None, _selected_by_uid(kind, body), writer)

    def update(self, kind: Kind, namespace: str, name: str, body: Body, writer: Writer) -> Body:
        """Replace an object; a stale resourceVersion is a conflict."""
        with self.store.lock:
            live = self.get(kind, namespace, name)
            body = _addressed(kind, namespace, body)
            if body["metadata"].get("name") != name:
                said = f"the name of the object ({body['metadata'].get('name', '')}) does not match the name on the URL"
                raise status.bad_request(f"{said} ({name})")
            self._fresh(kind, live, body)
            uid = body["metadata"].get("uid")
            if uid and uid != live["metadata"]["uid"]:
                said = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {live['metadata']['uid']}"
                raise status.conflict(kind.group, kind.plural, name, said)
            if kind.custom and not body["metadata"].get("resourceVersion"):
                cause = status.Cause("metadata.resourceVersion", "Invalid value: 0: must be specified for an update")
                raise status.invalid(kind.group, kind.kind, name, [cause])
            writer.warnings.extend(rules.strict(kind, body, writer.validation))
            body = schema.prune(body, schema.resolve(kind.shape))
            return self._commit(kind, live, _own_half(kind, body, live, writer), writer)

    def patch(self, kind: Kind, namespace: str, name: str, patch: Any, media: str, writer: Writer) -> Body:
        """Change an object by a JSON, merge or strategic merge patch."""
        how = _MEDIA.get(media)
        if how is None or (how == "strategic" and kind.custom):
            named = [each for each in _MEDIA if not (kind.custom and "strategic" in each)]
            raise status.unsupported([*named, "application/apply-patch+yaml"])
        with self.store.lock:
            live = self.get(kind, namespace, name)
            body = _patched(kind, public(live), patch, how)
            body = body if kind.custom else _without_nulls(body)
            _check_place(kind, live, body)
            self._fresh(kind, live, body)
            _same_object(kind, live, body)
            writer.warnings.extend(rules.strict(kind, body, writer.validation))
            body = schema.prune(body, schema.resolve(kind.shape))
            return self._commit(kind, live, _own_half(kind, body, live, writer), writer)

    def apply(self, kind: Kind, namespace: str, name: str, body: Body, writer: Writer) -> tuple[Body, bool]:
        """Server-side apply; the object as it is then, and whether it was made."""
        with self.store.lock:
            live = self.store.get(kind.resource, namespace, name)
            body = _addressed(kind, namespace, body)
            _check_apply(name, body, is_new=live is None)
            if live is None:
                if writer.subresource:
                    raise status.not_found(kind.group, kind.plural, name)
                if body["metadata"].get("uid") or body["metadata"].get("resourceVersion"):
                    raise status.conflict(kind.group, kind.plural, name, "StorageError: invalid object")
                self._namespace_takes(kind, namespace, name)
            else:
                self._fresh(kind, live, body)
                _same_object(kind, live, body)
            return self._applied(kind, live, body, writer), live is None

    def _applied(self, kind: Kind, live: Body | None, body: Body, writer: Writer) -> Body:
        rules.typed(kind, body)
        wanted = _own_half(kind, _without_nulls(body), None, writer, applied=True)
        base = live or {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
        manager = fields.Manager(writer.manager, "Apply", kind.api_version, writer.subresource, frozenset(), now())
        result = fields.applied(public(base), wanted, kind.shape, manager, force=writer.force)
        whole = _own_half(kind, result.body, live, writer)
        whole = _selected_by_uid(kind, whole) if live is None else whole
        return self._commit(kind, live, whole, writer, result.managers)

    def set_status(
        self, kind: str, body: Body, values: Body, writer: Writer = CONTROLLER, private: Body | None = None
    ) -> Body | None:
        """Write an object's whole status, and private keys, if it is still the same object and they differ."""
        with self.store.lock:
            known = self.kind(kind)
            metadata = body["metadata"]
            live = self.store.get(known.resource, metadata.get("namespace", ""), metadata["name"])
            if live is None or live["metadata"]["uid"] != metadata["uid"]:
                return None
            new = {**live, "status": values, **(private or {})}
            return self._commit(known, live, new, replace(writer, subresource="status"))

    def change(self, kind: str, body: Body, new: Callable[[Body], Body], writer: Writer = CONTROLLER) -> Body | None:
        """Write what `new` makes of the present object if it is still the same one."""
        with self.store.lock:
            known = self.kind(kind)
            metadata = body["metadata"]
            live = self.store.get(known.resource, metadata.get("namespace", ""), metadata["name"])
            if live is None or live["metadata"]["uid"] != metadata["uid"]:
                return None
            return self._commit(known, live, new(json.loads(json.dumps(live))), writer)

    def delete(self, kind: Kind, namespace: str, name: str, options: Body, dry: bool = False) -> Body:
        """End an object: at once, or when its finalizers, its pods' grace or its contents are gone."""
        with self.store.lock:
            live = self.get(kind, namespace, name)
            _check_policy(options)
            if kind.kind == "Namespace" and not kind.custom and name in _PROTECTED:
                raise status.forbidden("", "namespaces", name, "this namespace may not be deleted")
            _check_preconditions(kind, live, options)
            metadata = dict(live["metadata"])
            finalizers = [*metadata.get("finalizers", []), *_policy_finalizers(options)]
            grace = _grace(kind, live, options)
            waits = bool(finalizers) or grace > 0 or kind.kind == "Namespace"
            if dry:
                return public(live) if waits else _gone(kind, live)
            if not waits:
                last = self.store.remove(kind.resource, live)
                return public(last) if kind.resource == "pods" else _gone(kind, live)
            if metadata.get("deletionTimestamp") and grace:
                return public(live)
            metadata.update(deletionTimestamp=now(), deletionGracePeriodSeconds=grace)
            if finalizers:
                metadata["finalizers"] = list(dict.fromkeys(finalizers))
            body = {**live, "metadata": metadata}
            if kind.kind == "Namespace":
                body["status"] = {**live.get("status", {}), "phase": "Terminating"}
            return public(self.store.put(kind.resource, body))

    def finish(self, kind: str, body: Body) -> None:
        """Remove an object that may go now, if it is still there."""
        with self.store.lock:
            known = self.kind(kind)
            metadata = body["metadata"]
            live = self.store.get(known.resource, metadata.get("namespace", ""), metadata["name"])
            if live is not None and live["metadata"]["uid"] == metadata["uid"]:
                self.store.remove(known.resource, live)

    def event(self, body: Body, kind: str, reason: str, message: str, component: str, warning: bool = True) -> None:
        """Note what happened to an object; the same again raises the count."""
        with self.store.lock:
            metadata = body["metadata"]
            namespace = metadata.get("namespace") or "default"
            said = hashlib.sha256(f"{metadata.get('uid')}/{reason}/{message}".encode()).hexdigest()[:16]
            known, name = self.kind("Event"), f"{metadata['name']}.{said}"
            live = self.store.get(known.resource, namespace, name)
            stamp = now()
            if live:
                fresh = {**live, "count": live["count"] + 1, "lastTimestamp": stamp}
            else:
                fresh = _event(body, kind, reason, message, component, "Warning" if warning else "Normal")
                fresh["metadata"] = {"name": name, "namespace": namespace, "creationTimestamp": stamp}
            self.store.put(known.resource, fresh)

    def _commit(
        self,
        kind: Kind,
        live: Body | None,
        body: Body,
        writer: Writer,
        managers: list[fields.Manager] | None = None,
    ) -> Body:
        """Default, judge and keep an object; nothing is written when nothing changed or on a dry run."""
        body = _without_empties(kind, body)
        only_status = writer.inside and writer.subresource == "status"
        if not only_status:
            body = defaults.fill(kind, body)
        if managers is None:
            managers = _managers(kind, live, body, writer)
        body["metadata"]["managedFields"] = fields.written(managers)
        if kind.kind == "Service" and not kind.custom and not writer.subresource:
            defaults.allocate(body)
        if not only_status:
            rules.check(kind, body, None if writer.inside else live)
            for admission in () if writer.inside and kind.kind != "Pod" else self._admissions:
                admission(self, kind, body, live)
        _stamp(kind, live, body)
        if live is not None and body == live:
            return live
        if writer.dry:
            return _dry(live, body)
        if live is not None and _may_go(body):
            return self.store.remove(kind.resource, live)
        return self.store.put(kind.resource, body)

    def _fresh(self, kind: Kind, live: Body, body: Body) -> None:
        wanted = body["metadata"].get("resourceVersion")
        if wanted and wanted != live["metadata"]["resourceVersion"]:
            raise status.conflict(kind.group, kind.plural, live["metadata"]["name"], status.STALE)

    def _namespace_takes(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self.store.get("namespaces", "", namespace)
        if found is None:
            raise status.not_found("", "namespaces", namespace)
        if found["metadata"].get("deletionTimestamp"):
            said = f"unable to create new content in namespace {namespace} because it is being terminated"
            why = f"namespace {namespace} is being terminated"
            cause = status.Cause("metadata.namespace", why, "NamespaceTerminating")
            raise status.forbidden(kind.group, kind.plural, name, said, [cause])

    def _suffix(self, base: str) -> str:
        letters = "bcdfghjklmnpqrstvwxz2456789"
        seed = hashlib.sha256(f"{base}{self.store.revision}".encode()).digest()
        return "".join(letters[byte % len(letters)] for byte in seed[:5])

    def _learn(self, change: Change) -> None:
        if change.resource != DEFINITIONS:
            return
        if change.type == "DELETED":
            self.kinds.forget(change.object["metadata"]["name"])
        else:
            self.kinds.define(change.object)


def public(body: Body) -> Body:
    """An object as clients see it: without private keys."""
    return {name: value for name, value in body.items() if not name.startswith("_")}


_LEFT_OUT_WHEN_EMPTY = ("labels", "annotations", "finalizers", "ownerReferences")


def _without_empties(kind: Kind, body: Body) -> Body:
    """The object as it is written out: an empty map or list of its metadata, or its data, is left out."""
    metadata = {k: v for k, v in body["metadata"].items() if v or k not in _LEFT_OUT_WHEN_EMPTY}
    whole = {**body, "metadata": metadata}
    if not kind.custom and kind.kind in ("ConfigMap", "Secret"):
        whole = {name: value for name, value in whole.items() if value or name not in ("data", "binaryData")}
    return whole


def _addressed(kind: Kind, namespace: str, body: Body, *, private: bool = False) -> Body:
    """A copy of what was sent, with its kind and namespace, if they agree with the URL."""
    if not isinstance(body, dict):
        raise status.bad_request("the object provided is unrecognized (must be of type object)")
    said = body.get("apiVersion") or kind.api_version
    if said != kind.api_version:
        words = f"the API version in the data ({said}) does not match the expected API version ({kind.api_version})"
        raise status.bad_request(words)
    if (body.get("kind") or kind.kind) != kind.kind:
        raise status.bad_request(
            f"{kind.kind} in version {json.dumps(kind.version)} cannot be handled as a {kind.kind}: the kind in the "
            f"data ({body['kind']}) does not match the expected kind ({kind.kind})"
        )
    copy: Body = json.loads(json.dumps(body if private else public(body)))
    metadata = copy.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise status.bad_request(f"{kind.kind} cannot be handled: metadata is not an object")
    if (metadata.get("namespace") or namespace) != namespace:
        words = "the namespace of the provided object does not match the namespace sent on the request"
        raise status.bad_request(words)
    if kind.namespaced:
        metadata["namespace"] = namespace
    whole = {**copy, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    return whole if kind.custom or private else _without_nulls(whole)


def _check_place(kind: Kind, live: Body, body: Body) -> None:
    """A patch changes neither the name of an object, nor its namespace, nor its kind."""
    old, new = live["metadata"], body.get("metadata") or {}
    if new.get("name") != old["name"]:
        said = f"the name of the object ({new.get('name', '')}) does not match the name on the URL ({old['name']})"
        raise status.bad_request(said)
    if new.get("namespace") != old.get("namespace"):
        said = f"the namespace of the object ({new.get('namespace', '')}) does not match the namespace on the request"
        raise status.bad_request(f"{said} ({old.get('namespace', '')})")
    if body.get("kind", kind.kind) != kind.kind:
        cause = status.Cause("patch", f"Invalid value: {status.shown(body)}: no kind {body['kind']} here")
        raise status.invalid("", "", "", [cause])


def _same_object(kind: Kind, live: Body, body: Body) -> None:
    """A patch may name the uid that is there, and no other."""
    uid = body["metadata"].get("uid")
    if uid and uid != live["metadata"]["uid"]:
        cause = status.Cause("metadata.uid", f"Invalid value: {status.shown(uid)}: field is immutable")
        raise status.invalid(kind.group, kind.kind, live["metadata"]["name"], [cause])


_OLD_AND_NEW = ("controller-uid", "job-name"), ("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")


def _selected_by_uid(kind: Kind, body: Body) -> Body:
    """A new Job with the selector that the server makes of its uid, unless it brings its own."""
    spec = body.get("spec") or {}
    if kind.kind != "Job" or kind.custom or spec.get("manualSelector") or "template" not in spec:
        return body
    metadata, uid = body["metadata"], str(uuid.uuid4())
    template = spec["template"]
    inner = template.get("metadata") or {}
    told = {name: value for names in _OLD_AND_NEW for name, value in zip(names, (uid, metadata["name"]), strict=True)}
    labelled = {**template, "metadata": {**inner, "labels": {**(inner.get("labels") or {}), **told}}}
    selector = {"matchLabels": {_OLD_AND_NEW[1][0]: uid}}
    return {**body, "metadata": {**metadata, "uid": uid}, "spec": {**spec, "selector": selector, "template": labelled}}


def _own_half(kind: Kind, body: Body, live: Body | None, writer: Writer, applied: bool = False) -> Body:
    """The part of a write its door lets through: everything but status, or status only; the rest stays as it was."""
    if applied:
        kept = {"apiVersion", "kind", "metadata", "status"} if writer.subresource == "status" else body.keys()
        return {name: value for name, value in body.items() if name in kept and _lets(kind, name, writer)}
    if writer.subresource == "status":
        whole = {**(live or {}), "status": body.get("status", {})}
    else:
        whole = {name: value for name, value in body.items() if _lets(kind, name, writer)}
        whole |= {name: value for name, value in (live or {}).items() if name.startswith("_")}
        if kind.has_status and not writer.inside and live and "status" in live:
            whole["status"] = live["status"]
    meta = dict((live or body)["metadata"] if writer.subresource == "status" else body["metadata"])
    old = (live or {}).get("metadata", {})
    for name in (*_KEPT_META, "resourceVersion", "managedFields"):
        meta.pop(name, None)
        if name in old:
            meta[name] = old[name]
    copy: Body = json.loads(json.dumps({**whole, "metadata": meta}))
    return copy


def _lets(kind: Kind, name: str, writer: Writer) -> bool:
    return name != "status" or not kind.has_status or writer.inside or writer.subresource == "status"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _check_apply(name: str, body: Body, *, is_new: bool) -> None:
    if body["metadata"].get("managedFields") is not None:
        raise status.bad_request("metadata.managedFields must be nil")
    if not body["metadata"].get("name") and is_new:
        said = f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        raise status.bad_request(said)
    if body["metadata"].setdefault("name", name) != name:
        said = f"the name of the object ({body['metadata']['name']}) does not match the name on the URL ({name})"
        raise status.bad_request(said)


def _patched(kind: Kind, live: Body, patch: Any, how: str) -> Body:
    if how == "json":
        return patches.operations(live, patch)
    if not isinstance(patch, dict):
        raise status.bad_request("error decoding patch: json: cannot unmarshal array into Go value of type map")
    if how == "merge":
        merged: Body = patches.merge(live, patch)
        return merged
    strategic: Body = patches.strategic(live, patch, schema.resolve(kind.shape))
    return strategic


def _managers(kind: Kind, live: Body | None, body: Body, writer: Writer) -> list[fields.Manager]:
    operator = fields.Manager(writer.manager, "Update", kind.api_version, writer.subresource, frozenset(), now())
    before, after = live or {}, body
    if writer.inside and writer.subresource == "status":
        before, after = ({"status": each.get("status", {})} for each in (before, after))
    elif kind.has_status and not writer.inside and writer.subresource != "status":
        # What the server says about a new object is nobody's.
        before, after = ({n: v for n, v in each.items() if n != "status"} for each in (before, after))
    old, new = (fields.flat(each, kind.shape, containers=True) for each in (before, after))
    return fields.updated(old, new, fields.managers_of(live), operator)


def _stamp(kind: Kind, live: Body | None, body: Body) -> None:
    metadata = body["metadata"]
    if live is None:
        metadata["creationTimestamp"] = now()
        if counts_generations(kind):
            metadata["generation"] = 1
        return
    metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
    if counts_generations(kind) and _wanted(body) != _wanted(live):
        metadata["generation"] = live["metadata"].get("generation", 1) + 1


def _wanted(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in ("metadata", "status") and name[0] != "_"}


def _dry(live: Body | None, body: Body) -> Body:
    if live is None:
        body["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"
    return body


def _may_go(body: Body) -> bool:
    metadata = body["metadata"]
    doomed = metadata.get("deletionTimestamp") and not metadata.get("finalizers")
    return bool(doomed and not metadata.get("deletionGracePeriodSeconds") and body["kind"] != "Namespace")


def _policy_finalizers(options: Body) -> list[str]:
    policy = options.get("propagationPolicy") or ("Orphan" if options.get("orphanDependents") else "")
    return {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(policy, [])


def _grace(kind: Kind, live: Body, options: Body) -> int:
    if kind.kind != "Pod" or kind.group or not live["spec"].get("nodeName"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(live["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)


_PROTECTED = ("default", "kube-system", "kube-public")
_POLICIES = ("Foreground", "Background", "Orphan")


def _check_policy(options: Body) -> None:
    policy = options.get("propagationPolicy")
    if policy is not None and policy not in _POLICIES:
        allowed = ", ".join(f'"{each}"' for each in (*_POLICIES, "nil"))
        said = f"Unsupported value: {status.shown(policy)}: supported values: {allowed}"
        cause = status.Cause("propagationPolicy", said, "FieldValueNotSupported")
        raise status.invalid("meta.k8s.io", "DeleteOptions", "", [cause])


_PRECONDITIONS = {
    "uid": ("UID", "The object might have been deleted and then recreated"),
    "resourceVersion": ("ResourceVersion", "The object might have been modified"),
}


def _check_preconditions(kind: Kind, live: Body, options: Body) -> None:
    wanted, metadata = options.get("preconditions") or {}, live["metadata"]
    for name, (word, why) in _PRECONDITIONS.items():
        if wanted.get(name) and wanted[name] != metadata[name]:
            said = (
                f"the {word} in the precondition ({wanted[name]}) does not match the {word} in record "
                f"({metadata[name]}). {why}"
            )
            raise status.conflict(kind.group, kind.kind, metadata["name"], said)


def _gone(kind: Kind, live: Body) -> Body:
    details = {"name": live["metadata"]["name"], "kind": kind.plural, "uid": live["metadata"]["uid"]}
    if kind.group:
        details["group"] = kind.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _event(body: Body, kind: str, reason: str, message: str, component: str, severity: str) -> Body:
    metadata = body["metadata"]
    involved = {"kind": kind, "apiVersion": body["apiVersion"], "name": metadata["name"], "uid": metadata.get("uid")}
    if metadata.get("namespace"):
        involved["namespace"] = metadata["namespace"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "reportingComponent": component,
        "type": severity,
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
    }


__all__ = ["CONTROLLER", "KUBELET", "Rejected", "Server", "Writer", "public"]
