"""A node that is an ARM or Bicep template: everything it describes, in one deployment to one resource group.

Settings: `template` (a .bicep or .json file), `parameters_file`, `parameters`, `secure` (parameter name to `{"file":
path}` or `{"environment": NAME}`), `group`, `location`, `tags` for the group, `name`, `deadline_seconds`.
"""

import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workspace.errors import Broken, Refused, Unsettled
from workspace.work import Certainty, Outcome, Preview, Result, Work

if TYPE_CHECKING:
    from workspace.clients.arm import Deployment, WhatIf

_TELLS_A_SECRET = re.compile(r"\blist[A-Z]\w*\(")
_DEADLINE_SECONDS = 3600
_DEPLOYMENTS = "microsoft.resources/deployments"

Json = dict[str, Any]


@dataclass(frozen=True)
class _Asked:
    """What the settings come to: one deployment, named after its content."""

    group: str
    location: str
    prefix: str
    name: str
    template: Json
    values: Json
    content: str

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs that may be told: none that is secure or made of a secret."""
        return [name for name, output in (self.template.get("outputs") or {}).items() if _is_open(output)]


def preview(work: Work, outside: Any) -> Preview:
    """What deploying would change. Values Azure cannot compare make the preview uncertain, never empty.

    Into a group that does not exist yet nothing can be compared; then the preview lists what the template describes.
    """
    asked = _asked(work, outside)
    if outside.arm.group(asked.group) is None:
        lines = (f"create resource group {asked.group}", *_described(asked.template))
        return Preview(lines, Certainty.DEFERRED, plan=asked.name)
    seen = _what_if(asked, outside)
    lines = tuple(str(change) for change in (*seen.certain, *seen.uncertain))
    is_deployed = not seen.certain and bool(_is_deployed(asked, outside))
    if not seen.certain and not is_deployed:
        lines = (*lines, f"deploy {asked.name}")
    certainty = Certainty.UNCERTAIN if seen.uncertain else Certainty.EXACT
    return Preview(lines, certainty, seen.deletes, asked.name, only_doubts=is_deployed and bool(seen.uncertain))


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Deploy exactly what was previewed; unchanged when it is what was deployed last and nothing has drifted since."""
    asked = _asked(work, outside)
    if preview.plan and preview.plan != asked.name:
        raise Refused(f"{work.node.id}: the template or its parameters changed since the preview: preview it again")
    if last := _is_deployed(asked, outside):
        seen = _what_if(asked, outside)
        if not seen.certain:
            doubt = f"; Azure cannot compare {len(seen.uncertain)} of its resources" if seen.uncertain else ""
            return Result(Outcome.UNCHANGED, f"{asked.name} is deployed{doubt}", _gives(asked, last), asked.content)
    outside.arm.ensure_group(asked.group, asked.location, work.settings.get("tags") or {})
    seconds = float(work.settings.get("deadline_seconds", _DEADLINE_SECONDS))
    done = outside.arm.deploy(
        asked.group, asked.name, asked.template, asked.values, say=work.say, deadline_seconds=seconds
    )
    detail = f"deployed {asked.name} to {asked.group}: {len(done.resources)} resources"
    return Result(Outcome.CHANGED, detail, _gives(asked, done), asked.content)


def reads(work: Work, preview: Preview, outside: Any) -> Mapping[str, str]:
    """The template with its parameters, secure ones by their fingerprint."""
    return {"deployment": preview.plan}


def verify(work: Work, result: Result, outside: Any) -> Result:
    """Ask Azure again: the deployment ended well, and what it made is there."""
    asked = _asked(work, outside)
    found: Deployment | None = outside.arm.deployment(asked.group, asked.name)
    if found is None:
        raise Broken(f"{work.node.id}: deployment {asked.name} is not in {asked.group}, though it was made")
    if not found.succeeded:
        raise Unsettled(f"{work.node.id}: deployment {asked.name} in {asked.group} is {found.state}")
    gone = _gone(asked.group, found, outside)
    if gone:
        raise Broken(f"{work.node.id}: {', '.join(gone)} in {asked.group} was deployed and is gone: deploy again")
    return Result(result.outcome, result.detail, _gives(asked, found), result.content)


def _asked(work: Work, outside: Any) -> _Asked:
    settings = work.settings
    template = _template(work, outside)
    content = _content(template)
    if work.carried and work.carried != content:
        raise Refused(f"{work.node.id}: the template here is not the one that was proven: promote from its commit")
    plain, secure = _plain(work), _secure(work, template)
    _check(work.node.id, template, plain, secure)
    prefix = str(settings.get("name") or work.node.id)
    secret = _fingerprint(secure, f"{settings['group']}/{prefix}")
    name = outside.arm.deployment_name(prefix, template, plain, secret)
    location = str(settings["location"])
    return _Asked(str(settings["group"]), location, prefix, name, template, {**plain, **secure}, content)


def _template(work: Work, outside: Any) -> Json:
    file = work.definitions / str(work.settings["template"])
    if file.suffix == ".bicep":
        compiled: Json = outside.bicep.compile(file, work.say)
        return compiled
    return _json(work.node.id, file)


def _json(node: str, file: Path) -> Json:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Refused(f"{node}: {file} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refused(f"{node}: {file} must hold a JSON object")
    return found


def _content(template: Json) -> str:
    """The template's own address: the same whichever version of the compiler wrote its name into it."""
    canonical = json.dumps(_without_generator(template), sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _without_generator(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_generator(item) for name, item in value.items() if name != "_generator"}
    return [_without_generator(item) for item in value] if isinstance(value, list) else value


def _plain(work: Work) -> Json:
    """The values of the parameters file, and over them those of the settings; null leaves the template's default."""
    values: Json = {}
    if work.settings.get("parameters_file"):
        said = _json(work.node.id, work.definitions / str(work.settings["parameters_file"]))
        for name, given in said.get("parameters", {}).items():
            values[name] = given.get("value", given)
    values.update(work.settings.get("parameters") or {})
    return {name: value for name, value in values.items() if value is not None}


def _secure(work: Work, template: Json) -> Json:
    """The secure values, each read where the settings point; only parameters that Azure keeps secret may take one."""
    types = {name.lower(): _kind(each, template) for name, each in (template.get("parameters") or {}).items()}
    values: Json = {}
    for name, reference in (work.settings.get("secure") or {}).items():
        kind = types.get(name.lower(), "")
        if kind and not kind.startswith("secure"):
            raise Refused(
                f"{work.node.id}: parameter {name} is a secret and declared as {kind}, which Azure shows to everybody: "
                "mark it @secure() in the template"
            )
        text = _secret(work.node.id, name, reference)
        values[name] = json.loads(text) if kind == "secureobject" else text
    return values


def _kind(definition: Mapping[str, Any], template: Json) -> str:
    reference = str(definition.get("$ref", ""))
    if reference:
        return _kind((template.get("definitions") or {}).get(reference.rpartition("/")[2], {}), template)
    return str(definition.get("type", "")).lower()


def _secret(node: str, name: str, reference: Any) -> str:
    if isinstance(reference, Mapping) and "environment" in reference:
        variable = str(reference["environment"])
        if not os.environ.get(variable):
            raise Refused(f"{node}: parameter {name} wants the environment variable {variable}, which is not set")
        return os.environ[variable]
    if isinstance(reference, Mapping) and "file" in reference:
        return _private_text(node, name, Path(str(reference["file"])).expanduser())
    raise Refused(f"{node}: secure parameter {name} must point to a file or an environment variable")


def _private_text(node: str, name: str, file: Path) -> str:
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Refused(f"{node}: the file of parameter {name}, {file}, can be read by others: chmod 600 {file}")
        return file.read_text().removesuffix("\n")
    except OSError as error:
        raise Refused(f"{node}: the file of parameter {name}, {file}, cannot be read: {error.strerror}") from error


def _check(node: str, template: Json, plain: Json, secure: Json) -> None:
    """Refuse here what Azure would refuse after a minute: parameters nobody declared, and values nobody gave."""
    declared = {name.lower(): definition for name, definition in (template.get("parameters") or {}).items()}
    given = {name.lower() for name in (*plain, *secure)}
    if unknown := sorted(name for name in (*plain, *secure) if name.lower() not in declared):
        raise Refused(f"{node}: the template has no parameter {', '.join(unknown)}")
    wanted = [name for name in template.get("parameters") or {} if _must_be_given(declared[name.lower()], template)]
    if missing := [name for name in wanted if name.lower() not in given]:
        raise Refused(f"{node}: the template needs a value for {', '.join(missing)}")


def _must_be_given(definition: Mapping[str, Any], template: Json) -> bool:
    if "defaultValue" in definition or definition.get("nullable"):
        return False
    reference = str(definition.get("$ref", "")).rpartition("/")[2]
    return not (template.get("definitions") or {}).get(reference, {}).get("nullable", False)


def _fingerprint(secure: Json, salt: str) -> str:
    """Six characters that change with the secrets; slow to make and too short to prove a guess. Empty without any."""
    if not secure:
        return ""
    text = json.dumps(secure, sort_keys=True).encode()
    return hashlib.scrypt(text, salt=salt.encode(), n=2**14, r=8, p=1, dklen=3).hex()


def _what_if(asked: _Asked, outside: Any) -> "WhatIf":
    seen: WhatIf = outside.arm.what_if(asked.group, asked.name, asked.template, asked.values)
    return seen


def _is_deployed(asked: _Asked, outside: Any) -> "Deployment | None":
    """The last deployment of this template, if it ended well and was of exactly this content.

    One that came after it and did not end well may have left what no what-if shows: a secret, say.
    """
    last: Deployment | None = outside.arm.last(asked.group, f"{asked.prefix}-")
    return last if last and last.succeeded and last.name.lower() == asked.name.lower() else None


def _gives(asked: _Asked, deployment: "Deployment") -> Json:
    return deployment.named(asked.outputs)


def _is_open(output: Mapping[str, Any]) -> bool:
    if str(output.get("type", "")).lower().startswith("secure"):
        return False
    return not _TELLS_A_SECRET.search(json.dumps(output.get("value", "")))


def _described(template: Json) -> Iterator[str]:
    """`create 2 Microsoft.Web/sites`: what a template would make where nothing can be compared yet."""
    for kind, count in sorted(Counter(_types(template)).items()):
        yield f"create {count} {kind}" if count > 1 else f"create {kind}"


def _types(template: Json) -> Iterator[str]:
    resources = template.get("resources") or []
    for resource in resources.values() if isinstance(resources, dict) else resources:
        kind = str(resource.get("type", ""))
        if kind.lower() == _DEPLOYMENTS:
            inner = (resource.get("properties") or {}).get("template")
            yield from _types(inner if isinstance(inner, dict) else {})
        elif not resource.get("existing"):
            yield kind


def _gone(group: str, deployment: "Deployment", outside: Any) -> list[str]:
    """The resources of the deployment that are in its group no more; only whole resources are looked at."""
    there = {each.lower() for each in outside.arm.resources(group)}
    marker = f"/resourcegroups/{group.lower()}/providers/"
    gone = []
    for each in deployment.resources:
        _, ours, rest = each.lower().partition(marker)
        is_whole = ours and rest.count("/") == 2 and not rest.startswith(_DEPLOYMENTS)
        if is_whole and each.lower() not in there:
            gone.append("/".join(each.split("/")[-3:]))
    return gone
