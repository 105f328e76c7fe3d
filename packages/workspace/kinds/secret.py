"""A secret: keys of one Kubernetes secret, filled from vaults by an explicit map. Values never leave the process.

Vaults allow hyphens in names and pods read underscores, so every key says where it comes from; a key that names only
its vault is looked up under its own name with hyphens.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workspace.errors import Broken, Refused
from workspace.work import Certainty, Outcome, Preview, Result, Work

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_VAULT_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")


@dataclass(frozen=True)
class _Values:
    """What the secret is to hold, and what the vaults lack. The values stay out of every text made of this."""

    found: Mapping[str, str] = field(repr=False)
    missing: tuple[str, ...] = ()


def preview(work: Work, outside: Any) -> Preview:
    """Which keys would be added, changed or removed; deferred while a vault does not hold a value yet."""
    values = _read(work, outside)
    state = _cluster(work, outside).secret_state(work.settings["namespace"], work.settings["name"], values.found)
    changes = [f"add key {key}" for key in state.added]
    changes += [f"change key {key}" for key in state.changed]
    changes += [f"remove key {key}" for key in state.removed]
    changes += [f"add {each} once the vault holds it" for each in values.missing]
    certainty = Certainty.DEFERRED if values.missing else Certainty.EXACT
    return Preview(tuple(f"{_name(work)}: {each}" for each in changes), certainty)


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Write the keys that differ; Refused when a vault lacks a value that is not optional."""
    values = _complete(work, outside)
    cluster = _cluster(work, outside)
    before = cluster.secret_state(work.settings["namespace"], work.settings["name"], values)
    if before.is_settled:
        return Result(Outcome.UNCHANGED, f"{_name(work)} held its {len(values)} keys", _gives(values, before))
    after = cluster.write_secret(work.settings["namespace"], work.settings["name"], values)
    touched = ", ".join(sorted({*after.added, *after.changed, *after.removed}))
    work.say(f"wrote {touched} of {_name(work)}")
    return Result(Outcome.CHANGED, f"wrote {touched} of {_name(work)}", _gives(values, after))


def verify(work: Work, result: Result, outside: Any) -> Result:
    """The result, once the cluster's secret is what the vaults say."""
    values = _complete(work, outside)
    state = _cluster(work, outside).secret_state(work.settings["namespace"], work.settings["name"], values)
    if not state.is_settled:
        others = ", ".join(sorted({*state.added, *state.changed, *state.removed})) or "every key"
        raise Broken(f"{_name(work)} is not what was written ({others}); something else writes it too")
    return Result(result.outcome, result.detail, _gives(values, state))


def _cluster(work: Work, outside: Any) -> Any:
    return outside.cluster(work.settings["cluster"]["group"], work.settings["cluster"]["name"])


def _name(work: Work) -> str:
    return f"Secret {work.settings['namespace']}/{work.settings['name']}"


def _gives(values: Mapping[str, str], state: Any) -> dict[str, Any]:
    """The keys, and the version that pods may carry so that they restart when a value changes."""
    return {"keys": sorted(values), "version": state.version}


def _complete(work: Work, outside: Any) -> Mapping[str, str]:
    values = _read(work, outside)
    if values.missing:
        raise Refused(f"{_name(work)} lacks {'; '.join(values.missing)}: put it into the vault, then run again")
    return values.found


def _read(work: Work, outside: Any) -> _Values:
    optional = set(work.settings.get("optional", ()))
    sources = work.settings["keys"]
    _refuse_illegal(work, sources, optional)
    found: dict[str, str] = {}
    missing = []
    for key, source in sources.items():
        value = source["value"] if "value" in source else outside.vault.get(source["vault"], _vault_name(key, source))
        if value:
            found[key] = str(value)
        elif key not in optional:
            missing.append(_whence(key, source))
    return _Values(found, tuple(missing))


def _whence(key: str, source: Mapping[str, Any]) -> str:
    if "value" in source:
        return f"key {key} (its value is empty)"
    return f"key {key} (secret {_vault_name(key, source)} of vault {source['vault']})"


def _vault_name(key: str, source: Mapping[str, Any]) -> str:
    return str(source.get("secret") or key.replace("_", "-"))


def _refuse_illegal(work: Work, sources: Mapping[str, Mapping[str, Any]], optional: set[str]) -> None:
    strangers = sorted(optional - set(sources))
    if strangers:
        raise Refused(f"{_name(work)} calls {', '.join(strangers)} optional, which is no key of it")
    for key, source in sources.items():
        if not _KEY.fullmatch(key):
            raise Refused(f"{_name(work)}: {key!r} is no legal key of a Kubernetes secret")
        if "value" not in source and not source.get("vault"):
            raise Refused(f"{_name(work)}: key {key} names neither a vault nor a value")
        if "value" not in source and not _VAULT_NAME.fullmatch(_vault_name(key, source)):
            name = _vault_name(key, source)
            raise Refused(f"{_name(work)}: {name!r} is no legal name in a vault: letters, digits and hyphens only")
