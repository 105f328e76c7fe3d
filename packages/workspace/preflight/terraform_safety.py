"""Rules about what must not leak and must not be lost: secrets, shared passwords, data that Terraform could destroy."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workspace.preflight import shared
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.terraform_data import environment_of
from workspace.preflight.terraform_facts import HOLDS_DATA, secrets
from workspace.preflight.terraform_read import Attribute, Block, Reference, literal
from workspace.preflight.terraform_tree import Folder, Item, Tree
from workspace.preflight.terraform_units import Units
from workspace.preflight.terraform_values import NOWHERE, key, parts

SECRET = Rule(
    "terraform/secret-in-clear",
    Severity.ERROR,
    "A password, key or token is written out in a definition or a data file.",
    "What is in git is known to everyone who ever cloned it; the value must be changed, not only removed.",
    "Let Terraform make it, or read it from a vault, and change the one that was written.",
)
OPEN_OUTPUT = Rule(
    "terraform/open-output",
    Severity.ERROR,
    "An output gives a secret and is not marked sensitive.",
    "Terraform refuses some of these late and prints the others into the log of the pipeline.",
    "Mark it `sensitive = true`, or give an id instead.",
)
DESTROYABLE = Rule(
    "terraform/destroyable",
    Severity.RISK,
    "Something that holds data has no prevent_destroy.",
    "A renamed resource is delete and create; a registry, vault or database does not come back.",
    "Add `lifecycle { prevent_destroy = true }`.",
)
SHARED_PASSWORD = Rule(
    "terraform/shared-password",
    Severity.RISK,
    "A shared password or key lets in whoever has it: registry admin, vault access policies, storage keys.",
    "The registry's admin user was once switched on for a pull secret.",
    "Give roles to identities (AcrPull, Key Vault RBAC, storage data roles) and switch the shared key off.",
)
RULES = (SECRET, OPEN_OUTPUT, DESTROYABLE, SHARED_PASSWORD)

_SECRET_NAME = re.compile(
    r"(password|passwd|secret|token|api_?key|access_?key|account_?key|private_?key|connection_?string)(_value)?$", re.I
)
# What the value itself gives away, whatever it is called.
_SECRET_VALUE = re.compile(
    r"AccountKey=[\w+/]{20,}|SharedAccessKey=[\w+/]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bgh[pousr]_\w{30,}|\b(?:Password|Pwd)=[^;\s${}]{6,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abp]-[\w-]{20,}"
)
# In a map, words with dashes under `secret` or `token` are the name of one.
_NAMES = re.compile(r"(secret|token)=[a-z-]+$", re.I)
# What only says where a secret is kept, or that one is to be put there.
_REFERS = re.compile(
    r"@Microsoft\.KeyVault\(|https://[\w-]+\.vault\.azure\.net/|/subscriptions/|arn:|projects/[^/]+/secrets/|<[^<>]+>$"
)


def check(tree: Tree) -> Iterator[Finding]:
    """What leaks or can be lost, folder by folder and data file by data file."""
    for folder in tree.folders.values():
        yield from attempted((_written_out, _destroyable), folder)
        yield from attempted((_open_outputs,), tree, folder)
    of = {each.file: each.environment for each in tree.said}
    for file, values in tree.values.items():
        yield from attempted((_in_data,), tree, file, of.get(file) or environment_of(file), values)
    for config in shared.once(tree.checkout, Units).configs:
        yield from attempted((_in_blocks,), Item(config.file, config.block))
    yield from attempted((_shared_passwords,), tree)


# ---- secrets in clear


def _written_out(folder: Folder) -> Iterator[Finding]:
    for item in folder.items:
        yield from _in_blocks(item)


def _in_blocks(item: Item) -> Iterator[Finding]:
    for block in item.block.walk():
        for attribute in block.attributes.values():
            name = block.name if attribute.name in ("default", "value") else attribute.name
            if _is_written_out(name, attribute):
                yield SECRET.at(item.at(attribute.line), f"{name} is written out here.")
            for element in attribute.expression.find_data("object_elem"):
                said, content = parts(element)
                inner, whole = key(said, NOWHERE), literal(content)
                is_mock, is_name = attribute.name == "mock_outputs", _NAMES.search(f"{inner}={whole}")
                if isinstance(inner, str) and whole and not is_mock and not is_name and _is_secret_name(inner, whole):
                    yield SECRET.at(item.at(element.meta.line), f"{inner} is written out here.")


def _is_written_out(name: str, attribute: Attribute) -> bool:
    if any(_SECRET_VALUE.search(text) for text in attribute.texts):
        return True
    whole = literal(attribute.expression)
    return bool(whole) and _is_secret_name(name, whole or "")


def _is_secret_name(name: str, value: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and " " not in value and not _REFERS.match(value)


def _in_data(tree: Tree, file: str, environment: str, values: Mapping[str, Any]) -> Iterator[Finding]:
    for name, value in values.items():
        inner = value if isinstance(value, list) else [value]
        for each in inner:
            if isinstance(each, dict):
                yield from _in_data(tree, file, environment, each)
            elif isinstance(each, str) and _is_secret_value(str(name), each):
                said = [environment] if environment else []
                whose = f" of {environment}" if environment else ""
                yield SECRET.at(
                    tree.checkout.line(file, str(name)), f"{name} is written out in the data{whose}.", *said
                )


def _is_secret_value(name: str, value: str) -> bool:
    is_named = bool(value) and bool(_SECRET_NAME.search(name)) and not _REFERS.match(value)
    return is_named or bool(_SECRET_VALUE.search(value))


# ---- outputs


def _open_outputs(tree: Tree, folder: Folder) -> Iterator[Finding]:
    tainted = _tainted(tree, folder)
    for name, item in folder.outputs.items():
        value = item.block.attributes.get("value")
        if value and not _is_sensitive(item.block):
            told = [each for each in value.references if _is_secret(tree, folder, each, tainted)]
            if told and not _is_taken_off(value):
                yield OPEN_OUTPUT.at(item.place, f"The output {name} gives {'.'.join(told[0].path)}, which is secret.")


def _is_sensitive(block: Block) -> bool:
    mark = block.attributes.get("sensitive")
    return mark is not None and mark.word != "false"


def _is_taken_off(value: Attribute) -> bool:
    calls = value.expression.find_data("function_call")
    return any(str(call.children[0].children[0]) == "nonsensitive" for call in calls)  # type: ignore[union-attr]


def _tainted(tree: Tree, folder: Folder) -> set[str]:
    """The locals that hold a secret, directly or through another local."""
    found: set[str] = set()
    for _ in folder.locals:
        more = {
            name
            for name, (_, attribute) in folder.locals.items()
            if any(_is_secret(tree, folder, each, found) for each in attribute.references)
        }
        if more == found:
            break
        found = more
    return found


def _is_secret(tree: Tree, folder: Folder, reference: Reference, tainted: set[str]) -> bool:
    base, name, *steps = reference.path
    if base == "local":
        return name in tainted
    if base == "var":
        return name in folder.variables and _is_sensitive(folder.variables[name].block)
    if base == "module":
        module = tree.folders.get(folder.called(folder.calls[name]) or "") if name in folder.calls else None
        outputs = [module.outputs[each] for each in steps[:2] if each in module.outputs] if module else []
        return any(_is_sensitive(each.block) for each in outputs)
    if base == "data":
        return bool(secrets(name, "data") & set(steps))
    return ".".join((base, name)) in folder.resources and bool(secrets(base) & set(steps))


# ---- what could be lost


def _destroyable(folder: Folder) -> Iterator[Finding]:
    for address, item in folder.resources.items():
        if item.block.labels[0] not in HOLDS_DATA or item.block.literal("create_mode") == "Replica":
            continue
        if not any(_says(block, "prevent_destroy", "true") for block in item.block.inner("lifecycle")):
            yield DESTROYABLE.at(item.place, f"{address} of {folder.path} holds data and has no prevent_destroy.")


def _says(block: Block, name: str, word: str) -> bool:
    attribute = block.attributes.get(name)
    return bool(attribute) and any(
        str(each.children[0]) == word
        for each in attribute.expression.find_data("literal_value")  # type: ignore[union-attr]
    )


# ---- shared passwords


def _shared_passwords(tree: Tree) -> Iterator[Finding]:
    for folder in tree.folders.values():
        for address, item in folder.resources.items():
            told = _lets_in(item)
            if told:
                yield SHARED_PASSWORD.at(item.at(told[0]), f"{address} of {folder.path}: {told[1]}.")


def _lets_in(item: Item) -> tuple[int, str] | None:
    type_, block = item.block.labels[0], item.block
    if type_ == "azurerm_key_vault_access_policy":
        return block.line, "access policies stand beside the roles, and vaults with RBAC ignore them"
    if type_ == "azurerm_container_registry" and _says(block, "admin_enabled", "true"):
        return block.attributes["admin_enabled"].line, "the registry's admin user is switched on"
    if type_ == "azurerm_key_vault" and _says(block, "rbac_authorization_enabled", "false"):
        return block.attributes["rbac_authorization_enabled"].line, "the vault is not governed by roles"
    # Shares mounted over SMB need the account's key; nothing else does.
    if type_ == "azurerm_storage_account" and block.literal("account_kind") != "FileStorage":
        key = block.attributes.get("shared_access_key_enabled")
        if key is None or _says(block, "shared_access_key_enabled", "true"):
            return key.line if key else block.line, "the account can be read with its shared key"
    return None
