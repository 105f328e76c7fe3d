"""Rules about Terragrunt's units: what they are given, what they read of each other, and the paths between them."""

import re
from collections.abc import Iterator

from workspace.preflight import shared
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.terraform_read import Attribute, Reference, references
from workspace.preflight.terraform_references import NO_MODULE
from workspace.preflight.terraform_tree import Tree
from workspace.preflight.terraform_units import Config, Dependency, Unit, Units
from workspace.preflight.terraform_values import call_name

INPUT = Rule(
    "terraform/unit-input",
    Severity.ERROR,
    "A Terragrunt unit gives an input that its module does not declare, or leaves out what the module requires.",
    "An unknown input is dropped without a word, so a renamed variable falls back to its default; a missing one stops.",
    "Make the inputs and the module's variables agree.",
)
OUTPUT = Rule(
    "terraform/unit-output",
    Severity.ERROR,
    "A Terragrunt unit reads an output that the unit it depends on does not have.",
    "Mock outputs let the plan pass; the apply stops after everything before it was applied.",
    "Add the output to the module of the other unit, or read one that it has.",
)
PATH = Rule(
    "terraform/unit-path",
    Severity.ERROR,
    "A Terragrunt unit depends on a unit, or includes a file, that is not there.",
    "Every run over all units stops before the first one is planned.",
    "Correct the path, or bring the unit back.",
)
UNDECLARED = Rule(
    "terraform/unit-undeclared",
    Severity.ERROR,
    "A Terragrunt file reads a dependency, local or include that it does not declare.",
    "The file cannot be evaluated, and every run over all units stops at it.",
    "Declare it in the same file, or correct the name.",
)
RULES = (INPUT, OUTPUT, PATH, UNDECLARED)

_SCRIPTS = ("*.sh", "*.ps1", "*.yml", "*.yaml", "*Makefile", "*justfile", "*.mk", "*.env", "*.envrc", "*.hcl")


def check(tree: Tree) -> Iterator[Finding]:
    """What is wrong with Terragrunt's units, unit by unit."""
    units: Units = shared.once(tree.checkout, Units)
    for unit in units.all.values():
        if unit.folder not in units.templates:
            yield from attempted((_source, _own_inputs, _missing, _outputs, _paths), units, unit)
    for config in units.configs:
        yield from attempted((_undeclared, _inputs_of_all), units, config)


# ---- inputs


def _source(units: Units, unit: Unit) -> Iterator[Finding]:
    said = [each for block in unit.own.all("terraform") for each in block.attributes.values() if each.name == "source"]
    folder = units.source(unit) if said else None
    there = folder is None or folder in units.tree.folders or units.tree.is_broken(folder)
    if folder is not None and not there and not units.tree.is_elsewhere(folder):
        what = f"{_called(unit)} comes from {folder or '.'}, which holds no Terraform files."
        yield NO_MODULE.at(unit.own.at(said[0].line), what)


def _own_inputs(units: Units, unit: Unit) -> Iterator[Finding]:
    declared = units.declared(unit, "variable")
    for name, line in units.given(unit.own).names.items() if declared is not None else ():
        if name not in (declared or ()):
            what = f"{_called(unit)} is given {name}, which {_source_of(units, unit)} does not declare."
            yield INPUT.at(unit.own.at(line), what)


def _inputs_of_all(units: Units, config: Config) -> Iterator[Finding]:
    """Inputs of a file that units include, where no unit's module takes them and no file reads them."""
    users = units.including(config.file)
    taken = [units.declared(unit, "variable") for unit in users]
    if not users or any(each is None for each in taken) or not all(unit.is_whole for unit in units.all.values()):
        return
    if any(".inputs" in units.checkout.found(each) for each in units.checkout.matching("*.hcl")):
        return
    for name, line in units.given(config).names.items():
        if not any(name in (each or ()) for each in taken):
            what = f"{config.file} gives {name}, which the module of no unit that includes it declares."
            yield INPUT.at(config.at(line), what)


def _missing(units: Units, unit: Unit) -> Iterator[Finding]:
    module = units.module(unit)
    given = [units.given(config) for config in unit.configs]
    is_skipped = "skip" in unit.own.block.attributes or bool(unit.own.all("exclude"))
    is_told = unit.is_whole and all(each.is_whole for each in given) and not units.hands_over_more(unit)
    if module is None or is_skipped or not is_told or units.declared(unit, "variable") is None:
        return
    names = {name for each in given for name in each.names} | units.tree.given_in(module.path, unit.folder)
    for name, item in module.variables.items():
        # A secret comes from the environment of whoever runs it.
        if name in names or {"default", "sensitive"} & set(item.block.attributes) or _is_exported(units, name):
            continue
        line = unit.own.block.attributes["inputs"].line if "inputs" in unit.own.block.attributes else 1
        yield INPUT.at(unit.own.at(line), f"{_called(unit)} is not given {name}, which {module.path or '.'} requires.")


def _is_exported(units: Units, name: str) -> bool:
    files = units.checkout.matching(*_SCRIPTS)
    return any(re.search(rf"TF_VAR_{re.escape(name)}\b", units.checkout.found(file)) for file in files)


def _called(unit: Unit) -> str:
    return f"The unit {unit.folder or '.'}"


def _source_of(units: Units, unit: Unit) -> str:
    return units.source(unit) or "."


# ---- what units read of each other


def _outputs(units: Units, unit: Unit) -> Iterator[Finding]:
    named = {each.name: each for each in unit.dependencies if each.name}
    for config in unit.configs:
        for attribute, reference in _read(config, "dependency"):
            name, *steps = reference.path[1:]
            dependency = named.get(name)
            if dependency and len(steps) > 1 and steps[0] == "outputs" and steps[1] != "*":
                place = config.at(reference.line or attribute.line)
                yield from _output(units, dependency, steps[1], place)


def _output(units: Units, dependency: Dependency, name: str, place: str) -> Iterator[Finding]:
    target = units.all.get(dependency.folder or "") if dependency.folder is not None else None
    has = units.declared(target, "output") if target and dependency.is_asked else None
    if target and has is not None and name not in has:
        what = f"dependency.{dependency.name} has no output {name}; {_source_of(units, target)} declares none."
        yield OUTPUT.at(place, what)


def _read(config: Config, word: str) -> Iterator[tuple[Attribute, Reference]]:
    """What a file reads of a kind, but for what it only tries."""
    for attribute in config.attributes():
        calls = (each for each in attribute.expression.find_data("function_call") if call_name(each) in ("try", "can"))
        tried = {(each.path, each.line) for call in calls for each in references(call)}
        for reference in attribute.references:
            if reference.path[0] == word and reference.path[1] != "*" and (reference.path, reference.line) not in tried:
                yield attribute, reference


def _undeclared(units: Units, config: Config) -> Iterator[Finding]:
    for word, names in _declared(units, config).items():
        for attribute, reference in _read(config, word) if names is not None else ():
            if reference.path[1] not in (names or ()):
                what = f"{attribute.name} reads {word}.{reference.path[1]}, which {config.file} does not declare."
                yield UNDECLARED.at(config.at(reference.line or attribute.line), what)


def _declared(units: Units, config: Config) -> dict[str, frozenset[str] | None]:
    """The names that a file may read; None where that cannot be told."""
    users = units.including(config.file)
    own = units.all.get(config.folder)
    every = [*users, *([own] if own and own.own.file == config.file else [])]
    dependencies = frozenset(each.name for unit in every for each in unit.dependencies)
    includes = config.all("include")
    has_bare = any(not each.labels for each in includes)
    return {
        "local": config.locals,
        "dependency": dependencies if all(unit.is_whole for unit in every) else None,
        "include": None if has_bare or users else frozenset(each.name for each in includes),
    }


# ---- paths


def _paths(units: Units, unit: Unit) -> Iterator[Finding]:
    for line, said in unit.lost:
        yield PATH.at(unit.own.at(line), f"{_called(unit)} includes {said}, which is not there.")
    for each in unit.dependencies:
        if not each.exists and (each.block is None or "enabled" not in each.block.attributes):
            yield PATH.at(each.place, f"{_called(unit)} depends on {each.folder}, and no unit is there.")
