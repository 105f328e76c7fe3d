"""The record kind."""

from pathlib import Path
from typing import Any

import pytest
from names_outside import Outside, work
from workspace.clients.zone import RecordSet
from workspace.errors import Refused, Unsettled
from workspace.kinds import record
from workspace.node import Kind
from workspace.work import Outcome, Work

FQDN = "dev.chain.mystira.app"


def a_record(folder: Path, **settings: Any) -> Work:
    usual = {"zone": "mystira.app", "group": "zones", "name": "dev.chain", "type": "A", "ttl": 300}
    return work(Kind.RECORD, folder, **{**usual, "values": ["127.77.0.9"], **settings})


def test_a_missing_record_is_previewed_written_and_believed_when_dns_agrees(tmp_path: Path) -> None:
    outside, node = Outside(), a_record(tmp_path)
    outside.resolver.names[FQDN] = ("127.77.0.9",)

    preview = record.preview(node, outside)
    result = record.verify(node, record.apply(node, preview, outside), outside)

    assert preview.changes == (f"create record {FQDN} A 127.77.0.9",)
    assert result.outcome is Outcome.CHANGED
    assert result.gives["fqdn"] == FQDN
    assert outside.zone.sets["dev.chain", "A"].owner == "mystira-workspace/dev"


def test_a_record_that_is_there_is_unchanged(tmp_path: Path) -> None:
    outside, node = Outside(), a_record(tmp_path)
    record.apply(node, record.preview(node, outside), outside)

    assert record.preview(node, outside).is_empty
    assert record.apply(node, record.preview(node, outside), outside).outcome is Outcome.UNCHANGED
    assert outside.zone.writes == 1


def test_a_changed_value_is_previewed_with_both_values(tmp_path: Path) -> None:
    outside = Outside()
    record.apply(a_record(tmp_path), record.preview(a_record(tmp_path), outside), outside)

    preview = record.preview(a_record(tmp_path, values=["127.77.0.10"]), outside)
    assert preview.changes == (f"change record {FQDN} A from 127.77.0.9 to 127.77.0.10",)


def test_a_record_of_somebody_else_is_refused_before_anything_happens(tmp_path: Path) -> None:
    outside = Outside()
    outside.zone.sets["dev.chain", "A"] = RecordSet("dev.chain", "A", 300, ("192.0.2.1",), "")

    with pytest.raises(Refused, match="left alone"):
        record.preview(a_record(tmp_path), outside)
    assert record.preview(a_record(tmp_path, adopt=True), outside).changes


def test_a_resolver_that_does_not_agree_is_unsettled(tmp_path: Path) -> None:
    outside, node = Outside(), a_record(tmp_path)
    result = record.apply(node, record.preview(node, outside), outside)

    with pytest.raises(Unsettled):
        record.verify(node, result, outside)


def test_a_record_without_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no value"):
        record.preview(a_record(tmp_path, values=[""]), Outside())


def test_undo_removes_what_was_written(tmp_path: Path) -> None:
    outside, node = Outside(), a_record(tmp_path)
    record.apply(node, record.preview(node, outside), outside)

    assert record.undo(node, outside).outcome is Outcome.CHANGED
    assert record.undo(node, outside).outcome is Outcome.UNCHANGED
