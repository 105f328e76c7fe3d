"""Request bodies as Resource Manager takes them."""

from typing import Any

import pytest
from workspace.rehearsal import arm_content

TAKEN: dict[str, tuple[str, Any]] = {
    "JSON": ('{"a": [1, "x"]}', {"a": [1, "x"]}),
    "a mark at the beginning": ('\ufeff{"a": 1}', {"a": 1}),
    "a name without quotes, as az writes it": (
        '{"properties": {"mode": "x", template:{"a": 1}}}',
        {"properties": {"mode": "x", "template": {"a": 1}}},
    ),
    "comments": ('{// one\n"a": /* two\nlines */ 1}', {"a": 1}),
    "what only looks like a comment": ('{a: "http://x/*y*/", "b": "// c"}', {"a": "http://x/*y*/", "b": "// c"}),
    "what only looks like a name": ('{a: "b: c", "d": "say \\"e: f\\""}', {"a": "b: c", "d": 'say "e: f"'}),
    "a comma too many": ('{"a": [1, 2, // last\n],}', {"a": [1, 2]}),
    "a text of two lines": ('{a: "one\ntwo"}', {"a": "one\ntwo"}),
    "words that are values": ("{a: true, b: null}", {"a": True, "b": None}),
}
REFUSED = ["{", "{'a': 1}", '{"a" 1}', "{a: b}", '{"a": 1} {"b": 2}', "", "/* open", '{"a": "open}']


@pytest.mark.parametrize(("text", "value"), TAKEN.values(), ids=TAKEN)
def test_what_resource_manager_takes_is_taken(text: str, value: Any) -> None:
    assert arm_content.read(text.encode()) == value


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        arm_content.read(text.encode())
