"""What a health check asks with, and whether its image has that program."""

import re
from collections.abc import Iterable

from workspace.preflight.docker_syntax import Instruction

_HUB = r"^(docker\.io/(library/)?)?"
_ASKS = re.compile(r"(?<![\w./-])(?:/usr/bin/)?(curl|wget)(?=[\s\"',])")
# What of these two the base images have; what is not named may have both.
_PROGRAMS: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = (
    (re.compile(r"^mcr\.microsoft\.com/dotnet/(aspnet|runtime|runtime-deps)(:(?!.*alpine).*)?$"), frozenset()),
    (re.compile(_HUB + r"(python|node|debian|ruby|rust):[\w.-]*slim"), frozenset()),
    (re.compile(_HUB + r"(debian|ubuntu)(:|$)"), frozenset()),
    (re.compile(r"^mcr\.microsoft\.com/dotnet/\w[\w-]*:.*alpine"), frozenset({"wget"})),
    (re.compile(_HUB + r"(alpine(:|$)|(python|node|ruby|golang|rust):[\w.-]*alpine)"), frozenset({"wget"})),
)


def lacking(base: str, check: Instruction, shipped: Iterable[Instruction]) -> str:
    """What a health check asks with that is in neither the base nor a layer, as a sentence's end; or nothing.

    Such a check fails always, whatever the service does.
    """
    base = base.partition("@")[0]
    asks = set(_ASKS.findall(check.rest))
    known = next((has for pattern, has in _PROGRAMS if pattern.search(base)), None)
    if not asks or known is None or asks & known:
        return ""
    made = (each for each in shipped if each.word in ("RUN", "COPY", "ADD"))
    layers = " ".join(" ".join((each.rest, *each.heredocs)) for each in made)
    if any(re.search(rf"\b{each}\b", layers) for each in asks):
        return ""
    return f"asks with {' or '.join(sorted(asks))}, which {base} does not have"
