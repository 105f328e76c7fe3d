"""Images: built once where the release is made, carried by digest everywhere else.

What goes into an image has a content address, and the first twelve digits of it are the image's input tag (`dev-…`). An
input tag that the registry knows needs no build, unless the settings ask for a `fresh` one: newer base images change no
input of ours. What this workspace built before is found by its digest, not by that tag, because anybody can move a tag.
Beside it, the environment's own tag (`dev`, `staging`) names what the environment has now; people read it, deployments
use the digest.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workspace.errors import Broken, Refused
from workspace.work import Outcome, Preview, Result, Work

if TYPE_CHECKING:
    from workspace.clients.engine import Engine
    from workspace.clients.registry import Registry

HOLDS_ITSELF = True
"""A build takes minutes and writes nothing; the registry is held where something is pushed, tagged or carried."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INPUT_DIGITS = 12
# What the nodes of a cluster run, unless an image's settings say otherwise (`platform`).
_PLATFORM = "linux/amd64"


class Outside(Protocol):
    """What this kind speaks to."""

    @property
    def engine(self) -> "Engine":
        """Where images are built."""

    @property
    def registry(self) -> "Registry":
        """Where they are kept."""


def preview(work: Work, outside: Outside, /) -> Preview:
    """Whether the image has to be built or carried, and whether the environment's tag has to move."""
    _host(work, outside)
    if work.carried:
        return Preview(_carry_changes(work, outside), plan=work.carried)
    fingerprint = _inputs(work, outside)
    digest = _built(work, outside, fingerprint)
    if digest is None or _is_fresh(work):
        changes = (f"build {_repository(work)}:{_input_tag(work, fingerprint)}", _tagging(work))
        return Preview(changes, plan=fingerprint, always=_is_fresh(work))
    return Preview(() if _is_tagged(work, outside, digest) else (_tagging(work),), plan=fingerprint)


def apply(work: Work, preview: Preview, outside: Outside, /) -> Result:
    """Build and push, or carry; unchanged where the registry has everything already.

    Refused when the sources, or the digest to carry, are not those of the preview.
    """
    if work.carried:
        return _carry(work, preview, outside)
    fingerprint = _inputs(work, outside)
    if fingerprint != preview.plan:
        raise Refused(f"the sources of {work.node.id} changed after the preview: preview again, then apply that")
    before = _built(work, outside, fingerprint)
    if before and not _is_fresh(work):
        is_moved = _put_tag(work, outside, before)
        return _result(work, outside, before, "was built before", is_new=is_moved, inputs=fingerprint)
    reference = _build(work, outside, fingerprint)
    with work.alone():
        digest = _push(work, outside, reference, fingerprint)
        is_new = _put_tag(work, outside, digest) or digest != before
    detail = f"was built by {outside.engine.describe()}"
    return _result(work, outside, digest, detail, is_new=is_new, inputs=fingerprint)


def reads(work: Work, preview: Preview, outside: Outside, /) -> Mapping[str, str]:
    """What goes into the image, or the digest that is carried."""
    return {"content": preview.plan}


def verify(work: Work, result: Result, outside: Outside, /) -> Result:
    """The registry holds the digest, and the environment's tag names it; Broken when not."""
    digest, repository = result.content, _repository(work)
    if not outside.registry.exists(repository, digest):
        raise Broken(f"{outside.registry.host} does not hold {repository}@{digest} any more: see who deleted it")
    named = outside.registry.digest(repository, _tag(work))
    if named != digest:
        raise Broken(f"{repository}:{_tag(work)} names {named or 'nothing'}, not {digest}: see who moved the tag")
    return result


def lacking(settings: Mapping[str, Any], digest: str, outside: Outside) -> tuple[str, ...]:
    """What of the image to carry is in no registry that it can come from, in words."""
    platform = str(settings.get("platform", _PLATFORM))
    repository = str(settings["repository"])
    source = str(settings.get("source_repository") or repository)
    found = outside.registry.lacking(repository, digest, platform)
    if found and source != repository:
        found = outside.registry.lacking(source, digest, platform)
    return tuple(f"{each} in {outside.registry.host}" for each in found)


def _carry_changes(work: Work, outside: Outside) -> tuple[str, ...]:
    digest, source, repository = _carried(work), _source(work), _repository(work)
    if outside.registry.exists(repository, digest):
        return () if _is_tagged(work, outside, digest) else (_tagging(work),)
    if source == repository or not outside.registry.exists(source, digest):
        raise Refused(f"{outside.registry.host} holds no {source}@{digest}: run the promotion that builds it first")
    return f"carry {source}@{digest[:19]} to {repository}", _tagging(work)


def _carry(work: Work, preview: Preview, outside: Outside) -> Result:
    digest, repository = _carried(work), _repository(work)
    if digest != preview.plan:
        raise Refused(f"{work.node.id} was previewed with {preview.plan or 'no digest'}, not {digest}: preview again")
    is_new = not outside.registry.exists(repository, digest)
    is_new |= not _is_tagged(work, outside, digest)
    if is_new:
        with work.alone():
            outside.registry.carry(digest, _source(work), repository, tag=_tag(work), say=work.say)
    return _result(work, outside, digest, "was carried, not rebuilt", is_new=is_new)


def _build(work: Work, outside: Outside, fingerprint: str) -> str:
    repository = _repository(work)
    reference = f"{outside.registry.authority}/{repository}:{_input_tag(work, fingerprint)}"
    labels = {"org.opencontainers.image.title": repository, "app.mystira.inputs": fingerprint}
    outside.engine.build(**_recipe(work), tag=reference, labels=labels, fresh=_is_fresh(work), say=work.say)
    return reference


def _push(work: Work, outside: Outside, reference: str, fingerprint: str) -> str:
    """The digest by which the registry knows what was pushed."""
    repository, mark = _repository(work), _input_tag(work, fingerprint)
    told = outside.engine.push(reference, work.say, login=outside.registry.login())
    kept = outside.registry.digest(repository, mark)
    if kept is None or told not in ("", kept):
        raise Broken(
            f"the engine pushed {repository}:{mark} as {told}, the registry has {kept}: see who else pushes there"
        )
    return kept


def _put_tag(work: Work, outside: Outside, digest: str) -> bool:
    """True when the environment's tag had to move."""
    if _is_tagged(work, outside, digest):
        return False
    with work.alone():
        outside.registry.carry(digest, _repository(work), _repository(work), tag=_tag(work), say=work.say)
    return True


def _result(work: Work, outside: Outside, digest: str, detail: str, *, is_new: bool, inputs: str = "") -> Result:
    repository = _repository(work)
    gives = {
        "repository": repository,
        "digest": digest,
        "reference": f"{_host(work, outside)}/{repository}@{digest}",
        **({"inputs": inputs} if inputs else {}),
    }
    outcome = Outcome.CHANGED if is_new else Outcome.UNCHANGED
    return Result(outcome, f"{repository}@{digest[:19]} {detail}", gives, digest)


def _built(work: Work, outside: Outside, fingerprint: str) -> str | None:
    """What is built of these inputs: as the ledger has it, or as the input tag says where it has nothing of them."""
    repository, known = _repository(work), work.built.get(fingerprint)
    if known is None:
        return outside.registry.digest(repository, _input_tag(work, fingerprint))
    return known if outside.registry.exists(repository, known) else None


def _is_fresh(work: Work) -> bool:
    return bool(work.settings.get("fresh"))


def _host(work: Work, outside: Outside) -> str:
    """What the reference begins with: the registry the infrastructure made, which must be the one we pushed to."""
    ours, told = outside.registry.host, str(work.settings.get("login_server") or outside.registry.host)
    if told != ours and not outside.registry.authority.startswith(("127.", "localhost")):
        raise Refused(
            f"{work.node.id} goes to {ours}, but the infrastructure made {told}: correct the target's registry"
        )
    return told


def _inputs(work: Work, outside: Outside) -> str:
    recipe = _recipe(work)
    return outside.engine.inputs(**recipe).fingerprint


def _recipe(work: Work) -> dict[str, Any]:
    context: Path = work.sources / str(work.settings.get("context", "."))
    dockerfile: Path = work.sources / str(work.settings["dockerfile"])
    arguments: Mapping[str, Any] = work.settings.get("arguments") or {}
    return {
        "context": context,
        "dockerfile": dockerfile,
        "arguments": {name: str(value) for name, value in arguments.items()},
    }


def _is_tagged(work: Work, outside: Outside, digest: str) -> bool:
    return outside.registry.digest(_repository(work), _tag(work)) == digest


def _carried(work: Work) -> str:
    if not _DIGEST.fullmatch(work.carried):
        raise Refused(f"the release brings {work.carried!r} for {work.node.id}, which is no digest (sha256:…)")
    return work.carried


def _repository(work: Work) -> str:
    return str(work.settings["repository"])


def _source(work: Work) -> str:
    return str(work.settings.get("source_repository") or _repository(work))


def _tag(work: Work) -> str:
    return work.environment.name


def _tagging(work: Work) -> str:
    return f"tag {_repository(work)}:{_tag(work)}"


def _input_tag(work: Work, fingerprint: str) -> str:
    return f"{_tag(work)}-{fingerprint[:_INPUT_DIGITS]}"
