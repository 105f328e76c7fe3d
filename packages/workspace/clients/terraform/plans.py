"""Reads a saved plan: what would change, what is not known yet, and what nobody may see."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

HIDDEN = "(sensitive)"
"""What stands where a sensitive value was."""

_SHORTEST_SECRET = 4


class Action(StrEnum):
    """What a plan does to one thing."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"
    IMPORT = "import"
    MOVE = "move"
    FORGET = "forget"
    NOTHING = "no-op"


@dataclass(frozen=True)
class Change:
    """One change: what happens to which address, which attributes differ (names only), and why if Terraform says so."""

    action: Action
    address: str
    attributes: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        about = ", ".join(self.attributes) if self.action is Action.UPDATE else ""
        if self.action is Action.REPLACE and self.reason:
            about = self.reason.removeprefix("replace_").replace("_", " ")
        return f"{self.action} {self.address}" + (f" ({about})" if about else "")


@dataclass(frozen=True)
class PlanSummary:
    """What applying a saved plan would do. It holds addresses and names of attributes, never a value.

    `drift` is what was changed outside of Terraform since the last run; `unknown_outputs` are only known after
    applying; `deferred` is what Terraform puts off to another run. `file` and `digest` say which saved plan this is;
    both are empty when there is nothing to apply.
    """

    changes: tuple[Change, ...] = ()
    outputs: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()
    unknown_outputs: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failed_checks: tuple[str, ...] = ()
    file: Path | None = None
    digest: str = ""

    @property
    def is_empty(self) -> bool:
        """True when applying would do nothing."""
        return not (self.changes or self.outputs or self.deferred)

    @property
    def creates(self) -> tuple[str, ...]:
        """The addresses that would be new."""
        return self._of(Action.CREATE)

    @property
    def updates(self) -> tuple[str, ...]:
        """The addresses that would be changed in place."""
        return self._of(Action.UPDATE)

    @property
    def imports(self) -> tuple[str, ...]:
        """The addresses that would be taken over as they are."""
        return self._of(Action.IMPORT)

    @property
    def replaces(self) -> tuple[str, ...]:
        """The addresses that would be destroyed and made again."""
        return self._of(Action.REPLACE)

    @property
    def deletes(self) -> tuple[str, ...]:
        """The addresses that would be destroyed."""
        return self._of(Action.DELETE)

    @property
    def lines(self) -> tuple[str, ...]:
        """Every change as one short line, resources first."""
        put_off = tuple(f"defer {address}" for address in self.deferred)
        return (*(str(each) for each in self.changes), *(str(each) for each in self.outputs), *put_off)

    def _of(self, action: Action) -> tuple[str, ...]:
        return tuple(each.address for each in self.changes if each.action is action)


def summary(plan: Mapping[str, Any]) -> PlanSummary:
    """The summary of a plan as `terraform show -json` prints it."""
    changes = [change(each) for each in plan.get("resource_changes") or []]
    outputs = plan.get("output_changes") or {}
    told = [_output(name, each) for name, each in sorted(outputs.items())]
    return PlanSummary(
        changes=tuple(each for each in changes if each.action not in (Action.NOTHING, Action.READ)),
        outputs=tuple(each for each in told if each.action is not Action.NOTHING),
        drift=tuple(change(each) for each in plan.get("resource_drift") or []),
        unknown_outputs=tuple(
            name for name, each in sorted(outputs.items()) if holds_true((each or {}).get("after_unknown"))
        ),
        deferred=tuple(
            str((each.get("resource_change") or {}).get("address", "")) for each in plan.get("deferred_changes") or []
        ),
    )


def change(entry: Mapping[str, Any]) -> Change:
    """One entry of `resource_changes` or `resource_drift`."""
    told = entry.get("change") or {}
    action = _action(entry, told)
    return Change(action, str(entry.get("address", "")), _differing(told), str(entry.get("action_reason", "")))


def told(action: str, address: str) -> Change:
    """A change as an event of the stream tells it: without the attributes."""
    return Change(_word(action), address)


def _word(action: str) -> Action:
    return Action(action) if action in set(Action) else Action.UPDATE


def _action(entry: Mapping[str, Any], told: Mapping[str, Any]) -> Action:
    actions = list(told.get("actions") or [])
    if sorted(actions) == ["create", "delete"] or sorted(actions) == ["create", "forget"]:
        return Action.REPLACE
    word = actions[0] if actions else "no-op"
    if word == "no-op" and told.get("importing"):
        return Action.IMPORT
    moved = entry.get("previous_address")
    if word == "no-op" and moved and moved != entry.get("address"):
        return Action.MOVE
    return _word(word)


def _output(name: str, told: Mapping[str, Any] | None) -> Change:
    actions = (told or {}).get("actions") or ["no-op"]
    word = "replace" if len(actions) > 1 else actions[0]
    return Change(_word(word), f"output.{name}")


def _differing(told: Mapping[str, Any]) -> tuple[str, ...]:
    before, after, unknown = (told.get(name) or {} for name in ("before", "after", "after_unknown"))
    if not all(isinstance(each, Mapping) for each in (before, after, unknown)):
        return ()
    names = sorted({*before, *after, *unknown})
    return tuple(name for name in names if holds_true(unknown.get(name)) or before.get(name) != after.get(name))


def holds_true(marks: Any) -> bool:
    """Whether a tree of marks, as Terraform writes them beside values, marks anything."""
    if isinstance(marks, Mapping):
        return any(holds_true(each) for each in marks.values())
    if isinstance(marks, list):
        return any(holds_true(each) for each in marks)
    return marks is True


def secrets(plan: Mapping[str, Any]) -> set[str]:
    """Every text of some length that the plan marks as sensitive."""
    found: set[str] = set()
    for holder, name, marks in _marked(plan):
        for value in _texts(holder.get(name), marks):
            if len(value) >= _SHORTEST_SECRET:
                found.add(value)
    return found


def scrub(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the plan that may be shown: sensitive values are gone, also from where they were copied to."""
    shown = copy.deepcopy(dict(plan))
    known = secrets(plan)
    for holder, name, marks in _marked(shown):
        holder[name] = _hide(holder.get(name), marks)
    cleaned: dict[str, Any] = _hide_texts(shown, sorted(known, key=len, reverse=True))
    return cleaned


def _marked(plan: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    """Every value of a plan with the marks beside it: holder, name, marks."""
    declared = ((plan.get("configuration") or {}).get("root_module") or {}).get("variables")
    for name, variable in (plan.get("variables") or {}).items():
        hidden = declared is None or bool((declared.get(name) or {}).get("sensitive"))
        yield variable, "value", hidden
    for entry in (*(plan.get("resource_changes") or []), *(plan.get("resource_drift") or [])):
        yield from _marked_change(entry.get("change") or {})
    for entry in plan.get("deferred_changes") or []:
        yield from _marked_change((entry.get("resource_change") or {}).get("change") or {})
    for told in (plan.get("output_changes") or {}).values():
        yield from _marked_change(told or {})
    yield from _marked_values(plan.get("planned_values") or {})
    yield from _marked_values((plan.get("prior_state") or {}).get("values") or {})


def _marked_change(told: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    for name in ("before", "after"):
        if name in told:
            yield told, name, told.get(f"{name}_sensitive")


def _marked_values(values: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    for output in (values.get("outputs") or {}).values():
        yield output, "value", bool(output.get("sensitive"))
    yield from _marked_module(values.get("root_module") or {})


def _marked_module(module: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    for resource in module.get("resources") or []:
        yield resource, "values", resource.get("sensitive_values")
    for child in module.get("child_modules") or []:
        yield from _marked_module(child)


def _texts(value: Any, marks: Any) -> Iterator[str]:
    if marks is True:
        yield from _all_texts(value)
    elif isinstance(marks, Mapping) and isinstance(value, Mapping):
        for name, mark in marks.items():
            yield from _texts(value.get(name), mark)
    elif isinstance(marks, list) and isinstance(value, list):
        for each, mark in zip(value, marks, strict=False):
            yield from _texts(each, mark)


def _all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _all_texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _all_texts(each)
    elif isinstance(value, str):
        yield value


def _hide(value: Any, marks: Any) -> Any:
    if value is None or not holds_true(marks):
        return value
    if marks is True:
        return HIDDEN
    if isinstance(marks, Mapping) and isinstance(value, Mapping):
        return {name: _hide(each, marks.get(name)) for name, each in value.items()}
    if isinstance(marks, list) and isinstance(value, list):
        return [_hide(each, marks[index] if index < len(marks) else None) for index, each in enumerate(value)]
    return HIDDEN


def _hide_texts(value: Any, known: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _hide_texts(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_hide_texts(each, known) for each in value]
    if isinstance(value, str):
        return hide_in(value, known)
    return value


def hide_in(text: str, known: list[str]) -> str:
    """The text without any of the known secrets."""
    for secret in known:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def worth_hiding(value: Any) -> set[str]:
    """The texts inside a value that are long enough to be told from ordinary words."""
    return {each for each in _all_texts(value) if len(each) >= _SHORTEST_SECRET}
