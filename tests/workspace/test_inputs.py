"""Inputs: outputs in place of references."""

import pytest
from workspace import inputs
from workspace.errors import Broken
from workspace.node import TARGET, Kind, Node, Output, Stage

GIVES = {"network": {"subnet_ids": {"AKS": "/s/aks"}, "count": 2}, TARGET: {"subscription": "s"}}


def node(**settings: object) -> Node:
    return Node("cluster", Kind.STACK, Stage.ZONE, settings=settings)


def test_references_are_replaced_at_any_depth_whatever_their_case() -> None:
    filled = inputs.fill(
        node(subnet=Output("network", "Subnet_Ids.aks"), rest=[{"n": Output("network", "count")}]), GIVES
    )
    assert filled == {"subnet": "/s/aks", "rest": [{"n": 2}]}


def test_an_output_that_is_not_there_is_named_with_what_is() -> None:
    with pytest.raises(Broken, match="cluster reads vnet of network, which gives count, subnet_ids"):
        inputs.fill(node(vnet=Output("network", "vnet")), GIVES)


def test_what_the_target_says_is_no_need() -> None:
    reader = node(subscription=Output(TARGET, "subscription"))
    assert reader.all_needs == frozenset()
    assert inputs.fill(reader, GIVES) == {"subscription": "s"}


def test_a_fingerprint_knows_content_and_not_order() -> None:
    assert inputs.fingerprint({"a": 1, "b": [2]}) == inputs.fingerprint({"b": [2], "a": 1})
    assert inputs.fingerprint({"a": 1}) != inputs.fingerprint({"a": 2})
