"""Rules for secrets on their way from vaults to programs: somebody writes them, once, under the name that is read."""

import re
from collections.abc import Iterator, Mapping

from workspace.preflight.across_inventory import Inventory, Said, Secret
from workspace.preflight.across_kinds import VAULT
from workspace.preflight.across_kubernetes import said
from workspace.preflight.across_ownership import together
from workspace.preflight.across_terraform import attributes, environment
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.terraform_facts import secrets
from workspace.preflight.terraform_read import Attribute, Reference
from workspace.preflight.terraform_tree import Folder

SPELLING = Rule(
    "secrets/spelling",
    Severity.ERROR,
    "A secret that is read under another spelling than it is written.",
    "Secrets were written with hyphens and read with underscores: pods waited for a key that nobody made.",
    "Spell the name as it is written.",
)
PRODUCER = Rule(
    "secrets/no-producer",
    Severity.ERROR,
    "A secret that is read from a vault of ours and that nothing writes.",
    "The pod stays in ContainerCreating until somebody remembers what to put there.",
    "Declare the secret, or name it where secrets that people bring are listed.",
)
WRITERS = Rule(
    "secrets/two-writers",
    Severity.ERROR,
    "One secret that two definitions write.",
    "The signing keys had two writers, and whichever ran last decided who could still sign in.",
    "Let one of them write it.",
)
TWICE = Rule(
    "secrets/two-spellings",
    Severity.RISK,
    "A vault with one secret under two spellings.",
    "After a rotation one of them is old, and who reads it finds out last.",
    "Keep one spelling, and let all readers use it.",
)
REFUSED = Rule(
    "secrets/name-refused",
    Severity.ERROR,
    "A secret's name that Key Vault refuses.",
    "It takes letters, digits and hyphens, 1 to 127 of them: no underscore, colon or dot.",
    "Use hyphens; ASP.NET reads -- as the sign between sections.",
)
OPEN = Rule(
    "secrets/into-config-map",
    Severity.ERROR,
    "A secret of Terraform or of a vault that goes into a ConfigMap.",
    "Whoever may look at the namespace reads it there; nothing of a ConfigMap is masked or encrypted.",
    "Put it into a Secret, or let the pod read the vault.",
)
RULES = (SPELLING, PRODUCER, WRITERS, TWICE, REFUSED, OPEN)

# Vaults hold addresses, too; these are no secrets.
_TELLING = re.compile(r"(password|passwd|secret|token|apikey|accesskey|privatekey|connection|connectionstring)$")
_LEGAL = re.compile(r"[0-9A-Za-z-]{1,127}")


def check(trees: Trees) -> Iterator[Finding]:
    """What is wrong with secrets between those who write and those who read."""
    inventory = trees.inventory
    for each in (*inventory.written, *inventory.read):
        if not _LEGAL.fullmatch(each.name):
            yield _find(REFUSED, each.said, f"Key Vault refuses the name {each.name}.")
    for each in inventory.read:
        yield from _read(trees, each)
    yield from _writers(inventory)
    yield from _spellings(inventory)
    yield from _config_maps(trees)


def _find(rule: Rule, who: Said, what: str) -> Finding:
    return rule.at(who.place, what, *([who.environment] if who.environment else []))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_same_vault(one: Secret, other: Secret) -> bool:
    vaults = one.vault is None or other.vault is None or one.vault.lower() == other.vault.lower()
    return vaults and together(one.said.environment, other.said.environment)


def _read(trees: Trees, each: Secret) -> Iterator[Finding]:
    inventory = trees.inventory
    near = [one for one in inventory.written if _is_same_vault(one, each)]
    if any(one.name.lower() == each.name.lower() for one in near):
        return
    spelt = [one for one in near if _plain(one.name) == _plain(each.name)]
    if spelt:
        what = f"{each.reader} reads {each.name}, which {spelt[0].said} writes as {spelt[0].name}."
        yield _find(SPELLING, each.said, what)
        return
    vault = each.vault and inventory.named(VAULT, each.vault)
    is_told = not inventory.has_unknown_secrets and any(one.vault == each.vault for one in near)
    if vault and is_told and not trees.sources.names(each.name):
        yield _find(PRODUCER, each.said, f"{each.reader} reads {each.name} of {each.vault}, which nothing writes.")


def _writers(inventory: Inventory) -> Iterator[Finding]:
    seen: dict[tuple[str, str], Said] = {}
    for each in inventory.written:
        if each.vault:
            first = seen.setdefault((each.vault.lower(), each.name.lower()), each.said)
            if first is not each.said:
                what = f"{each.name} of {each.vault} is written by {each.said} and by {first}."
                yield _find(WRITERS, each.said, what)


def _spellings(inventory: Inventory) -> Iterator[Finding]:
    seen: dict[tuple[str, str], Secret] = {}
    for each in inventory.written:
        if each.vault:
            first = seen.setdefault((each.vault.lower(), _plain(each.name)), each)
            if first.name.lower() != each.name.lower():
                yield _find(TWICE, each.said, f"{each.vault} has {each.name} and {first.name}.")


# ---- config maps


def _config_maps(trees: Trees) -> Iterator[Finding]:
    tree = trees.terraform
    for each in tree.instances:
        if not each.type.startswith("kubernetes_config_map"):
            continue
        for attribute in attributes(each.item.block):
            for reference in attribute.references:
                if _is_secret(tree.folders, tree.folders[each.folder], reference):
                    what = f"{'.'.join(reference.path)} is a secret and goes into the ConfigMap {each.item.address}."
                    where = [environment(each)] if environment(each) else []
                    yield OPEN.at(each.item.at(reference.line), what, *where)
    hidden = {_plain(name): f"the output {name}" for root in tree.roots.values() for name in _sensitive(root)}
    names = (each.name for each in trees.inventory.written)
    hidden |= {_plain(each): f"the secret {each}" for each in names if _TELLING.search(_plain(each))}
    for scene in trees.scenes:
        for thing in scene.of("ConfigMap"):
            for key, value in thing.mapping("data").items():
                if _plain(key) in hidden and _plain(str(value)) != _plain(key):
                    who = said(scene, thing, ("data", key))
                    yield _find(OPEN, who, f"{thing} has the key {key}, which is {hidden[_plain(key)]}.")


def _sensitive(folder: Folder) -> list[str]:
    return [name for name, item in folder.outputs.items() if _is_marked(item.block.attributes)]


def _is_marked(arguments: Mapping[str, Attribute]) -> bool:
    found = arguments.get("sensitive")
    return found is not None and found.word == "true"


def _is_secret(folders: Mapping[str, Folder], folder: Folder, reference: Reference) -> bool:
    """True for what Terraform marks as sensitive: a variable, a module's output, or a resource's attribute."""
    path = reference.path
    if path[0] == "var":
        item = folder.variables.get(path[1])
        return item is not None and _is_marked(item.block.attributes)
    if path[0] == "module" and len(path) > 2:
        call = folder.calls.get(path[1])
        target = folders.get(folder.called(call) or "") if call else None
        output = target.outputs.get(path[2]) if target else None
        return output is not None and _is_marked(output.block.attributes)
    item = folder.resources.get(".".join(path[:2]))
    return item is not None and bool(set(path[2:]) & secrets(item.block.labels[0]))
