"""How a cluster lists and watches: selectors, pages, bookmarks, and versions that were forgotten."""

import base64
import json
import threading
from typing import Any

import pytest
from clusters_here import MERGE, Place, path_of

Body = dict[str, Any]


def names(body: Body) -> list[str]:
    return [each["metadata"]["name"] for each in body["items"]]


def test_items_of_a_list_do_not_repeat_its_kind(place: Place) -> None:
    place.put(place.workload("listed", replicas=0))
    found = place.get(place.at("deployments", "apps/v1"), fieldSelector="metadata.name=listed")
    assert (found["kind"], found["apiVersion"], names(found)) == ("DeploymentList", "apps/v1", ["listed"])
    assert "kind" not in found["items"][0]
    assert int(found["metadata"]["resourceVersion"]) > 0


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("tier=web", ["s-1"]),
        ("tier==web", ["s-1"]),
        ("set=s,tier!=web", ["s-2", "s-3"]),
        ("tier in (web, db)", ["s-1", "s-2"]),
        ("set=s,tier notin (web)", ["s-2", "s-3"]),
        ("set=s,tier", ["s-1", "s-2"]),
        ("set=s,!tier", ["s-3"]),
        ("tier=none", []),
    ],
)
def test_labels_select(place: Place, selector: str, wanted: list[str]) -> None:
    for name, labels in (("s-1", {"tier": "web"}), ("s-2", {"tier": "db"}), ("s-3", {})):
        place.put(place.made("ConfigMap", name, metadata={"labels": {"set": "s", **labels}}))
    assert names(place.get(place.at("configmaps"), labelSelector=selector)) == wanted


@pytest.mark.parametrize(
    "query",
    [
        {"labelSelector": "a in"},
        {"labelSelector": "a=b c"},
        {"fieldSelector": "data.a=1"},
        {"fieldSelector": "nonsense"},
    ],
)
def test_a_selector_that_is_none_is_a_bad_request(place: Place, query: dict[str, str]) -> None:
    answer = place.ask("GET", place.at("configmaps"), **query)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


def test_an_unknown_field_to_select_by_is_named(place: Place) -> None:
    answer = place.ask("GET", place.at("configmaps"), fieldSelector="data.a=1")
    assert answer.body["message"] == (
        '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'
    )
    answer = place.ask("GET", place.at("pods"), fieldSelector="spec.image=1")
    assert answer.body["message"] == "field label not supported: spec.image"


@pytest.mark.parametrize(
    ("plural", "version", "field"),
    [
        *(("pods", "v1", field) for field in ("spec.nodeName", "status.phase", "spec.serviceAccountName")),
        *(
            ("events", "v1", field)
            for field in ("involvedObject.kind", "involvedObject.uid", "reason", "type", "source")
        ),
        ("secrets", "v1", "type"),
        ("jobs", "batch/v1", "status.successful"),
        *(("deployments", "apps/v1", field) for field in ("metadata.name", "metadata.namespace")),
    ],
)
def test_a_kind_is_selected_by_its_own_fields(place: Place, plural: str, version: str, field: str) -> None:
    assert place.get(place.at(plural, version), fieldSelector=f"{field}=nothing-has-this")["items"] == []


def test_secrets_are_selected_by_type_and_name(place: Place) -> None:
    place.put(place.made("Secret", "by-type", type="mystira.app/rare"))
    assert names(place.get(place.at("secrets"), fieldSelector="type=mystira.app/rare")) == ["by-type"]
    assert names(place.get(place.at("secrets"), fieldSelector="type=mystira.app/rare,metadata.name!=by-type")) == []


def test_events_are_selected_by_the_object_they_are_about(place: Place) -> None:
    for name, kind, uid in (("e-1", "Warning", "u-1"), ("e-2", "Normal", "u-1"), ("e-3", "Warning", "u-2")):
        involved = {"kind": "Pod", "name": "p", "namespace": place.namespace, "uid": uid}
        place.put(place.made("Event", name, involvedObject=involved, type=kind, reason="Made", message="up"))
    assert names(place.get(place.at("events"), fieldSelector="involvedObject.uid=u-1,type=Warning")) == ["e-1"]


def pages(place: Place) -> str:
    for number in range(5):
        place.put(place.made("ConfigMap", f"page-{number}", namespace=paged(place)))
    return place.at("configmaps", namespace=paged(place))


def paged(place: Place) -> str:
    name = f"{place.namespace}-pages"
    if place.ask("GET", f"/api/v1/namespaces/{name}").status == 404:
        place.open_namespace(name)
    return name


def test_pages_go_on_where_they_stopped_and_say_how_much_is_left(place: Place) -> None:
    path = pages(place)
    whole = names(place.get(path))
    first = place.get(path, limit=2)
    assert (names(first), first["metadata"]["remainingItemCount"]) == (whole[:2], len(whole) - 2)
    second = place.get(path, limit=2, **{"continue": first["metadata"]["continue"]})
    assert names(second) == whole[2:4]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    last = place.get(path, limit=50, **{"continue": second["metadata"]["continue"]})
    assert names(last) == whole[4:]
    assert not last["metadata"].get("continue")
    assert "remainingItemCount" not in last["metadata"]


def test_a_selected_page_does_not_say_how_much_is_left(place: Place) -> None:
    path = pages(place)
    first = place.get(path, limit=1, fieldSelector="metadata.name!=kube-root-ca.crt")
    assert (names(first), "remainingItemCount" in first["metadata"]) == (["page-0"], False)
    assert first["metadata"]["continue"]


def test_all_pages_show_one_moment(place: Place) -> None:
    path = pages(place)
    whole = names(place.get(path))
    first = place.get(path, limit=2)
    late = place.made("ConfigMap", "page-9", namespace=paged(place))
    place.put(late)
    place.ask("DELETE", f"{path}/page-4")
    rest = place.get(path, limit=50, **{"continue": first["metadata"]["continue"]})
    assert names(first) + names(rest) == whole
    place.ask("DELETE", path_of(late))


@pytest.mark.ours("only etcd's own door can make it forget")
def test_a_page_that_was_forgotten_is_expired_and_offers_to_go_on(place: Place) -> None:
    path = pages(place)
    whole = names(place.get(path))
    token = place.get(path, limit=2)["metadata"]["continue"]
    place.put(place.made("ConfigMap", "later", data={"a": "1"}))
    place.compact()
    answer = place.ask("GET", path, limit=50, **{"continue": token})
    assert (answer.status, answer.body["reason"]) == (410, "Expired")
    assert "The provided continue parameter is too old" in answer.body["message"]
    rest = place.get(path, limit=50, **{"continue": answer.body["metadata"]["continue"]})
    assert names(rest) == whole[2:]


def test_a_page_token_that_is_none_is_a_bad_request(place: Place) -> None:
    for token in ("nonsense", base64.b64encode(b"{}").decode()):
        answer = place.ask("GET", place.at("configmaps"), limit=1, **{"continue": token})
        assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


def test_a_list_comes_as_a_table_for_those_who_ask(place: Place) -> None:
    place.put(place.workload("tabled", replicas=0))
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    found = place.get(place.at("deployments", "apps/v1"), fieldSelector="metadata.name=tabled", headers=accept)
    assert (found["kind"], found["rows"][0]["object"]["metadata"]["name"]) == ("Table", "tabled")
    wanted = ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert [each["name"] for each in found["columnDefinitions"] if not each.get("priority")] == wanted


def test_a_version_that_is_none_or_still_to_come_is_refused(place: Place) -> None:
    answer = place.ask("GET", place.at("configmaps"), resourceVersion="nonsense")
    assert answer.status >= 400
    assert answer.body["message"].startswith('resourceVersion: Invalid value: "nonsense": ')
    answer = place.ask("GET", place.at("configmaps"), resourceVersionMatch="Exact")
    assert (answer.status, answer.causes) == (422, [("resourceVersionMatch", "FieldValueForbidden")])
    answer = place.ask("GET", place.at("configmaps"), limit="many")
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


@pytest.mark.ours("only a cluster that nobody else writes to is sure not to be there yet")
def test_a_version_that_is_still_to_come_is_waited_for_in_vain(place: Place) -> None:
    answer = place.ask("GET", place.at("configmaps"), resourceVersion="99999999")
    assert (answer.status, answer.body["reason"]) == (504, "Timeout")
    assert answer.causes == [("", "ResourceVersionTooLarge")]


# --- watches ----------------------------------------------------------------------------------------------------------


def version(place: Place) -> str:
    return str(place.get(place.at("configmaps"))["metadata"]["resourceVersion"])


def types(events: list[Body]) -> list[str]:
    return [each["type"] for each in events]


def test_a_watch_tells_what_happened_since_in_order(place: Place) -> None:
    start = version(place)
    body = place.made("ConfigMap", "seen", data={"a": "1"})
    first = place.put(body)
    second = place.put({**body, "data": {"a": "2"}})
    place.ask("DELETE", path_of(body))
    query = {"resourceVersion": start, "fieldSelector": "metadata.name=seen"}
    events = place.watch(place.at("configmaps"), lambda seen: len(seen) == 3, **query)
    assert types(events) == ["ADDED", "MODIFIED", "DELETED"]
    assert [each["object"] for each in events[:2]] == [first, second]
    last = events[2]["object"]
    assert last["data"] == {"a": "2"}
    assert int(last["metadata"]["resourceVersion"]) > int(second["metadata"]["resourceVersion"])


def test_a_watch_goes_on_from_any_version_it_has_shown(place: Place) -> None:
    body = place.made("ConfigMap", "resumed", data={"a": "1"})
    seen_at = place.put(body)["metadata"]["resourceVersion"]
    later = place.put({**body, "data": {"a": "2"}})
    query = {"resourceVersion": seen_at, "fieldSelector": "metadata.name=resumed"}
    events = place.watch(place.at("configmaps"), lambda seen: seen, **query)
    assert (types(events), events[0]["object"]) == (["MODIFIED"], later)


def test_a_watch_without_a_version_begins_with_what_is_there(place: Place) -> None:
    body = place.made("ConfigMap", "there")
    live = place.put(body)
    events = place.watch(place.at("configmaps"), lambda seen: seen, fieldSelector="metadata.name=there")
    assert (types(events), events[0]["object"]) == (["ADDED"], live)


def test_what_stops_or_starts_to_match_leaves_or_enters_a_watch(place: Place) -> None:
    body = place.made("ConfigMap", "matching", metadata={"labels": {"seen": "yes"}})
    place.put(body)
    start = version(place)
    for value in ("no", "yes"):
        place.ask("PATCH", path_of(body), {"metadata": {"labels": {"seen": value}}}, MERGE)
    query = {"resourceVersion": start, "labelSelector": "seen=yes"}
    events = place.watch(place.at("configmaps"), lambda seen: len(seen) == 2, **query)
    assert types(events) == ["DELETED", "ADDED"]


def test_a_watch_of_a_namespace_sees_nothing_else(place: Place) -> None:
    start = version(place)
    place.put(place.made("ConfigMap", "foreign", namespace=paged(place)))
    place.put(place.made("ConfigMap", "native"))
    events = place.watch(place.at("configmaps"), lambda seen: seen, resourceVersion=start)
    assert [each["object"]["metadata"]["name"] for each in events] == ["native"]


def test_a_bookmark_says_only_how_far_the_watch_is(place: Place) -> None:
    start = version(place)
    query = {"resourceVersion": start, "allowWatchBookmarks": "true", "timeoutSeconds": 15}
    # The real server sends one about two seconds before the end; older ones only when there was news meanwhile.
    news = threading.Timer(1.0, place.put, [place.made("ConfigMap", "news")])
    news.start()
    selector = {"fieldSelector": "metadata.name=bookmarked"}
    events = place.watch(place.at("configmaps"), lambda seen: seen, **query, **selector)
    news.join()
    assert types(events) == ["BOOKMARK"]
    found = events[0]["object"]
    assert (found["kind"], found["apiVersion"]) == ("ConfigMap", "v1")
    assert found.keys() <= {"kind", "apiVersion", "metadata"}
    assert {key for key, value in found["metadata"].items() if value} == {"resourceVersion"}
    assert int(found["metadata"]["resourceVersion"]) >= int(start)


def test_a_watch_ends_by_itself_when_its_time_is_over(place: Place) -> None:
    query = {"watch": "true", "resourceVersion": version(place), "timeoutSeconds": 1}
    answer = place.ask("GET", place.at("configmaps"), fieldSelector="metadata.name=nothing", **query)
    assert (answer.status, answer.text) == (200, "")


@pytest.mark.ours("only etcd's own door can make it forget")
def test_a_watch_from_a_forgotten_version_is_one_error_event(place: Place) -> None:
    # Events are kept in no cache of the API server's, so what etcd has forgotten is forgotten.
    involved = {"kind": "Pod", "name": "p", "namespace": place.namespace}
    place.put(place.made("Event", "newest", involvedObject=involved, reason="Made", message="up"))
    place.compact()
    answer = place.ask("GET", place.at("events"), watch="true", resourceVersion="1", timeoutSeconds=5)
    assert answer.status == 200
    (line,) = answer.text.splitlines()
    event = json.loads(line)
    assert (event["type"], event["object"]["kind"], event["object"]["status"]) == ("ERROR", "Status", "Failure")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


def test_a_watch_asked_of_one_object_is_a_plain_read(place: Place) -> None:
    live = place.put(place.made("ConfigMap", "one-name"))
    assert place.get(path_of(live), watch="true") == live


def test_a_watch_from_no_version_at_all_is_refused(place: Place) -> None:
    answer = place.ask("GET", place.at("configmaps"), watch="true", resourceVersion="nonsense", timeoutSeconds=1)
    assert answer.status >= 400
    assert answer.body["message"].startswith('resourceVersion: Invalid value: "nonsense": ')
