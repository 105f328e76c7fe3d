"""What families read of a checkout, read once for all that ask in the same process."""

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from workspace.preflight.checkout import Checkout
from workspace.preflight.kubernetes_files import Kustomization, Tree
from workspace.preflight.kubernetes_scene import Scene, scenes
from workspace.preflight.kubernetes_sources import Sources

Read = TypeVar("Read")
_KNOWN: WeakKeyDictionary[Checkout, dict[Any, Any]] = WeakKeyDictionary()


def once(checkout: Checkout, read: Callable[[Checkout], Read]) -> Read:
    """What a reader makes of a checkout; the second call with the same reader gives what the first one made."""
    known = _KNOWN.setdefault(checkout, {})
    if read not in known:
        known[read] = read(checkout)
    found: Read = known[read]
    return found


def everywhere(checkout: Checkout) -> tuple[list[Scene], list[tuple[Kustomization, str]]]:
    """What each environment's cluster would run, and the kustomizations that do not render."""
    return scenes(once(checkout, Tree))


def sources(checkout: Checkout) -> Sources:
    """Where configuration, secrets and images come from."""
    return Sources(once(checkout, Tree))
