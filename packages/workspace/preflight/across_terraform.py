"""What Terraform's definitions say about things, records, hosts and secrets, with every environment's data."""

import re
from collections.abc import Iterator
from typing import Any

from workspace.preflight.across_environments import canonical, of_path
from workspace.preflight.across_inventory import (
    TERRAFORM,
    Binding,
    Inventory,
    Mention,
    Record,
    Said,
    Secret,
    Thing,
)
from workspace.preflight.across_kinds import BY_TERRAFORM, endpoints
from workspace.preflight.across_texts import calls
from workspace.preflight.terraform_azure import told
from workspace.preflight.terraform_read import Attribute, Block
from workspace.preflight.terraform_tree import Instance, Tree

_RECORD = re.compile(r"azurerm_dns_(a|aaaa|cname|txt|mx|ns|srv|caa)_record")
_BINDINGS = {
    "azurerm_app_service_custom_hostname_binding": ("hostname", "App Service"),
    "azurerm_static_web_app_custom_domain": ("domain_name", "Static Web App"),
    "azurerm_static_site_custom_domain": ("domain_name", "Static Web App"),
}
_NOT_APPLIED = re.compile(r"(^|/)(examples?|tests?|fixtures|samples?)(/|$)")


def read(tree: Tree, into: Inventory) -> None:
    """Put what the Terraform of a checkout says into the inventory."""
    made = [each for each in tree.instances if not _NOT_APPLIED.search(each.root)]
    vaults = {_key(each): each.get("name") for each in made if each.type == "azurerm_key_vault"}
    zones = {_key(each): each.get("name") for each in made if each.type == "azurerm_dns_zone"}
    for each in tree.lookups:
        known = {"azurerm_key_vault": vaults, "azurerm_dns_zone": zones}.get(each.type)
        if known is not None:
            known[_key(each, f"data.{each.item.address}")] = each.get("name")
    into.more_environments |= {environment(each) for each in made}
    for each in made:
        _thing(tree, each, into)
        _record(tree, each, zones, into)
        _binding(tree, each, into)
        _secret(tree, each, vaults, into)
        _texts(tree, each, into)
    _switched_off(tree, made, into)
    for each in tree.lookups:
        kind, name = BY_TERRAFORM.get(each.type), each.get("name")
        if kind and isinstance(name, str) and not _NOT_APPLIED.search(each.root):
            into.mentions.append(Mention(kind, name, said(tree, each, name, "name"), looked_up=True))


def _switched_off(tree: Tree, made: list[Instance], into: Inventory) -> None:
    """What the data of the checkout switch off may be switched on by whoever applies it: it counts as unknown."""
    seen = {(each.folder, each.item.address) for each in made}
    for path, folder in tree.folders.items():
        for address, item in folder.resources.items():
            if (path, address) not in seen and {"count", "for_each"} & set(item.block.attributes):
                kind = BY_TERRAFORM.get(item.block.labels[0])
                into.unknown |= {kind} if kind else set()
                into.has_unknown_records |= bool(_RECORD.fullmatch(item.block.labels[0]))
                into.has_unknown_secrets |= item.block.labels[0] == "azurerm_key_vault_secret"


def environment(instance: Instance) -> str:
    """The environment of an instance: said by its data, else by the folder of its root."""
    return canonical(instance.environment) or of_path(instance.root)


def said(tree: Tree, instance: Instance, value: Any, argument: str) -> Said:
    """Who says the value of an argument, and where."""
    return Said(environment(instance), TERRAFORM, instance.root, told(tree, instance, value, argument))


def _key(instance: Instance, address: str = "") -> tuple[int, str, str]:
    """One resource of one use of a folder: what stands beside it has the same first part."""
    return id(instance.scope.variables), instance.folder, address or instance.item.address


def _beside(instance: Instance, argument: str, known: dict[tuple[int, str, str], Any]) -> str | None:
    """The name of the resource beside this one that an argument refers to; None when it is not told."""
    attribute = instance.item.block.attributes.get(argument)
    for reference in attribute.references if attribute else ():
        steps = 3 if reference.path[0] == "data" else 2
        name = known.get(_key(instance, ".".join(reference.path[:steps])))
        if isinstance(name, str):
            return name
    return None


def _thing(tree: Tree, each: Instance, into: Inventory) -> None:
    kind = BY_TERRAFORM.get(each.type)
    if kind is None:
        return
    name, within, region = each.get("name"), each.get("resource_group_name"), each.get("location")
    if not isinstance(name, str):
        into.unknown.add(kind)
        return
    subscription = each.data.values.get("subscription_id") if each.data else None
    into.things.append(
        Thing(
            kind,
            name,
            said(tree, each, name, "name"),
            within if isinstance(within, str) else None,
            f"{each.folder}/{each.item.address}",
            region if isinstance(region, str) else "",
            told(tree, each, region, "location") if isinstance(region, str) else "",
            subscription if isinstance(subscription, str) else "",
        )
    )


def _record(tree: Tree, each: Instance, zones: dict[tuple[int, str, str], Any], into: Inventory) -> None:
    found = _RECORD.fullmatch(each.type)
    if not found:
        return
    name, zone = each.get("name"), each.get("zone_name")
    zone = zone if isinstance(zone, str) else _beside(each, "zone_name", zones)
    if not isinstance(name, str) or zone is None:
        into.has_unknown_records = True
        return
    target, ttl = each.get("record"), each.get("ttl")
    into.records.append(
        Record(
            f"{name}.{zone}".lower().removeprefix("@."),
            found[1].upper(),
            said(tree, each, name, "name"),
            zone.lower(),
            target.lower().rstrip(".") if isinstance(target, str) else "",
            ttl if isinstance(ttl, int) and not isinstance(ttl, bool) else None,
            f"{each.folder} {each.item.address}",
        )
    )


def _binding(tree: Tree, each: Instance, into: Inventory) -> None:
    argument, platform = _BINDINGS.get(each.type, ("", ""))
    host = each.get(argument) if argument else None
    if isinstance(host, str):
        needs = frozenset(f"{each.folder} {address}" for address in _needs(tree, each))
        into.bindings.append(Binding(host.lower(), platform, said(tree, each, host, argument), needs, each.folder))


def _needs(tree: Tree, instance: Instance) -> Iterator[str]:
    """The addresses that a resource waits for, directly or by way of others of its folder."""
    folder, seen, left = tree.folders[instance.folder], set(), [instance.item]
    while left:
        for attribute in attributes(left.pop().block):
            for reference in attribute.references:
                address = ".".join(reference.path[:2])
                if address in seen:
                    continue
                seen.add(address)
                yield address
                if reference.path[0] == "local" and address.partition(".")[2] in folder.locals:
                    _, local = folder.locals[address.partition(".")[2]]
                    yield from (".".join(each.path[:2]) for each in local.references)
                if address in folder.resources:
                    left.append(folder.resources[address])


def attributes(block: Block) -> Iterator[Attribute]:
    """All arguments of a block, those of inner blocks too."""
    for each in block.walk():
        yield from each.attributes.values()


def _secret(tree: Tree, each: Instance, vaults: dict[tuple[int, str, str], Any], into: Inventory) -> None:
    if each.type != "azurerm_key_vault_secret":
        return
    name = each.get("name")
    if not isinstance(name, str):
        into.has_unknown_secrets = True
        return
    into.written.append(Secret(name, _beside(each, "key_vault_id", vaults), said(tree, each, name, "name")))


def _texts(tree: Tree, each: Instance, into: Inventory) -> None:
    for argument in ("app_settings", "value"):
        held = each.get(argument) if argument in each.item.block.attributes else None
        texts = held.values() if isinstance(held, dict) else [held]
        for text in (one for one in texts if isinstance(one, str)):
            who = said(tree, each, text, argument)
            into.calls += calls(text, who, each.item.address)
            if each.type != "azurerm_key_vault_secret":
                into.mentions += [Mention(kind, name, who) for kind, name in endpoints(text)]
