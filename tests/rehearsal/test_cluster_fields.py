"""Ownership and merging of fields, selectors and patches, without a server."""

import json

import pytest
from workspace.rehearsal import cluster_fields as fields
from workspace.rehearsal import cluster_patch as patch
from workspace.rehearsal import cluster_schema as schema
from workspace.rehearsal import cluster_schema_build
from workspace.rehearsal import cluster_select as select
from workspace.rehearsal.cluster_fields import Manager
from workspace.rehearsal.cluster_rules import quantity
from workspace.rehearsal.cluster_status import Rejected

DEPLOYMENT = "@v1.Deployment"


def manager(name: str, operation: str = "Apply") -> Manager:
    return Manager(name, operation, "apps/v1", "", frozenset(), "2026-11-23T00:00:00Z")


def pods(*containers: dict, **more: object) -> dict:
    return {"spec": {"template": {"spec": {"containers": list(containers)}}, **more}}


def applied(live: dict, wanted: dict, who: Manager, force: bool = False) -> dict:
    result = fields.applied(live, wanted, DEPLOYMENT, who, force=force)
    metadata = {**result.body.get("metadata", {}), "managedFields": fields.written(result.managers)}
    return {**result.body, "metadata": metadata}


def test_keyed_list_items_are_owned_by_key_and_plain_lists_as_a_whole() -> None:
    body = pods({"name": "web", "args": ["a", "b"], "ports": [{"containerPort": 80}]})
    owned = {fields.shown(path) for path in fields.flat(body, DEPLOYMENT)}
    assert '.spec.template.spec.containers[name="web"].args' in owned
    assert '.spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].containerPort' in owned


def test_managed_fields_survive_being_written_and_read() -> None:
    live = applied({}, pods({"name": "web", "image": "one"}, replicas=2), manager("ours"))
    tree = live["metadata"]["managedFields"][0]["fieldsV1"]
    assert tree["f:spec"]["f:template"]["f:spec"]["f:containers"] == {
        'k:{"name":"web"}': {".": {}, "f:image": {}, "f:name": {}}
    }
    assert fields.written(fields.managers_of(live)) == live["metadata"]["managedFields"]


def test_a_field_that_is_said_no_more_is_removed() -> None:
    live = applied({}, pods({"name": "web", "image": "one"}, replicas=2, paused=True), manager("ours"))
    live = applied(live, pods({"name": "web", "image": "one"}, replicas=2), manager("ours"))
    assert "paused" not in live["spec"]


def test_a_container_that_is_said_no_more_goes_with_its_defaults() -> None:
    live = applied({}, pods({"name": "web", "image": "one"}, {"name": "side", "image": "two"}), manager("ours"))
    live["spec"]["template"]["spec"]["containers"][1]["imagePullPolicy"] = "Always"
    live = applied(live, pods({"name": "web", "image": "one"}), manager("ours"))
    assert [each["name"] for each in live["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_a_field_another_manager_owns_too_stays_when_one_lets_go() -> None:
    live = applied({}, {"spec": {"replicas": 2}}, manager("ours"))
    live = applied(live, {"spec": {"replicas": 2}}, manager("theirs"))
    live = applied(live, {"spec": {}}, manager("ours"))
    assert live["spec"] == {"replicas": 2}


def test_changing_what_another_manager_owns_is_a_conflict_that_names_it() -> None:
    live = applied({}, {"spec": {"replicas": 2}}, manager("theirs"))
    with pytest.raises(Rejected) as caught:
        applied(live, {"spec": {"replicas": 3}}, manager("ours"))
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "theirs": .spec.replicas'
    assert caught.value.code == 409


def test_several_conflicts_are_listed_by_manager() -> None:
    live = applied({}, {"spec": {"replicas": 2, "paused": False}}, manager("theirs"))
    with pytest.raises(Rejected) as caught:
        applied(live, {"spec": {"replicas": 3, "paused": True}}, manager("ours"))
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "theirs":\n- .spec.paused\n- .spec.replicas'
    )


def test_force_takes_the_field_over() -> None:
    live = applied({}, {"spec": {"replicas": 2}}, manager("theirs"))
    live = applied(live, {"spec": {"replicas": 3}}, manager("ours"), force=True)
    assert [each["manager"] for each in live["metadata"]["managedFields"]] == ["ours"]


def test_saying_the_same_as_another_manager_shares_the_field() -> None:
    live = applied({}, {"spec": {"replicas": 2}}, manager("theirs"))
    live = applied(live, {"spec": {"replicas": 2}}, manager("ours"))
    assert {each["manager"] for each in live["metadata"]["managedFields"]} == {"ours", "theirs"}


def test_a_plain_write_takes_what_it_changes() -> None:
    live = applied({}, {"spec": {"replicas": 2, "paused": True}}, manager("ours"))
    before, after = ({"spec": {"replicas": n, "paused": True}} for n in (2, 5))
    flats = [fields.flat(each, DEPLOYMENT) for each in (before, after)]
    managers = fields.updated(*flats, fields.managers_of(live), manager("scaler", "Update"))
    owned = {each.name: {fields.shown(path) for path in each.fields} for each in managers}
    assert owned == {"ours": {".spec.paused"}, "scaler": {".spec.replicas"}}


@pytest.mark.parametrize(
    ("live", "change", "expected"),
    [
        ({"a": 1, "b": 2}, {"b": None}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ],
)
def test_a_merge_patch_merges(live: dict, change: dict, expected: dict) -> None:
    assert patch.merge(live, change) == expected


def test_a_strategic_patch_merges_containers_by_name() -> None:
    live = pods({"name": "web", "image": "one"}, {"name": "side", "image": "two"})
    change = pods({"name": "side", "$patch": "delete"}, {"name": "web", "image": "three"})
    result = patch.strategic(live, change, schema.resolve(DEPLOYMENT))
    assert result == pods({"name": "web", "image": "three"})


def test_a_json_patch_does_all_or_nothing() -> None:
    live = {"metadata": {"labels": {"a/b": "1"}}}
    done = patch.operations(live, [{"op": "replace", "path": "/metadata/labels/a~1b", "value": "2"}])
    assert done == {"metadata": {"labels": {"a/b": "2"}}}
    with pytest.raises(Rejected):
        patch.operations(live, [{"op": "remove", "path": "/metadata/labels/none"}])


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("", ["a", "b", "c"]),
        ("app=web", ["a", "b"]),
        ("app!=web", ["c"]),
        ("app in (web, db),tier", ["a"]),
        ("app notin (web)", ["c"]),
        ("!tier", ["b", "c"]),
    ],
)
def test_label_selectors_choose(selector: str, names: list[str]) -> None:
    labels = {"a": {"app": "web", "tier": "x"}, "b": {"app": "web"}, "c": {"app": "db"}}
    test = select.labelled(selector)
    assert [name for name, each in labels.items() if test({"metadata": {"labels": each}})] == names


def test_a_field_nobody_can_select_by_is_refused() -> None:
    with pytest.raises(Rejected, match=r'"spec\.replicas" is not a known field selector'):
        select.fielded("spec.replicas=2", "Deployment")


@pytest.mark.parametrize(("text", "number"), [("100m", 0.1), ("2", 2.0), ("1Gi", 1024.0**3), ("1k", 1000.0)])
def test_quantities_are_numbers(text: str, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"spec": {"replicas": "two"}}, ".spec.replicas: expected numeric (int or float), got string"),
        (
            pods({"name": "web", "env": [{"name": "PORT", "value": 80}]}),
            '.spec.template.spec.containers[name="web"].env[name="PORT"].value: expected string, '
            "got &value.valueUnstructured{Value:80}",
        ),
        (
            pods({"image": "x"}),
            ".spec.template.spec.containers: element 0: associative list with keys has an element that omits key "
            'field "name"',
        ),
    ],
)
def test_values_of_the_wrong_type_are_named_as_the_server_names_them(body: dict, said: str) -> None:
    problems = list(schema.mistyped(body, schema.resolve(DEPLOYMENT)))
    assert f"{problems[0].path}: {problems[0].what}" == said


def test_unknown_fields_are_found_deep_down() -> None:
    body = pods({"name": "web", "readyProbe": {}})
    found = list(schema.unknown(body, schema.resolve(DEPLOYMENT)))
    assert found == ["spec.template.spec.containers[0].readyProbe"]


def test_the_committed_schema_is_what_the_generator_writes() -> None:
    pytest.importorskip("kubernetes_validate")
    built = cluster_schema_build.build()
    assert json.loads(cluster_schema_build.TARGET.read_text())["definitions"] == built
