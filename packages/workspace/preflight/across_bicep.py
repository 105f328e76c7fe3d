"""What Bicep templates say about things, records, hosts and secrets, with every environment's parameters."""

from collections.abc import Iterator
from typing import Any

from workspace.preflight.across_environments import canonical, of_path
from workspace.preflight.across_inventory import BICEP, Binding, Inventory, Mention, Record, Said, Secret, Thing
from workspace.preflight.across_kinds import BY_TYPE, endpoints
from workspace.preflight.across_texts import calls
from workspace.preflight.bicep_files import Files, Parameters
from workspace.preflight.bicep_template import UNKNOWN
from workspace.preflight.bicep_values import Made, made

_RECORD = "microsoft.network/dnszones/"


def read(files: Files, into: Inventory) -> None:
    """Put what the templates of a checkout deploy, and what they look up, into the inventory."""
    for template in files.roots:
        for given in files.of(template) or (None,):
            environment = canonical(given.environment) if given else ""
            environment = environment or of_path(template.path)
            values = (
                {name: UNKNOWN if value is None else value for name, value in given.values.items()} if given else {}
            )
            into.more_environments.add(environment)
            for group in made(files, template, values):
                for each in group:
                    _made(each, environment, template.path, given, into)
            for group in made(files, template, values, existing=True):
                for each in group:
                    kind = BY_TYPE.get(each.type.lower())
                    if kind and isinstance(each.name, str):
                        who = _said(each, environment, template.path, given)
                        into.mentions.append(Mention(kind, each.name, who, looked_up=True))


def _said(each: Made, environment: str, owner: str, given: Parameters | None) -> Said:
    """Who says a name: the environment's parameter where it is that, else the template."""
    return Said(environment, BICEP, owner, _parameter(given, each.name) or each.name_place)


def _parameter(given: Parameters | None, value: Any) -> str:
    """The place of the parameter with just this value; nothing when there is none."""
    values = given.values.items() if given and isinstance(value, str) else ()
    return next((given.at(name) for name, known in values if known == value), "") if given else ""


def _made(each: Made, environment: str, owner: str, given: Parameters | None, into: Inventory) -> None:
    type_ = each.type.lower()
    kind = BY_TYPE.get(type_)
    who = _said(each, environment, owner, given)
    if kind and isinstance(each.name, str):
        region = each.body.get("location") if isinstance(each.body, dict) else ""
        into.things.append(
            Thing(
                kind,
                each.name,
                who,
                None,
                each.declaration.name,
                region if isinstance(region, str) else "",
                _parameter(given, region),
            )
        )
    elif kind:
        into.unknown.add(kind)
    if type_.startswith(_RECORD):
        _record(each, who, into)
    if type_ in ("microsoft.web/sites/hostnamebindings", "microsoft.web/staticsites/customdomains"):
        _, host = _full(each)
        if host:
            platform = "App Service" if "sites/host" in type_ else "Static Web App"
            # A domain bound twice in one template is bound once: plain, then with its certificate.
            binding = Binding(host.lower(), platform, who)
            if not any((old.host, old.said) == (binding.host, who) for old in into.bindings):
                into.bindings.append(binding)
    if type_ == "microsoft.keyvault/vaults/secrets":
        vault, name = _full(each)
        if name:
            into.written.append(Secret(name, vault or None, who))
        else:
            into.has_unknown_secrets = True
    if type_.startswith("microsoft.web/sites"):
        for text in _texts(each.body):
            at = Said(environment, BICEP, owner, _parameter(given, text) or each.place)
            into.calls += calls(text, at, each.declaration.name)
            into.mentions += [Mention(kind, name, at) for kind, name in endpoints(text)]


def _full(each: Made) -> tuple[str, str]:
    """The name of what a child resource belongs to and its own; nothing for what is not known."""
    if not isinstance(each.name, str):
        return "", ""
    parent, slash, own = each.name.rpartition("/")
    if slash:
        return parent, own
    return (each.parent if isinstance(each.parent, str) else ""), each.name


def _record(each: Made, who: Said, into: Inventory) -> None:
    zone, name = _full(each)
    kind = each.type.rpartition("/")[2].upper()
    if not zone or not name:
        into.has_unknown_records = True
        return
    inner = each.body.get("properties") if isinstance(each.body, dict) else None
    properties: dict[str, Any] = inner if isinstance(inner, dict) else {}
    target, ttl = properties.get("CNAMERecord"), properties.get("TTL")
    alias = target.get("cname") if isinstance(target, dict) else None
    into.records.append(
        Record(
            f"{name}.{zone}".lower().removeprefix("@."),
            kind,
            who,
            zone.lower(),
            alias.lower().rstrip(".") if isinstance(alias, str) else "",
            ttl if isinstance(ttl, int) and not isinstance(ttl, bool) else None,
            each.declaration.name,
        )
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
