"""The binding kind."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from names_outside import Outside, work
from workspace.clients.app_service import Binding
from workspace.clients.static_site import Domain
from workspace.errors import Broken, Refused, Unsettled
from workspace.kinds import binding
from workspace.node import Kind
from workspace.work import Outcome, Preview, Work

HOST = "api.dev.mystira.app"


def a_binding(folder: Path, target: str = "app", **settings: Any) -> Work:
    return work(Kind.BINDING, folder, target=target, group="g", name="api", host=HOST, **settings)


def test_a_new_host_is_bound_certified_and_secured_in_that_order(tmp_path: Path) -> None:
    outside, node = Outside(), a_binding(tmp_path)

    preview = binding.preview(node, outside)
    result = binding.verify(node, binding.apply(node, preview, outside), outside)

    assert preview.changes == (f"bind {HOST} to api", f"issue certificate {HOST}", f"serve {HOST} with its certificate")
    assert outside.app_service.done == ["bind", "issue", "secure"]
    assert (result.outcome, result.gives["thumbprint"]) == (Outcome.CHANGED, "4F00")


def test_a_secure_host_is_unchanged_and_nothing_is_done(tmp_path: Path) -> None:
    outside, node = Outside(), a_binding(tmp_path)
    outside.app_service.bindings[HOST] = Binding(HOST, "4F00")

    assert binding.preview(node, outside).is_empty
    assert binding.apply(node, Preview(), outside).outcome is Outcome.UNCHANGED
    assert outside.app_service.done == []


def test_a_run_that_died_half_way_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    outside, node = Outside(), a_binding(tmp_path)
    outside.app_service.bindings[HOST] = Binding(HOST)
    outside.app_service.certificates[HOST] = "4F00"

    assert binding.preview(node, outside).changes == (f"serve {HOST} with its certificate",)
    assert binding.apply(node, Preview(), outside).outcome is Outcome.CHANGED
    assert outside.app_service.bindings[HOST].is_secure


def test_a_binding_without_certificate_stops_at_the_host(tmp_path: Path) -> None:
    outside, node = Outside(), a_binding(tmp_path, certificate="none")

    assert binding.preview(node, outside).changes == (f"bind {HOST} to api",)
    binding.verify(node, binding.apply(node, Preview(), outside), outside)
    assert outside.app_service.done == ["bind"]


def test_a_host_that_somebody_unbound_is_broken_and_an_insecure_one_unsettled(tmp_path: Path) -> None:
    outside, node = Outside(), a_binding(tmp_path)
    result = binding.apply(node, Preview(), outside)
    outside.app_service.bindings[HOST] = Binding(HOST)
    with pytest.raises(Unsettled):
        binding.verify(node, result, outside)

    outside.app_service.bindings.clear()
    with pytest.raises(Broken):
        binding.verify(node, result, outside)


def test_a_domain_of_a_static_site_is_bound_once(tmp_path: Path) -> None:
    outside, node = Outside(), a_binding(tmp_path, "site")

    assert binding.preview(node, outside).changes == (f"bind {HOST} to api",)
    assert binding.verify(node, binding.apply(node, Preview(), outside), outside).outcome is Outcome.CHANGED
    assert binding.preview(node, outside).is_empty
    assert binding.apply(node, Preview(), outside).outcome is Outcome.UNCHANGED


def test_a_domain_that_is_not_ready_is_unsettled(tmp_path: Path) -> None:
    outside, node = Outside(), a_binding(tmp_path, "site")
    result = binding.apply(node, Preview(), outside)
    outside.static_site.domains[HOST] = Domain(HOST, "Validating")

    with pytest.raises(Unsettled, match="Validating"):
        binding.verify(node, result, outside)


@pytest.mark.parametrize("settings", [{"target": "cluster"}, {"target": "app", "certificate": "own"}])
def test_a_setting_nobody_knows_is_refused(tmp_path: Path, settings: dict[str, str]) -> None:
    with pytest.raises(Refused):
        binding.preview(work(Kind.BINDING, tmp_path, group="g", name="api", host=HOST, **settings), Outside())


class Proved:
    """A site whose host is proved, so that Azure has forgotten its token."""

    def domain(self, group: str, name: str, host: str) -> Domain:
        return Domain(host, "Ready")

    def claim(self, group: str, name: str, host: str) -> str:
        return ""


def test_a_token_that_another_machine_was_given_is_had_from_the_ledger(tmp_path: Path) -> None:
    outside, node = SimpleNamespace(static_site=Proved()), a_binding(tmp_path, "site", claim=True)
    again = replace(node, before={"host": HOST, "token": "proof"})

    assert binding.preview(again, outside).is_empty
    result = binding.apply(again, Preview(), outside)
    assert (result.outcome, result.gives) == (Outcome.UNCHANGED, {"host": HOST, "token": "proof"})


def test_a_token_that_nobody_kept_or_that_was_for_another_host_is_missing(tmp_path: Path) -> None:
    outside, node = SimpleNamespace(static_site=Proved()), a_binding(tmp_path, "site", claim=True)
    for before in ({}, {"host": "another.mystira.app", "token": "proof"}):
        assert not binding.preview(replace(node, before=before), outside).is_empty
        with pytest.raises(Refused, match="nobody kept its token"):
            binding.apply(replace(node, before=before), Preview(), outside)
