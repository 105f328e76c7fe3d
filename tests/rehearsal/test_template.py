"""The evaluator of ARM templates: what a template wants, in which order, with which values."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from workspace.rehearsal.template import Evaluator, Planned, TemplateError

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
GROUP_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/group"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
Json = dict[str, Any]


def store(name: str, **more: Any) -> Json:
    """A small resource of a template."""
    return {"type": "Shop.Rp/stores", "apiVersion": "2020-01-01", "name": name, **more}


def store_id(name: str) -> str:
    """The id of such a resource."""
    return f"{GROUP_ID}/providers/Shop.Rp/stores/{name}"


def evaluator(
    template: Json, parameters: Json | None = None, living: Json | None = None, *, lenient: bool = False
) -> Evaluator:
    """An evaluator of a template given without its formalities, where some resources live."""
    known = {key.lower(): value for key, value in (living or {}).items()}
    return Evaluator(
        {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [], **template},
        {name: {"value": value} for name, value in (parameters or {}).items()},
        subscription=SUBSCRIPTION,
        group="group",
        location="southafricanorth",
        deployment="app",
        lookup=lambda resource_id: known.get(resource_id.lower()),
        lenient=lenient,
    )


def value_of(expression: str, **more: Any) -> Any:
    """What an expression yields as an output."""
    return evaluator({"outputs": {"o": {"type": "object", "value": f"[{expression}]"}}}, **more).outputs()["o"]["value"]


def planned(*resources: Json, **more: Any) -> list[Planned]:
    """The resources in the order in which they are made."""
    return evaluator({"resources": list(resources), **more}).resources()


def names(*resources: Json, **more: Any) -> list[str]:
    """Their names, in that order."""
    return [each.name for each in planned(*resources, **more)]


def refusal(template: Json, parameters: Json | None = None) -> TemplateError:
    """What is said about a template that is refused."""
    with pytest.raises(TemplateError) as caught:
        made = evaluator(template, parameters)
        [each.body() for each in made.resources()]
        made.outputs()
    return caught.value


# --- functions


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("format('{0}-{1} {{x}}', 'a', 1)", "a-1 {x}"),
        ("format('{0:D3} {1:N1} {2}', 7, 1234, true())", "007 1,234.0 True"),
        ("concat('a', 1, 'b')", "a1b"),
        ("concat(createArray(1), createArray(2))", [1, 2]),
        ("string(createObject('a', createArray(1, null())))", '{"a":[1,null]}'),
        ("'it''s'", "it's"),
        ("if(true(), 1, div(1, 0))", 1),
        ("and(true(), or(false(), not(false())))", True),
        ("or(true(), equals(1, parameters('unknown')))", True),
        ("equals('a', 'A')", False),
        ("equals(1, true())", False),
        ("less('a', 'b')", True),
        ("greaterOrEquals(2, 2)", True),
        ("coalesce(null(), 'x', parameters('unknown'))", "x"),
        (
            "union(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2)))",
            {"a": {"x": 1, "y": 2}},
        ),
        ("union(createArray(1, 2), createArray(2, 3))", [1, 2, 3]),
        ("intersection(createArray(1, 2), createArray(2, 3))", [2]),
        ("shallowMerge(createArray(createObject('a', 1), createObject('a', 2, 'b', 3)))", {"a": 2, "b": 3}),
        ("contains(createObject('Name', 1), 'name')", True),
        ("contains(createArray('a'), 'A')", False),
        ("contains('text', 'ex')", True),
        ("empty(createObject())", True),
        ("empty(null())", True),
        ("length('four')", 4),
        ("first(createArray(3, 4))", 3),
        ("last('xyz')", "z"),
        ("split('a/b-c', createArray('/', '-'))", ["a", "b", "c"]),
        ("join(createArray('a', 'b'), ',')", "a,b"),
        ("replace('aXa', 'X', '')", "aa"),
        ("substring('abcdef', 1, 2)", "bc"),
        ("take('abc', 9)", "abc"),
        ("skip(createArray(1, 2, 3), 2)", [3]),
        ("toUpper(trim(' a '))", "A"),
        ("indexOf('abcb', 'B')", 1),
        ("padLeft(7, 3, '0')", "007"),
        ("min(3, 1, 2)", 1),
        ("max(createArray(3, 1))", 3),
        ("range(2, 3)", [2, 3, 4]),
        ("int('42')", 42),
        ("div(-7, 2)", -3),
        ("mod(7, 3)", 1),
        ("bool('True')", True),
        ("json('{\"a\": [true]}')", {"a": [True]}),
        ("base64('abc')", "YWJj"),
        ("base64ToString(base64('abc'))", "abc"),
        ("uri('https://a.b/c/', 'd')", "https://a.b/c/d"),
        ("uriComponent('a b/c')", "a%20b%2Fc"),
        ("items(createObject('b', 1, 'a', 2))", [{"key": "a", "value": 2}, {"key": "b", "value": 1}]),
        ("tryGet(createObject('a', createArray(5)), 'a', 0)", 5),
        ("tryGet(createObject('a', 1), 'b', 'c')", None),
        ("createObject('Case', 1).case", 1),
        ("createArray(createObject('a-b', 9))[0]['a-b']", 9),
        ("map(range(0, 3), lambda('x', mul(lambdaVariables('x'), 2)))", [0, 2, 4]),
        ("filter(range(0, 4), lambda('x', greater(lambdaVariables('x'), 1)))", [2, 3]),
        ("reduce(range(1, 4), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))", 10),
        ("sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))", [1, 2, 3]),
        ("toObject(createArray('a'), lambda('x', lambdaVariables('x')), lambda('x', 1))", {"a": 1}),
        (
            "groupBy(createArray('aa', 'b'), lambda('x', string(length(lambdaVariables('x')))))",
            {"1": ["b"], "2": ["aa"]},
        ),
        ("flatten(createArray(createArray(1), createArray(2)))", [1, 2]),
        ("dateTimeAdd('2026-01-31T00:00:00Z', 'P1M', 'yyyy-MM-dd')", "2026-02-28"),
        ("dateTimeToEpoch('1970-01-02T00:00:00Z')", 86400),
        ("subscription().subscriptionId", SUBSCRIPTION),
        ("resourceGroup().location", "southafricanorth"),
        ("deployment().name", "app"),
        ("environment().suffixes.storage", "core.windows.net"),
        ("resourceId('A.B/c/d', 'x', 'y')", f"{GROUP_ID}/providers/A.B/c/x/d/y"),
        ("resourceId('other', 'A.B/c', 'x')", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/A.B/c/x"),
        ("resourceId('s', 'g', 'A.B/c', 'x')", "/subscriptions/s/resourceGroups/g/providers/A.B/c/x"),
        ("subscriptionResourceId('A.B/c', 'x')", f"/subscriptions/{SUBSCRIPTION}/providers/A.B/c/x"),
        ("extensionResourceId('/subscriptions/s', 'A.B/c', 'x')", "/subscriptions/s/providers/A.B/c/x"),
        ("tenantResourceId('A.B/c', 'x')", "/providers/A.B/c/x"),
    ],
)
def test_a_function_yields_what_azures_does(expression: str, expected: Any) -> None:
    assert value_of(expression) == expected


def test_unique_strings_have_13_characters_and_are_the_same_for_the_same_values() -> None:
    first, again, other = (value_of(f"uniqueString('{text}', 1)") for text in ("a", "a", "b"))
    assert first == again != other
    assert len(first) == 13
    assert set(first) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_a_guid_is_the_same_for_the_same_values() -> None:
    first, again, other = (value_of(f"guid('{text}', 'x')") for text in ("a", "a", "b"))
    assert first == again != other
    assert uuid.UUID(first).version == 5


@pytest.mark.parametrize(
    "expression",
    [
        "nothing('x')",
        "substring('abc', 2, 5)",
        "createObject('a', 1).b",
        "createArray(1)[3]",
        "int('x')",
        "add('1', 2)",
        "less('a', 1)",
        "if('yes', 1, 2)",
        "utcNow()",
        "copyIndex()",
        "format('{1}', 'a')",
        "concat('a'",
        "'a' 'b'",
        "toLower(1)",
        "variables('unknown')",
    ],
)
def test_an_expression_that_azure_refuses_is_an_invalid_template(expression: str) -> None:
    error = refusal({"outputs": {"o": {"type": "string", "value": f"[{expression}]"}}})
    assert error.code == "InvalidTemplate"
    assert "output 'o'" in error.message


@pytest.mark.parametrize(("raw", "expected"), [("[[x]", "[x]"), ("[x", "[x"), ("x]", "x]")])
def test_only_a_text_in_brackets_is_an_expression(raw: str, expected: str) -> None:
    assert evaluator({"outputs": {"o": {"type": "string", "value": raw}}}).outputs()["o"]["value"] == expected


def test_a_template_may_define_functions_of_its_own() -> None:
    members = {
        "twice": {
            "parameters": [{"name": "x", "type": "int"}],
            "output": {"type": "int", "value": "[mul(parameters('x'), 2)]"},
        }
    }
    template = {
        "functions": [{"namespace": "my", "members": members}],
        "outputs": {"o": {"type": "int", "value": "[my.twice(21)]"}},
    }
    assert evaluator(template).outputs()["o"]["value"] == 42


# --- parameters, variables, outputs


@pytest.mark.parametrize(
    ("definition", "given", "says"),
    [
        ({"type": "string"}, {}, "The value for the template parameter 'p' is not provided"),
        ({"type": "string"}, {"p": "x", "q": 1}, "do not correspond to any parameters defined in the template: 'q'"),
        ({"type": "string"}, {"p": 1}, "Expected 'String, Uri'. Actual 'Integer'"),
        ({"type": "int"}, {"p": True}, "Expected 'Integer'. Actual 'Boolean'"),
        ({"type": "bool"}, {"p": "true"}, "Expected 'Boolean'. Actual 'String'"),
        ({"type": "array", "items": {"type": "int"}}, {"p": ["x"]}, "The parameter is 'p[0]'"),
        ({"type": "string", "allowedValues": ["a", "b"]}, {"p": "c"}, "not part of the allowed value(s): 'a,b'"),
        ({"type": "string", "minLength": 3}, {"p": "ab"}, "Length of the value should be greater than or equal to '3'"),
        ({"type": "array", "maxLength": 1}, {"p": [1, 2]}, "Length of the value should be less than or equal to '1'"),
        ({"type": "int", "minValue": 3}, {"p": 2}, "The value should be greater than or equal to '3'"),
        ({"type": "int", "maxValue": 3}, {"p": 4}, "The value should be less than or equal to '3'"),
        ({"type": "int", "defaultValue": "x"}, {}, "Expected 'Integer'. Actual 'String'"),
        ({"type": "string", "defaultValue": "[parameters('p')]"}, {}, "Circular dependency detected on parameter p"),
        ({"type": "wrong"}, {"p": 1}, "unknown type 'wrong'"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(definition: Json, given: Json, says: str) -> None:
    error = refusal({"parameters": {"p": definition}}, given)
    assert error.code == "InvalidTemplate"
    assert says in error.message


def test_a_secure_value_is_not_shown_when_it_is_refused() -> None:
    error = refusal({"parameters": {"p": {"type": "securestring", "allowedValues": ["a"]}}}, {"p": "hunter2"})
    assert "hunter2" not in str(error)


def test_defaults_are_expressions_and_may_use_the_clock() -> None:
    template = {
        "parameters": {
            "a": {"type": "string", "defaultValue": "[format('{0}!', parameters('b'))]"},
            "b": {"type": "string", "defaultValue": "x"},
            "day": {"type": "string", "defaultValue": "[utcNow('yyyy-MM-01')]"},
            "id": {"type": "string", "defaultValue": "[newGuid()]", "minLength": 36},
        }
    }
    made = evaluator(template, {"B": "y"})
    assert made.parameters["a"] == "y!"
    assert made.parameters["day"].endswith("-01")


def test_a_parameter_may_be_null_where_its_type_says_so() -> None:
    made = evaluator({"parameters": {"p": {"type": "string", "nullable": True}}, "resources": {}})
    assert made.parameters == {"p": None}


def test_a_parameter_may_refer_to_a_secret_of_a_vault() -> None:
    vault = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/kv"
    template = {
        "$schema": SCHEMA,
        "contentVersion": "1",
        "resources": [],
        "parameters": {"p": {"type": "securestring"}},
    }
    given = {"p": {"reference": {"keyVault": {"id": vault}, "secretName": "s"}}}
    place: Json = {"subscription": SUBSCRIPTION, "group": "group", "location": "x", "deployment": "d"}
    found = {f"{vault}/secrets/s": {"_value": "hidden"}}
    assert Evaluator(template, given, lookup=found.get, **place).parameters["p"] == "hidden"
    with pytest.raises(TemplateError, match="KeyVaultParameterReferenceNotFound"):
        Evaluator(template, given, lookup=lambda _: None, **place)


def test_variables_may_loop_and_use_each_other() -> None:
    variables = {
        "copy": [{"name": "v", "count": 2, "input": "[format('{0}{1}', variables('w'), copyIndex('v'))]"}],
        "w": "x",
    }
    template = {"variables": variables, "outputs": {"o": {"type": "array", "value": "[variables('v')]"}}}
    assert evaluator(template).outputs()["o"]["value"] == ["x0", "x1"]


def test_a_variable_that_needs_itself_is_refused() -> None:
    template = {
        "variables": {"v": "[variables('v')]"},
        "outputs": {"o": {"type": "string", "value": "[variables('v')]"}},
    }
    assert "Circular dependency" in refusal(template).message


def test_secure_outputs_have_no_value_and_a_false_condition_leaves_one_out() -> None:
    outputs = {
        "plain": {"type": "string", "value": "x"},
        "hidden": {"type": "securestring", "value": "x"},
        "none": {"type": "string", "value": "x", "condition": False},
        "many": {"type": "array", "copy": {"count": 2, "input": "[copyIndex()]"}},
    }
    assert evaluator({"outputs": outputs}).outputs() == {
        "plain": {"type": "String", "value": "x"},
        "hidden": {"type": "SecureString"},
        "many": {"type": "Array", "value": [0, 1]},
    }


# --- resources and their order


def test_a_resource_comes_after_what_it_depends_on_however_that_is_named() -> None:
    by_id = store("a", dependsOn=["[resourceId('Shop.Rp/stores', 'b')]"])
    by_type = store("b", dependsOn=["[concat('Shop.Rp/stores/', 'c')]"])
    by_reference = store("c", properties={"x": "[reference('d').x]"})
    by_keys = store("d", properties={"x": "[listKeys(resourceId('Shop.Rp/stores', 'e'), '2020-01-01').k]"})
    assert names(by_id, by_type, by_reference, by_keys, store("e")) == ["e", "d", "c", "b", "a"]


def test_naming_an_id_alone_is_no_dependency() -> None:
    made = planned(store("a", properties={"x": "[resourceId('Shop.Rp/stores', 'b')]"}), store("b"))
    assert [(each.name, each.depends_on) for each in made] == [("a", ()), ("b", ())]


def test_a_circle_is_refused() -> None:
    resources = [store("a", dependsOn=["b"]), store("b", dependsOn=["a"])]
    assert "Circular dependency detected on resource" in refusal({"resources": resources}).message


def test_a_dependency_on_something_unknown_is_refused() -> None:
    assert "not defined in the template" in refusal({"resources": [store("a", dependsOn=["z"])]}).message


def test_the_same_resource_twice_is_refused() -> None:
    assert "defined multiple times" in refusal({"resources": [store("a"), store("A")]}).message


def test_a_false_condition_leaves_a_resource_and_the_dependency_on_it_out() -> None:
    off = store("off", condition="[equals(1, 2)]")
    assert names(store("a", dependsOn=["[resourceId('Shop.Rp/stores', 'off')]"]), off) == ["a"]


def test_a_loop_makes_a_resource_for_each_turn_and_is_one_name_to_wait_for() -> None:
    loop = store("[format('s{0}', copyIndex(1))]", copy={"name": "all", "count": 3})
    last = store("z", dependsOn=["all"])
    assert names(last, loop) == ["s1", "s2", "s3", "z"]
    assert len(planned(last, loop)[-1].depends_on) == 3
    assert names(store("z", dependsOn=["none"]), store("s", copy={"name": "none", "count": 0})) == ["z"]


def test_a_serial_loop_goes_batch_by_batch() -> None:
    copy = {"name": "all", "count": 4, "mode": "serial", "batchSize": 2}
    made = {each.name: each.depends_on for each in planned(store("[format('s{0}', copyIndex())]", copy=copy))}
    assert made == {"s0": (), "s1": (), "s2": (store_id("s0"), store_id("s1")), "s3": (store_id("s0"), store_id("s1"))}


def test_a_name_with_the_wrong_number_of_parts_is_refused() -> None:
    assert "incorrect segment lengths" in refusal({"resources": [store("a/b")]}).message


@pytest.mark.parametrize("where", ["name", "condition"])
def test_what_only_the_run_can_know_is_refused_in_a_name_and_in_a_condition(where: str) -> None:
    resource = {**store("a"), where: "[reference('b').x]"}
    assert "'reference' is not expected at this location" in refusal({"resources": [resource, store("b")]}).message


def test_a_nested_resource_has_the_type_and_the_name_of_its_parent() -> None:
    child = {
        "type": "shelves",
        "apiVersion": "2020-01-01",
        "name": "s",
        "dependsOn": ["[resourceId('Shop.Rp/stores', 'a')]"],
    }
    made = planned(store("a", resources=[child]))
    assert [each.id for each in made] == [store_id("a"), store_id("a") + "/shelves/s"]
    assert made[1].type == "Shop.Rp/stores/shelves"


@pytest.mark.parametrize("scope", ["[resourceId('Shop.Rp/stores', 'a')]", "Shop.Rp/stores/a"])
def test_an_extension_is_under_what_it_extends(scope: str) -> None:
    lock = {"type": "Guard.Rp/locks", "apiVersion": "2020-01-01", "name": "l", "scope": scope, "dependsOn": ["a"]}
    assert planned(store("a"), lock)[1].id == f"{store_id('a')}/providers/Guard.Rp/locks/l"


def test_symbolic_names_stand_for_resources_and_existing_ones_are_told_apart() -> None:
    resources = {
        "one": store(
            "a", properties={"x": "[reference('there').x]", "y": "[reference('many[1]').x]"}, dependsOn=["many"]
        ),
        "there": store("t", existing=True),
        "many": store("[format('m{0}', copyIndex())]", copy={"name": "many", "count": 2}),
    }
    living = {store_id("t"): {"properties": {"x": 1}}, store_id("m1"): {"properties": {"x": 2}}}
    made = evaluator({"languageVersion": "2.0", "resources": resources}, living=living).resources()
    assert [(each.name, each.existing) for each in made] == [("t", True), ("m0", False), ("m1", False), ("a", False)]
    assert made[-1].body()["properties"] == {"x": 1, "y": 2}
    assert made[-1].symbolic == "one"


# --- bodies


def test_a_body_is_evaluated_when_it_is_asked_for() -> None:
    living: Json = {}
    place: Json = {"subscription": SUBSCRIPTION, "group": "group", "location": "x", "deployment": "d"}
    reader = store("a", properties={"x": "[reference(resourceId('Shop.Rp/stores', 'b'), '2020-01-01').x]"})
    template = {"$schema": SCHEMA, "contentVersion": "1", "resources": [reader, store("b")]}
    first, second = Evaluator(template, {}, lookup=living.get, **place).resources()
    with pytest.raises(TemplateError) as caught:
        second.body()
    assert caught.value.code == "ResourceNotFound"
    assert "'Shop.Rp/stores/b' under resource group 'group'" in caught.value.message
    living[first.id] = {"properties": {"x": "now"}}
    assert second.body()["properties"] == {"x": "now"}


def test_a_body_holds_what_is_to_be_put_and_nothing_else() -> None:
    loop = {"copy": [{"name": "p", "count": 2, "input": {"n": "[copyIndex('p')]"}}], "q": "[null()]"}
    resource = store("[format('s{0}', copyIndex())]", copy={"name": "l", "count": 1}, dependsOn=["b"], condition=True)
    resource.update(location="here", tags={"[concat('a', 'b')]": 1}, properties=loop)
    assert planned(resource, store("b"))[-1].body() == {
        "type": "Shop.Rp/stores",
        "name": "s0",
        "location": "here",
        "tags": {"ab": 1},
        "properties": {"p": [{"n": 0}, {"n": 1}], "q": None},
    }


def test_a_reference_gives_the_properties_or_everything() -> None:
    living = {store_id("b"): {"location": "there", "properties": {"X": 1}}}
    found = "resourceId('Shop.Rp/stores', 'b'), '2020-01-01'"
    assert value_of(f"reference({found}).x", living=living) == 1
    assert value_of(f"reference({found}, 'full').location", living=living) == "there"


def test_keys_are_asked_of_the_lookup() -> None:
    living = {store_id("b"): {"type": "Shop.Rp/stores"}, f"{store_id('b')}/listKeys": {"keys": ["k"]}}
    found = "resourceId('Shop.Rp/stores', 'b'), '2020-01-01'"
    assert value_of(f"listKeys({found}).keys[0]", living=living) == "k"
    with pytest.raises(TemplateError, match="nobody knows what 'listSecrets' answers"):
        value_of(f"listSecrets({found})", living=living)


def test_a_lenient_evaluator_leaves_what_it_cannot_know_as_it_is_written() -> None:
    expression = "[reference(resourceId('Shop.Rp/stores', 'b'), '2020-01-01').x]"
    template = {
        "parameters": {"p": {"type": "array"}, "s": {"type": "string"}},
        "resources": [
            store("a", properties={"x": expression, "n": "[length(parameters('p'))]", "s": "[parameters('s')]"})
        ],
    }
    body = evaluator(template, {"p": expression, "s": expression}, lenient=True).resources()[0].body()
    assert body["properties"] == {"x": expression, "n": "[length(parameters('p'))]", "s": expression}


# --- nested deployments


def nested(scope: str, **more: Any) -> Json:
    """A deployment in a template."""
    inner = {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {"p": {"type": "string", "defaultValue": "inner"}},
        "resources": [store("[parameters('p')]")],
    }
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2025-04-01",
        "name": "n",
        "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": scope}, "template": inner},
        **more,
    }


def test_a_nested_deployment_says_where_and_with_what_it_is_to_run() -> None:
    deployment = nested("inner", resourceGroup="other")
    deployment["properties"]["parameters"] = {"p": {"value": "[reference(resourceId('Shop.Rp/stores', 'b'), '1').x]"}}
    living = {
        store_id("b"): {"properties": {"x": "later"}},
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other": {"location": "elsewhere"},
    }
    made = evaluator({"resources": [deployment, store("b")]}, living=living).resources()[-1]
    assert made.id == f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.Resources/deployments/n"
    assert made.deployment is not None
    assert (made.deployment.name, made.deployment.group, made.deployment.location) == ("n", "other", "elsewhere")
    assert made.deployment.subscription == SUBSCRIPTION
    assert made.deployment.parameters == {"p": {"value": "later"}}
    assert made.deployment.template["resources"] == [store("[parameters('p')]")]
    assert made.body()["properties"]["template"] == made.deployment.template


def test_an_outer_scope_evaluates_the_nested_template_with_the_parameters_around_it() -> None:
    template = {"parameters": {"p": {"type": "string"}}, "resources": [nested("outer")]}
    made = evaluator(template, {"p": "around"}).resources()[0].deployment
    assert made is not None
    assert made.template["resources"] == [store("around")]


def test_the_output_of_a_nested_deployment_is_a_dependency_on_it() -> None:
    reader = store(
        "a",
        properties={
            "x": "[reference(resourceId('Microsoft.Resources/deployments', 'n'), '2025-04-01').outputs.o.value]"
        },
    )
    living = {
        f"{GROUP_ID}/providers/Microsoft.Resources/deployments/n": {"properties": {"outputs": {"o": {"value": 5}}}}
    }
    made = evaluator({"resources": [reader, nested("inner")]}, living=living).resources()
    assert [each.name for each in made] == ["n", "a"]
    assert made[1].body()["properties"] == {"x": 5}


# --- against what others wrote


def test_both_forms_of_a_sample_want_the_same_resources_in_a_possible_order(samples: Path) -> None:
    compared = 0
    for file in sorted((samples / "bicep" / "dev").glob("[0-9]*.json")):
        sample = json.loads(file.read_text())
        if len(sample["bicep"]) > 1:
            continue  # there the other form is that of a module
        forms = [_ids(sample[form]) for form in ("arm", "arm_symbolic")]
        assert forms[0] == forms[1], file.name
        compared += 1
    assert compared >= 9


def _ids(template: Json) -> dict[str, set[str]]:
    made = evaluator(template, _plausible(template)).resources()
    seen: set[str] = set()
    for each in made:
        assert seen >= set(each.depends_on)
        seen.add(each.id)
    wanted = {each.id for each in made if not each.existing}
    return {each.id: wanted & set(each.depends_on) for each in made if each.id in wanted}


def _plausible(template: Json) -> Json:
    values: Json = {"string": "abcde", "securestring": "abcde", "int": 30, "bool": True, "array": [], "object": {}}
    return {
        name: each.get("allowedValues", [values[each["type"]]])[0]
        for name, each in template.get("parameters", {}).items()
        if "defaultValue" not in each
    }
