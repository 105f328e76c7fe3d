"""The rehearsal's bicep: what it compiles is what the real compiler gives, and the rest it refuses."""

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from evidence import Evidence, files_of
from workspace.rehearsal import bicep
from workspace.rehearsal.bicep_emit import Emitter
from workspace.rehearsal.bicep_parser import parse, parse_parameters
from workspace.rehearsal.bicep_tokens import BicepError, Source


def template(source: str, **modules: dict[str, Any]) -> dict[str, Any]:
    """The template of a source; modules are given by their file name without the ending."""

    def load(path: str) -> dict[str, Any]:
        name = Path(path).stem
        if name not in modules:
            raise FileNotFoundError(f"Could not find file '{path}'")
        return modules[name]

    return Emitter(parse(Source("main.bicep", source)), load).template()


def refusal(source: str, **modules: dict[str, Any]) -> str:
    """What is said about a source that is refused."""
    with pytest.raises(BicepError) as caught:
        template(source, **modules)
    return str(caught.value)


def without_generator(value: Any) -> Any:
    """A template without what differs from compiler to compiler."""
    if isinstance(value, dict):
        return {key: without_generator(each) for key, each in value.items() if key != "_generator"}
    return [without_generator(each) for each in value] if isinstance(value, list) else value


MODULE = template("param size int\nparam name string = 'a'\n@secure()\nparam key string = ''\noutput id string = name")
STORE = "resource store 'Microsoft.Storage/storageAccounts@2023-01-01' = {\n  name: 'store'\n}\n"
SITES = (
    "param names array\nresource site 'Microsoft.Web/sites@2023-01-01' = [for (name, i) in names: {\n  name: name\n}]\n"
)


# --- against the real compiler


def compiled(sample: dict[str, Any], folder: Path, *, symbolic: bool) -> list[dict[str, Any]]:
    """The templates of a sample's files, the main one first; modules whose source it lacks are taken as compiled."""
    folder.mkdir(parents=True)
    for name, text in sample["bicep"].items():
        (folder / name).write_bytes(text.encode())
    names = sorted(sample["bicep"], key=lambda each: each != "main.bicep")
    try:
        return [without_generator(bicep.compile(folder / name, symbolic=symbolic)) for name in names]
    except BicepError as error:
        if "BCP091" not in str(error):
            raise
        return [without_generator(with_modules_of(sample))]


def with_modules_of(sample: dict[str, Any]) -> dict[str, Any]:
    """The main template, with the templates of its modules as the real compiler gave them."""
    file = parse(Source("main.bicep", sample["bicep"]["main.bicep"]))
    modules = [each for each in file.declarations if each.sort == "module"]
    resources = sample["arm"]["resources"]
    found = resources if isinstance(resources, list) else [resources[each.name] for each in modules]
    paths = {m.reference.plain: r["properties"]["template"] for m, r in zip(modules, found, strict=True) if m.reference}
    return Emitter(file, lambda path: paths[path]).template()


REFUSED: dict[str, str] = {}
"""The samples that the subset does not cover, with the construct: none of them. A refusal that is not here fails."""


@pytest.mark.evidence("bicep")
def test_every_sample_is_compiled_as_the_real_compiler_does_or_refused(
    samples: Path, tmp_path: Path, evidence: Evidence
) -> None:
    def judged(case: tuple[str, str]) -> str:
        file, form = case
        evidence.used(file)
        sample = json.loads((samples / file).read_text())
        try:
            made = compiled(sample, tmp_path / form / Path(file).stem, symbolic=form == "arm_symbolic")
        except BicepError as error:
            assert Path(file).stem in REFUSED, error
            evidence.detail(f"refused {Path(file).stem}, {REFUSED[Path(file).stem]}: {error}")
            return "refused"
        # the symbolic form of a sample with several files is that of one of its modules
        candidates = made[:1] if form == "arm" else made
        assert without_generator(sample[form]) in candidates, f"{form} is another template"
        return "identical"

    files = [file for file in files_of("bicep", samples) if "snapshot-" not in file]
    forms = [(file, form) for file in files for form in ("arm", "arm_symbolic") if form in sample_of(samples, file)]
    evidence.each(forms, judged, name=" ".join)


def sample_of(samples: Path, file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((samples / file).read_text())
    return found


@pytest.mark.evidence("bicep")
def test_the_sample_with_a_nullable_parameter_predicts_no_resource(
    samples: Path, tmp_path: Path, evidence: Evidence
) -> None:
    def predicted(file: str) -> str:
        evidence.used(file)
        sample = sample_of(samples, file)
        (tmp_path / "main.bicep").write_text(sample["main.bicep"])
        made = bicep.compile(tmp_path / "main.bicep")
        assert (made["parameters"], made["resources"]) == ({"p": {"type": "string", "nullable": True}}, {})
        assert json.loads(sample["main.snapshot.json"])["predictedResources"] == []
        return "identical"

    evidence.each([file for file in files_of("bicep", samples) if "snapshot-" in file], predicted)


# --- expressions


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("'plain'", "plain"),
        ("'it\\'s'", "it's"),
        ("'[x]'", "[[x]"),
        ("'${a}'", "[format('{0}', parameters('a'))]"),
        ("'{${a}}-${n}'", "[format('{{{0}}}-{1}', parameters('a'), parameters('n'))]"),
        ("'''\nmany\nlines ${a}'''", "many\nlines ${a}"),
        ("'\\u{1F600}'", "\U0001f600"),
        ("-1", -1),
        ("-n", "[sub(0, parameters('n'))]"),
        ("null", "[null()]"),
        ("[1, true]", [1, True]),
        ("{ a: 1, 'b-c': n }", {"a": 1, "b-c": "[parameters('n')]"}),
        ("!o.b", "[not(parameters('o').b)]"),
        ("!o.b && n > -1 || !true", "[or(and(not(parameters('o').b), greater(parameters('n'), -1)), not(true()))]"),
        ("a ?? 'x' == 'y' ? 1 : 2", "[if(coalesce(parameters('a'), equals('x', 'y')), 1, 2)]"),
        ("n + 2 * 3 - 4 % 5", "[sub(add(parameters('n'), mul(2, 3)), mod(4, 5))]"),
        ("(n + 2) * 3", "[mul(add(parameters('n'), 2), 3)]"),
        ("a != 'x'", "[not(equals(parameters('a'), 'x'))]"),
        ("a =~ 'X'", "[equals(toLower(parameters('a')), toLower('X'))]"),
        ("o.b['c'].d[0][n]", "[parameters('o').b.c.d[0][parameters('n')]]"),
        ("o['b-c']", "[parameters('o')['b-c']]"),
        ("o.?b.c", "[tryGet(parameters('o'), 'b', 'c')]"),
        ("o[?'b']", "[tryGet(parameters('o'), 'b')]"),
        ("o!.b", "[parameters('o').b]"),
        ("true\n  ? 1\n  : 2", "[if(true(), 1, 2)]"),
        ("sys.toLower(a)", "[toLower(parameters('a'))]"),
        ("any(o).x", "[parameters('o').x]"),
        ("nameof(a)", "a"),
        ("union(o, {\n  a: [\n    1\n  ]\n})", "[union(parameters('o'), createObject('a', createArray(1)))]"),
        ("{ ...o, a: 1 }", "[shallowMerge(createArray(parameters('o'), createObject('a', 1)))]"),
        ("[...x, 1]", "[flatten(createArray(parameters('x'), createArray(1)))]"),
        ("map(x, each => each.id)", "[map(parameters('x'), lambda('each', lambdaVariables('each').id))]"),
        (
            "filter(x, (each, i) => !each.on && i > 0)",
            "[filter(parameters('x'), lambda('each', 'i', and(not(lambdaVariables('each').on), "
            "greater(lambdaVariables('i'), 0))))]",
        ),
    ],
)
def test_an_expression_becomes_the_templates_language(written: str, expected: Any) -> None:
    source = f"param a string\nparam n int\nparam o object\nparam x array\nvar v = {written}\n"
    assert template(source)["variables"]["v"] == expected


# --- declarations


def test_decorators_become_the_limits_of_a_parameter() -> None:
    source = (
        "@description('d')\n@minLength(2)\n@maxLength(3)\n@allowed(['ab'])\n@metadata({ m: 1 })\nparam p string = 'ab'"
    )
    assert template(source)["parameters"]["p"] == {
        "type": "string",
        "defaultValue": "ab",
        "allowedValues": ["ab"],
        "minLength": 2,
        "maxLength": 3,
        "metadata": {"description": "d", "m": 1},
    }


@pytest.mark.parametrize(("kind", "secured"), [("string", "securestring"), ("object", "secureObject")])
def test_a_secure_parameter_has_a_secure_type(kind: str, secured: str) -> None:
    assert template(f"@secure()\nparam p {kind}")["parameters"]["p"] == {"type": secured}


def test_types_beyond_the_first_ones_make_a_template_with_symbolic_names() -> None:
    made = template("param p string[]\nparam q 'a' | 'b'\n" + STORE)
    assert made["languageVersion"] == "2.0"
    assert made["parameters"]["p"] == {"type": "array", "items": {"type": "string"}}
    assert made["parameters"]["q"] == {"type": "string", "allowedValues": ["a", "b"]}
    assert list(made["resources"]) == ["store"]


def test_loops_become_copies() -> None:
    made = template(
        "param x array\nvar v = [for (e, i) in x: '${e.a}${i}']\noutput o array = [for e in x: e.b]\n"
        "resource r 'A.B/c@2020-01-01' = {\n  name: 'r'\n  properties: {\n    p: [for e in x: e]\n    q: 1\n  }\n}"
    )
    copied = "[format('{0}{1}', parameters('x')[copyIndex('v')].a, copyIndex('v'))]"
    assert made["variables"]["copy"] == [{"name": "v", "count": "[length(parameters('x'))]", "input": copied}]
    assert made["outputs"]["o"]["copy"] == {
        "count": "[length(parameters('x'))]",
        "input": "[parameters('x')[copyIndex()].b]",
    }
    assert made["resources"][0]["properties"]["copy"][0]["name"] == "p"


def test_a_variable_that_only_the_run_can_know_is_written_out_where_it_is_used() -> None:
    source = (
        STORE
        + "var v = store.properties.x\nvar w = '${v}!'\noutput o string = w\n"
        + "var plain = store.id\noutput p string = plain"
    )
    made = template(source)
    reference = "reference(resourceId('Microsoft.Storage/storageAccounts', 'store'), '2023-01-01').x"
    assert made["outputs"]["o"]["value"] == f"[format('{{0}}!', {reference})]"
    assert list(made["variables"]) == ["plain"]


def test_each_resource_of_a_loop_can_be_named() -> None:
    made = template(SITES + "output o string = site[1].properties.h\noutput n string = site[0].name")
    name = "parameters('names')[1]"
    assert made["outputs"]["o"]["value"] == f"[reference(resourceId('Microsoft.Web/sites', {name}), '2023-01-01').h]"
    assert made["outputs"]["n"]["value"] == "[parameters('names')[0]]"


def test_a_batch_size_makes_a_loop_serial() -> None:
    made = template("param names array\n@batchSize(2)\n" + SITES.partition("\n")[2])
    assert made["resources"][0]["copy"] == {
        "name": "site",
        "count": "[length(parameters('names'))]",
        "mode": "serial",
        "batchSize": 2,
    }


def test_what_is_named_is_depended_on() -> None:
    source = (
        STORE
        + "resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {\n  name: 'v-${store.name}'\n}\n"
        + "var id = store.id\n"
        + "resource secret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {\n  parent: vault\n  name: 's'\n}\n"
        + "resource other 'A.B/c@2020-01-01' = {\n  name: 'o'\n  properties: { id: id, s: secret.id }\n}\n"
    )
    made = {each["type"]: each for each in template(source)["resources"]}
    store = "[resourceId('Microsoft.Storage/storageAccounts', 'store')]"
    assert made["Microsoft.KeyVault/vaults/secrets"]["dependsOn"] == [store]  # through the vault, which exists
    assert made["Microsoft.KeyVault/vaults/secrets"]["name"] == "[format('{0}/{1}', format('v-{0}', 'store'), 's')]"
    assert made["A.B/c"]["dependsOn"][1] == store


def test_an_extension_has_a_scope_and_an_id_of_its_own() -> None:
    source = STORE + (
        "resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' = {\n"
        "  name: guid(store.id)\n  scope: store\n}\n"
        "output o string = role.id"
    )
    made = template(source)
    store = "resourceId('Microsoft.Storage/storageAccounts', 'store')"
    assert made["resources"][1]["scope"] == f"[{store}]"
    kind = "'Microsoft.Authorization/roleAssignments'"
    assert made["outputs"]["o"]["value"] == f"[extensionResourceId({store}, {kind}, guid({store}))]"


def test_a_method_that_lists_keys_gets_the_id_and_the_version() -> None:
    made = template(STORE + "output o string = store.listKeys().keys[0].value")
    assert made["outputs"]["o"]["value"] == (
        "[listKeys(resourceId('Microsoft.Storage/storageAccounts', 'store'), '2023-01-01').keys[0].value]"
    )


def test_a_module_is_a_nested_deployment() -> None:
    module_here = "module m 'm.bicep' = {\n  name: 'm'\n  scope: resourceGroup('other')\n  params: { size: 1 }\n}\n"
    source = module_here + "output o string = m.outputs.id"
    made = template(source, m=MODULE)
    module = made["resources"][0]
    assert (module["type"], module["resourceGroup"]) == ("Microsoft.Resources/deployments", "other")
    assert module["properties"]["parameters"] == {"size": {"value": 1}}
    assert module["properties"]["template"] == MODULE
    assert made["outputs"]["o"]["value"].endswith(", '2025-04-01').outputs.id.value]")


def test_a_module_may_be_deployed_into_a_group_that_the_template_makes() -> None:
    group = "resource rg 'Microsoft.Resources/resourceGroups@2024-03-01' = {\n  name: 'made'\n  location: 'here'\n}\n"
    module = "module m 'm.bicep' = {\n  name: 'm'\n  scope: rg\n  params: { size: 1 }\n}\n"
    made = template(f"targetScope = 'subscription'\n{group}{module}output o string = m.outputs.id", m=MODULE)
    assert made["resources"][1]["resourceGroup"] == "made"
    assert "location" not in made["resources"][1]
    assert made["resources"][1]["dependsOn"] == [
        "[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'made')]"
    ]
    scope = "format('/subscriptions/{0}/resourceGroups/{1}', subscription().subscriptionId, 'made')"
    deployment = f"extensionResourceId({scope}, 'Microsoft.Resources/deployments', 'm')"
    assert made["outputs"]["o"]["value"] == f"[reference({deployment}, '2025-04-01').outputs.id.value]"


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("microsoft.web/serverFarms@2020-06-01", "Microsoft.Web/serverfarms"),
        ("Microsoft.DocumentDb/databaseAccounts@2024-05-15", "Microsoft.DocumentDB/databaseAccounts"),
        ("Microsoft.Insights/diagnosticSettings@2017-05-01-preview", "microsoft.insights/diagnosticSettings"),
        ("Microsoft.Insights/diagnosticSettings@2021-05-01-preview", "Microsoft.Insights/diagnosticSettings"),
        ("Shop.Rp/stores@2020-01-01", "Shop.Rp/stores"),
    ],
)
def test_types_are_spelled_as_the_compiler_spells_them(written: str, spelled: str) -> None:
    made = template(f"resource r '{written}' = {{\n  name: 'x'\n}}")
    assert made["resources"][0]["type"] == spelled


def test_a_secret_of_a_vault_is_handed_over_by_reference() -> None:
    vault = "resource kv 'Microsoft.KeyVault/vaults@2023-07-01' existing = {\n  name: 'kv'\n}\n"
    source = vault + "module m 'm.bicep' = {\n  name: 'm'\n  params: {\n    size: 1\n    key: kv.getSecret('k')\n  }\n}"
    module = template(source, m=MODULE)["resources"][0]
    assert module["properties"]["parameters"]["key"] == {
        "reference": {"keyVault": {"id": "[resourceId('Microsoft.KeyVault/vaults', 'kv')]"}, "secretName": "k"}
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'''\na ${x}\n'''", "a ${x}\n"),
        ("$'''\na ${x} $ {b}\n'''", "[format('a {0} $ {{b}}\n', parameters('x'))]"),
        ("$$'''a ${x} $${x}'''", "[format('a ${{x}} {0}', parameters('x'))]"),
        ("$'''it's ${x}''''", "[format('it''s {0}''', parameters('x'))]"),
    ],
)
def test_a_text_of_lines_has_holes_where_dollars_stand_before_it(written: str, value: str) -> None:
    assert template(f"param x string\nvar a = {written}")["variables"]["a"] == value


@pytest.mark.parametrize(
    ("source", "sorts"),
    [
        ("type a = | 'x'\n  | 'y'\n", ["type"]),
        ("type a = {\n  @minLength(1)\n  b: string?\n  *: (1 | -2)[]\n}[]", ["type"]),
        ("param a resourceInput<'A.B/c@2024-01-01'>.properties.d[*]?", ["param"]),
        ("func f(a string, b int?) string => '${a}${b}'", ["func"]),
        ("func f() [string, int] => [\n  'x'\n  1\n]", ["func"]),
        ("import { a, 'b' as c } from 'x.bicep'\nimport * as d from 'y.bicep'", ["import", "import", "import"]),
        ("extension 'br:x.io/y:1' with { z: 1 } as e\nextension f\nprovider g", ["extension"] * 3),
        ("import 'kubernetes@1.0.0' as k", ["extension"]),
        ("assert a = 1 < 2\nvar b string = 'x'", ["assert", "var"]),
    ],
)
def test_what_came_to_the_language_later_is_read_and_has_no_template(source: str, sorts: list[str]) -> None:
    file = parse(Source("main.bicep", source))
    assert [each.sort for each in file.declarations] == sorts
    with pytest.raises(BicepError, match="BCP000"):
        template(source)


def test_a_file_of_parameters_is_read() -> None:
    source = "using none\nextends 'a.bicepparam'\nimport { b } from 'c.bicep'\nvar d = b\nparam e = [\n  d\n]\n"
    file = parse_parameters(Source("main.bicepparam", source))
    told = [(each.sort, each.name) for each in file.declarations]
    assert told == [("using", ""), ("extends", ""), ("import", "b"), ("var", "d"), ("given", "e")]
    with pytest.raises(BicepError, match="using, extends"):
        parse_parameters(Source("main.bicepparam", "output x string = 'y'"))


# --- refusals


@pytest.mark.parametrize(
    ("source", "place", "code"),
    [
        ("var a = b", "(1,9)", "BCP057"),
        ("param a string\nvar a = 1", "(2,5)", "BCP028"),
        ("var a = b\nvar b = a", "(1,5)", "BCP080"),
        ("var a = foo(1)", "(1,9)", "BCP057"),
        ("var a = utcNow()", "(1,9)", "BCP065"),
        ("var a = 'x", "(1,9)", "BCP004"),
        ("var a = '\\x'", "(1,10)", "BCP006"),
        ("var a = [1 2]", "(1,12)", "BCP019"),
        ("var a = { b: 1, b: 2 }", "(1,17)", "BCP025"),
        ("var a = 1 +\n2", "(1,12)", "BCP009"),
        ("thing a = 1", "(1,1)", "BCP007"),
        ("var a = `x`", "(1,9)", "BCP001"),
        ("param a int = 'x'", "(1,15)", "BCP033"),
        ("@sealed()\nparam a object", "(1,2)", "BCP000"),
        ("func f() string => 'x'", "(1,1)", "BCP000"),
        ("import { x } from 'y.bicep'", "(1,1)", "BCP000"),
        ("type t = string", "(1,1)", "BCP000"),
        ("param p { a: string }", "(1,9)", "BCP000"),
        ("param x array\nvar a = x[^1]", "(2,10)", "BCP000"),
        ("param x array\nvar a = length([for e in x: e])", "(2,16)", "BCP138"),
        ("var a = x => x", "(1,9)", "BCP269"),
        ("var a = loadTextContent('x')", "(1,9)", "BCP057"),
        ("var a = '[half'", "(1,9)", "BCP000"),
        ("resource r 'A.B/c' = {\n  name: 'x'\n}", "(1,12)", "BCP029"),
        ("resource r 'A.B/c@2020-01-01' = {\n}", "(1,10)", "BCP035"),
        ("resource r 'microsoft.unheard/of@2020-01-01' = {\n  name: 'x'\n}", "(1,12)", "BCP000"),
        ("resource r 'A.B/c@2020-01-01' = {\n  name: r.id\n}", "(1,10)", "BCP079"),
        (
            "resource r 'A.B/c@2020-01-01' = {\n  name: s.name\n}\n"
            "resource s 'A.B/d@2020-01-01' = {\n  name: 's'\n  tags: r.tags\n}",
            "(1,10)",
            "BCP080",
        ),
        ("resource r 'A.B/c@2020-01-01' = {\n  name: 'x'\n  scope: subscription()\n}", "(3,10)", "BCP139"),
        (SITES + "output o string = site.id", "(2,10)", "BCP144"),
        ("module m 'none.bicep' = {\n  name: 'm'\n}", "(1,10)", "BCP091"),
        ("module m 'br:registry/x:1' = {\n  name: 'm'\n}", "(1,8)", "BCP000"),
        ("module m 'm.bicep' = {\n  name: 'm'\n}", "(1,8)", "BCP035"),
        ("module m 'm.bicep' = {\n  name: 'm'\n  params: { size: 1, more: 2 }\n}", "(3,22)", "BCP037"),
        ("module m 'm.bicep' = {\n  name: 'm'\n  params: { size: 'big' }\n}", "(3,19)", "BCP036"),
        (
            "module m 'm.bicep' = {\n  name: 'm'\n  params: { size: 1 }\n}\noutput o int = m.outputs.no",
            "(5,26)",
            "BCP053",
        ),
    ],
)
def test_what_is_wrong_or_unknown_is_refused_with_its_place(source: str, place: str, code: str) -> None:
    assert refusal(source, m=MODULE).startswith(f"main.bicep{place} : Error {code}: ")


def test_a_module_that_contains_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bicep").write_text("module b 'a.bicep' = {\n  name: 'b'\n}\n")
    with pytest.raises(BicepError, match="BCP095"):
        bicep.compile(tmp_path / "a.bicep")


# --- the program


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The launcher, installed."""
    return bicep.install(tmp_path / "bin")


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The launcher's answer, with nothing but its own folder on PATH."""
    found = {**os.environ, "PATH": f"{program.parent}:/usr/bin:/bin"}
    return subprocess.run(["bicep", *arguments], capture_output=True, text=True, env=found, check=False)


def test_the_launcher_is_for_its_owner_alone_and_says_that_it_is_a_rehearsal(program: Path) -> None:
    assert stat.S_IMODE(program.stat().st_mode) == 0o700
    assert "rehearsal subset" in run(program, "--version").stdout


def test_build_prints_the_template(program: Path, tmp_path: Path) -> None:
    (tmp_path / "main.bicep").write_text("output o string = 'x'\n")
    file = str(tmp_path / "main.bicep")
    answers = [run(program, "build", file, "--stdout"), run(program, "build", "--stdout", file)]
    assert [answer.returncode for answer in answers] == [0, 0]
    assert answers[0].stdout == answers[1].stdout
    assert json.loads(answers[0].stdout)["outputs"] == {"o": {"type": "string", "value": "x"}}


@pytest.mark.parametrize("options", [["--stdout"], ["--outfile", "made.json"], []])
def test_a_refused_file_ends_the_program_with_1_and_writes_nothing(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "main.bicep"
    file.write_text("var a = b\n")
    assert bicep.main(["build", str(file), *options]) == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err == f'{file}(1,9) : Error BCP057: The name "b" does not exist in the current context.\n'
    assert list(tmp_path.glob("*.json")) == []


def test_build_writes_beside_the_file_or_where_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "main.bicep"
    file.write_text("output o string = 'x'\n")
    assert [bicep.main(["build", str(file)]), bicep.main(["build", str(file), "--outfile", str(tmp_path / "b")])] == [
        0,
        0,
    ]
    assert (tmp_path / "main.json").read_text() == (tmp_path / "b").read_text()


@pytest.mark.parametrize(
    "arguments", [[], ["publish", "x"], ["build"], ["build", "x.bicep", "--what"], ["lint", "x.bicep", "--stdout"]]
)
def test_a_command_that_the_program_does_not_know_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bicep.main(arguments) == 1
    assert "Usage" in capsys.readouterr().err
