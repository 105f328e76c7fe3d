"""Rendered objects as values: what is pinned, set, compared, and what is refused."""

from typing import Any

import pytest
from workspace import manifests
from workspace.errors import Refused

DIGEST = "sha256:" + "a" * 64
REFERENCE = f"registry.example/web@{DIGEST}"


def deployment(image: str = "web", **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "web", "image": image}]}}
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template, **spec}}


def config(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": data,
    }


def image(thing: dict[str, Any]) -> str:
    return str(thing["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.mark.parametrize("name", ["web", "web:latest", "web@sha256:" + "b" * 64])
def test_an_image_is_pinned_by_its_name_alone(name: str) -> None:
    given = deployment(name)
    (made,) = manifests.pinned([given], {"web": REFERENCE})
    assert image(made) == REFERENCE
    assert image(given) == name


def test_the_port_of_a_registry_is_not_a_tag() -> None:
    (made,) = manifests.pinned([deployment("registry.example:5000/web:1")], {"registry.example:5000/web": REFERENCE})
    assert image(made) == REFERENCE


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"])
def test_images_are_found_in_every_kind_that_runs_pods(kind: str) -> None:
    spec: dict[str, Any] = {"initContainers": [{"name": "first", "image": "web"}], "containers": []}
    if kind != "Pod":
        spec = {"template": {"spec": spec}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    made = manifests.pinned([{"kind": kind, "metadata": {"name": "a"}, "spec": spec}], {"web": REFERENCE})
    assert manifests.images(made) == {f"{kind} a": {REFERENCE}}


@pytest.mark.parametrize(
    ("images", "external", "sentence"),
    [
        ({"web": "registry.example/web:1"}, (), "without a digest; only digests are deployed"),
        ({"web": REFERENCE, "wbe": REFERENCE}, (), "no container uses the image wbe"),
        ({}, (), "without a digest: web in Deployment shop/web"),
        ({"web": REFERENCE}, ("quay.example/",), "no container uses the image quay.example/"),
    ],
)
def test_an_image_rule_that_is_wrong_or_idle_is_refused(images: Any, external: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        manifests.pinned([deployment()], images, external)


def test_an_image_from_outside_may_keep_its_tag_when_that_is_said() -> None:
    (made,) = manifests.pinned([deployment("quay.example/tool:v1")], {}, ["quay.example/"])
    assert image(made) == "quay.example/tool:v1"


def test_a_value_is_set_at_an_escaped_path_which_may_be_new() -> None:
    rule = {"kind": "Deployment", "name": "web", "path": "metadata.annotations.example\\.org/id", "value": 7}
    (made,) = manifests.with_values([deployment()], [rule])
    assert made["metadata"]["annotations"] == {"example.org/id": "7"}


@pytest.mark.parametrize(
    "path", ["spec.template.spec.containers.0.image", "spec.template.spec.containers.name=web.image"]
)
def test_a_list_item_is_found_by_number_or_by_name(path: str) -> None:
    (made,) = manifests.with_values([deployment()], [{"kind": "Deployment", "name": "web", "path": path, "value": "x"}])
    assert image(made) == "x"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "wbe"}, "the overlay has no Deployment wbe"),
        ({"kind": "StatefulSet"}, "the overlay has no StatefulSet web"),
        ({"path": "spec.replcas"}, "there is no spec.replcas"),
        ({"path": "spec.template.spec.containers.name=api.image"}, "there is no .*api"),
        ({"path": "spec.nothing.labels.x"}, "there is no"),
        ({"value": ""}, "there is no value for spec.replicas"),
        ({"value": None}, "there is no value"),
    ],
)
def test_a_set_rule_that_matches_nothing_is_refused(change: dict[str, Any], sentence: str) -> None:
    rule = {"kind": "Deployment", "name": "web", "path": "spec.replicas", "value": 2, **change}
    with pytest.raises(Refused, match=sentence):
        manifests.with_values([deployment(replicas=1)], [rule])


def test_a_number_stays_a_number_outside_maps_of_text() -> None:
    rule = {"kind": "Deployment", "name": "web", "path": "spec.replicas", "value": 2}
    assert manifests.with_values([deployment(replicas=1)], [rule])[0]["spec"]["replicas"] == 2


def test_a_config_key_that_is_read_but_not_there_is_named() -> None:
    thing = deployment()
    source = {"configMapKeyRef": {"name": "settings", "key": "url"}}
    thing["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "URL", "valueFrom": source}]
    assert manifests.dangling([thing, config(url="x")]) == []
    assert manifests.dangling([thing, config()]) == [
        "Deployment shop/web reads the key url, which ConfigMap settings does not have"
    ]


def test_a_service_account_without_the_client_id_its_pods_need_is_named() -> None:
    account = {"kind": "ServiceAccount", "metadata": {"name": "web-sa", "namespace": "shop", "annotations": {}}}
    thing = deployment()
    thing["spec"]["template"]["spec"]["serviceAccountName"] = "web-sa"
    assert manifests.dangling([thing, account]) == []
    thing["spec"]["template"]["metadata"] = {"labels": {"azure.workload.identity/use": "true"}}
    assert "signs in as web-sa, which has no annotation" in manifests.dangling([thing, account])[0]
    account["metadata"]["annotations"] = {"azure.workload.identity/client-id": "0000"}
    assert manifests.dangling([thing, account]) == []


def test_the_content_ignores_order_and_the_values_of_secrets() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "b25l"}}
    other = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "dHdv"}}
    assert manifests.content([deployment(), secret]) == manifests.content([other, deployment()])
    assert manifests.content([deployment()]) != manifests.content([deployment("other")])


def test_objects_are_applied_after_what_they_stand_on() -> None:
    kinds = ["HTTPRoute", "Deployment", "Service", "ConfigMap", "RoleBinding", "ServiceAccount"]
    kinds += ["CustomResourceDefinition", "Namespace"]
    things = [{"kind": kind, "metadata": {"name": "a"}} for kind in kinds]
    assert [each["kind"] for each in manifests.ordered(things)] == kinds[::-1]


def test_differences_are_paths_with_names_and_without_what_the_server_keeps() -> None:
    before, after = deployment("a"), deployment("b")
    before["metadata"] |= {"resourceVersion": "1", "managedFields": []}
    before["status"] = {"replicas": 1}
    assert manifests.differences(before, after) == ["spec.template.spec.containers[web].image"]
    assert manifests.differences(before, before) == []


def test_lists_without_names_differ_as_a_whole() -> None:
    before, after = {"spec": {"hosts": ["a"]}}, {"spec": {"hosts": ["a", "b"]}}
    assert manifests.differences(before, after) == ["spec.hosts"]


def test_a_changed_selector_and_only_that_is_immutable() -> None:
    before = deployment("a", selector={"matchLabels": {"app": "web"}})
    after = deployment("b", selector={"matchLabels": {"app": "web", "environment": "dev"}})
    assert manifests.immutable_changes(before, after) == ["spec.selector"]
    assert manifests.immutable_changes(before, deployment("b", selector={"matchLabels": {"app": "web"}})) == []


def test_what_the_server_adds_to_a_claim_template_is_no_change() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    live = {"metadata": {"name": "data"}, "spec": {**claim["spec"], "volumeMode": "Filesystem"}, "status": {}}
    wanted = {"kind": "StatefulSet", "spec": {"volumeClaimTemplates": [claim]}}
    assert manifests.immutable_changes({"spec": {"volumeClaimTemplates": [live]}}, wanted) == []
    claim["spec"]["resources"] = {"requests": {"storage": "2Gi"}}
    assert manifests.immutable_changes({"spec": {"volumeClaimTemplates": [live]}}, wanted) == [
        "spec.volumeClaimTemplates"
    ]


def test_selectors_are_told_by_workload() -> None:
    assert manifests.selectors([deployment(selector={"matchLabels": {"app": "web"}}), config()]) == {
        "Deployment web": {"matchLabels": {"app": "web"}}
    }
