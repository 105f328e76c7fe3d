"""The secret kind: keys from vaults, told by name, never by value."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from workspace.environment import Environment
from workspace.errors import Broken, Refused
from workspace.kinds import secret
from workspace.node import Kind, Node, Stage
from workspace.work import Certainty, Outcome, Preview, Work

VALUE = "hunter2-the-value"


class Cluster:
    def __init__(self, **have: str) -> None:
        self.have, self.version, self.writes = have, "1" if have else "", 0

    def secret_state(self, namespace: str, name: str, values: Any) -> Any:
        assert (namespace, name) == ("shop", "web-secrets")
        added = tuple(sorted(set(values) - set(self.have)))
        changed = tuple(sorted(key for key in values if key in self.have and values[key] != self.have[key]))
        removed = tuple(sorted(set(self.have) - set(values)))
        settled = bool(self.version) and not (added or changed or removed)
        return SimpleNamespace(version=self.version, added=added, changed=changed, removed=removed, is_settled=settled)

    def write_secret(self, namespace: str, name: str, values: Any) -> Any:
        before = self.secret_state(namespace, name, values)
        self.have, self.version, self.writes = dict(values), str(int(self.version or 0) + 1), self.writes + 1
        before.version = self.version
        return before


class Vault:
    def __init__(self, **values: str) -> None:
        self._values = {name.replace("_", "-"): value for name, value in values.items()}
        self.asked: list[tuple[str, str]] = []

    def get(self, vault: str, name: str) -> str | None:
        self.asked.append((vault, name))
        return self._values.get(name)


def around(cluster: Cluster, vault: Vault) -> Any:
    return SimpleNamespace(cluster=lambda group, name: cluster, vault=vault)


def work(keys: dict[str, Any], optional: Any = (), said: list[str] | None = None) -> Work:
    settings = {"cluster": {"group": "g", "name": "n"}, "namespace": "shop", "name": "web-secrets"}
    node = Node("web-secrets", Kind.SECRET, Stage.CLUSTER_ROLLOUT)
    say = (said if said is not None else []).append
    given = {**settings, "keys": keys, "optional": list(optional)}
    return Work(node, Environment("dev"), given, Path("/nowhere"), Path("/nowhere"), say=say)


FROM_VAULT = {"database_url": {"vault": "web-kv", "secret": "database-url"}}


def test_a_key_is_written_once_and_then_left_alone() -> None:
    cluster, vault = Cluster(), Vault(database_url=VALUE)
    first = secret.apply(work(FROM_VAULT), Preview(), around(cluster, vault))
    second = secret.apply(work(FROM_VAULT), Preview(), around(cluster, vault))
    assert (first.outcome, second.outcome, cluster.writes) == (Outcome.CHANGED, Outcome.UNCHANGED, 1)
    assert second.gives == {"keys": ["database_url"], "version": "1"}
    assert secret.verify(work(FROM_VAULT), second, around(cluster, vault)) == second


def test_underscores_of_a_key_are_hyphens_in_the_vault() -> None:
    vault = Vault(database_url=VALUE)
    secret.preview(work({"database_url": {"vault": "web-kv"}}), around(Cluster(), vault))
    assert vault.asked == [("web-kv", "database-url")]


def test_a_preview_names_keys_only() -> None:
    cluster = Cluster(database_url="old", gone="x")
    found = secret.preview(work({**FROM_VAULT, "id": {"value": "abc"}}), around(cluster, Vault(database_url=VALUE)))
    assert found.changes == (
        "Secret shop/web-secrets: add key id",
        "Secret shop/web-secrets: change key database_url",
        "Secret shop/web-secrets: remove key gone",
    )


def test_a_missing_secret_is_refused_by_vault_and_key_and_defers_the_preview() -> None:
    around_it = around(Cluster(), Vault())
    assert secret.preview(work(FROM_VAULT), around_it).certainty is Certainty.DEFERRED
    with pytest.raises(Refused, match=r"key database_url \(secret database-url of vault web-kv\)"):
        secret.apply(work(FROM_VAULT), Preview(), around_it)


def test_an_optional_key_may_be_missing() -> None:
    cluster = Cluster()
    keys = {**FROM_VAULT, "client_id": {"vault": "web-kv", "secret": "client-id"}}
    secret.apply(work(keys, ["client_id"]), Preview(), around(cluster, Vault(database_url=VALUE)))
    assert set(cluster.have) == {"database_url"}


@pytest.mark.parametrize(
    ("keys", "optional", "sentence"),
    [
        ({"bad key": {"value": "x"}}, [], "no legal key"),
        ({"key": {"vault": "kv", "secret": "with_underscore"}}, [], "letters, digits and hyphens only"),
        ({"key": {}}, [], "neither a vault nor a value"),
        ({"key": {"value": "x"}}, ["kye"], "calls kye optional"),
        ({"key": {"value": ""}}, [], "its value is empty"),
    ],
)
def test_a_key_map_that_cannot_work_is_refused(keys: Any, optional: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        secret.apply(work(keys, optional), Preview(), around(Cluster(), Vault()))


def test_a_secret_that_somebody_else_changed_is_broken() -> None:
    cluster, vault = Cluster(), Vault(database_url=VALUE)
    done = secret.apply(work(FROM_VAULT), Preview(), around(cluster, vault))
    cluster.have["database_url"] = "other"
    with pytest.raises(Broken, match="something else writes it too"):
        secret.verify(work(FROM_VAULT), done, around(cluster, vault))


def test_no_value_is_in_anything_that_is_said_or_kept() -> None:
    said: list[str] = []
    cluster, vault = Cluster(), Vault(database_url=VALUE)
    before = secret.preview(work(FROM_VAULT, said=said), around(cluster, vault))
    done = secret.apply(work(FROM_VAULT, said=said), before, around(cluster, vault))
    after = secret.verify(work(FROM_VAULT, said=said), done, around(cluster, vault))
    assert VALUE not in repr((said, before, done, after))
