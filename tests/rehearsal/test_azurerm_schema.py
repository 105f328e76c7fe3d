"""The script that makes the schema file reads both of its sources."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from workspace.rehearsal.azurerm_wire import block

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "azurerm_schema.py"
TYPESCRIPT = """
export class ThingRuleOutputReference extends cdktn.ComplexObject {
  // port - computed: false, optional: false, required: true
  public get port() { return this.getNumberAttribute('port'); }
}
export class ThingRuleList extends cdktn.ComplexList {
}
export class ThingTimeoutsOutputReference extends cdktn.ComplexObject {
  // create - computed: false, optional: true, required: false
  public get create() { return this.getStringAttribute('create'); }
}
export class Thing extends cdktn.TerraformResource {
  public static readonly tfResourceType = "azurerm_thing";
  // access_key - computed: true, optional: false, required: false
  public get accessKey() { return this.getStringAttribute('access_key'); }
  // names - computed: false, optional: true, required: false
  public get names() { return cdktn.Fn.tolist(this.getListAttribute('names')); }
  // tags - computed: false, optional: true, required: false
  public get tags() { return this.getStringMapAttribute('tags'); }
  // rule - computed: false, optional: false, required: true
  private _rule = new ThingRuleList(this, "rule", true);
  // timeouts - computed: false, optional: true, required: false
  private _timeouts = new ThingTimeoutsOutputReference(this, "timeouts");
}
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("azurerm_schema", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_engine_prints_is_kept_with_every_mark(script: ModuleType, tmp_path: Path) -> None:
    attribute: dict[str, Any] = {"type": "string", "optional": True, "sensitive": True, "description": "left out"}
    inner = {"attributes": {"port": {"type": "number", "required": True}}}
    made = {
        "attributes": {"value": attribute},
        "block_types": {"rule": {"nesting_mode": "set", "min_items": 1, "block": inner}},
    }
    printed = {
        "provider": "hashicorp/azurerm 5.2.0",
        "provider_block": {"block": {"attributes": {}}},
        "resource_schemas": {"azurerm_thing": {"version": 2, "block": made}},
        "data_source_schemas": {},
    }
    (tmp_path / "schema.json").write_text(json.dumps(printed))
    _, _, resources, _ = script.exact(tmp_path / "schema.json")
    read = block(resources["azurerm_thing"])
    assert read.version == 2
    assert read.attributes["value"].optional and read.attributes["value"].sensitive
    assert read.blocks["rule"].nesting == "set" and read.blocks["rule"].minimum == 1
    assert read.blocks["rule"].block.attributes["port"].required
    assert "left out" not in json.dumps(resources)


def test_what_the_bindings_were_made_from_is_read_back(script: ModuleType) -> None:
    is_data, name, compact = script.Bindings(TYPESCRIPT).read()
    read = block(compact)
    assert (is_data, name) == (False, "azurerm_thing")
    assert read.attributes["names"].type == ["set", "string"]
    assert read.attributes["tags"].type == ["map", "string"]
    assert read.attributes["access_key"].computed and read.attributes["access_key"].sensitive
    assert (read.blocks["rule"].nesting, read.blocks["rule"].minimum) == ("set", 1)
    assert read.blocks["timeouts"].nesting == "single"


def test_what_is_read_back_may_differ_in_what_is_secret_and_in_nothing_else(script: ModuleType) -> None:
    rule = {"attributes": {"port": ["number", "r"]}}
    kept = {"attributes": {"key": ["string", "c!"], "old": ["bool", "o"]}, "blocks": {"rule": ["set", 1, 5, rule]}}
    same = {"attributes": {"key": ["string", "c"], "old": ["bool", "o"]}, "blocks": {"rule": ["set", 1, 5, rule]}}
    changed = {"attributes": {"port": ["string", "r"], "new": ["string", "o"]}}
    other = {"attributes": {"key": ["string", "o"]}, "blocks": {"rule": ["set", 1, 0, changed]}}
    assert list(script.differences(kept, same)) == []
    assert list(script.differences(kept, other)) == ["key", "old", "rule", "rule.new", "rule.port"]
